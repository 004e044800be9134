"""Whose plan it is: F2, and the names of F5.

Nothing compared a plan with the suite whose name it bore, a run could be planned five times, and a
name could lead out of the folder of whoever trained it again.
"""

import pytest
import yaml

from helpers.forge import failed
from helpers.program import call
from helpers.suites import TINY
from leaderboard.formats.catalogue import catalogue
from leaderboard.formats.shipped import shipped_plans

MODULES = ("encoder", "critic", "actor")
QUICK = max(map(int, shipped_plans()["quick"]))
"""Version of the shipped suite quick."""

# -- other experiments: whoever makes one may sign it, under a name of its own --


def a_million_steps(forgery):
    """4,166 times the budget, told so everywhere."""
    budget = forgery.plan["budget"]
    times = 6000
    updates = dict.fromkeys(MODULES, 80 * times)
    budget |= {"environment_steps": 1_000_000, "agent_steps": 500_000, "updates": updates}
    forgery.plan["evaluation"]["every"] = 250_000
    for regime in forgery.plan["regimes"].values():
        for triple in regime.values():
            triple["interval"] *= times
    for run in forgery.runs:
        run |= {"environment_steps": 1_000_000, "updates": updates}

    def stretched(run, record):
        number = record.get("number", 2)
        step = {"agent_step": number * 250_000}
        return record | step | ({} if "number" not in record else environment(step))

    def environment(step):
        return {"environment_step": 2 * step["agent_step"]}

    forgery.record = stretched


def networks_of_width_4096(forgery):
    forgery.plan["settings"] |= {"width": 4096, "batch_size": 4096}


def seeds_that_were_chosen(forgery):
    for run in forgery.runs:
        forgery.rename(run, seed=run["seed"] + 1000)
    forgery.replan()


def a_seed_left_out(forgery):
    forgery.leave_out(forgery.run("dst"))
    for run in forgery.runs:
        run["members"] = len(forgery.runs)
    for table in ("networks", "sizes"):
        del forgery.plan[table]["cartpole-swingup/dst"]
    del forgery.plan["regimes"]["dst"]
    for run in forgery.runs:
        run["members"] = min(run["members"], len(forgery.runs))


def sst_that_is_not_sparse(forgery):
    forgery.copy_run(forgery.run("dense"), forgery.run("sst"))
    forgery.same_network("dense", "sst")
    for triple in forgery.plan["regimes"]["sst"].values():
        triple["sparsity"] = 0


def mst_that_is_dense(forgery):
    forgery.copy_run(forgery.run("dense"), forgery.run("mst"))
    forgery.same_network("dense", "mst")
    forgery.plan["regimes"]["mst"] = forgery.plan["regimes"]["dense"]


def one_final_episode(forgery):
    """The best of all."""
    forgery.plan["evaluation"] |= {"final_episodes": 1, "environments": 1}
    for run in forgery.runs:
        forgery.claim(run, [max(run["final_returns"])])


OTHER_EXPERIMENTS = [
    a_million_steps,
    networks_of_width_4096,
    seeds_that_were_chosen,
    a_seed_left_out,
    sst_that_is_not_sparse,
    mst_that_is_dense,
    one_final_episode,
]


@pytest.mark.parametrize("change", OTHER_EXPERIMENTS, ids=lambda change: change.__name__)
def test_f2_another_experiment_never_bears_a_shipped_name(forgery, change):
    change(forgery)
    verdict = forgery.call_suite("quick", QUICK).sign().verdict()
    assert failed(verdict) == "plan"
    assert "calls itself quick" in verdict.checks[-1].detail


@pytest.mark.parametrize("change", OTHER_EXPERIMENTS, ids=lambda change: change.__name__)
def test_and_is_an_entry_of_its_own_suite(forgery, change):
    """The control: nothing but the name was wrong with it."""
    change(forgery)
    verdict = forgery.sign().verdict()
    assert verdict.accepted, verdict.checks[-1]


@pytest.mark.parametrize(
    ("name", "version"),
    [("quick", 99), ("quick", 1), ("Quick", 1), ("dmc-hard", 1), ("tiny", 1), ("quick ", 1)],
)
def test_f2_nor_a_version_or_a_name_that_is_not_shipped(forgery, name, version):
    verdict = forgery.call_suite(name, version).sign().verdict()
    assert failed(verdict) in ("plan", "statement")


# -- plans that contradict themselves, whatever they are called --


def best_seed_listed_five_times(forgery):
    forgery.runs.extend([forgery.run("dense")] * 4)
    forgery.replan()


def ten_active_parameters(forgery):
    for run in forgery.runs:
        run["parameters"]["active"] = 10
    for size in forgery.plan["sizes"].values():
        size["active"] = 10


def a_density_without_tensors(forgery):
    """Whoever signs no tensors stated what he liked."""
    for run in forgery.runs:
        run["weights"]["critic"]["active"] = 10
        for path in forgery.path(run).glob("*.safetensors"):
            path.unlink()


def a_module_that_is_not_planned(forgery):
    for run in forgery.runs:
        run["mask_first"]["ranked"] = "0" * 64


def no_observations(forgery):
    forgery.plan["observations"] = {}
    forgery.predicate["fingerprints"] = {}


