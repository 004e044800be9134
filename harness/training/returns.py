"""What the evaluations of a cohort return, told as they come: a line for each."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from harness.folder import Folder
from harness.planning.cohorts import Cohort
from harness.training.following import Following
from leaderboard.formats.records import EvaluationRecord, FailureRecord, FinalRecord

FINAL = 1 << 62
"""Stands for the final evaluation where others have their number: it comes last."""


class Returns:
    """The evaluations of a cohort's runs. Each is told once, when every run has recorded it."""

    def __init__(self, folder: Path, cohort: Cohort) -> None:
        """What was recorded before is not told."""
        self._following = [Following(run, Folder(folder).run(run).records) for run in cohort.runs]
        self._means = defaultdict[int, dict[str, float]](dict)
        """Number of an evaluation -> name of a run -> mean return."""
        self._steps: dict[int, int] = {}
        """Number of an evaluation -> agent step."""
        self._failed: set[str] = set()
        self._told = set[int]()
        for _ in self.new_lines():
            pass

    def new_lines(self) -> Iterator[str]:
        """Every evaluation that is whole since the last call: each regime's mean over its seeds."""
        self._read()
        for number in sorted(self._means.keys() - self._told):
            means = self._means[number]
            learning = {each.run.name for each in self._following} - self._failed
            if learning <= means.keys():
                self._told.add(number)
                yield f"{self._what(number)}: {self._by_regime(means)}"

    def _read(self) -> None:
        for each in self._following:
            for record in each.new_records():
                if isinstance(record, FailureRecord):
                    self._failed.add(each.run.name)
                elif isinstance(record, EvaluationRecord | FinalRecord):
                    number = FINAL if isinstance(record, FinalRecord) else record.number
                    self._means[number][each.run.name] = statistics.fmean(record.returns)
                    self._steps[number] = record.agent_step

    def _what(self, number: int) -> str:
        if number == FINAL:
            return "mean score"
        return f"mean return after {self._steps[number]:,} agent steps"

    def _by_regime(self, means: dict[str, float]) -> str:
        seeds = defaultdict[str, list[float]](list)
        for each in self._following:
            if each.run.name in means:
                seeds[each.run.regime].append(means[each.run.name])
        return ", ".join(f"{name} {statistics.fmean(of):.1f}" for name, of in seeds.items())
