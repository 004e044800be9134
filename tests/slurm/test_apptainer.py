"""Cohorts as jobs of Slurm whose program runs in an Apptainer image.

MST_BENCH_TEST_SIF names the image: `apptainer build mst-bench.sif docker-daemon:mst-bench:latest`.
About 60 s on two free cores.
"""

from contextlib import suppress
from pathlib import Path

import pytest

from harness.entries.manifest import read_manifest
from harness.errors import NonConforming
from harness.folder import Folder
from harness.machine.apptainer import image_content
from helpers.cluster import kill, wait
from helpers.hosts import sif
from helpers.program import call
from helpers.runs import promised
from helpers.submitting import longer, plan_folder, step, submitted, words

pytestmark = [pytest.mark.slurm, pytest.mark.apptainer, pytest.mark.slow, pytest.mark.timeout(900)]


def test_a_cohort_that_is_preempted_in_an_image_leaves_the_same_bytes(
    cluster, tiny_suite, tmp_path
):
    """It saves, waits in the queue, and goes on; the manifest tells of the image."""
    two = (*longer(2), "--apptainer", sif())
    with submitted(*words(tiny_suite, tmp_path / "image", *two)) as process:
        folder = plan_folder(tmp_path / "image")
        wait(lambda: step(folder, 0) > 0, "a cohort that learns")
        job, _, _ = cluster.jobs(folder)[0]
        cluster.signal("USR2", job)
        _, errors = process.communicate()
    assert process.returncode == 0, errors

    assert promised(folder) == unbroken(tiny_suite, 2, tmp_path)

    manifest = read_manifest(folder)
    assert manifest.resumes == 1
    assert manifest.faults == 0
    assert manifest.image.content_sha256 == image_content(sif())
    assert cluster.jobs(folder) == {}


def test_a_cohort_that_is_killed_in_an_image_leaves_the_same_bytes(cluster, tiny_suite, tmp_path):
    """As by a machine that runs out of memory: nothing in the image can save any more."""
    one = (*longer(1), "--apptainer", sif(), "--lease-seconds", "10")
    with submitted(*words(tiny_suite, tmp_path / "image", *one)) as process:
        folder = plan_folder(tmp_path / "image")
        wait(lambda: any(Folder(folder).cohort(0).checkpoint.glob("*.json")), "a checkpoint")
        for contained in in_the_image(folder):
            kill(contained)
        _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert promised(folder) == unbroken(tiny_suite, 1, tmp_path)
    assert read_manifest(folder).faults == 1


def test_what_is_no_image_of_ours_has_no_content(tmp_path):
    (tmp_path / "no.sif").write_text("no image")
    with pytest.raises(NonConforming, match="cannot be read"):
        image_content(str(tmp_path / "no.sif"))


def unbroken(suite, cohorts, tmp_path):
    """What the same runs leave that nothing happens to, without an image."""
    inline = ("--out", tmp_path / "inline", "--device", "cpu", "--executor", "inline")
    done = call("run", "--suite", suite, *longer(cohorts), *inline)
    assert done.returncode == 0, done.stderr
    return promised(plan_folder(tmp_path / "inline"))


def in_the_image(folder):
    """Processes of an image that carry cohorts of a plan out."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            program, *words = (path / "cmdline").read_text().split("\0")
            if program.startswith("/opt/mst-bench") and str(Folder(folder).plan) in words:
                found.append(int(path.name))
    return found
