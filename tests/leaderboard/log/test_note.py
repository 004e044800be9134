"""Signed notes and verifier keys: the published examples, and notes that are none."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from helpers.fuzz import FUZZ, reads_or_refuses
from leaderboard.formats.document import DocumentError
from leaderboard.formats.log.note import (
    LARGEST,
    MOST_SIGNATURES,
    Note,
    known_signatures,
    parse_note,
)
from leaderboard.formats.log.verifier import parse_verifier

# The example of c2sp.org/signed-note, and of Go's golang.org/x/mod/sumdb/note.
EXAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE = """\
This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
"""  # noqa: E501
# A note of c2sp.org/signed-note whose text has empty lines.
POEM = """\
Ognuno sta solo sul cuor della terra
trafitto da un raggio di sole:

ed è subito sera.

— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=
"""  # noqa: E501
# Verifier keys of the tests of golang.org/x/mod/sumdb/note and of transparency-dev/formats.
KEYS = [
    EXAMPLE_KEY,
    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop",
    "TEST+7997405c+AQcC+FTVKf0jlTdHDY3rbevmnKxxPjigCXlVtGe6RIr6",
    "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
]


def parsed(text):
    return parse_note(text.encode(), "note")


def test_the_published_note_verifies_under_the_published_key():
    key = parse_verifier(EXAMPLE_KEY)
    note = parsed(EXAMPLE)
    signature = known_signatures(note, [key], "note")[key].signature
    assert note.text == "This is an example message.\n"
    assert key.verifies(signature, note.text.encode())
    assert not key.verifies(signature, b"This is another message.\n")


def test_the_last_empty_line_separates_text_and_signatures():
    note = parsed(POEM)
    assert note.text.endswith(":\n\ned è subito sera.\n")
    assert [signature.name for signature in note.signatures] == ["quasimodo.example/salvatore"]


@pytest.mark.parametrize("text", [EXAMPLE, POEM], ids=["message", "poem"])
def test_a_note_that_is_read_and_written_again_has_the_same_bytes(text):
    assert parsed(text).content() == text.encode()


@pytest.mark.parametrize("text", KEYS, ids=lambda key: key.partition("+")[0])
def test_a_published_key_is_read_and_written_again(text):
    assert str(parse_verifier(text)) == text


NAME, ID, KEY = EXAMPLE_KEY.split("+", 2)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "expected name"),
        (NAME, "expected name"),
        (f"{NAME}+{ID}", "expected name"),
        (f"+{ID}+{KEY}", "not empty"),
        (f"a b+{ID}+{KEY}", "white space"),
        (f"a\u00a0b+{ID}+{KEY}", "white space"),
        (f"a\u202eb+{ID}+{KEY}", "can be printed"),
        (f"{'a' * 256}+{ID}+{KEY}", "255 bytes"),
        (f"{NAME}+530d903b+{KEY}", "its id is 530d903a"),
        (f"{NAME}+530D903A+{KEY}", "its id is"),
        (f"{NAME}+{ID}+{KEY}=", "base64"),
        (f"{NAME}+{ID}+not base64", "not base64"),
        (f"{NAME}+{ID}+Bg==", "of a type"),
        (f"{NAME}+{ID}+", "of a type"),
        (f"{NAME}+{ID}+AQ==", "64 hexadecimal digits"),
        (f"{NAME}+{ID}+AQ{'A' * 42}", "small order"),
    ],
)
def test_a_verifier_key_of_another_form_is_refused(text, sentence):
    with pytest.raises(ValueError, match=sentence):
        parse_verifier(text)


LINE = EXAMPLE.splitlines()[-1]
SIGNATURE = LINE.rpartition(" ")[2]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "no signed note"),
        ("text\n", "no signed note"),
        (EXAMPLE[:-1], "no signature lines end it"),
        (EXAMPLE[:60], "no signature lines end it"),
        (EXAMPLE[:-4] + "\n", "not base64"),
        ("text\n\n", "no signed note"),
        (EXAMPLE + "\n", "no signed note"),
        (EXAMPLE.replace("\n\n", "\n"), "no signed note"),
        (EXAMPLE.replace("\n", "\r\n"), "control character"),
        (EXAMPLE.replace("example message", "example\tmessage"), "control character"),
        (EXAMPLE.replace("example message", "example\0message"), "control character"),
        (EXAMPLE.replace("example message", "example\x1fmessage"), "control character"),
        (EXAMPLE.replace("— ", "- "), "no signature line"),
        (EXAMPLE.replace("— ", "—"), "no signature line"),
        (EXAMPLE.replace("— ", "—  "), "no signature line"),
        (EXAMPLE.replace(SIGNATURE, f"{SIGNATURE} "), "no signature line"),
        (EXAMPLE.replace("/foo Uw", "/f+o Uw"), "white space nor a plus"),
        (EXAMPLE.replace("/foo Uw", "/f\u2003o Uw"), "white space nor a plus"),
        (EXAMPLE.replace("aQM=", "aQN="), "not canonical base64"),
        (EXAMPLE.replace("aQM=", "aQM"), "not base64"),
        (EXAMPLE.replace("aQM=", "aQM=="), "base64"),
        (EXAMPLE.replace("aQM=", "aQ_="), "not base64"),
        (EXAMPLE.replace(SIGNATURE, "Uw2QOg=="), "is cut off"),
        ("text\n\n" + f"{LINE}\n" * (MOST_SIGNATURES + 1), "more than 128 signatures"),
        ("x" * LARGEST + EXAMPLE, "at most"),
    ],
)
def test_a_note_of_another_form_is_refused_in_one_sentence(text, sentence):
    with pytest.raises(DocumentError, match=sentence) as refused:
        parsed(text)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 300


def test_bytes_that_are_no_text_are_refused():
    with pytest.raises(DocumentError, match="not UTF-8"):
        parse_note(EXAMPLE.encode().replace(b"message", b"mess\xffge"), "note")


def test_signatures_of_unknown_keys_are_ignored_even_if_they_share_a_name_or_an_id():
    key = parse_verifier(EXAMPLE_KEY)
    same_name = LINE.replace("Uw2QOkn8", "Uw2QO0n8")  # the last bits of the id differ
    same_id = LINE.replace("example.com/foo", "example.com/bar")
    note = parsed(EXAMPLE + f"{same_name}\n{same_id}\n{same_id}\n")
    assert len(note.signatures) == 4
    assert set(known_signatures(note, [key], "note")) == {key}
    assert known_signatures(parsed(POEM), [key], "note") == {}


def test_a_key_that_signs_twice_is_refused():
    key = parse_verifier(EXAMPLE_KEY)
    with pytest.raises(DocumentError, match="signs it twice"):
        known_signatures(parsed(EXAMPLE + LINE + "\n"), [key], "note")


def test_sixteen_signatures_of_post_quantum_size_are_read():
    """c2sp.org/signed-note asks readers for no less."""
    large = Note("text\n", parsed(EXAMPLE).signatures * 16).content()
    assert len(parse_note(large, "note").signatures) == 16
    text = f"{'x' * 15 * 6_700}\n{EXAMPLE}"
    assert parsed(text).content() == text.encode()


@FUZZ
@given(st.text(max_size=200) | st.text("— \nab+/=", max_size=80))
@example(None)
def test_a_note_is_read_or_refused_in_words(text):
    original = text is None
    content = (EXAMPLE if original else text).encode("utf-8", "surrogatepass")

    def read():
        assert parse_note(content, "note").content() == content

    reads_or_refuses(read, original, DocumentError)


@FUZZ
@given(st.integers(0, len(EXAMPLE.encode()) * 8 - 1))
def test_no_bit_of_a_signed_note_can_be_changed(bit):
    """Either the note is refused, or its text and the known signature are no longer what the key
    signed, or the key is unknown."""
    key = parse_verifier(EXAMPLE_KEY)
    content = bytearray(EXAMPLE.encode())
    content[bit // 8] ^= 1 << bit % 8
    try:
        note = parse_note(bytes(content), "note")
    except DocumentError:
        return
    signatures = known_signatures(note, [key], "note")
    assert not any(key.verifies(s.signature, note.text.encode()) for s in signatures.values())
