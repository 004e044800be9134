"""Plans: what their id depends on, what their files hold, how runs become cohorts."""

import dataclasses
import hashlib
import json
import subprocess
import sys

import pytest
import rfc8785

from agents.sparsity.regime import REGIMES
from harness.entries.entry import write_entry
from harness.errors import UserError
from harness.planning import regimes
from harness.planning.cohorts import partition
from harness.planning.making import make_plan
from harness.planning.plan import read_plan, write_plan
from harness.planning.reader import load
from harness.planning.regimes import ResolvedRegime
from harness.planning.shorten import shortened
from harness.planning.sizing import declared_gib
from harness.seeding import environment_seed, stream_seed
from harness.suites import shipped
from leaderboard.formats.keys import one_use_key
from leaderboard.verification.verify import verify

CLAIMS = "claims=[O1]"


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_suite_reads_and_plans(name):
    resolved = load(name)
    suite, plan = resolved.suite, make_plan(resolved)
    assert suite.suite == name
    assert len(plan.runs) == len(suite.tasks) * len(suite.regimes) * suite.seeds
    assert plan.budget.updates["critic"] == plan.budget.agent_steps - plan.settings["warmup"]


@pytest.mark.parametrize("name", shipped())
def test_every_regime_keeps_its_own_network_in_every_suite(name):
    """`stock` trained T6, T6, T5 in every suite but its own, and was called MR.Q as published."""
    define = load(name).suite.define
    regimes = ",".join([*REGIMES, *define])
    resolved = load(name, (f"regimes=[{regimes}]", "claims=[]"))
    plan = make_plan(resolved)
    assert REGIMES["stock"].blocks == {"encoder": "T4", "critic": "T4", "actor": "T3"}
    for run in plan.runs:
        own = REGIMES[run.regime].blocks if run.regime in REGIMES else define[run.regime]
        named = own if run.regime in REGIMES else own.get("blocks", {})
        assert plan.blocks_of(run) == {**resolved.blocks, **named}, run.regime


def test_dmc_hard_is_the_published_protocol():
    plan = make_plan(load("dmc-hard"))
    assert plan.budget.environment_steps == 1_000_000
    assert plan.budget.updates == {"encoder": 490_000, "critic": 490_000, "actor": 490_000}
    published = {"width": 512, "batch_size": 256, "target_cycle": 250}
    assert published.items() <= plan.settings.items()
    residuals = {"residual": "pre", "shortcuts": "inner", "final_norm": "layer"}
    assert plan.blocks == {"encoder": "T6", "critic": "T6", "actor": "T5", **residuals}

    # MST and its seeds.
    triples = {name: (m.distribution, m.rule) for name, m in plan.regimes["mst"].items()}
    assert triples == {
        "encoder": ("dense", "dense"),
        "critic": ("er", "rigl"),
        "actor": ("er", "static"),
    }
    assert {run.seed for run in plan.runs} == set(range(10))


def test_smoke_has_at_least_three_rewires_and_target_cycles():
    plan = make_plan(load("smoke"))
    schedule = plan.regimes["dst"]["critic"].times(plan.budget.updates["critic"])
    assert sum(schedule.due(t) > 0 for t in range(1, plan.budget.updates["critic"] + 1)) >= 3
    assert plan.budget.updates["critic"] // plan.settings["target_cycle"] >= 3


def test_the_plans_id_follows_what_decides_numbers_and_nothing_else(tiny_suite):
    plan = make_plan(load(str(tiny_suite)))
    assert plan.id == make_plan(load(str(tiny_suite))).id
    for override in ("seeds=2", "settings.width=32", "sparsity.level=0.5", "evaluation.every=50"):
        assert make_plan(load(str(tiny_suite), (override,))).id != plan.id, override
    words = ("device=cuda", "description=other", "suite=renamed", "version=7", CLAIMS)
    renamed = make_plan(load(str(tiny_suite), words), ("--set seeds=1",))
    assert renamed.id == plan.id, "neither names, claims nor words of the command line count"
    assert renamed.suite != plan.suite
    assert partition(plan, "cpu", 1) != partition(plan, "cpu", 2), (
        "cohorts are not part of the plan"
    )


def test_a_plan_survives_its_files(tiny_suite, tmp_path):
    plan = make_plan(load(str(tiny_suite), (CLAIMS,)), ("own suite file",))
    folder = write_plan(plan, tmp_path)
    assert folder.name == plan.id
    assert read_plan(folder / "plan.json") == plan


