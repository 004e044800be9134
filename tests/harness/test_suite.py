"""Suites and plans: what is read strictly, what a mistake says, what the id depends on."""

import dataclasses
import hashlib
import json
import re
import shutil
import sys
from types import SimpleNamespace
from typing import ClassVar

import pytest

from agents.catalog import AGENTS, Algorithm
from agents.mrq.spec import MRQSpec
from harness.config import build, parse_yaml
from harness.errors import UserError
from harness.planning.cohorts import partition
from harness.planning.making import make_plan
from harness.planning.plan import read_plan, write_plan
from harness.planning.reader import load
from harness.planning.shorten import shortened
from harness.planning.sizing import declared_gib
from harness.run import Request, plan_of
from harness.seeding import environment_seed, stream_seed
from harness.suites import shipped
from helpers.suites import TINY

CLAIMS = "claims=[{claim: mst is better, regime: mst, than: dense}]"


def mistake(tmp_path, text, *overrides):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        make_plan(load(str(path), overrides))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_suite_reads_and_plans(name):
    resolved = load(name)
    suite, plan = resolved.suite, make_plan(resolved)
    assert suite.suite == name
    assert len(plan.runs) == len(suite.tasks) * len(suite.regimes) * suite.seeds
    assert plan.budget.updates["critic"] == plan.budget.agent_steps - plan.settings["warmup"]


def test_dmc_hard_is_the_published_protocol():
    plan = make_plan(load("dmc-hard"))
    assert plan.budget.environment_steps == 1_000_000
    assert plan.budget.updates == {"encoder": 490_000, "critic": 490_000, "actor": 490_000}
    assert (plan.settings["width"], plan.settings["batch_size"], plan.settings["target_cycle"]) == (
        512,
        256,
        250,
    )
    assert plan.blocks == {"encoder": "T6", "critic": "T6", "actor": "T5", "residual": "pre"}
    mst = plan.regimes["mst"]
    assert [(mst[m].distribution, mst[m].rule) for m in ("encoder", "critic", "actor")] == [
        ("dense", "dense"), ("er", "rigl"), ("er", "static"),
    ]  # fmt: skip
    assert {run.seed for run in plan.runs} == set(range(10))


def test_smoke_has_at_least_three_rewires_and_target_cycles():
    plan = make_plan(load("smoke"))
    schedule = plan.regimes["dst"]["critic"].times(plan.budget.updates["critic"])
    assert sum(schedule.due(t) > 0 for t in range(1, plan.budget.updates["critic"] + 1)) >= 3
    assert plan.budget.updates["critic"] // plan.settings["target_cycle"] >= 3


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (
            ("regimes: [dense, sst, dst, mst]", "regimes: [dense, mts]"),
            ["mine.yaml: regimes", "'mts'", "Did you mean 'mst'?"],
        ),
        (
            ("cartpole-swingup", "cartpole-swing"),
            ["mine.yaml: tasks", "Did you mean 'cartpole-swingup'?"],
        ),
        (("seeds: 1", "seed: 1"), ["mine.yaml: seed", "unknown key", "Did you mean 'seeds'?"]),
        (("seeds: 1", "seeds: 1\nseeds: 2"), ["mine.yaml", "'seeds' is written twice"]),
        (("seeds: 1", "seeds: one"), ["mine.yaml: seeds", "expected a whole number", "'one'"]),
        (("seeds: 1", "seeds: true"), ["mine.yaml: seeds", "expected a whole number"]),
        (("seeds: 1", "seeds: 0"), ["mine.yaml: seeds", "at least 1"]),
        (("width: 16", "widht: 16"), ["settings.widht", "Did you mean 'width'?"]),
        (("warmup: 40", "warmup: 300"), ["warm-up", "nothing would be learned"]),
        (("interval: 10", "interval: 25"), ["interval 25", "target_cycle 10"]),
        (("interval: 10", "interval: 10, level: 1.2"), ["sparsity is 1.2", "below 1"]),
        (("environments: 2", "environments: 3"), ["environments is 3", "divisor"]),
        (
            ("environment_steps: 240", "environment_steps: 241"),
            ["environment_steps is 241", "multiple"],
        ),
        (("version: 1", ""), ["key 'version' is missing"]),
        (("seeds: 1", "seeds: [1"), ["not valid YAML"]),
        (("seeds: 1", "seeds: 1\nagent: mrk"), ["unknown agent 'mrk'", "Did you mean 'mrq'?"]),
        (("seeds: 1", "seeds: 1\nblocks: {critic: T9}"), ["critic", "T9"]),
        (("seeds: 1", "seeds: 1\nsettings2: {lr: .nan}"), ["settings2"]),
        (("width: 16", "discount: .nan"), ["discount", "finite"]),
    ],
)
def test_a_mistake_names_its_place_and_the_way_out(tmp_path, edit, words):
    found = mistake(tmp_path, TINY.replace(*edit))
    assert all(word in found for word in words), found


