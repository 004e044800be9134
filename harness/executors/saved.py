"""What is saved of cohorts that are stopped, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.errors import UserError
from harness.folder import Folder
from harness.planning.cohorts import Cohort
from harness.training.checkpoint import saved_step
from harness.training.ending import ending_of
from harness.training.interruption import kept, saving
from harness.training.progress import Progress, read_progress
from harness.training.unit import finished
from harness.words import count


class Saved:
    """What the files of a plan folder say of its cohorts."""

    def __init__(
        self, folder: Path, cohorts: Sequence[Cohort], earlier: Mapping[int, Progress | None]
    ) -> None:
        """`earlier`: what attempts before the running ones said last, by cohort."""
        self.folder = folder
        self.cohorts = {cohort.index: cohort for cohort in cohorts}
        self.earlier = earlier

    def saving(self, indices: list[int]) -> str:
        """What is said when these cohorts are asked to save."""
        try:
            return saving([self._unsaved(index) for index in indices])
        except (OSError, UserError):  # how far they are cannot be read
            return f"saving {count(len(indices), 'cohort')}; once more stops now"

    def stopped(self, indices: list[int]) -> str:
        """What is said once they stopped."""
        # Read from the disk: a checkpoint may have become whole in the last moment.
        lost = [sentence for index in indices if (sentence := self._lost(index))]
        if lost:
            return f"stopped; not everything is saved. {' '.join(lost)}"
        return f"stopped; everything is saved under {self.folder}."

    def _lost(self, index: int) -> str:
        """A sentence about a cohort that did not save everything; empty if it did."""
        try:
            unsaved = self._unsaved(index)
            progress = read_progress(self.folder, index)
            saved = self._saved(index)
        except (OSError, UserError) as error:
            return f"Cohort {index}: {ending_of(error).reason}"
        total = progress.total if progress else 0
        return f"Cohort {index}: {kept(saved, unsaved, total)}." if unsaved else ""

    def _unsaved(self, index: int) -> int:
        """Agent steps of this attempt at a cohort that no checkpoint holds; 0 once it finished."""
        progress = read_progress(self.folder, index)
        if progress is None or progress == self.earlier[index]:
            return 0
        if finished(self.folder, self.cohorts[index]):
            return 0
        return max(0, progress.step - self._saved(index))

    def _saved(self, index: int) -> int:
        return saved_step(Folder(self.folder).cohort(index).checkpoint)
