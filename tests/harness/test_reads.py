"""What one `run` reads and verifies: everything once."""

import shutil

from harness import run
from harness.entries import entry as entries
from harness.run import Request, execute
from leaderboard.formats.keys import one_use_key


def test_a_finished_plan_is_read_once_and_verified_once(
    tiny_suite, tiny_entry, tmp_path, monkeypatch
):
    folder = shutil.copytree(tiny_entry.parent, tmp_path / tiny_entry.parent.name)
    (folder / tiny_entry.name).unlink()  # so that it is signed, verified and drawn anew
    calls = []

    def counted(module, name):
        function = getattr(module, name)

        def call(*arguments, **options):
            calls.append(name)
            return function(*arguments, **options)

        monkeypatch.setattr(module, name, call)

    counted(entries, "read_results")
    counted(run, "verify")
    counted(run, "faults_of")
    execute(Request(str(tiny_suite), tmp_path, executor="inline"), one_use_key())
    assert sorted(calls) == ["faults_of", "read_results", "verify"]
    assert (folder / "report.html").exists()
