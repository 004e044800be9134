"""Stills of a policy, side by side, for a report."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field

from leaderboard.formats.run import StatedRun


@dataclass(frozen=True)
class Strip:
    """One claimed episode of a run, drawn; or why it is not."""

    run: StatedRun
    episode: int
    """Which of the episodes that score the run, from 0."""
    webp: bytes | None = field(repr=False)
    seconds: float = 0.0
    """Of simulated time."""
    returned: float = 0.0
    """As it came out where it was drawn."""
    why: str = ""
    """Without a picture: why."""

    @property
    def address(self) -> str:
        """The picture, as an address that holds it."""
        assert self.webp is not None, "a strip without a picture says why"
        return f"data:image/webp;base64,{b64encode(self.webp).decode()}"

    @property
    def returns(self) -> str:
        """The return of the episode, and how it is the signed one."""
        signed = self.run.final_returns[self.episode]
        if self.returned == signed:
            return f"return {signed:.1f}, the signed one to the bit"
        return f"return {self.returned:.1f} where it was drawn, {signed:.1f} as signed"
