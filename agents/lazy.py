"""Lazy imports: tables store `"module:attribute"`, so importing a table does not import torch."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def load(path: str) -> Any:
    """The object that `"module:attribute"` names; imports its module."""
    module, attribute = path.split(":")
    return getattr(import_module(module), attribute)
