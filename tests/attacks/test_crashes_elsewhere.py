"""Files that are none, entries that `verify` let pass and other commands fell over, and pages.

The same promises as in test_crashes.py.
"""

import base64
import json
import os

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from harness.files import dump_json
from helpers.forgery import signed_bytes, subject
from helpers.measured import SHOWING, measured
from helpers.program import call
from helpers.refusals import refused

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
    (forgery.folder / "plan.json").unlink()
    (forgery.folder / "plan.json").symlink_to("/dev/zero")


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


def test_an_entry_that_is_no_file_is_a_wrong_path(forgery):
    """It is the path that the user named, so exit 2."""
    forgery.sign().entry.unlink()
    forgery.entry.symlink_to("/dev/zero")
    refused("verify", forgery.entry, code=2)


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


def actor_full_of(value, part):
    def change(forgery):
        for run in forgery.elsewhere().runs:
            path = forgery.path(run, "actor.safetensors")
            tensors = load_file(path)
            for name in tensors:
                if name.endswith(part):
                    tensors[name][tensors[name] != 0] = value
                    tensors[name][:, 0, 0] = value if part == "bias" else tensors[name][:, 0, 0]
            save_file(tensors, path)

    change.__name__ = f"{part}_of_{value:g}"
    return change


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
    actor_full_of(np.nan, "bias"),
    actor_full_of(np.inf, "weight"),
    actor_full_of(3e38, "weight"),
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
    forgery.run("dense")["weights"]["encoder"] = {"total": 1, "active": "digits"}
    payload = dump_json(forgery.sign().statement)
    forgery.resign(payload.replace(b'"digits"', b"1" + b"0" * 4000))
    result = forgery.path(forgery.run("dense"), "result.json")
    result.write_bytes(result.read_bytes().replace(b'"digits"', b"1" + b"0" * 4000))
    ended = measured(command, forgery.folder, imports=SHOWING)
    assert "Traceback" not in ended.stderr, ended.stderr[-2000:]
    assert ended.returncode in (2, 4)


@pytest.mark.parametrize("content", [b"", b"no JSON", b"{}", b'{"seconds":null}', b"\xff"])
@pytest.mark.parametrize("command", ["report", "status", "regress"])
def test_timings_that_are_none_are_told_in_words(pair, command, content):
    """`verify` reads no timing."""
    baseline, candidate = pair
    baseline.sign()
    for run in candidate.runs:
        name = candidate.path(run, "timing.json").relative_to(candidate.folder).as_posix()
        candidate.files[name] = content
    candidate.sign()
    before = [baseline.folder] if command == "regress" else []
    call(command, *before, candidate.folder)


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