def test_an_own_regime_with_an_unknown_rule_says_so(tmp_path):
    text = TINY.replace("dst, mst]", "own]") + "define: {own: {critic: rgl}}\n"
    found = mistake(tmp_path, text)
    assert "define.own.critic: unknown regime 'rgl'. Did you mean 'rigl'?" in found


def test_an_own_regime_may_differ_per_module(tmp_path):
    path = tmp_path / "own.yaml"
    critic = "{rule: rigl, level: 0.8, distribution: uniform, interval: 40}"
    own = f"define: {{own: {{critic: {critic}, actor: static}}}}\n"
    path.write_text(TINY.replace("dst, mst]", "own]") + own)
    regime = load(str(path)).regimes["own"].modules
    assert regime["encoder"].is_dense
    assert (
        regime["critic"].sparsity,
        regime["critic"].distribution,
        regime["critic"].interval,
    ) == (0.8, "uniform", 40)
    assert (regime["actor"].sparsity, regime["actor"].rule) == (0.6, "static")


def test_overrides_reach_nested_keys_and_are_checked_alike(tmp_path):
    assert (
        load("quick", ("evaluation.episodes=10", "settings.width=32")).suite.evaluation.episodes
        == 10
    )
    for override, word in [
        ("evaluation.episode=10", "episodes"),
        ("seeds", "expected a.b=value"),
        ("seeds.x=1", "not a mapping"),
    ]:
        with pytest.raises(UserError, match=word):
            load("quick", (override,))


def test_an_unknown_suite_names_the_nearest():
    with pytest.raises(UserError, match=r"Did you mean 'dmc-hard'"):
        load("dmc-hrd")
    with pytest.raises(UserError, match="no such file"):
        load("./nowhere.yaml")


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


def test_a_signed_entry_keeps_the_name_of_its_suite(tiny_entry, tmp_path):
    """Another suite with the same runs would have the same folder."""
    folder = shutil.copytree(tiny_entry.parent, tmp_path / tiny_entry.parent.name)
    plan = read_plan(folder / "plan.json")
    renamed = dataclasses.replace(plan, suite=dataclasses.replace(plan.suite, name="mine"))
    with pytest.raises(UserError, match=r"holds the entry of suite tiny version 1 \(own suite"):
        write_plan(renamed, tmp_path)
    (folder / "entry.dsse.json").unlink()
    write_plan(renamed, tmp_path)
    assert read_plan(folder / "plan.json") == renamed


def test_an_edited_plan_is_refused(tiny_suite, tmp_path):
    path = write_plan(make_plan(load(str(tiny_suite))), tmp_path) / "plan.json"
    document = json.loads(path.read_bytes())
    path.write_text(json.dumps(document, indent=1))
    with pytest.raises(UserError, match="canonical"):
        read_plan(path)
    document["seeds"] = 3
    path.write_text(json.dumps(document))
    with pytest.raises(UserError, match="unknown key"):
        read_plan(path)


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


def test_cohorts_are_as_large_as_pays_and_as_declared_memory_allows():
    wide, small, largest = (
        make_plan(load(name)) for name in ("dmc-hard", "quick", "dmc-hard-362m")
    )
    sizes = {
        name: len(partition(plan, "cpu").cohorts[0].runs)
        for name, plan in (("wide", wide), ("small", small))
    }
    assert sizes == {"wide": 1, "small": 4}, "at full width a cohort gains nothing on a CPU"
    on_gpu = [
        len(partition(wide, "cuda", memory_gib=memory).cohorts[0].runs)
        for memory in (64.0, 16.0, 8.0)
    ]
    assert on_gpu[0] == 20 and on_gpu[0] > on_gpu[1] >= on_gpu[2] >= 1, (
        "a smaller card has smaller cohorts"
    )
    assert len(partition(largest, "cuda", memory_gib=16.0).cohorts[0].runs) == 1
    assert [declared_gib("cuda", card) for card in (140.0, 40.0, 12.0, 4.0)] == [
        64.0,
        32.0,
        8.0,
        8.0,
    ]
    assert partition(wide, "cuda").memory_gib == 64.0, "recorded"


def test_networks_of_their_own_are_trained_apart(tmp_path):
    plan = make_plan(load("dmc-hard-controls"))
    for cohort in partition(plan, "cpu", 8).cohorts:
        assert len({plan.agent_settings(run).width for run in cohort.runs}) == 1