def test_a_signed_entry_keeps_the_name_of_its_suite(entry):
    """Another suite with the same runs would have the same folder."""
    folder = entry.parent
    plan = read_plan(folder / "plan.json")
    renamed = dataclasses.replace(plan, suite=dataclasses.replace(plan.suite, name="own-mine"))
    with pytest.raises(UserError, match=r"holds the entry of suite own-tiny version 1 \(own suite"):
        write_plan(renamed, folder.parent)
    (folder / "entry.dsse.json").unlink()
    write_plan(renamed, folder.parent)
    assert read_plan(folder / "plan.json") == renamed


def test_an_entry_is_signed_for_the_suite_that_ran(entry):
    """Another suite with the same runs was planned into the folder before it was signed."""
    folder = entry.parent
    plan = read_plan(folder / "plan.json")
    entry.unlink()
    renamed = dataclasses.replace(plan.suite, name="b")
    write_plan(dataclasses.replace(plan, suite=renamed), folder.parent)
    verdict = verify(write_entry(folder, plan, one_use_key()))
    assert verdict.accepted
    assert verdict.documents.suite.name == plan.suite.name


def test_an_edited_plan_is_refused(tiny_suite, tmp_path):
    path = write_plan(make_plan(load(str(tiny_suite))), tmp_path) / "plan.json"
    document = json.loads(path.read_bytes())
    path.write_text(json.dumps(document, indent=1))
    with pytest.raises(UserError, match="canonical"):
        read_plan(path)
    document["seeds"] = 3
    path.write_bytes(rfc8785.dumps(document))
    with pytest.raises(UserError, match=f"^{path}: seeds: unknown key.*Make it anew"):
        read_plan(path)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (
            lambda plan: plan["settings"].update(width=32),
            "its layers are not those of its settings",
        ),
        (
            lambda plan: plan["settings"].update(warmup=60),
            "updates are not those that the settings",
        ),
        (lambda plan: plan["settings"].update(width=0), "width"),
    ],
)
def test_a_plan_whose_networks_are_not_those_of_its_settings_is_refused(
    tiny_suite, tmp_path, edit, words
):
    """Only the algorithm knows; the files of a plan agree with each other without it."""
    path = write_plan(make_plan(load(str(tiny_suite))), tmp_path) / "plan.json"
    document = json.loads(path.read_bytes())
    edit(document)
    path.write_bytes(rfc8785.dumps(document))
    with pytest.raises(UserError, match=words):
        read_plan(path)


def test_a_plan_does_not_bear_the_name_of_a_shipped_suite(tiny_suite, tmp_path):
    folder = write_plan(make_plan(load(str(tiny_suite))), tmp_path)
    suite = json.loads((folder / "suite.json").read_bytes())
    (folder / "suite.json").write_text(json.dumps(suite | {"name": "ci-tiny", "changes": []}))
    with pytest.raises(UserError, match="calls itself ci-tiny version 1, which has another plan"):
        read_plan(folder / "plan.json")


def test_a_plan_states_every_layer_and_how_much_of_it_is_kept(tiny_suite):
    plan = make_plan(load(str(tiny_suite)))
    group = "cartpole-swingup/mst"
    networks = plan.networks[group]
    assert set(networks) == set(plan.modules)
    plan.sizes[group].check(networks)
    critic = networks["critic"]
    kept = sum(layer.last for layer in critic.layers.values())
    assert kept / sum(layer.weights for layer in critic.layers.values()) == pytest.approx(
        0.4, abs=1e-3
    )
    assert all(layer.last == layer.weights for layer in networks["encoder"].layers.values())


def test_cohorts_hold_every_run_once_and_tasks_take_turns():
    plan = make_plan(load("dmc-hard"))
    cohorts = partition(plan, "cpu").cohorts
    assert sorted(run.name for cohort in cohorts for run in cohort.runs) == sorted(
        run.name for run in plan.runs
    )
    assert [cohort.task for cohort in cohorts[:3]] == ["dog-run", "humanoid-run", "dog-run"]
    assert all({run.task for run in cohort.runs} == {cohort.task} for cohort in cohorts)
    four = partition(plan, "cpu", 4).cohorts
    assert [run.regime for run in four[0].runs] == ["dense", "sst", "dst", "mst"]


