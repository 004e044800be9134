"""How a command must refuse a hostile file: in words, at once, in little memory."""

from helpers.measured import measured

MOST_MIB = 500
"""Memory beyond imports."""
GENEROUS = 10.0
"""Seconds of the processor beyond imports, on slow machines too; 2 are the promise."""


def refused(*arguments, code=4, **options):
    """A command refuses, and takes little; returns how it ended."""
    ended = measured(*arguments, **options)
    assert "Traceback" not in ended.stderr, ended.stderr[-2000:]
    assert ended.returncode == code, ended.stdout[-500:] + ended.stderr[-500:]
    assert ended.mib < MOST_MIB
    assert ended.seconds < GENEROUS
    return ended
