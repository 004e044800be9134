"""What one `run` reads and verifies: everything once."""

from harness import run, summary
from harness.entries import entry as entries
from harness.run import Request, execute
from leaderboard.formats.keys import one_use_key


def test_a_finished_plan_is_read_once_and_verified_once(tiny_suite, entry, monkeypatch):
    entry.unlink()  # so that it is signed, verified and drawn anew
    calls = []

    def counted(module, name):
        function = getattr(module, name)

        def call(*arguments, **options):
            calls.append(name)
            return function(*arguments, **options)

        monkeypatch.setattr(module, name, call)

    counted(entries, "read_results")
    counted(run, "verify")
    counted(summary, "faults_of")
    execute(Request(str(tiny_suite), entry.parents[1], executor="inline"), one_use_key())
    assert sorted(calls) == ["faults_of", "read_results", "verify"]
    assert (entry.parent / "report.html").exists()
