"""docs/reference/suite.md: every key of a suite file, from the classes that read it."""

from __future__ import annotations

from agents.catalog import AGENTS, agent_spec
from agents.members.blocks import BLOCKS, RESIDUALS
from agents.sparsity.distribution import DISTRIBUTIONS
from agents.sparsity.regime import REGIMES, TRIPLES
from handbook.documents import Links, field_table, link
from handbook.fields import summary
from handbook.markdown import code, page, table
from harness.planning.regimes import ModuleKeys
from harness.planning.suite import Protocol, Scale, Sparsity, Suite
from leaderboard.formats.suite import Claim

OPENING = """\
What a suite file may state. [Suites](../suites.md) explains them, [your own
suite](../tutorials/own-suite.md) writes one. A key without a default must be stated.
`--set KEY=VALUE` overrides one: `--set evaluation.episodes=20`."""
NAMED = {Sparsity: "sparsity", Scale: "scale", Protocol: "evaluation", Claim: "tests"}
LINKS: Links = {model: link(key) for model, key in NAMED.items()}
DEFINE = """\
A regime of your own: its name leads to a mapping. [Regimes](../regimes.md) explains them. Besides
the modules of the algorithm, it may state `blocks`, `scale` and `settings` of a network of its own,
and `match`, the regime of the suite whose active weights a narrower network has. A module takes the
name of a way to train it, or a mapping of these keys; numbers that it leaves out are those of the
suite's [sparsity](#sparsity):"""


def suite_page() -> str:
    """The page."""
    sections = []
    for model, title in NAMED.items():
        sections += [f"## {title}", summary(model), field_table(model, LINKS, defaults=True)]
    keys = field_table(ModuleKeys, LINKS, defaults=True)
    return page(
        "Keys of a suite",
        OPENING,
        field_table(Suite, LINKS, defaults=True),
        *sections,
        *("## define", DEFINE, keys, "Ways to train a module:", _ways()),
        *("Distributions: " + ", ".join(map(code, DISTRIBUTIONS)) + ".",),
        *("## regimes", "These are shipped; a suite defines others.", _regimes()),
        *("## blocks", "A type for each module, and how residuals are built:", _blocks()),
        *_settings(),
    )


def _ways() -> str:
    rows = [[code(name), row.meaning] for name, row in TRIPLES.items()]
    return table(["rule", "meaning"], rows)


def _regimes() -> str:
    rows = [[code(name), row.meaning] for name, row in REGIMES.items()]
    return table(["regime", "meaning"], rows)


def _blocks() -> str:
    rows = [["a module", code(name), row.meaning] for name, row in BLOCKS.items()]
    for key, values in RESIDUALS.items():
        rows.append([code(key), ", ".join(map(code, values)), "the first is the default"])
    return table(["key", "value", "meaning"], rows)


def _settings() -> list[str]:
    """A section for the settings of each algorithm."""
    parts = []
    for agent, row in AGENTS.items():
        spec = agent_spec(agent)
        parts += [
            f"## settings of {agent}",
            f"{row.meaning}. Its modules: {', '.join(map(code, spec.MODULES))}.",
            field_table(spec, LINKS, defaults=True),
        ]
    return parts
