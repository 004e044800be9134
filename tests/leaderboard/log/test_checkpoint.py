"""Checkpoints and cosignatures: published ones, ours, and forged ones."""

from dataclasses import replace

import pytest

from helpers.logs import (
    LOG_KEYS,
    ORIGIN,
    POLICY,
    TIME,
    WITNESS_KEYS,
    checkpoint_of,
    leaf,
    signed,
)
from leaderboard.formats.document import DocumentError
from leaderboard.formats.keys import one_use_key
from leaderboard.formats.log.checkpoint import (
    Checkpoint,
    LogPolicy,
    cosign_checkpoint,
    log_key,
    open_checkpoint,
    parse_checkpoint,
    sign_checkpoint,
    witness_key,
)
from leaderboard.formats.log.note import Note, parse_note
from leaderboard.formats.log.verifier import COSIGNATURE, VerifierKey, parse_verifier
from leaderboard.formats.spelling import decode_base64, encode_base64

# A checkpoint of a public log of Certificate Transparency (arche2025h1.staging.ct, run by
# transparency.dev) as it was served, cosigned by witnesses of the public network.
PUBLIC = """\
arche2025h1.staging.ct.transparency.dev
1432088532
U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=

— arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=
— arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=
— transparency.dev/DEV:witness-little-garden 2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYTzwZ2rhIgcqoXHAwVkjZr4AscylP3v7sEodkRAErumC2q44vdgJY096st5BQ==
— witness1.smartit.nu/witness1 pIyCDwAAAABqEiEghIp82KWebrw7/oHQwlTAm3g2RKS4+eebl8eO0WH+/iEcxZ75W3u5hNI7TOQtmJbqmNWVuE0tgh0XwzdZsDsUAQ==
— remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==
— witness.stagemole.eu Z/euoAAAAABqEiEgw0i+7g2ENfDAWHmtRzCfKTHSDwYDJA2NmKeGi9Y8FtEyOUvVr+AJmIY/2TUFucgKi7lI7cUiOvKFYe/TmN9DAg==
"""  # noqa: E501
PUBLIC_LOG = (
    "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f"
)
PUBLIC_WITNESSES = [
    "transparency.dev/DEV:witness-little-garden+d8042a87+BCtusOxINQNUTN5Oj8HObRkh2yHf/MwYaGX4CPdiVEPM",
    "witness1.smartit.nu/witness1+a48c820f+BPSFWg9G6KPiO7QPryYO5Xq4oYJJ+kAvLKLSimDhoxMO",
    "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
    "witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv",
]
# The checkpoint of c2sp.org/tlog-checkpoint, cosigned as in c2sp.org/tlog-cosignature.
PUBLISHED = """\
example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
"""  # noqa: E501

LEAVES = [leaf(number) for number in range(5)]
CHECKPOINT = checkpoint_of(LEAVES)
NAMES = list(WITNESS_KEYS)


def opened(note, policy=POLICY):
    return open_checkpoint(note.content(), policy, "checkpoint")


def public_policy():
    witnesses = tuple(map(parse_verifier, PUBLIC_WITNESSES))
    log = parse_verifier(PUBLIC_LOG)
    return LogPolicy(log.name, (log,), witnesses, quorum=3)


# -- published checkpoints --


def test_a_public_log_and_its_four_witnesses_verify():
    """The RFC 6962 signature of the same log is of a type that is unknown here: it is ignored."""
    found = open_checkpoint(PUBLIC.encode(), public_policy(), "checkpoint")
    assert found.checkpoint.size == 1_432_088_532
    assert [str(key) for key in found.logs] == [PUBLIC_LOG]
    assert {str(key) for key in found.cosigned} == set(PUBLIC_WITNESSES)
    assert set(found.cosigned.values()) == {0x6A122120}


@pytest.mark.parametrize("line", range(4, 10))
def test_a_public_checkpoint_with_a_changed_size_is_refused(line):
    """Each known signature alone is enough to notice."""
    head, lines = PUBLIC.splitlines(keepends=True)[:4], PUBLIC.splitlines(keepends=True)[line]
    changed = "".join(head).replace("1432088532", "1432088533") + lines
    with pytest.raises(DocumentError, match=r"does not hold|no key of the log"):
        open_checkpoint(changed.encode(), public_policy(), "checkpoint")


def test_the_checkpoint_of_the_format_is_read():
    note = parse_note(PUBLISHED.encode(), "checkpoint")
    checkpoint = parse_checkpoint(note.text, "checkpoint")
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert checkpoint.text() == note.text
    assert note.content() == PUBLISHED.encode()


# -- our own --


def test_a_checkpoint_is_signed_by_a_log_key_and_cosigned_by_witnesses():
    found = opened(signed(CHECKPOINT, witnesses=NAMES))
    assert found.checkpoint == CHECKPOINT
    assert found.logs == (log_key(LOG_KEYS[0], ORIGIN),)
    assert {key.name: time for key, time in found.cosigned.items()} == dict.fromkeys(NAMES, TIME)


