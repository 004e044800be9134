"""Modules are the algorithm's: what a suite says of others is left out, and said."""

import sys
from types import SimpleNamespace
from typing import ClassVar

from agents.catalog import AGENTS, Algorithm
from agents.mrq.spec import MRQSpec
from harness.planning.reader import load
from harness.run import Request, plan_of
from helpers.suites import TINY


class PairSpec(MRQSpec):
    """MR.Q's numbers, and two modules."""

    MODULES = ("critic", "actor")
    POLICY_MODULES = ("actor",)
    BLOCKS: ClassVar = {"critic": "T6", "actor": "T5"}

    def shapes(self, task):
        """Without the encoder's."""
        return {name: shape for name, shape in super().shapes(task).items() if name != "encoder"}

    def flops(self, weights):
        """As many as there are weights."""
        return float(sum(sum(layers.values()) for layers in weights.values()))

    def updates(self, agent_steps):
        """Without the encoder's."""
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
