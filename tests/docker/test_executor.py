"""Cohorts in containers: `--executor docker` with a real engine."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from harness.entries.manifest import read_manifest
from harness.executors.docker import Docker
from harness.executors.docker_options import DockerOptions
from helpers.containers import Proxy, docker, files, host, ours, started, wait_for_step
from helpers.hosts import image

pytestmark = pytest.mark.container


def run_of_two(suite, *more):
    """`run` of two cohorts that last a few seconds."""
    longer = ("--set", "environment_steps=720")
    return ("run", "--suite", suite, "--members", "2", *longer, "--device", "cpu", *more)


def in_containers(out):
    """Options: both cohorts in containers at a time."""
    return ("--out", out, "--executor", "docker", "--image", image(), "-j", "2")


def test_two_cohorts_in_containers_one_killed_give_what_processes_give(tiny_suite, out, tmp_path):
    local = host(*run_of_two(tiny_suite, "--out", tmp_path / "local"))
    assert local.returncode == 0, local.stderr

    seconds = ("--checkpoint-seconds", "0", "--lease-seconds", "2")
    with started(*run_of_two(tiny_suite, *in_containers(out), *seconds)) as running:
        wait_for_step(out, 100)
        victims = ours(out)
        assert len(victims) == 2
        hardening = victims[0].attrs["HostConfig"]
        assert hardening["ReadonlyRootfs"]
        assert hardening["NetworkMode"] == "none"
        assert hardening["CapDrop"] == ["ALL"]
        assert hardening["LogConfig"]["Config"] == {"max-size": "16m", "max-file": "2"}
        victims[0].kill()
        _, errors = running.communicate(timeout=300)

    # The same files, and no container is left.
    assert running.returncode == 0, errors
    assert files(out) == files(tmp_path / "local")
    assert ours(out) == []

    # What is recorded of the image and the fault.
    (folder,) = out.glob("*")
    manifest = read_manifest(folder)
    assert (manifest.faults, manifest.resumes, manifest.image.variant) == (1, 1, "cpu")
    content = ("sha256sum", image(), "/opt/mst-bench/content.json")
    digest = docker("run", "--rm", "--entrypoint", *content).stdout.split()[0]
    assert manifest.image.content_sha256 == digest
    assert Docker(DockerOptions(image=image())).image_content() == digest
    faults = [json.loads(path.read_text()) for path in folder.glob("cohorts/*/faults.json")]
    assert "its container was killed (exit code 137)" in json.dumps(faults)


LOOK_AROUND = """
for path in /out/plan.json /out/cohorts.json /out/new /out/runs/new /etc/new; do
  touch $path 2> /dev/null && echo wrote $path
done
for path in /out/* /out/cohorts/* /out/runs/*/*/*; do echo $path; done
for path in /out/cohorts/* /out/runs/*/*/*; do touch $path/new && rm $path/new; done
cp /bin/true /tmp/true && /tmp/true 2> /dev/null && echo ran from /tmp
[ $(id -u) = 0 ] && echo is root
env | grep secret
true
"""
SEEN = [
    "/out/cohorts",
    "/out/cohorts.json",
    "/out/plan.json",
    "/out/runs",
    "/out/suite.json",
    "/out/cohorts/0",
    "/out/runs/cartpole-swingup/dense/0",
    "/out/runs/cartpole-swingup/sst/0",
]
"""All that the container of cohort 0 sees of the plan folder."""


def test_a_cohort_sees_and_writes_what_is_its_own(tiny_suite, out):
    secrets = {"MST_BENCH_PASSPHRASE": "secret", "MST_BENCH_TRUST": "/secret"}
    checkpoints = ("--checkpoint-seconds", "0")
    with started(*run_of_two(tiny_suite, *in_containers(out), *checkpoints), **secrets) as running:
        wait_for_step(out, 20)
        (first,) = [each for each in ours(out) if index_of(each) == "0"]
        code, output = first.exec_run(["sh", "-c", LOOK_AROUND])
        _, errors = running.communicate(timeout=300)
    assert (code, output.decode().split("\n")[:-1]) == (0, SEEN)
    assert running.returncode == 0, errors


def index_of(container):
    """The number of the cohort that a container carries out."""
    words = container.attrs["Config"]["Cmd"]
    return words[words.index("--index") + 1]


def test_ctrl_c_saves_in_containers_and_the_same_command_goes_on(tiny_suite, out):
    arguments = run_of_two(tiny_suite, *in_containers(out))
    with started(*arguments) as running:
        wait_for_step(out, 60)
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=120)
    assert running.returncode == 130, errors
    assert "everything is saved" in errors
    assert ours(out) == []
    assert host(*arguments).returncode == 0


def test_a_container_out_of_memory_says_so(tiny_suite, out):
    small = ("--executor", "docker", "--image", image(), "--memory-gib", "0.15")
    done = host("run", "--suite", tiny_suite, "--device", "cpu", "--out", out, *small)
    assert done.returncode == 3
    sentence = "its container ran out of memory, the limit is 0.1 GiB: give more --memory-gib"
    assert sentence in done.stderr, done.stderr
    assert ours(out) == []


def test_an_image_that_is_not_there(tiny_suite, out):
    absent = ("--executor", "docker", "--image", "no-such-image")
    done = host("run", "--suite", tiny_suite, "--out", out, *absent)
    assert done.returncode == 7
    sentence = "--image no-such-image: the engine has no such image. Make it with `make image`"
    assert sentence in done.stderr


def test_gpus_are_asked_of_the_engine(tiny_suite, out):
    """Cohorts go to the GPUs in turn; an engine that has no GPU runtime is named as the cause."""
    arguments = ("run", "--suite", tiny_suite, "--members", "2", "--out", out)
    gpus = ("--device", "cuda", "--devices", "0,1", "--executor", "docker", "--image", image())
    devices = set()
    with started(*arguments, *gpus) as running:
        while running.poll() is None:
            for each in ours(out):
                for request in each.attrs["HostConfig"]["DeviceRequests"]:
                    devices |= set(request["DeviceIDs"])
            time.sleep(0.1)
        _, errors = running.communicate()
    assert ours(out) == []

    if os.environ.get("MST_BENCH_TEST_GPU") == "stub":  # the engine grants GPUs that are none
        assert running.returncode == 7, errors
        assert devices == {"0", "1"}
        sentence = "--device cuda asks for a CUDA device, and none is visible"
        assert all(f"cohort {index}: {sentence}" in errors for index in (0, 1))
    else:
        assert running.returncode == 7, errors
        cause = "the container engine has no GPU runtime: install the NVIDIA container toolkit"
        assert cause in errors


def test_an_engine_that_goes_away_loses_nothing(tiny_suite, out):
    path = Path("/tmp") / f"mst-bench-engine-{os.getpid()}.sock"
    proxy = Proxy(path)
    arguments = run_of_two(tiny_suite, *in_containers(out))
    try:
        with started(*arguments, DOCKER_HOST=f"unix://{path}") as running:
            wait_for_step(out, 40)
            proxy.cut()
            _, errors = running.communicate(timeout=120)
    finally:
        path.unlink()
    assert running.returncode == 3, errors
    assert "the container engine does not answer any more" in errors

    # What runs goes on by itself, and the next command removes it.
    for each in ours(out):
        assert each.wait()["StatusCode"] == 0
    assert host(*arguments).returncode == 0
    assert ours(out) == [], "containers that nobody watched are removed"
