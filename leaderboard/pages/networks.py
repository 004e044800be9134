"""What each regime of a plan trains, as rows of a table."""

from __future__ import annotations

from leaderboard.formats.catalogue import catalogue
from leaderboard.formats.plan import Plan


def networks(plan: Plan) -> list[list[str]]:
    """What each regime trains, in the order of the runs: its name, each module's way and block
    type, how residuals are built, and its parameters on each task."""
    residuals = catalogue().residuals
    rows = []
    for regime in dict.fromkeys(run.regime for run in plan.runs):
        triples = plan.regimes[regime]
        groups = [group for group in plan.sizes if group.partition("/")[2] == regime]
        blocks = plan.blocks
        if groups[0] in plan.own:
            blocks = {**blocks, **plan.own[groups[0]].blocks}
        modules = [f"{triples[module].rule}, {blocks[module]}" for module in plan.modules]

        # Types without a residual ignore how it would be built.
        built = any(blocks[module] in catalogue().residual_blocks for module in plan.modules)
        settings = [blocks[key] if built else "-" for key in residuals]
        sizes = dict.fromkeys(f"{plan.sizes[group].parameters:,}" for group in groups)
        rows.append([regime, *modules, *settings, "; ".join(sizes)])
    return rows


def network_headers(plan: Plan) -> list[str]:
    """Titles of the columns of `networks`."""
    settings = [key.replace("_", " ") for key in catalogue().residuals]
    return ["regime", *plan.modules, *settings, "parameters"]