@pytest.mark.parametrize("keys", [LOG_KEYS[:1], LOG_KEYS[1:], LOG_KEYS])
def test_any_key_of_the_log_suffices(keys):
    assert len(opened(signed(CHECKPOINT, keys=keys)).logs) == len(keys)


def test_a_checkpoint_that_only_witnesses_signed_is_refused():
    with pytest.raises(DocumentError, match=f"no key of the log {ORIGIN} signed it"):
        opened(signed(CHECKPOINT, keys=(), witnesses=NAMES))


def test_a_checkpoint_of_another_log_is_refused():
    other = replace(CHECKPOINT, origin="example.org/other")
    with pytest.raises(DocumentError, match="is of the log"):
        opened(signed(other))


def test_signatures_of_strangers_are_ignored():
    stranger = one_use_key()
    note = signed(CHECKPOINT, keys=(LOG_KEYS[0], stranger))
    cosigned = cosign_checkpoint(CHECKPOINT, stranger, NAMES[0], TIME)
    note = replace(note, signatures=(*note.signatures, cosigned, cosigned))
    found = opened(note)
    assert found.logs == (log_key(LOG_KEYS[0], ORIGIN),)
    assert found.cosigned == {}


def test_a_signature_of_another_size_moved_here_is_refused():
    other = signed(checkpoint_of(LEAVES[:4]), witnesses=NAMES)
    for signature in other.signatures:
        note = signed(CHECKPOINT, keys=LOG_KEYS[1:])
        with pytest.raises(DocumentError, match="does not hold"):
            opened(replace(note, signatures=(*note.signatures, signature)))


def test_a_key_that_signs_twice_is_refused():
    note = signed(CHECKPOINT, keys=LOG_KEYS[:1] * 2)
    with pytest.raises(DocumentError, match="signs it twice"):
        opened(note)
    twice = signed(CHECKPOINT, witnesses=[NAMES[0], NAMES[0]])
    with pytest.raises(DocumentError, match="signs it twice"):
        opened(twice)


@pytest.mark.parametrize("time", [0, 2**63, 2**64 - 1])
def test_a_cosignature_whose_time_is_none_is_refused(time):
    note = signed(CHECKPOINT, witnesses=NAMES[:1], time=time)
    with pytest.raises(DocumentError, match="has no time below 2\\^63"):
        opened(note)


def test_the_time_of_a_cosignature_is_signed():
    note = signed(CHECKPOINT, witnesses=NAMES[:1])
    *others, cosigned = note.signatures
    earlier = (TIME - 1).to_bytes(8, "big") + cosigned.signature[8:]
    with pytest.raises(DocumentError, match=r"cosignature of .* does not hold"):
        opened(replace(note, signatures=(*others, replace(cosigned, signature=earlier))))


@pytest.mark.parametrize("length", [1, 8, 64, 71, 73, 200])
def test_a_cosignature_of_another_length_is_refused(length):
    note = signed(CHECKPOINT, witnesses=NAMES[:1])
    *others, cosigned = note.signatures
    content = (cosigned.signature * 3)[:length]
    with pytest.raises(DocumentError, match="cut off or too long"):
        opened(replace(note, signatures=(*others, replace(cosigned, signature=content))))


def test_a_cosignature_does_not_pass_for_a_signature_of_the_log():
    """One key in both roles would be needed, and a policy refuses that."""
    witness = WITNESS_KEYS[NAMES[0]]
    policy = LogPolicy(ORIGIN, (log_key(witness, ORIGIN),))
    cosigned = cosign_checkpoint(CHECKPOINT, witness, ORIGIN, TIME)
    with pytest.raises(DocumentError, match="no key of the log"):
        opened(Note(CHECKPOINT.text(), (cosigned,)), policy)


def test_a_quorum_had_cosigned_when_its_last_member_did():
    note = signed(CHECKPOINT, witnesses=NAMES[:1], time=TIME)
    later = cosign_checkpoint(CHECKPOINT, WITNESS_KEYS[NAMES[1]], NAMES[1], TIME + 60)
    found = opened(replace(note, signatures=(*note.signatures, later)))
    assert [found.witnessed_at(quorum) for quorum in (0, 1, 2, 3)] == [None, TIME, TIME + 60, None]


# -- texts that are no checkpoints --

