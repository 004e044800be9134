"""Several cohorts at a time: what goes wrong with one of them, or with the file system, or here."""

import errno
import os

import pytest

from harness.errors import Interrupted, NonConforming, UserError
from harness.executors import carrier as module
from harness.executors import patience
from harness.executors.supervise import supervise
from harness.folder import Folder
from harness.options import Options
from harness.planning.cohorts import Cohort
from harness.training.ending import ending
from harness.training.lease import Watch
from harness.training.progress import Display
from leaderboard.formats.run import Run

FINISHED = ending(0, "finished")
COHORTS = [Cohort(i, "cartpole-swingup", (Run("cartpole-swingup", "dense", i),)) for i in range(3)]


class Carrier:
    """Ends after a few looks; each look may raise."""

    def __init__(self, *looks):
        """`looks`: an ending, None, or an error, one after the other; the last one stays."""
        self.looks = list(looks)
        self.asked = self.killed = 0

    def ending(self):
        look = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if isinstance(look, Exception):
            raise look
        return look

    def ask(self):
        self.asked += 1

    def kill(self):
        self.killed += 1

    def join(self):
        assert self.killed


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    """Looks follow each other at once."""
    monkeypatch.setattr(module, "POLL", 0.001)


def supervised(folder, carriers, **more):
    """The errors of cohorts that these carry out, by code and words."""
    options = Options(device="cpu", jobs=len(COHORTS), retries=0)
    start = more.pop("start", lambda cohort, slot, options: carriers[cohort.index])
    errors = supervise(folder, COHORTS, options, start, poll=0.001, **more)
    return [(error.code, error.reason) for error in errors]


def disk(number=errno.EIO):
    """What a network file system says whose server is gone."""
    return OSError(number, os.strerror(number), "/shared")


def wrapped():
    """The same where a file was read."""
    try:
        raise disk(errno.ESTALE)
    except OSError:
        try:
            raise UserError("progress.json: cannot be read.") from None
        except UserError as error:
            return error


@pytest.mark.parametrize(
    ("name", "kind"), [("leases", "is no folder of leases"), ("path", "is no folder")]
)
def test_a_file_in_the_place_of_a_folder_gives_up_that_cohort_and_no_other(tmp_path, name, kind):
    carriers = [Carrier(None, None, FINISHED) for _ in COHORTS]
    file = getattr(Folder(tmp_path).cohort(2), name)
    file.parent.mkdir(parents=True)
    file.touch()
    assert supervised(tmp_path, carriers) == [(2, f"cohort 2: {file}: {kind}; remove it.")]
    assert [carrier.looks for carrier in carriers[:2]] == [[FINISHED]] * 2


def test_a_path_that_is_not_allowed_gives_up_that_cohort_and_no_other(tmp_path):
    denied = PermissionError(errno.EACCES, "Permission denied", "ending.json")
    carriers = [Carrier(None, None, FINISHED), Carrier(denied), Carrier(FINISHED)]
    assert supervised(tmp_path, carriers) == [(2, "cohort 1: ending.json: Permission denied.")]
    assert carriers[0].looks == [FINISHED]
    assert [carrier.killed for carrier in carriers] == [0, 1, 0]


def test_a_log_that_is_a_link_gives_up_that_cohort_and_no_other(tmp_path):
    carriers = [Carrier(FINISHED) for _ in COHORTS]

    def start(cohort, slot, options):
        if cohort.index == 1:
            raise UserError("log.txt: is a link.")
        return carriers[cohort.index]

    assert supervised(tmp_path, carriers, start=start) == [(2, "cohort 1: log.txt: is a link.")]


def test_what_a_machine_lacks_is_said_once(tmp_path):
    def start(cohort, slot, options):
        raise NonConforming("no GPU runtime.")

    with pytest.raises(NonConforming, match=r"^no GPU runtime\.$"):
        supervised(tmp_path, [], start=start)


@pytest.mark.parametrize("error", [disk(), disk(errno.ESTALE), disk(errno.ENOTCONN), wrapped()])
def test_a_file_system_that_does_not_answer_is_waited_for(tmp_path, capsys, error):
    carriers = [Carrier(None, error, error, None, FINISHED), Carrier(error, FINISHED)]
    assert supervised(tmp_path, [*carriers, Carrier(FINISHED)]) == []
    assert capsys.readouterr().err.count("The file system does not answer; waiting for it.") == 1
    assert all(carrier.looks == [FINISHED] for carrier in carriers)


