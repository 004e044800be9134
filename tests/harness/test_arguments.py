"""What commands are pointed at: a folder, an entry, the beginning of a name, a path of no use."""

import json
import shutil

import pytest

from helpers.program import call


@pytest.fixture
def named(entry):
    """The ways to name a plan: its folder, the beginning of its name, its entry, its plan."""
    folder = entry.parent
    begun = folder.with_name(folder.name[:5])
    return {"folder": folder, "prefix": begun, "entry": entry, "plan": folder / "plan.json"}


@pytest.mark.parametrize("way", ["folder", "prefix", "entry", "plan"])
@pytest.mark.parametrize("command", ["status", "report", "sign"])
def test_a_command_about_one_plan_takes_it_in_any_way(named, tmp_path, command, way):
    extra = ()
    if command == "sign":
        assert call("keys", "generate", tmp_path / "key.pem").returncode == 0
        extra = ("--key", tmp_path / "key.pem")
    done = call(command, named[way], *extra)
    assert done.returncode == 0, done.stderr
    assert str(named["folder"]) in done.stdout


@pytest.mark.parametrize("way", ["folder", "prefix", "entry"])
def test_verify_takes_it_in_any_way(named, way):
    done = call("verify", named[way])
    assert done.returncode == 0, done.stderr
    assert "accepted, L0" in done.stdout


def test_reeval_takes_the_folder(named, tmp_path):
    """It was a traceback of 57 lines."""
    done = call("reeval", named["folder"], "--to", tmp_path / "reeval.json")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "reeval.json").exists()


def test_compare_and_regress_take_entries(old, new):
    entries = (old / "entry.dsse.json", new / "entry.dsse.json")
    assert call("compare", *entries).returncode == 0
    assert call("regress", *entries).returncode == 0


def test_baseline_accept_takes_an_entry_and_needs_a_reason(entry, tmp_path):
    to = ("--to", tmp_path / "baseline")
    assert "--reason" in call("baseline", "accept", entry, *to).stderr
    assert "--reason" in call("baseline", "accept", entry, *to, "--reason", " ").stderr
    done = call("baseline", "accept", entry, *to, "--reason", "release 1.0")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"baseline: {tmp_path / 'baseline'}, reason release 1.0\n"


@pytest.mark.parametrize("again", [1, 2])
def test_merge_needs_different_folders(entry, tmp_path, again):
    """One folder, or one twice, used to become a plan with another id, in silence."""
    done = call("merge", *[entry, entry.parent][:again], "--out", tmp_path / "merged")
    assert done.returncode == 2
    assert "two or more different folders" in done.stderr
    assert not (tmp_path / "merged").exists()


def test_status_of_a_parent_lists_its_plans(entry, fresh):
    for folder in (entry.parent, fresh):
        listed = json.loads(call("status", folder.parent, "--json").stdout)
        assert [row["plan"] for row in listed] == [folder.name]
    assert listed[0]["state"] == "stopped"
    table = call("status", entry.parents[1]).stdout
    assert "4/4" in table
    assert "finished" in table


def test_a_parent_where_one_plan_is_meant_is_answered_with_its_plans(entry):
    done = call("report", entry.parents[1])
    assert done.returncode == 2
    assert f"holds {entry.parent}; name one." in done.stderr


def test_a_beginning_of_several_names_is_answered_with_all_of_them(entry):
    twin = entry.parent.with_name(entry.parent.name[:-1] + "x")
    shutil.copytree(entry.parent, twin)
    done = call("status", entry.parent.with_name(entry.parent.name[:3]))
    assert done.returncode == 2
    assert str(entry.parent) in done.stderr
    assert str(twin) in done.stderr


def test_status_shows_no_table_before_there_is_a_result(fresh):
    lines = call("status", fresh).stdout.splitlines()
    assert lines[1] == "0 of 4 runs have a result"
    assert lines[-1].startswith("cohort 0 (cartpole-swingup, 4 runs): not begun")


UNWRITABLE = "/proc/nowhere/x"
"""A path that nobody can write, root included."""


@pytest.mark.parametrize("command", ["report", "reeval"])
def test_a_path_that_cannot_be_written_is_one_sentence_before_any_work(entry, monkeypatch, command):
    """`reeval` used to find out after all rollouts, with a traceback."""
    monkeypatch.setattr("harness.entries.reeval.roll_out", None)
    done = call(command, entry, "--to", UNWRITABLE)
    assert done.returncode == 2
    assert (
        done.stderr == f"mst-bench: {UNWRITABLE}: cannot be written (No such file or directory).\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("regress", "{entry}", "{entry}", "--junit", UNWRITABLE),
        ("baseline", "accept", "{entry}", "--to", "/proc/nowhere", "--reason", "x"),
        ("baseline", "accept", "{entry}", "--to", ".", "--reason", "x"),
        ("merge", "{entry}", "{entry}/..", "--out", "/proc/nowhere"),
        ("keys", "generate", UNWRITABLE),
        ("report", "{entry}", "--to", "{folder}"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_no_path_that_cannot_be_used_ends_in_a_traceback(entry, arguments):
    words = [word.format(entry=entry, folder=entry.parent) for word in arguments]
    done = call(*words)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_report_goes_where_it_is_told_to(entry, tmp_path):
    done = call("report", entry, "--to", tmp_path / "page.html", "--json")
    assert json.loads(done.stdout) == {"report": str(tmp_path / "page.html")}
    assert (tmp_path / "page.html").read_text().startswith("<!")


def test_another_suite_is_not_comparable_however_many_seeds_it_has(entry, old):
    """It used to be told that it has one seed: who added one then heard that they differ."""
    done = call("compare", old, entry)
    assert done.returncode == 7
    assert "is not comparable" in done.stderr
    assert call("compare", entry, entry.parent).returncode == 2
