"""Runs as an entry states them, made by hand."""

from leaderboard.formats.run import Count, StatedRun

MODULES = ("encoder", "critic", "actor")


def stated(regime, seed, score, *, task="dog-run", status="finished"):
    """A planned run; with a score it states 100 weights a module, 40 of them active."""
    weights = dict.fromkeys(MODULES, Count(100, 40)) if score is not None else {}
    return StatedRun(
        task=task,
        regime=regime,
        seed=seed,
        status=status,
        failure=None,
        score=score,
        final_returns=() if score is None else (score,),
        environment_steps=0,
        updates={},
        members=1,
        weights=weights,
        parameters={},
        flops={},
        failure_signatures=(),
        rewires={},
        mask_first={},
        mask_last={},
        chain_head=None,
    )
