"""Input for readers of foreign bytes, and what each of them must do with it."""

import json
import os
import string

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from harness.errors import UserError

EXAMPLES = int(os.environ.get("MST_BENCH_TEST_FUZZ", "0"))
"""Inputs of each test: 120 and the same every day, or for a hunt as many random ones as this."""
FUZZ = settings(
    max_examples=EXAMPLES or 120,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
SLOW_FUZZ = settings(parent=FUZZ, max_examples=(EXAMPLES or 120) // 6)
"""For readers that take their time."""

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(string.ascii_lowercase, max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)
"""Any value of a JSON document."""
DOCUMENTS = VALUES.map(lambda value: json.dumps(value).encode())
PATHS = st.lists(st.integers(0, 40), min_size=1, max_size=6)
"""Ways into a document, for `replaced`."""


def replaced(document, path, value):
    """A copy of a document, the value at a path replaced; every draw of the path chooses a key."""
    copied = json.loads(json.dumps(document))
    node, parent, key = copied, None, None
    for draw in path:
        if not isinstance(node, dict | list) or not node:
            break
        keys = sorted(node) if isinstance(node, dict) else range(len(node))
        parent, key = node, keys[draw % len(node)]
        node = parent[key]

    if parent is not None:
        parent[key] = value
    return copied


def reads_or_refuses(read, original, errors=UserError):
    """Reads; it may refuse in words, by one of `errors`; a UserError is one line.

    `original`: whether this input is an unmutated one, which must be read. Without that, a reader
    that refuses everything would pass.
    """
    try:
        read()
    except errors as error:
        assert not original, error
        assert str(error).strip()
        assert errors is not UserError or "\n" not in str(error)


def flipped(draws, content):
    """The content with one bit flipped."""
    changed = bytearray(content)
    changed[draws.randrange(len(changed))] ^= 1 << draws.randrange(8)
    return bytes(changed)
