"""Matplotlib as it was shipped: no matplotlibrc of the working folder, nor of the user, counts.

Matplotlib reads a file `matplotlibrc` of the working folder when it is imported. That folder may
be a stranger's entry, and the file could ask for LaTeX with a preamble of his. So the import
happens in the folder of matplotlib's own defaults, and every drawing starts from these.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType


@contextmanager
def _own_defaults() -> Iterator[None]:
    """Works in the folder of the matplotlibrc that matplotlib brings.

    The folder before is kept open, because it may have no name any more.
    """
    found = util.find_spec("matplotlib")
    assert found is not None and found.origin is not None, "matplotlib is installed"
    before = os.open(".", os.O_RDONLY)
    try:
        os.chdir(Path(found.origin).with_name("mpl-data"))
        yield
    finally:
        os.fchdir(before)
        os.close(before)


with _own_defaults():
    import matplotlib as mpl
    from matplotlib.axes import Axes as Axes
    from matplotlib.figure import Figure as Figure
    from matplotlib.ticker import EngFormatter as EngFormatter
    from matplotlib.ticker import MaxNLocator as MaxNLocator


@contextmanager
def style(changes: Mapping[RcKeyType, object]) -> Iterator[None]:
    """Draws with the shipped defaults and these changes, whatever was set before."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(changes)
        yield
