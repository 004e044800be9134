"""Suites and plans: what is read strictly, what a mistake says, what the id depends on."""

import dataclasses
import re
from pathlib import Path

import pytest

from envs.tasks import TASKS
from harness.config import build, parse_yaml
from harness.errors import UserError
from harness.planning.making import make_plan
from harness.planning.reader import load
from helpers.suites import TINY


def mistake(tmp_path, text, *overrides):
    """The one line that refuses a suite."""
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        make_plan(load(str(path), overrides))
    assert "\n" not in str(caught.value)
    return str(caught.value)


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
        (("interval: 10", "interval: 25"), ["interval 25", "not a multiple of 10"]),
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
    sentence = mistake(tmp_path, TINY.replace(*edit))
    assert all(word in sentence for word in words), sentence


def test_an_own_regime_with_an_unknown_rule_says_so(tmp_path):
    text = TINY.replace("dst, mst]", "own]") + "define: {own: {critic: rgl}}\n"
    sentence = mistake(tmp_path, text)
    assert "define.own.critic: unknown regime 'rgl'. Did you mean 'rigl'?" in sentence


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
        ("{blocks: {shortcuts: outer}}", "unknown shortcuts 'outer', expected one of inner, all"),
        ("{blocks: {final_norm: none, critic: none}}", "unknown block type 'none'"),
        ("{critic: {rule: rigl, regrown: half}}", "regrown"),
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


def test_the_action_repeat_is_the_tasks_unless_a_suite_states_one(tmp_path, monkeypatch):
    path = tmp_path / "mine.yaml"
    path.write_text(TINY)
    assert load(str(path)).suite.action_repeat == 2
    assert load(str(path), ("action_repeat=4",)).suite.action_repeat == 4

    once = dataclasses.replace(TASKS["cartpole-balance"], action_repeat=1)
    monkeypatch.setitem(TASKS, "cartpole-balance", once)
    assert load(str(path), ("tasks=[cartpole-balance]",)).suite.action_repeat == 1
    with pytest.raises(UserError, match="its tasks repeat actions 1, 2 times; state action_repeat"):
        load(str(path), ("tasks=[cartpole-balance,cartpole-swingup]",))


@pytest.mark.parametrize(
    ("figure", "than", "words"),
    [
        ("score", "nobody", "unknown regime of the suite, reference method or level 'nobody'"),
        ("speed", "dense", "figure 'speed': expected score"),
        ("head.srank", "dense", "no module 'head', expected one of encoder, critic, actor"),
    ],
)
def test_a_wrong_test_of_ones_own_is_one_sentence(tmp_path, figure, than, words):
    path = tmp_path / "claims.yaml"
    test = f"regime: mst, than: {than}, figure: {figure}, rule: above, margin: 0.05"
    text = f"tests: [{{id: x, statement: x, source: ours, family: x, {test}}}]"
    path.write_text(TINY + text)
    with pytest.raises(UserError, match=words):
        load(str(path))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mst", "is the name of a shipped regime"),
        ("MR.Q", "is the name of a published method"),
        ("zero", "is the name of the level that claims"),
    ],
)
def test_a_regime_of_ones_own_has_a_name_of_its_own(tmp_path, name, words):
    path = tmp_path / "mine.yaml"
    path.write_text(TINY + f"define: {{{name}: {{critic: rigl}}}}\n")
    with pytest.raises(UserError, match=f"define.{name}: {words}"):
        load(str(path))


def test_the_pilot_of_residuals_trains_what_its_table_says():
    """Its file left the final norm to defaults, and the pilot's outcome changed these."""
    file = Path(__file__).parents[2] / "results/residual-pilot.yaml"
    ways = {
        name: tuple(regime.blocks[key] for key in ("residual", "shortcuts", "final_norm"))
        for name, regime in load(str(file)).regimes.items()
    }
    assert ways == {
        "pre-all": ("pre", "all", "none"),
        "pre-all-norm": ("pre", "all", "layer"),
        "pre-inner-norm": ("pre", "inner", "layer"),
        "post-inner": ("post", "inner", "none"),
    }


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
