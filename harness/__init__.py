"""Carries out suites, from a YAML file to results and a signed entry.

The only folder that knows all the rest. `load_policy` gives an entry's policies to other programs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.entries.policy import Policy

__version__ = "0.1.0"


def load_policy(
    entry: str | Path, *, task: str, regime: str, seed: int, tensors: str | Path | None = None
) -> Policy:
    """The final policy of one run, as a function of numpy observations: [obs] -> [act], or
    [n, obs] -> [n, act].

    `entry`: path of an entry, or of the plan folder that it lies in; it is verified first.
    `tensors`: a folder in which its tensors lie, if not beside it. On a machine like the entry's,
    the actions are those that its evaluation took, to the bit.

    Raises `harness.entries.verified.Refused` for an entry that fails a check, and
    `harness.errors.UserError` if it has no such run, or one that did not finish.
    """
    from harness.entries import policy

    return policy.load_policy(entry, task=task, regime=regime, seed=seed, tensors=tensors)