ROOT = encode_base64(CHECKPOINT.root)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "three lines"),
        (f"{ORIGIN}\n5\n", "three lines"),
        (f"{ORIGIN}\n5\n{ROOT}", "three lines"),
        (f"{ORIGIN}\n5\n{ROOT}\nextension\n", "three lines"),
        (f"\n5\n{ROOT}\n", "origin"),
        (f"a b\n5\n{ROOT}\n", "origin"),
        (f"a+b\n5\n{ROOT}\n", "origin"),
        (f"{'a' * 201}\n5\n{ROOT}\n", "origin"),
        (f"{ORIGIN}\n05\n{ROOT}\n", "decimal number"),
        (f"{ORIGIN}\n+5\n{ROOT}\n", "decimal number"),
        (f"{ORIGIN}\n-5\n{ROOT}\n", "decimal number"),
        (f"{ORIGIN}\n 5\n{ROOT}\n", "decimal number"),
        (f"{ORIGIN}\n\n{ROOT}\n", "decimal number"),
        (f"{ORIGIN}\n5e3\n{ROOT}\n", "decimal number"),
        (f"{ORIGIN}\n\u0665\n{ROOT}\n", "decimal number"),
        (f"{ORIGIN}\n{2**63}\n{ROOT}\n", "below 2\\^63"),
        (f"{ORIGIN}\n{10**30}\n{ROOT}\n", "below 2\\^63"),
        (f"{ORIGIN}\n0\n{ROOT}\n", "empty tree"),
        (f"{ORIGIN}\n5\n{ROOT[:-1]}\n", "not base64"),
        (f"{ORIGIN}\n5\n{ROOT[:-4]}\n", "a root has 32 bytes"),
        (f"{ORIGIN}\n5\nAAAA{ROOT}\n", "a root has 32 bytes"),
    ],
)
def test_a_text_that_is_no_checkpoint_is_refused(text, sentence):
    with pytest.raises(DocumentError, match=sentence) as refused:
        parse_checkpoint(text, "checkpoint")
    assert "\n" not in str(refused.value)


def test_the_largest_checkpoint_is_read():
    largest = f"{ORIGIN}\n{2**63 - 1}\n{ROOT}\n"
    assert parse_checkpoint(largest, "checkpoint").size == 2**63 - 1


def test_a_second_spelling_of_a_root_is_refused():
    """The last letter before the padding has two bits that spell nothing."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = alphabet[alphabet.index(ROOT[-2]) ^ 1]
    with pytest.raises(DocumentError, match="not canonical base64"):
        parse_checkpoint(f"{ORIGIN}\n5\n{ROOT[:-2]}{last}=\n", "checkpoint")


# -- policies --


def test_a_policy_takes_no_key_twice():
    """go-tuf GHSA-3633-5h82-39pq: one key under two ids met a threshold of two."""
    key = WITNESS_KEYS[NAMES[0]]
    doubled = (witness_key(key, "example.org/a"), witness_key(key, "example.org/b"))
    with pytest.raises(ValueError, match="is listed 2 times"):
        LogPolicy(ORIGIN, POLICY.logs, doubled, 2)
    with pytest.raises(ValueError, match="is listed 2 times"):
        LogPolicy(ORIGIN, POLICY.logs, (witness_key(LOG_KEYS[0], "example.org/a"),), 1)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"logs": ()}, "at least one key"),
        ({"logs": POLICY.witnesses}, "named after its origin"),
        ({"origin": "example.org/other"}, "named after its origin"),
        ({"witnesses": POLICY.logs}, "makes cosignatures"),
        ({"quorum": 3}, "a quorum is a number"),
        ({"quorum": -1}, "a quorum is a number"),
    ],
)
def test_a_policy_of_another_form_is_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        replace(POLICY, **changes)


def test_two_keys_of_one_name_and_id_are_refused():
    """Ids have 32 bits, so anybody can make such a pair: here the id is forced."""

    class Collided(VerifierKey):
        key_id = b"same"

    names = ["example.org/w"] * 2
    pair = [Collided(name, COSIGNATURE, one_use_key().public_hex) for name in names]
    with pytest.raises(ValueError, match="the same name and id"):
        LogPolicy(ORIGIN, POLICY.logs, tuple(pair), 1)


def test_every_changed_bit_of_a_checkpoint_is_noticed():
    """It is refused, or the changed signature line became that of an unknown key."""
    content = signed(CHECKPOINT, witnesses=NAMES[:1]).content()
    original = open_checkpoint(content, POLICY, "checkpoint")
    for bit in range(len(content) * 8):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        try:
            found = open_checkpoint(bytes(changed), POLICY, "checkpoint")
        except DocumentError:
            continue
        assert found.checkpoint == original.checkpoint
        assert len(found.cosigned) < len(original.cosigned)


def test_signing_is_deterministic():
    """Ed25519 draws nothing: signing the same checkpoint again makes the same bytes."""
    assert sign_checkpoint(CHECKPOINT, LOG_KEYS[0]) == sign_checkpoint(CHECKPOINT, LOG_KEYS[0])
    assert decode_base64(ROOT) == CHECKPOINT.root
    assert isinstance(CHECKPOINT, Checkpoint)
