"""Writes down the digest of every file that was installed, while the image is built.

Usage: write_content.py VARIANT REVISION
"""

import sys
from pathlib import Path

from harness.machine.image import write_content

write_content(Path(sys.prefix), variant=sys.argv[1], commit=sys.argv[2])
