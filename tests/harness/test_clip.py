"""`clip`: a claimed episode, drawn; its return is the signed one."""

import json
from ctypes.util import find_library
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from envs import drawing
from envs.drawing import CannotDraw, Drawing, Scene
from envs.tasks import TASKS
from envs.worker import Worker
from harness.entries import film
from harness.entries.clip import Clip, _check_start, in_words
from harness.entries.episode import Episode
from helpers.forge import statement_of
from helpers.program import call
from helpers.statements import stated

RUN = "cartpole-swingup/mst/0"
SMALL = ("--size", "96x64")

draws = pytest.mark.skipif(
    find_library("OSMesa") is None, reason="OSMesa is not installed: apt-get install libosmesa6"
)


def clipped(entry, to, *more):
    """What `clip` printed as JSON."""
    done = call("clip", entry, "--run", RUN, "--out", to, "--json", *SMALL, *more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def returns(entry):
    """The signed returns of RUN."""
    runs = statement_of(entry)["predicate"]["runs"]
    return next(run["final_returns"] for run in runs if run["regime"] == "mst")


@draws
def test_the_signed_return_comes_out_twice_to_the_bit(tiny_entry, tmp_path):
    path = tmp_path / "new" / "strip.png"
    told = clipped(tiny_entry, path, "--episode", 1, "--stills", 3)
    signed = returns(tiny_entry)[1]
    assert [told[name] for name in ("signed", "envpool", "dm_control")] == [signed] * 3
    assert (told["frames"], told["seconds"], told["differs"]) == (3, 10.0, [])

    # Stills stand side by side, and what they show moves.
    strip = np.asarray(Image.open(path).convert("L"))
    width = 96
    assert strip.shape == (64 + 36, 3 * width + 2 * 4)
    first, _, last = (strip[:64, at : at + width] for at in (0, width + 4, 2 * (width + 4)))
    assert first.std() > 5
    assert not np.array_equal(first, last)
    assert list(path.parent.iterdir()) == [path]


@draws
@pytest.mark.slow
def test_an_animated_picture_lasts_as_long_as_the_episode(tiny_entry, tmp_path):
    path = tmp_path / "clip.gif"
    told = clipped(tiny_entry.parent, path, "--fps", 5)
    durations = [frame.info["duration"] for frame in ImageSequence.Iterator(Image.open(path))]
    assert sum(durations) == pytest.approx(10_000, abs=250)
    assert told["frames"] == 51


@draws
@pytest.mark.slow
@pytest.mark.skipif(find_spec("av") is None, reason="av is not installed")
def test_a_film_lasts_as_long_as_the_episode(tiny_entry, tmp_path):
    import av

    path = tmp_path / "clip.mp4"
    told = clipped(tiny_entry, path, "--fps", 5)
    with av.open(str(path)) as opened:
        pictures = [frame.to_ndarray(format="rgb24") for frame in opened.decode(video=0)]
        assert opened.duration / 1e6 == pytest.approx(10.0, abs=0.25)
    assert len(pictures) == told["frames"] == 51
    assert pictures[0].shape == (64 + 36, 96, 3)
    assert not np.array_equal(pictures[0], pictures[-1])


def test_a_return_that_did_not_repeat_is_said_with_its_difference():
    written = Clip(Path("x.png"), RUN, 0, 3, 10.0, 500.0, 500.5, 500.0, ("another CPU",))
    lines = list(in_words(written))
    assert lines[1:] == [
        f"{RUN}, episode 0: signed return 500.0",
        "played again in EnvPool: 500.5, which is +0.5 off",
        "played again in dm_control: the same, to the bit",
        "why: another CPU",
    ]


def test_without_a_library_that_draws_it_says_how_to_get_one(tiny_entry, tmp_path, monkeypatch):
    monkeypatch.setattr(drawing, "find_library", lambda name: None)
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    path = tmp_path / "x.png"
    done = call("clip", tiny_entry, "--run", RUN, "--out", path)
    assert done.returncode == 7
    assert "`apt-get install libosmesa6`, which needs no GPU" in done.stderr
    assert not list(tmp_path.glob("*.png*"))


def test_a_film_without_its_library_is_one_sentence(tiny_entry, tmp_path, monkeypatch):
    monkeypatch.setattr(film, "find_spec", lambda name: None)
    done = call("clip", tiny_entry, "--run", RUN, "--out", tmp_path / "x.mp4", *SMALL)
    assert done.returncode == 2
    assert "films need av, which is not installed: `pip install 'mst-bench[clip]'`" in done.stderr


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--run", RUN, "--out", "x.webm"), "expected a file that ends in .mp4, .gif, .png"),
        (("--run", RUN, "--out", "x.png", "--size", "95x64"), "expected two even numbers"),
        (("--run", RUN, "--out", "x.png", "--size", "big"), "expected two even numbers"),
        (("--run", RUN, "--out", "x.png", "--episode", "2"), f"{RUN} has episodes 0 to 1"),
        (("--run", RUN, "--out", "x.png", "--episode", "-1"), f"{RUN} has episodes 0 to 1"),
        (("--run", "cartpole-swingup/mst", "--out", "x.png"), f"Did you mean '{RUN}'?"),
    ],
)
def test_what_cannot_be_shown_is_one_sentence(tiny_entry, tmp_path, monkeypatch, options, sentence):
    monkeypatch.chdir(tmp_path)
    done = call("clip", tiny_entry, *options)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


@draws
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("manipulator-bring_ball", "dm_control cannot begin this episode as EnvPool does"),
        ("cartpole-three_poles", "dm_control begins this episode elsewhere than EnvPool does"),
    ],
)
def test_an_episode_that_dm_control_does_not_have_is_not_drawn(name, sentence):
    """The picture would be of another episode."""
    task = TASKS[name]
    with Worker(patience=60.0) as worker:
        first = worker.pool(task, [[3]]).reset()[0, 0]
    actions = np.zeros((500, task.action))
    run = replace(stated("mst", 0, 1.0, task=name))
    episode = Episode(run, 0, task, 2, 3, 0, first, actions, 1.0)

    def drawn():
        with Drawing(Scene(task, 3, 0, actions, 2, 96, 64, 0)) as opened:
            _check_start(episode, opened)

    with pytest.raises(CannotDraw, match=sentence):
        drawn()
