"""The strict builder: what it takes, and the one sentence that it refuses everything else with."""

from dataclasses import dataclass
from typing import Literal

import pytest

from leaderboard.formats.document import DocumentError, build


@dataclass(frozen=True)
class Part:
    """A part of a document."""

    count: int

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError(f"count is {self.count}, expected at least 0")


@dataclass(frozen=True)
class Document:
    """A document with a field of every type that the builder knows."""

    name: str
    share: float
    ready: bool
    word: Literal["first", "last"]
    parts: tuple[Part, ...]
    counts: dict[str, int]
    free: object
    note: str | None
    more: Part | None = None


WHOLE = {
    "name": "a",
    "share": 1,
    "ready": True,
    "word": "last",
    "parts": [{"count": 3}],
    "counts": {"a": 1},
    "free": [1, "x"],
    "note": None,
}


def test_a_document_becomes_its_type():
    document = build(Document, WHOLE, "file")
    assert document == Document("a", 1.0, True, "last", (Part(3),), {"a": 1}, [1, "x"], None)
    assert type(document.share) is float


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"nam": 1}, "file: nam: unknown key. Did you mean 'name'?"),
        ({"name": 1}, "file: name: expected text, found number 1."),
        ({"share": "1"}, "file: share: expected a finite number, found text '1'."),
        ({"share": True}, "file: share: expected a finite number, found true."),
        ({"share": 10**400}, "file: share: expected a finite number, found number 1000"),
        ({"share": float("nan")}, "file: share: expected a finite number, found number nan."),
        ({"word": "lats"}, "file: word: text 'lats' is not a choice. Did you mean 'last'?"),
        ({"word": []}, "file: word: list [] is not a choice. Known: first, last."),
        ({"parts": {}}, "file: parts: expected a list, found mapping {}."),
        ({"parts": [{"count": 1.5}]}, "file: parts[0].count: expected a whole number"),
        ({"parts": [{"count": -1}]}, "file: parts[0]: count is -1, expected at least 0."),
        ({"parts": [{}]}, "file: parts[0]: key 'count' is missing."),
        ({"counts": {1: 1}}, "file: counts: expected text, found number 1."),
        ({"counts": {"a": None}}, "file: counts.a: expected a whole number, found nothing."),
        ({"more": 7}, "file: more: expected a mapping of settings, found number 7."),
        ({"\x1b[2J": 1}, r"file: \x1b[2J: unknown key."),
    ],
)
def test_every_mistake_is_one_sentence_that_names_its_place(change, sentence):
    with pytest.raises(DocumentError) as refusal:
        build(Document, WHOLE | change, "file")
    assert str(refusal.value).startswith(sentence)
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize("name", WHOLE)
def test_a_missing_key_is_named(name):
    cut = {key: value for key, value in WHOLE.items() if key != name}
    with pytest.raises(DocumentError, match=f"^file: key '{name}' is missing.$"):
        build(Document, cut, "file")
