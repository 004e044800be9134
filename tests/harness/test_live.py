"""`run --log`: curves while runs learn, and the same numbers as without."""

import shutil

import pytest

from harness.exports import live
from harness.planning.plan import read_plan
from helpers.measured_rows import curves, expected
from helpers.program import call
from helpers.runs import finished_run, promised
from leaderboard.formats.run import Run

pytest.importorskip("tensorboard", reason="tensorboard is not installed")

RUN = Run("cartpole-swingup", "mst", 0)


class Notes:
    """A tracker's store that remembers what it is given: a curve is a list of (step, values)."""

    def __init__(self, path):
        self.path = path
        self.points = {}
        self.closed = []

    def open(self, run):
        return Note(self, run.run.name)

    def close(self):
        self.closed.append("store")

    def curves(self):
        return {
            (run, name, step): value
            for run, points in self.points.items()
            for step, values in points
            for name, value in values.items()
        }


class Note:
    def __init__(self, store, name):
        self.store = store
        self.name = name
        self.points = store.points[name] = []

    def log(self, step, values):
        self.points.append((step, values))

    def close(self):
        self.store.closed.append(self.name)


@pytest.mark.slow
def test_the_same_bytes_with_and_without(tiny_suite, tiny_entry, tmp_path):
    """Everything under runs/ but timing.json, with the plan, the suite and the scores."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    entry = finished_run(tiny_suite, tmp_path, log="tensorboard")
    assert promised(entry.parent) == promised(tiny_entry.parent)
    events = tmp_path / "tensorboard" / entry.parent.name / RUN.name
    known = EventAccumulator(str(events)).Reload()
    steps = [event.step for event in known.Tensors("return")]
    assert steps == [0, 120, 240]
    assert [event.step for event in known.Tensors("score")] == [240]


class Following:
    """A plan whose run RUN records, what follows it, and the store that it gives points to."""

    def __init__(self, finished, folder):
        self.whole = (finished / "runs" / RUN.name / "records.jsonl").read_bytes()
        self.path = folder / "runs" / RUN.name / "records.jsonl"
        self.path.parent.mkdir(parents=True)
        self.store = Notes(folder)
        self.follower = live.Live(read_plan(folder / "plan.json"), folder, self.store)

    def write(self, share):
        """This share of the records is on disk, as another process leaves them."""
        self.path.write_bytes(self.whole[: int(share * len(self.whole))])

    @property
    def steps(self):
        return [step for step, _ in self.store.points.get(RUN.name, [])]


@pytest.fixture
def following(tiny_entry, fresh):
    return Following(tiny_entry.parent, fresh)


def test_points_are_given_on_once_their_record_is_whole(following):
    following.follower._look()
    for share, steps in ((0.01, []), (0.99, [0, 120, 240]), (1.0, [0, 120, 240, 240])):
        following.write(share)
        following.follower._look()
        assert following.steps == steps
    assert list(following.store.points[RUN.name][-1][1]) == ["score"]


def test_a_run_that_resumes_gives_no_point_twice(following, tiny_entry):
    """Records are cut to the checkpoint, and the same come again."""
    for share in (0.9, 0.1, 0.5, 0.05, 1.0):
        following.write(share)
        following.follower._look()
    assert following.steps == [0, 120, 240, 240]
    points = curves(tiny_entry.parent)
    mine = {place: points[place] for place in points if place[0] == RUN.name}
    assert following.store.curves() == mine


def test_records_that_were_cut_and_grew_between_two_looks_are_all_given_on(following):
    following.write(0.5)
    following.follower._look()
    (followed,) = [each for each in following.follower._runs if each.run == RUN]
    followed.offset -= 7  # the middle of a line, as after a cut
    following.write(1.0)
    following.follower._look()
    following.follower._look()
    assert following.steps == [0, 120, 240, 240]


def test_what_was_written_last_is_given_on_before_the_curves_are_closed(following):
    with following.follower:
        following.write(1.0)
    assert following.steps == [0, 120, 240, 240]
    assert following.store.closed == [RUN.name, "store"]


def test_a_tracker_that_breaks_is_said_and_ends_nothing_else(following, capsys, monkeypatch):
    monkeypatch.setattr(following.store, "open", lambda run: 1 / 0)
    with following.follower:
        following.write(1.0)
    assert "is no longer written: ZeroDivisionError" in capsys.readouterr().err


def test_a_run_that_has_its_result_is_left_alone(tiny_entry, tmp_path):
    folder = shutil.copytree(tiny_entry.parent, tmp_path / "finished")
    store = Notes(tmp_path)
    with live.Live(read_plan(folder / "plan.json"), folder, store):
        pass
    assert expected(folder)
    assert store.points == {}


def test_an_unknown_tracker_is_refused_before_anything_is_written(tiny_suite, tmp_path):
    done = call("run", "--suite", tiny_suite, "--out", tmp_path / "out", "--log", "tensorbord")
    assert done.returncode == 2
    assert "--log tensorbord: unknown tracker. Did you mean 'tensorboard'?" in done.stderr
    assert not list((tmp_path / "out").iterdir())
