"""The log's files: bundles of JSON lines in the repository, and C2SP tiles beside the site."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from helpers.fuzz import FUZZ, reads_or_refuses
from helpers.logs import leaf, tree_of
from leaderboard.formats.document import DocumentError
from leaderboard.formats.log.bundle import (
    LONGEST_LEAF,
    bundle_files,
    bundle_name,
    bundle_number,
    leaf_bytes,
    parse_bundle,
)
from leaderboard.formats.log.merkle import node_hash
from leaderboard.formats.log.tiles import entry_files, tile_files, tile_path

LEAVES = [leaf(number) for number in range(700)]

# -- bundles --


def test_a_bundle_has_256_leaves():
    files = bundle_files(LEAVES)
    assert list(files) == ["000.jsonl", "001.jsonl", "002.jsonl"]
    assert [content.count(b"\n") for content in files.values()] == [256, 256, 188]
    read = [line for name, content in files.items() for line in parse_bundle(content, name)]
    assert read == LEAVES


@pytest.mark.parametrize(
    ("first", "names"), [(699, ["002"]), (512, ["002"]), (511, ["001", "002"])]
)
def test_appending_changes_the_last_bundle_and_those_after_it(first, names):
    assert list(bundle_files(LEAVES, first)) == [f"{name}.jsonl" for name in names]
    assert bundle_files(LEAVES, first)["002.jsonl"] == bundle_files(LEAVES)["002.jsonl"]


@pytest.mark.parametrize(
    ("number", "name"), [(0, "000"), (42, "042"), (999, "999"), (1000, "1000")]
)
def test_a_bundle_is_named_by_its_number(number, name):
    assert bundle_name(number) == f"{name}.jsonl"
    assert bundle_number(f"{name}.jsonl") == number


@pytest.mark.parametrize(
    "name",
    [
        "00.jsonl",
        "0000.jsonl",
        "00a.jsonl",
        "000.json",
        "-00.jsonl",
        "\u06600\u0660.jsonl",
        "10000.jsonl",
    ],
)
def test_other_names_are_no_bundles(name):
    assert bundle_number(name) is None


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "does not end with a line feed"),
        (b'{"a":1}', "does not end with a line feed"),
        (b"\n", "line 1: is no leaf: not|line 1: is no leaf"),
        (b'{"a":1}\n\n', "line 2: is no leaf"),
        (b'{"a":1}\r\n', "not canonical JSON"),
        (b'{"a": 1}\n', "not canonical JSON"),
        (b'{"b":1,"a":1}\n', "not canonical JSON"),
        (b'{"a":1.0}\n', "not canonical JSON"),
        (b'{"a":1e0}\n', "not canonical JSON"),
        (b'{"a":"\\u0061"}\n', "not canonical JSON"),
        (b'{"a":1,"a":1}\n', "written twice"),
        (b'{"a":NaN}\n', "not a JSON number"),
        (b'{"a":9007199254740993}\n', "is no leaf"),
        (b'{"a":"\\ud800"}\n', "is no leaf"),
        (b"[1]\n", "expected a mapping"),
        (b"1\n", "expected a mapping"),
        (b'\xef\xbb\xbf{"a":1}\n', "is no leaf"),
        (b'{"a":"\xff"}\n', "not UTF-8"),
        (b'{"a":1}\n' * 257, "more than 256 leaves"),
        (b'{"a":"' + b"x" * LONGEST_LEAF + b'"}\n', "at most 65535 are read"),
        (b'{"a":' + b"[" * 10_000 + b"\n", "is no leaf"),
    ],
)
def test_a_bundle_of_another_form_is_refused_in_one_sentence(content, sentence):
    with pytest.raises(DocumentError, match=sentence) as refused:
        parse_bundle(content, "000.jsonl")
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 300


def test_a_leaf_is_as_long_as_foreign_readers_can_read():
    longest = leaf_bytes({"a": "x" * (LONGEST_LEAF - len('{"a":""}'))})
    assert parse_bundle(longest + b"\n", "000.jsonl") == [longest]
    with pytest.raises(ValueError, match="at most 65535 bytes"):
        leaf_bytes({"a": "x" * LONGEST_LEAF})


@FUZZ
@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.integers() | st.text(max_size=5), st.lists, max_leaves=4).map(
        lambda value: json.dumps({"a": value}).encode() + b"\n"
    )
)
@example(None)
def test_a_bundle_is_read_or_refused_in_words(content):
    original = content is None
    text = bundle_files(LEAVES[:3])["000.jsonl"] if original else content
    reads_or_refuses(lambda: parse_bundle(text, "000.jsonl"), original, DocumentError)


# -- tiles --


@pytest.mark.parametrize(
    ("level", "number", "width", "path"),
    [
        ("0", 0, 256, "tile/0/000"),
        ("0", 273, 112, "tile/0/273.p/112"),
        ("1", 1_234_067, 256, "tile/1/x001/x234/067"),
        ("entries", 1000, 7, "tile/entries/x001/000.p/7"),
    ],
)
def test_a_tile_has_the_published_path(level, number, width, path):
    assert tile_path(level, number, width) == path


def test_tiles_are_those_of_the_published_example():
    """c2sp.org/tlog-tiles: 256 leaves are a full tile of level 0 and a partial one of level 1."""
    assert [path for path, _ in tile_files(tree_of(LEAVES[:256]), 256)] == [
        "tile/0/000",
        "tile/1/000.p/1",
    ]


def test_tiles_of_a_log_of_700_leaves_hold_its_hashes():
    tree = tree_of(LEAVES)
    tiles = dict(tile_files(tree, 700))
    assert {path: len(content) // 32 for path, content in tiles.items()} == {
        "tile/0/000": 256,
        "tile/0/001": 256,
        "tile/0/002.p/188": 188,
        "tile/1/000.p/2": 2,
    }
    assert tiles["tile/0/001"][:32] == tree.leaf_hashes[256]
    left, right = tiles["tile/1/000.p/2"][:32], tiles["tile/1/000.p/2"][32:]
    assert node_hash(left, right) == tree.root(512)


def test_a_log_without_leaves_has_no_tiles():
    assert list(tile_files(tree_of([]), 0)) == []
    assert list(entry_files([])) == []


def test_entry_bundles_hold_the_leaves_after_their_lengths():
    files = dict(entry_files(LEAVES))
    assert list(files) == ["tile/entries/000", "tile/entries/001", "tile/entries/002.p/188"]
    content = b"".join(files.values())
    read = []
    while content:
        length = int.from_bytes(content[:2], "big")
        read.append(content[2 : 2 + length])
        content = content[2 + length :]
    assert read == LEAVES