@pytest.mark.parametrize("name", ["look", "claim"])
def test_it_is_waited_for_before_a_cohort_begins_too(tmp_path, monkeypatch, name):
    real = getattr(Watch, name)
    errors = [disk(), disk(errno.ENOTCONN)]

    def look(*arguments):
        if errors:
            raise errors.pop()
        return real(*arguments)

    monkeypatch.setattr(Watch, name, look)
    assert supervised(tmp_path, [Carrier(FINISHED) for _ in COHORTS]) == []
    assert not errors


def test_it_is_waited_for_where_the_plans_folder_is_looked_at(tmp_path, monkeypatch):
    errors = [disk()]

    class Gone(type(tmp_path)):
        def is_dir(self):
            if errors:
                raise errors.pop()
            return super().is_dir()

    assert supervised(Gone(tmp_path), [Carrier(FINISHED) for _ in COHORTS]) == []
    assert not errors


def test_files_that_stay_away_end_their_own_cohort(tmp_path, monkeypatch):
    monkeypatch.setattr(patience, "PATIENCE", 0.02)
    carriers = [Carrier(disk()), Carrier(*[None] * 100, FINISHED), Carrier(FINISHED)]
    reason = "cohort 0: its files are gone since 600 s."
    assert supervised(tmp_path, carriers) == [(3, reason)]
    assert carriers[1].looks == [FINISHED]


def test_progress_that_was_edited_stops_nothing(tmp_path, capsys):
    progress = Folder(tmp_path).cohort(0).progress
    carriers = [Carrier(None, None, FINISHED) for _ in COHORTS]

    def start(cohort, slot, options):
        progress.write_text("{")
        return carriers[cohort.index]

    progress.parent.mkdir(parents=True)
    assert supervised(tmp_path, carriers, start=start) == []
    assert "not all progress is shown: " in capsys.readouterr().err
    assert carriers[0].looks == [FINISHED]


def test_progress_on_a_file_system_that_does_not_answer_is_shown_later(
    tmp_path, monkeypatch, capsys
):
    errors = [disk(), disk()]
    real = Display.refresh

    def refresh(*arguments):
        if errors:
            raise errors.pop()
        return real(*arguments)

    monkeypatch.setattr(Display, "refresh", refresh)
    assert supervised(tmp_path, [Carrier(None, None, None, FINISHED)] * 3) == []
    (said,) = capsys.readouterr().err.splitlines()
    assert said.endswith("The file system does not answer; waiting for it.")


def test_an_error_of_the_program_itself_lets_cohorts_save_first(tmp_path):
    saving = Carrier(None, None, None, FINISHED)
    carriers = [saving, Carrier(ZeroDivisionError("a bug")), Carrier(FINISHED)]
    with pytest.raises(ZeroDivisionError):
        supervised(tmp_path, carriers)
    assert (saving.asked, saving.looks) == (1, [FINISHED])


def test_what_outlives_the_program_is_left_alone_by_its_error(tmp_path):
    carriers = [Carrier(None), Carrier(ZeroDivisionError("a bug")), Carrier(FINISHED)]
    with pytest.raises(ZeroDivisionError):
        supervised(tmp_path, carriers, outlive=True)
    assert [(carrier.asked, carrier.killed) for carrier in carriers] == [(0, 0)] * 3


class Slow(Carrier):
    """Knows only at its second look after it was asked that it ended, as a job that waited."""

    def ending(self):
        return super().ending() if self.asked else None


def test_after_ctrl_c_all_are_looked_at_together(tmp_path, monkeypatch):
    """Each waiting job of Slurm took two looks of its own, one after the other."""
    looks = []
    monkeypatch.setattr(module.time, "sleep", looks.append)

    class Hasty(Slow):
        def ending(self):
            if not self.asked:
                raise KeyboardInterrupt
            return super().ending()

    carriers = [Hasty(None, FINISHED), Slow(None, FINISHED), Slow(None, FINISHED)]
    with pytest.raises(Interrupted, match="everything is saved"):
        supervised(tmp_path, carriers)
    assert len(looks) == 2, "one before Ctrl-C, one after it"


def test_a_second_ctrl_c_ends_all_before_it_waits_for_one(tmp_path):
    class Stubborn(Carrier):
        def ending(self):
            raise KeyboardInterrupt

        def join(self):
            assert all(carrier.killed for carrier in carriers)
            self.joined = True

    carriers = [Stubborn() for _ in COHORTS]
    with pytest.raises(Interrupted):
        supervised(tmp_path, carriers)
    assert all(carrier.joined for carrier in carriers)
