"""Files made to end a program in a traceback, or to take all of its memory.

Whatever is in them, `verify` refuses the entry: exit 4, at most 500 MiB beyond its imports, and no
traceback. Each case is a process of its own, since its output, its memory and its limits count.
"""

import base64
import json
import os

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from harness.files import digest_bytes, dump_json
from helpers.forged_tensors import read_tensors, write_tensors
from helpers.forgery import Forgery, signed_bytes, subject
from helpers.measured import SHOWING, measured
from helpers.program import call

MOST_MIB = 500


def refused(*arguments, code=4, **options):
    """A command refuses, in words, and takes little; returns how it ended."""
    ended = measured(*arguments, **options)
    assert "Traceback" not in ended.stderr, ended.stderr[-2000:]
    assert ended.returncode == code, ended.stdout[-500:] + ended.stderr[-500:]
    assert ended.mib < MOST_MIB
    return ended


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


# -- files that are none --


def a_link_to_itself(forgery):
    (forgery.folder / "manifest.json").unlink()
    (forgery.folder / "manifest.json").symlink_to("manifest.json")


def a_circle_of_links(forgery):
    (forgery.folder / "manifest.json").unlink()
    (forgery.folder / "manifest.json").symlink_to("other")
    (forgery.folder / "other").symlink_to("manifest.json")


def a_name_of_300_letters(forgery):
    forgery.listed = [subject("x" * 300, b"")]
    forgery.sign()


def zeros_without_end(forgery):
    forgery.entry.unlink()
    forgery.entry.symlink_to("/dev/zero")


def a_terabyte_of_nothing(forgery):
    os.truncate(forgery.entry, 1 << 40)


def a_folder(forgery):
    (forgery.folder / "manifest.json").unlink()
    (forgery.folder / "manifest.json").mkdir()


FILES = [
    a_link_to_itself,
    a_circle_of_links,
    a_name_of_300_letters,
    zeros_without_end,
    a_terabyte_of_nothing,
    a_folder,
]


@pytest.mark.parametrize("attack", FILES, ids=lambda attack: attack.__name__)
def test_a_file_that_is_none_is_refused(forgery, attack):
    forgery.sign()
    attack(forgery)
    refused("verify", forgery.entry)


# -- entries that `verify` accepted and others fell over --


def members(count):
    def change(forgery):
        for run in forgery.runs:
            run["members"] = count

    change.__name__ = f"members_{count}"
    return change


def a_line_feed_in_the_seed_source(forgery):
    forgery.plan["seed_source"] = "suite\nx"


def an_unknown_task_that_is_observed(forgery):
    forgery.plan["observations"]["nowhere-run"] = {"x": 1}
    forgery.predicate["fingerprints"]["nowhere-run"] = "0" * 64


def an_action_repeated_a_billion_times(forgery):
    forgery.plan["budget"]["action_repeat"] = 10**9


def a_block_that_there_is_not(forgery):
    forgery.plan["blocks"]["actor"] = "T9"


def a_module_without_blocks(forgery):
    del forgery.plan["blocks"]["actor"]


def weights_that_are_no_numbers(forgery):
    for run in forgery.elsewhere().runs:
        path = forgery.path(run, "actor.safetensors")
        tensors = load_file(path)
        tensors["policy.out.bias"][:] = np.nan
        save_file(tensors, path)


def a_drop_fraction_in_words(forgery):
    forgery.plan["regimes"]["dense"]["encoder"]["drop_fraction"] = "much"


def a_width_in_words(forgery):
    forgery.plan["settings"]["width"] = "wide"


REEVALUATED = [
    *map(members, (0, 5.0, -1, 10**6)),
    a_line_feed_in_the_seed_source,
    an_unknown_task_that_is_observed,
    an_action_repeated_a_billion_times,
    a_block_that_there_is_not,
    a_module_without_blocks,
    weights_that_are_no_numbers,
    a_drop_fraction_in_words,
    a_width_in_words,
]


@pytest.mark.parametrize("change", REEVALUATED, ids=lambda change: change.__name__)
def test_what_cannot_be_rolled_out_is_refused(forgery, change):
    change(forgery)
    ended = call("reeval", forgery.sign().entry)
    assert ended.returncode == 4, ended.stdout + ended.stderr


# -- pages --


@pytest.mark.parametrize("command", ["report", "status"])
def test_weights_beyond_all_numbers_are_not_drawn(forgery, command):
    """10^4000 of 1 weights are active: a density that no number holds."""
    a_number_of_4000_digits(forgery)
    run = dict(forgery.run("dense"))
    huge = dump_json(run).replace(b'"digits"', b"1" + b"0" * 4000)
    forgery.path(run, "result.json").write_bytes(huge)
    ended = measured(command, forgery.folder, imports=SHOWING)
    assert "Traceback" not in ended.stderr, ended.stderr[-2000:]
    assert ended.returncode in (2, 4)


def test_a_style_that_lies_in_the_folder_is_not_used(forgery):
    """matplotlib reads a matplotlibrc of the current folder, and would start LaTeX."""
    (forgery.sign().folder / "matplotlibrc").write_text("text.usetex: True\n")
    ended = measured("report", ".", imports=SHOWING, cwd=forgery.folder)
    assert ended.returncode == 0, ended.stderr[-500:]


def test_a_side_statement_made_to_crash_its_reader_is_refused(forgery):
    path = forgery.sign().folder.parent / "reeval.dsse.json"
    for content in (b"", b"{", b"[" * 100_000, dump_json({"payload": "", "signatures": []})):
        path.write_bytes(content)
        refused("verify", forgery.entry, "--reeval", path)


def test_a_side_statement_of_another_type_is_refused(forgery):
    path = forgery.sign().folder.parent / "reeval.dsse.json"
    payload = json.dumps({"predicate": None, "x": base64.b64encode(b"x").decode()})
    path.write_bytes(signed_bytes(payload.encode(), forgery.key))
    refused("verify", forgery.entry, "--reeval", path)
