"""Only verified bytes are used, and what strangers write is shown as text: F10."""

import ctypes
import json
import os
import threading

import pytest

from harness.files import dump_json
from harness.training import lease
from helpers.forge import failed
from helpers.forgery import subject
from helpers.program import call
from helpers.runs import planned_copy

IN_CLOSE_NOWRITE = 0x10
"""Of inotify: a file that was opened for reading was closed."""


# -- files that change while they are read --


@pytest.mark.parametrize("name", ["results.csv", "plan.json", "manifest.json"])
def test_f10_a_file_swapped_while_it_is_read_helps_nobody(forgery, name):
    """What was signed is bad. Once it was read and closed, the good one takes its place."""
    good = forgery.sign().folder / name
    content = good.read_bytes()
    forgery.files[name] = content.replace(b"240", b"241").replace(b'"faults":0', b'"faults":"0"')
    assert forgery.files[name] != content
    swapped = forgery.folder.parent / "good"
    swapped.write_bytes(content)
    forgery.sign()

    watch = threading.Thread(target=swap_once_read, args=(good, swapped), daemon=True)
    watch.start()
    assert not forgery.verdict().accepted


def swap_once_read(path, by):
    """Waits until `path` was read and closed; then `by` takes its place."""
    library = ctypes.CDLL(None)
    descriptor = library.inotify_init()
    library.inotify_add_watch(descriptor, os.fsencode(path), IN_CLOSE_NOWRITE)
    os.read(descriptor, 4096)
    by.replace(path)


def test_f10_a_run_of_another_digest_is_found_wherever_it_stands(forgery):
    """Every listed file is digested, also those that nothing is read from."""
    path = forgery.path(forgery.run("dense"), "timing.json")
    forgery.sign()
    path.write_bytes(path.read_bytes() + b" ")
    assert failed(forgery.verdict()) == "files"


@pytest.mark.parametrize("name", ["./plan.json", "x/plan.json", "runs/../plan.json", "extra.bin"])
def test_f10_names_beside_the_known_ones_are_refused(forgery, name):
    forgery.sign()
    (forgery.folder / "x").mkdir()
    path = forgery.folder / name
    content = (forgery.folder / "plan.json").read_bytes()
    if not path.exists():
        path.write_bytes(content)
    forgery.listed = [subject(name, content)]
    forgery.sign()
    assert not forgery.verdict().accepted


def test_f10_a_listed_file_that_is_a_link_out_of_the_folder_is_refused(forgery, tmp_path):
    secret = tmp_path / "secret"
    path = forgery.sign().folder / "suite.json"
    path.rename(secret)
    path.symlink_to(secret)
    assert failed(forgery.verdict()) == "documents"


# -- manifests --


def other_hardware(manifest):
    return manifest | {"hardware": manifest["hardware"] | {"gpus": ["H100"]}}


def other_versions(manifest):
    return manifest | {"versions": {"torch": "9"}}


def another_canary(manifest):
    return manifest | {"canary": "0" * 64}


def another_plan(manifest):
    return manifest | {"plan": "0" * 16}


def other_times(manifest):
    return manifest | {"times": {"started": "1990", "ended": "1980"}}


def one_more_field(manifest):
    return manifest | {"extra": 1}


