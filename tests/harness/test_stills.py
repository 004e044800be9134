"""`report --stills`: a policy of each task and regime, moving, in the page."""

import re
from base64 import b64decode
from ctypes.util import find_library
from dataclasses import replace
from io import BytesIO

import pytest
from PIL import Image

from envs import drawing
from harness.entries.stills import LOOK, medians
from harness.entries.verified import verified
from helpers.program import call

draws = pytest.mark.skipif(
    find_library("OSMesa") is None, reason="OSMesa is not installed: apt-get install libosmesa6"
)


@draws
def test_a_page_shows_an_episode_of_each_regime_with_its_signed_return(tiny_entry, tmp_path):
    path = tmp_path / "page.html"
    done = call("report", tiny_entry, "--stills", "--to", path)
    assert done.returncode == 0, done.stderr
    page = path.read_text()
    regimes = [run.regime for run in verified(tiny_entry.parent).runs]
    assert re.findall(r"<figcaption>([\w-]+), seed 0: return", page) == regimes
    assert page.count("the signed one to the bit</figcaption>") == len(regimes)

    # Pictures are in the page, which may load nothing else.
    pictures = re.findall(r'src="data:image/webp;base64,([^"]+)"', page)
    assert len(pictures) == page.count("<img") == len(regimes)
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri" in page
    for picture in pictures:
        width, height = Image.open(BytesIO(b64decode(picture))).size
        assert (width, height) == (LOOK.stills * (LOOK.width + 4) - 4, LOOK.height)


def test_a_page_without_stills_may_load_no_picture(tiny_entry, tmp_path):
    path = tmp_path / "page.html"
    assert call("report", tiny_entry, "--to", path).returncode == 0
    page = path.read_text()
    assert "img-src" not in page
    assert "<img" not in page


def test_of_several_seeds_the_one_of_median_score_is_shown(tiny_entry):
    """Neither the best nor one that somebody chose."""
    run = verified(tiny_entry.parent).runs[0]
    scores = [5.0, 1.0, 4.0, 2.0]
    seeds = [replace(run, seed=seed, score=score) for seed, score in enumerate(scores)]
    assert [run.seed for run in medians(seeds)] == [3]
    assert [run.seed for run in medians(seeds[:3])] == [2]


def test_without_a_library_that_draws_no_page_is_written(tiny_entry, tmp_path, monkeypatch):
    monkeypatch.setattr(drawing, "find_library", lambda name: None)
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    done = call("report", tiny_entry, "--stills", "--to", tmp_path / "page.html")
    assert done.returncode == 7
    assert "no library that draws is installed" in done.stderr
    assert not list(tmp_path.iterdir())


def test_stills_are_of_what_was_signed(fresh):
    done = call("report", fresh, "--stills")
    assert done.returncode == 2
    assert "entry" in done.stderr


@pytest.mark.parametrize("other", [("--latex",), ("--badge", "x.svg")])
def test_stills_without_a_page_are_refused(tiny_entry, other):
    done = call("report", tiny_entry, "--stills", *other)
    assert done.returncode == 2
    assert f"--stills are part of the page, and {other[0]} makes none" in done.stderr