def observations_of_another_width(forgery):
    forgery.plan["observations"]["cartpole-swingup"]["position"] = 40


def an_unknown_task(forgery):
    rename_task(forgery, "cartpole-by-heart", {"position": 3, "velocity": 2})


def cartpole_files_under_dog_run(forgery):
    rename_task(forgery, "dog-run", catalogue().tasks["dog-run"].observations)


def rename_task(forgery, task, observations):
    """Every run is said to be of another task."""
    for run in forgery.runs:
        forgery.rename(run, task=task)
    forgery.replan()
    forgery.plan["observations"] = {task: observations}
    forgery.predicate["fingerprints"] = {task: "ab" * 32}
    for table in ("networks", "sizes"):
        renamed = {
            f"{task}/{group.partition('/')[2]}": row for group, row in forgery.plan[table].items()
        }
        forgery.plan[table] = renamed


def test_f2_cartpole_files_are_no_run_of_dog_run(forgery):
    cartpole_files_under_dog_run(forgery)
    assert failed(forgery.call_suite("dmc-hard").sign().verdict()) == "plan"


def test_f2_whatever_the_suite_is_called_they_cannot_be_rolled_out(forgery):
    """`verify` knows no algorithm, so it cannot tell which layer sees the observation."""
    cartpole_files_under_dog_run(forgery)
    assert call("reeval", forgery.sign().entry).returncode == 4


def seeds_of_a_log(forgery):
    forgery.plan["seed_source"] = "log:1234"


def a_place_in_a_log(forgery):
    forgery.predicate["plan"]["log_index"] = 77


def a_rank(forgery):
    forgery.predicate |= {"ranked": True, "unranked_because": []}
    forgery.manifest["unranked_because"] = []


def steps_that_do_not_add_up(forgery):
    forgery.plan["budget"]["environment_steps"] = 1_000_000
    for run in forgery.runs:
        run["environment_steps"] = 1_000_000


def dense_files_under_mst(forgery):
    """The plan is right, the files are not."""
    forgery.copy_run(forgery.run("dense"), forgery.run("mst"))


CONTRADICTIONS = [
    best_seed_listed_five_times,
    ten_active_parameters,
    a_density_without_tensors,
    a_module_that_is_not_planned,
    no_observations,
    observations_of_another_width,
    an_unknown_task,
    seeds_of_a_log,
    a_place_in_a_log,
    a_rank,
    steps_that_do_not_add_up,
    dense_files_under_mst,
]


@pytest.mark.parametrize("change", CONTRADICTIONS, ids=lambda change: change.__name__)
def test_f2_a_plan_that_contradicts_itself_is_refused(forgery, change):
    change(forgery)
    assert not forgery.sign().verdict().accepted


def test_f2_a_plan_written_otherwise_is_refused(forgery):
    """Equal plans have equal bytes, and so one id."""
    forgery.files["plan.json"] = b" " + (forgery.folder / "plan.json").read_bytes()
    assert failed(forgery.sign().verdict()) == "plan"


# -- F5: names that lead somewhere --

NAMES = ["..", ".", "", "a/b", "../../escaped", "line\nfeed", "-x", "a b", "x" * 65, "\u202ex"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("part", ["task", "regime", "suite"])
def test_f5_a_name_that_is_no_word_is_refused_wherever_it_stands(forgery, part, name):
    """A missing run needs no signed file, so its name was free."""
    if part == "suite":
        forgery.suite["name"] = f"own-{name}" if name[:1].isalnum() else name
    else:
        add_missing_run(forgery, part, name)
    assert not forgery.sign().verdict().accepted


def add_missing_run(forgery, part, name):
    """Plans a run under a name, first of all, and loses it."""
    run = forgery.run("mst")
    forgery.lose(run)
    before = f"{run['task']}/{run['regime']}"
    run[part] = name
    forgery.predicate["runs"] = [run, *(other for other in forgery.runs if other is not run)]
    forgery.replan()
    after = f"{run['task']}/{run['regime']}"
    for table in ("networks", "sizes"):
        forgery.plan[table][after] = forgery.plan[table].pop(before)
    if part == "regime":
        forgery.plan["regimes"][name] = forgery.plan["regimes"].pop("mst")


def test_f5_retraining_writes_nothing_outside_its_folder(forgery, tmp_path):
    outside = tmp_path / "escaped"
    name = "../" * 20 + str(outside).lstrip("/")
    add_missing_run(forgery, "regime", name)
    forgery.sign()
    assert call("reeval", forgery.entry, "--retrain", 1).returncode == 4
    assert not outside.exists()


@pytest.mark.parametrize("part", ["regime", "suite"])
def test_f5_a_strangers_suite_writes_nothing_outside_out(tmp_path, part):
    outside = tmp_path / "escaped"
    name = "../" * 20 + str(outside).lstrip("/")
    suite = yaml.safe_load(TINY)
    if part == "regime":
        suite["regimes"] = ["dense", name]
        suite["define"] = {name: dict.fromkeys(MODULES, "dense")}
    else:
        suite["suite"] = name
    path = tmp_path / "stranger.yaml"
    path.write_text(yaml.safe_dump(suite))
    assert call("run", "--suite", path, "--out", tmp_path / "out").returncode == 2
    assert not outside.exists()
