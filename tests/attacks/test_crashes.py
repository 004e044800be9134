"""Documents and tensors made to end a reader in a traceback, or to take all of its memory.

Whatever is in them, `verify` refuses the entry: exit 4, at most 500 MiB beyond its imports, and no
traceback. Each case is a process of its own, since its output, its memory and its limits count.
"""

import numpy as np
import pytest

from harness.files import digest_bytes, dump_json
from helpers.forged_tensors import read_tensors, write_tensors
from helpers.forgery import Forgery
from helpers.refusals import refused

# -- documents --


def with_surrogates(forgery: Forgery, placeholder, escaped):
    """Signs the forgery with a lone surrogate in place of a word, in every document."""
    plan = forgery.sign().folder / "plan.json"
    forgery.files["plan.json"] = plan.read_bytes().replace(placeholder, escaped)
    suite = forgery.folder / "suite.json"
    forgery.files["suite.json"] = suite.read_bytes().replace(placeholder, escaped)
    forgery.sign()
    forgery.resign(dump_json(forgery.statement).replace(placeholder, escaped))


def surrogate_in_the_suites_name(forgery):
    forgery.suite["name"] = "own-surrogate"
    with_surrogates(forgery, b"own-surrogate", b"own-\\ud800")


def surrogate_in_a_missing_runs_regime(forgery):
    run = forgery.run("mst")
    forgery.lose(run)
    run["regime"] = "surrogate"
    forgery.replan()
    for table in ("networks", "sizes"):
        rows = forgery.plan[table]
        rows["cartpole-swingup/surrogate"] = rows.pop("cartpole-swingup/mst")
    forgery.plan["regimes"]["surrogate"] = forgery.plan["regimes"].pop("mst")
    with_surrogates(forgery, b"surrogate", b"m\\ud800")


def surrogate_in_a_failures_reason(forgery):
    failure = {"kind": "agent", "reason": "surrogate", "agent_step": 1}
    forgery.fail(forgery.run("mst"), failure)
    forgery.sign()
    forgery.resign(dump_json(forgery.statement).replace(b'"surrogate"', b'"\\ud800"'))


def nested_deeply(levels):
    def nest(forgery):
        forgery.suite["name"] = "own-nested"
        payload = dump_json(forgery.sign().statement)
        nested = b"[" * levels + b"]" * levels
        forgery.resign(payload.replace(b'"own-nested"', nested))

    nest.__name__ = f"nested_{levels}_deep"
    return nest


def start_that_is_a_letter(forgery):
    """A text times 10^10 updates was a text of 10 GB."""
    forgery.plan["regimes"]["dense"]["encoder"]["start"] = "a"
    many_updates(forgery)


def start_that_is_a_list(forgery):
    forgery.plan["regimes"]["dense"]["encoder"]["start"] = [0.5] * 10
    many_updates(forgery)


def many_updates(forgery):
    forgery.plan["budget"]["updates"]["encoder"] = 10**10
    for run in forgery.runs:
        run["updates"]["encoder"] = 10**10
    forgery.sign()


def a_number_of_4000_digits(forgery):
    forgery.run("dense")["weights"]["encoder"] = {"total": 1, "active": "digits"}
    payload = dump_json(forgery.sign().statement)
    forgery.resign(payload.replace(b'"digits"', b"1" + b"0" * 4000))


def an_entry_of_many_small_values(forgery):
    """Sixteen megabytes of brackets take gigabytes once they are read."""
    forgery.sign()
    forgery.entry.write_bytes(b"[" + b"{}," * 5_000_000 + b"{}]")


def a_payload_of_many_small_values(forgery):
    forgery.suite["changes"] = ["many"]
    payload = dump_json(forgery.sign().statement)
    forgery.resign(payload.replace(b'["many"]', b"[" + b"{}," * 3_000_000 + b"{}]"))


def an_entry_of_one_long_text(forgery):
    forgery.sign()
    forgery.entry.write_bytes(b'{"payload":"' + b"A" * (250 << 20) + b'"}')


def deep_nesting_in_a_record(forgery):
    run = forgery.run("dense")
    deep = b'{"before":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n"
    name = forgery.path(run, "records.jsonl").relative_to(forgery.folder).as_posix()
    forgery.files[name] = deep
    run["chain_head"] = digest_bytes(deep)
    forgery.sign()


DOCUMENTS = [
    surrogate_in_the_suites_name,
    surrogate_in_a_missing_runs_regime,
    surrogate_in_a_failures_reason,
    *map(nested_deeply, (60, 900, 950, 972, 990, 200_000)),
    start_that_is_a_letter,
    start_that_is_a_list,
    a_number_of_4000_digits,
    an_entry_of_many_small_values,
    a_payload_of_many_small_values,
    an_entry_of_one_long_text,
    deep_nesting_in_a_record,
]


@pytest.mark.parametrize("attack", DOCUMENTS, ids=lambda attack: attack.__name__)
def test_a_document_made_to_crash_its_reader_is_refused(forgery, attack):
    attack(forgery)
    refused("verify", forgery.entry)


# -- tensors --


def layers_of_different_copies(forgery, tensors):
    reshape(tensors, "q.1.weight", (1, 16, 16))


def a_layer_of_a_trillion_copies(forgery, tensors):
    reshape(tensors, "q.0.weight", (2**40, 0, 1))


def a_layer_of_none(forgery, tensors):
    reshape(tensors, "q.1.weight", (0, 0, 0))


def reshape(tensors, layer, shape):
    """A layer of another shape, with masks to fit."""
    tensors.weights["critic"][layer] = np.zeros(shape, dtype=np.float32)
    tensors.first["critic"][layer] = tensors.last["critic"][layer] = np.ones(shape, dtype=np.uint8)


@pytest.mark.parametrize(
    "attack",
    [layers_of_different_copies, a_layer_of_a_trillion_copies, a_layer_of_none],
    ids=lambda attack: attack.__name__,
)
def test_tensors_made_to_crash_their_reader_are_refused(forgery, attack):
    run = forgery.run("dense")
    tensors = read_tensors(forgery.path(run))
    attack(forgery, tensors)
    write_tensors(forgery, run, tensors, prune=False)
    refused("verify", forgery.sign().entry)


def test_a_header_that_promises_more_than_there_is_is_refused(forgery):
    path = forgery.path(forgery.run("dense"), "critic.safetensors")
    path.write_bytes((2**63).to_bytes(8, "little") + path.read_bytes()[8:])
    refused("verify", forgery.sign().entry)


def test_a_name_doubled_in_a_header_is_refused(forgery):
    path = forgery.path(forgery.run("dense"), "critic.safetensors")
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = content[8 : 8 + length].rstrip()
    start = header.index(b'"q.0.bias"')
    again = header[start : header.index(b"}", start) + 1]
    doubled = header[:-1] + b"," + again + b"}"
    doubled += b" " * (-len(doubled) % 8)
    path.write_bytes(len(doubled).to_bytes(8, "little") + doubled + content[8 + length :])
    refused("verify", forgery.sign().entry)
