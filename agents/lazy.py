"""Tables hold places as text, so that importing a table imports nothing it names."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def load(place: str) -> Any:
    """The object at `module:name`."""
    module, name = place.split(":")
    return getattr(import_module(module), name)