def first_size(suite, *arguments, **options):
    """Runs in the first cohort of a shipped suite."""
    plan = make_plan(load(suite))
    return len(partition(plan, *arguments, **options).cohorts[0].runs)


def test_cohorts_are_as_large_as_pays():
    assert first_size("dmc-hard", "cpu") == 1, "at full width a cohort gains nothing on a CPU"
    assert first_size("quick", "cpu") == 4


def test_cohorts_are_as_large_as_declared_memory_allows():
    on_gpu = [first_size("dmc-hard", "cuda", memory_gib=memory) for memory in (64.0, 16.0, 8.0)]
    assert on_gpu[0] == 40
    assert on_gpu[0] > on_gpu[1] >= on_gpu[2] >= 1, "a smaller card has smaller cohorts"
    assert first_size("scale-362m", "cuda", memory_gib=16.0) == 1

    # The budget is one of a few, and recorded.
    declared = [declared_gib("cuda", card) for card in (140.0, 40.0, 12.0, 4.0)]
    assert declared == [64.0, 32.0, 8.0, 8.0]
    assert partition(make_plan(load("dmc-hard")), "cuda").memory_gib == 64.0


def test_networks_of_their_own_are_trained_apart(tmp_path):
    plan = make_plan(load("dmc-hard-controls"))
    for cohort in partition(plan, "cpu", 8).cohorts:
        assert len({plan.agent_settings(run).width for run in cohort.runs}) == 1


def test_a_shortened_suite_keeps_its_proportions():
    plan = make_plan(shortened(load("study-sparsity"), 0.0002))
    settings = plan.settings
    assert plan.budget.environment_steps == 200
    assert (settings["warmup"], settings["target_cycle"]) == (10, 9)
    rewired = [regime for name, regime in plan.regimes.items() if name.startswith("mst")]
    assert {regime["critic"].interval for regime in rewired} == {9}

    half = make_plan(shortened(load("dmc-hard"), 0.5))
    assert (half.settings["warmup"], half.settings["target_cycle"]) == (5000, 250)
    assert half.regimes["mst"]["critic"].interval == 1000


def test_streams_are_named_and_do_not_depend_on_the_regime():
    digest = hashlib.sha256(b"suite\ndog-run\n0\nenv").digest()
    assert stream_seed("suite", "dog-run", 0, "env") == int.from_bytes(digest[:8], "big") // 2
    assert 0 <= environment_seed("suite", "dog-run", 0, "env") < 2**31

    # Every part of the name counts.
    names = [
        ("suite", "a", 0, "x"),
        ("log", "a", 0, "x"),
        ("suite", "b", 0, "x"),
        ("suite", "a", 1, "x"),
        ("suite", "a", 0, "y"),
    ]
    assert len({stream_seed(*name) for name in names}) == len(names)


def test_a_suite_is_resolved_once(monkeypatch):
    """Four regimes, and MST, which `dense-matched` follows; planning resolves nothing again."""
    resolutions = []

    def counted(*fields):
        regime = ResolvedRegime(*fields)
        resolutions.append(regime)
        return regime

    monkeypatch.setattr(regimes, "ResolvedRegime", counted)
    resolved = load("dmc-hard-controls")
    plan = make_plan(resolved)
    assert resolutions == [*resolved.regimes.values(), *resolved.models.values()]
    assert list(resolved.regimes) == ["sst-ac", "dst-ac", "swap", "dense-matched"]
    assert list(resolved.models) == ["mst"]
    assert set(plan.regimes) == set(resolved.regimes)


@pytest.mark.parametrize("name", shipped())
def test_every_cohort_learns_from_one_agent_step_on(name):
    """Members are trained as one program: warm-up and updates are theirs together."""
    plan = make_plan(load(name))
    for cohort in partition(plan, "cpu", 8).cohorts:
        settings = [plan.agent_settings(run) for run in cohort.runs]
        assert {each.learning_starts for each in settings} == {
            plan.agent_settings().learning_starts
        }
        steps = plan.budget.agent_steps
        assert all(each.updates(steps) == plan.budget.updates for each in settings)


def test_planning_loads_no_torch(tiny_suite, tmp_path):
    """It once took two seconds of every command about a plan."""
    code = (
        "import sys\nfrom harness.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    sys.exit('torch' in sys.modules)"
    )
    words = ["plan", "--suite", tiny_suite, "--out", tmp_path]
    subprocess.run([sys.executable, "-P", "-c", code, *words], check=True, capture_output=True)