def test_a_shortened_suite_keeps_its_proportions(tmp_path):
    plan = make_plan(shortened(load("study-sparsity"), 0.0002))
    assert (
        plan.budget.environment_steps,
        plan.settings["warmup"],
        plan.settings["target_cycle"],
    ) == (200, 10, 9)
    intervals = {
        name: regime["critic"].interval for name, regime in plan.regimes.items() if name != "dense"
    }
    assert set(intervals.values()) == {9}
    half = make_plan(shortened(load("dmc-hard"), 0.5))
    assert (
        half.settings["warmup"],
        half.settings["target_cycle"],
        half.regimes["mst"]["critic"].interval,
    ) == (5000, 250, 1000)


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ("{critic: {rule: rigl, parts: [zs]}}", "'zs' is no part of this module"),
        ("{critic: {rule: d2s, start: 0.9, end: 0.91}}", "the module would never prune"),
        ("{critic: {rule: rigl, start: 0.8, end: 0.2}}", "expected 0 <= start < end <= 1"),
        ("{settings: {target_cycle: 30}}", "regimes must do equal work"),
        ("{scale: {width: 0}}", "expected at least 1"),
        ("{blocks: {critic: T9}}", "unknown block type 'T9'"),
        (
            "{blocks: {residual: mid}}",
            "blocks.residual: unknown residual 'mid', expected one of pre, post",
        ),
        ("{match: nobody}", "unknown regime of the suite 'nobody'"),
        ("{blocks: {critics: T4}}", "blocks.critics: unknown key. Did you mean 'critic'?"),
        ("{critics: dense}", "Did you mean 'critic'"),
        ("{blocks: T6}", "expected a mapping"),
    ],
)
def test_a_wrong_own_regime_is_one_sentence(tmp_path, own, words):
    path = tmp_path / "own.yaml"
    path.write_text(TINY.replace("dst, mst]", "own]") + f"define: {{own: {own}}}\n")
    with pytest.raises(UserError, match=re.escape(words)):
        load(str(path))


class PairSpec(MRQSpec):
    """MR.Q's numbers, and two modules."""

    MODULES = ("critic", "actor")
    POLICY_MODULES = ("actor",)
    BLOCKS: ClassVar = {"critic": "T6", "actor": "T5"}

    def shapes(self, task):
        return {name: shape for name, shape in super().shapes(task).items() if name != "encoder"}

    def flops(self, weights):
        return float(sum(sum(layers.values()) for layers in weights.values()))

    def updates(self, agent_steps):
        return {name: super(PairSpec, self).updates(agent_steps)[name] for name in self.MODULES}


def test_modules_are_the_algorithms_and_what_it_lacks_is_left_out_and_said(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(AGENTS, "pair", Algorithm("pair", "two modules"))
    monkeypatch.setitem(sys.modules, "pair.spec", SimpleNamespace(SPEC=PairSpec))
    path = tmp_path / "pair.yaml"
    own = "define: {own: {encoder: static, critic: rigl}}\nagent: pair\n"
    path.write_text(TINY.replace("dst, mst]", "mst, own]") + own)

    resolved = load(str(path))
    assert all(list(regime.modules) == ["critic", "actor"] for regime in resolved.regimes.values())
    assert [resolved.regimes[name].left_out for name in ("sst", "own")] == [(), ("encoder",)]
    assert resolved.regimes["sst"].modules["critic"].rule == "static"

    plan_of(Request(str(path), tmp_path))
    said = "regime own: agent pair has no encoder; what the suite says of it is left out"
    assert said in capsys.readouterr().err


def test_a_wrong_claim_is_one_sentence(tmp_path):
    path = tmp_path / "claims.yaml"
    for wrong, words in (
        ("than: nobody", "'nobody'"),
        ("than: dense, figure: speed", "unknown figure 'speed'"),
    ):
        path.write_text(TINY + f"claims: [{{claim: x, regime: mst, {wrong}}}]\n")
        with pytest.raises(UserError, match=words):
            load(str(path))


def test_streams_are_named_and_do_not_depend_on_the_regime():
    digest = hashlib.sha256(b"suite\ndog-run\n0\nenv").digest()
    assert stream_seed("suite", "dog-run", 0, "env") == int.from_bytes(digest[:8], "big") // 2
    words = [
        stream_seed(*key)
        for key in [
            ("suite", "a", 0, "x"),
            ("log", "a", 0, "x"),
            ("suite", "b", 0, "x"),
            ("suite", "a", 1, "x"),
        ]
    ]
    assert len(set(words)) == 4
    assert 0 <= environment_seed("suite", "dog-run", 0, "env") < 2**31


@dataclasses.dataclass(frozen=True)
class Nested:
    numbers: tuple[int, ...] = ()
    maybe: float | None = None


def test_the_reader_converts_by_type():
    assert build(Nested, parse_yaml("{numbers: [1, 2], maybe: 3}", "x"), "x") == Nested((1, 2), 3.0)
    for text, word in [
        ("{numbers: 1}", "a list"),
        ("{numbers: [1, a]}", r"numbers\[1\]"),
        ("[1]", "a mapping"),
    ]:
        with pytest.raises(UserError, match=word):
            build(Nested, parse_yaml(text, "x"), "x")