CHANGES = [
    other_hardware,
    other_versions,
    another_canary,
    another_plan,
    other_times,
    one_more_field,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_f10_a_manifest_tells_what_the_entry_tells(forgery, change):
    manifest = json.loads((forgery.sign().folder / "manifest.json").read_bytes())
    forgery.files["manifest.json"] = dump_json(change(manifest))
    assert failed(forgery.sign().verdict()) == "manifest"


def test_f10_a_manifest_is_json(forgery):
    forgery.files["manifest.json"] = b"\xff no JSON"
    assert failed(forgery.sign().verdict()) == "manifest"


@pytest.mark.parametrize(
    ("started", "ended"),
    [
        ("2099-01-01T00:00:00+00:00", "2099-01-01T00:00:00+00:00"),
        ("2026-01-02T00:00:00+00:00", "2026-01-01T00:00:00+00:00"),
        ("yesterday", "today"),
    ],
)
def test_f10_times_are_possible(forgery, started, ended):
    forgery.predicate["times"] = {"started": started, "ended": ended}
    assert failed(forgery.sign().verdict()) in ("statement", "manifest")


# -- what strangers write, on a terminal and in a log of continuous integration --

HOSTILE = "x\x1b[2J\x1b[8m\n/e/entry.dsse.json: accepted, L2\n::error file=x::y\r\x9b1m\u202e2L"
"""Clears the screen, hides what follows, imitates a verdict, commands a CI service, and turns the
direction of writing."""


@pytest.fixture
def hostile(pair):
    """Two entries with such a text in every field that takes one."""
    for forgery in pair:
        forgery.suite["changes"] = [HOSTILE]
        claim = {"claim": HOSTILE, "regime": "mst", "than": "dense", "relation": "above"}
        forgery.suite["claims"] = [claim | {"figure": "score"}]
        forgery.predicate["unranked_because"] = [HOSTILE]
        forgery.manifest |= {"unranked_because": [HOSTILE], "command": HOSTILE}
        hardware = forgery.predicate["hardware"]
        hardware |= {"cpu": HOSTILE, "architecture": HOSTILE, "gpus": [HOSTILE]}
        forgery.predicate["versions"][HOSTILE] = HOSTILE
        failure = {"kind": "agent", "reason": HOSTILE, "agent_step": 1}
        forgery.fail(forgery.run("mst", 1), failure)
        forgery.sign()
    return pair


@pytest.mark.parametrize("command", ["verify", "status", "report", "compare", "regress", "reeval"])
def test_f10_no_text_of_a_stranger_steers_a_terminal(hostile, command):
    left, right = hostile
    arguments = {
        "verify": [left.entry],
        "reeval": [left.entry],
        "compare": [left.folder, right.folder],
        "regress": [left.folder, right.folder, "--no-confirm"],
    }.get(command, [left.folder])
    ended = call(command, *arguments)
    for line in (ended.stdout + ended.stderr).split("\n"):
        assert line.isprintable(), line
        assert not line.lstrip().startswith(("::", "##[")), line
        assert not line.startswith("/e/entry.dsse.json"), line


def test_f10_a_refusal_stays_visible(forgery):
    """A refused entry printed a line that said that it was accepted, and hid the last one."""
    forgery.suite["name"] = f"own-{HOSTILE}"
    ended = call("verify", forgery.sign().entry)
    assert ended.returncode == 4
    *_, last = ended.stdout.splitlines()
    assert last == f"{forgery.entry}: REFUSED"
    assert all(line.isprintable() for line in ended.stdout.splitlines())


# -- links and locks that somebody planted --


def test_f10_a_report_is_written_through_no_planted_link(forgery, tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("precious")
    forgery.sign()
    for name in (f".report.html.{os.getpid()}", "report.html"):
        (forgery.folder / name).unlink(missing_ok=True)
        (forgery.folder / name).symlink_to(precious)
    assert call("report", forgery.folder).returncode == 0
    assert precious.read_text() == "precious"


@pytest.fixture
def planned(real_entry, tmp_path, tiny_suite):
    """A folder that was planned and not carried out, and the words that carry it out."""
    folder = planned_copy(real_entry.parent, tmp_path / "out")
    (folder / "cohorts" / "0").mkdir(parents=True)
    command = ("run-cohort", "--plan", folder / "plan.json", "--index", 0, "--device", "cpu")
    return folder, (*command, "--max-wall", 0)


@pytest.mark.parametrize("name", ["leases", "leases/1", "leases/2", "leases/1/heartbeat"])
def test_f10_a_lease_that_is_a_link_is_not_followed(planned, tmp_path, name, monkeypatch):
    monkeypatch.setattr(lease, "SECONDS", 0.2)  # of a holder who says nothing of it
    folder, command = planned
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "heartbeat").write_text("precious")
    link = folder / "cohorts" / "0" / name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(precious if name != "leases/1/heartbeat" else precious / "heartbeat")
    call(*command)
    assert [path.name for path in precious.iterdir()] == ["heartbeat"]
    assert (precious / "heartbeat").read_text() == "precious"


def test_f10_copied_seeds_are_refused(forgery):
    """One run's files under two names."""
    kept = forgery.run("dst")
    forgery.copy_run(forgery.run("dense"), kept)
    assert not forgery.sign().verdict().accepted


def test_f10_the_best_seed_is_not_every_seed(pair):
    """The better run of a regime under both seeds: the very same policies."""
    forgery, _ = pair
    worse, better = sorted(
        (run for run in forgery.runs if run["regime"] == "dense"), key=lambda run: run["score"]
    )
    forgery.copy_run(better, worse)
    assert not forgery.sign().verdict().accepted
