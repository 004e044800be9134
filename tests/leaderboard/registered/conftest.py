"""Entries of a registered plan, before and after it was announced."""

import pytest

from helpers.registered import KEYS, Registered, ship


@pytest.fixture
def registered(entry, tmp_path, monkeypatch):
    """A registered entry, not announced yet."""
    made = Registered(entry, tmp_path, KEYS)
    ship(monkeypatch, made.plan)
    return made


@pytest.fixture
def honest(registered):
    """The same, announced, witnessed and claimed; tests sign it."""
    return registered.register().witness().claim()
