"""The round that the seeds of a registered plan come from.

Tests of a row of the threat table name its number.
"""

import builtins
import hashlib
import random

import pytest

from helpers import fuzz
from helpers.beacons import CHAIN, round_of, with_signature
from helpers.boards import DELAY
from helpers.forge import failed
from helpers.registered import detail, refused, statuses
from leaderboard.formats.layout import BEACON


def test_row_28_another_round_is_refused(registered):
    registered.register().witness()
    registered.claim(round_of(registered.round + 1))
    refused(registered.sign().verdict(), "beacon", "expected round")


def test_row_28_a_round_of_another_chain_is_refused(registered):
    registered.register().witness()
    registered.claim(round_of(registered.round, secret=99))
    refused(registered.sign().verdict(), "beacon", "did not sign this as round")


def test_row_28_a_signature_of_ones_own_is_refused(registered):
    registered.register().witness()
    registered.claim(with_signature(registered.round, "c0" + "00" * 47))
    refused(registered.sign().verdict(), "beacon", "did not sign this as round")


@pytest.mark.slow
def test_row_28_no_mutated_round_is_accepted(honest):
    """M"""
    draws = random.Random(fuzz.EXAMPLES or 28)
    log = honest.board.log()
    original = honest.files[BEACON]
    for _ in range(fuzz.EXAMPLES or 60):
        honest.staple(BEACON, fuzz.flipped(draws, original))
        assert failed(honest.sign().verdict(board=log)) in ("registration", "beacon")


def test_without_the_library_the_beacon_is_unknown_and_nothing_ranked(honest, monkeypatch):
    honest.sign()
    imported = builtins.__import__

    def without(name, *arguments, **options):
        if name.startswith("py_arkworks"):
            raise ImportError(name)
        return imported(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    verdict = honest.verdict()
    assert statuses(verdict) == ["passed", "passed", "unknown"] and not verdict.ranked
    assert "mst-bench[board]" in detail(verdict, "beacon")


def test_a_round_is_drawn_after_the_delay_of_the_root(honest):
    assert CHAIN.time_of(honest.round) >= honest.leaf.at + DELAY
    assert CHAIN.time_of(honest.round - 1) < honest.leaf.at + DELAY


def test_the_seed_source_is_a_digest_of_public_parts_alone(honest):
    """Anybody can compute it, by docs/registration.md."""
    leaf = hashlib.sha256(honest.board.leaves[4]).hexdigest()
    signature = round_of(honest.round).signature
    text = f'["mst-bench/seeds/v1","example.org/board",4,"{leaf}","{signature}"]'
    assert honest.plan["seed_source"] == f"log:{hashlib.sha256(text.encode()).hexdigest()}"
