"""`python -m harness.cli`: the program, with nothing imported from the working folder."""

import sys
from pathlib import Path

# `python -m` puts the working folder first, which may be a stranger's entry: nothing is imported
# from there, unless it is the folder of this project. `mst-bench` never has it on the path.
if not sys.flags.safe_path and Path(sys.path[0]) != Path(__file__).parents[2]:
    del sys.path[0]

from harness.cli.start import main

main()
