"""The image and the docker executor, with a real engine.

MST_BENCH_TEST_IMAGE names the image, `make image` makes it.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import certifi
import pytest

from harness.entries.manifest import read_manifest
from helpers.hosts import engine, image
from leaderboard.formats.envelope import open_envelope

pytestmark = pytest.mark.container
HARDENED = [
    "--network",
    "none",
    "--read-only",
    "--tmpfs",
    "/tmp",
    "--user",
    "12345:12345",
    "--cap-drop",
    "ALL",
]
LONGER = ("--set", "environment_steps=720")


@pytest.fixture
def out(tmp_path):
    """A folder that any user may write to."""
    folder = tmp_path / "out"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


def docker(*arguments):
    return subprocess.run(
        ["docker", *map(str, arguments)], capture_output=True, text=True, timeout=300
    )


def container(*arguments, options=()):
    """`docker run` of the image, hardened."""
    return docker("run", "--rm", *HARDENED, *options, image(), *arguments)


def host(*arguments, **environment):
    """The program on this side."""
    return subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, **environment},
    )


def command(*arguments):
    return [sys.executable, "-P", "-m", "harness.cli", *map(str, arguments)]


def files(folder):
    """Everything under runs/ that must be byte-equal."""
    (plan,) = folder.glob("*/plan.json")
    runs = sorted((plan.parent / "runs").rglob("*"))
    return {
        path.relative_to(plan.parent): path.read_bytes()
        for path in runs
        if path.is_file() and path.name != "timing.json"
    }


def ours(out):
    """Containers of the plans under a folder, running or not."""
    labelled = engine().containers.list(
        all=True, filters={"label": "mst-bench.plan"}, ignore_removed=True
    )
    return [each for each in labelled if each.labels["mst-bench.folder"].startswith(str(out))]


def test_without_arguments_it_names_the_suites():
    done = container()
    assert done.returncode == 0
    assert "dmc-hard-pilot" in done.stdout and "smoke" in done.stdout


def test_it_trains_for_any_user_without_network_or_rights_and_the_entry_verifies_here(
    tiny_suite, out, tmp_path, tiny_entry
):
    mounts = ["-v", f"{out}:/out", "-v", f"{tiny_suite}:/tiny.yaml:ro"]
    done = container("--suite", "/tiny.yaml", options=mounts)
    assert done.returncode == 0, done.stderr
    assert files(out) == files(tiny_entry.parent.parent), (
        "the image computes what this machine computes"
    )
    (entry,) = out.glob("*/entry.dsse.json")
    manifest = read_manifest(entry.parent)
    assert manifest.image.variant == "cpu"
    assert manifest.command == "docker run --rm -v ./out:/out mst-bench --suite /tiny.yaml"
    assert "environment: not the reference image" not in manifest.unranked_because

    released = host("release", "--image", image(), "--out", tmp_path / "release")
    assert released.returncode == 0, released.stderr
    statement = tmp_path / "release/release.dsse.json"
    verdict = host("verify", entry, "--release", statement, "--json")
    checks = {check["name"]: check["status"] for check in json.loads(verdict.stdout)["checks"]}
    assert (verdict.returncode, checks["image"]) == (0, "passed")
    subjects = json.loads(open_envelope(statement.read_bytes()).payload)["subject"]
    digests = {subject["name"]: subject["digest"]["sha256"] for subject in subjects}
    assert digests[image()] == engine().images.get(image()).id.removeprefix("sha256:")
    assert {"content.json", "requirements.txt"} < set(digests)


@pytest.mark.parametrize(
    ("arguments", "options", "code", "sentences"),
    [
        (
            ["--suite", "dmc-hard"],
            (),
            7,
            ["dmc-hard needs a CUDA device", "--gpus all", "--device cpu"],
        ),
        (
            ["--suite", "smoke"],
            ("-v", "/usr:/out:ro"),
            2,
            ["/out: cannot be written (Read-only file system)", "mkdir -p out"],
        ),
        (["--suite", "smok"], (), 2, ["unknown suite", "Did you mean 'smoke'?"]),
        (
            ["--executor", "docker", "--suite", "smoke"],
            (),
            2,
            ["this is inside a container already"],
        ),
    ],
)
def test_mistakes_get_a_sentence_and_their_code(arguments, options, code, sentences):
    done = container(*arguments, options=options)
    assert done.returncode == code, done.stderr
    for sentence in sentences:
        assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_mount_it_says_how_results_are_kept(tiny_suite):
    done = container(
        "--suite", "/tiny.yaml", "--max-wall", "0", options=["-v", f"{tiny_suite}:/tiny.yaml:ro"]
    )
    assert re.search(r"add `-v ./out:/out`; or .* `docker cp [0-9a-f]{12}:/out ./out`", done.stderr)
    assert done.returncode == 3


def test_every_file_is_as_it_was_built_and_a_changed_one_is_noticed():
    every = (
        "from harness.machine import image; print(len(image.content().files), image.all_changes())"
    )
    done = docker("run", "--rm", *HARDENED, "--entrypoint", "python", image(), "-P", "-c", every)
    assert re.fullmatch(r"\d{4,} \[\]\n", done.stdout), done

    changed, name = f"mst-bench-changed:{os.getpid()}", f"mst-bench-changing-{os.getpid()}"
    path = "/opt/mst-bench/lib/python3.11/site-packages/harness/seeding.py"
    try:
        docker(
            "run",
            "--name",
            name,
            "--user",
            "0",
            "--entrypoint",
            "sh",
            image(),
            "-c",
            f"echo >> {path}",
        )
        docker("commit", "--change", 'ENTRYPOINT ["mst-bench"]', name, changed)
        done = docker("run", "--rm", *HARDENED, changed, "--suite", "smoke")
    finally:
        docker("rm", "-f", "-v", name)
        docker("rmi", "-f", changed)
    assert done.returncode == 7
    assert "harness/seeding.py is not the file that was built" in done.stderr


def test_nothing_of_the_building_machine_is_in_the_image():
    """Not in its history or settings, nor in any file of it.

    Looked for: host name, folders, pip's settings, the CA bundle.
    """
    words = {
        socket.gethostname(),
        str(Path(__file__).parents[2]),
        os.environ.get("PIP_FIND_LINKS", ""),
        *own_authorities(),
    }
    words = {word for word in words if len(word) > 5 and word != "localhost"}
    settings = json.dumps(
        [engine().images.get(image()).history(), engine().images.get(image()).attrs]
    )
    assert [word for word in words if word in settings] == []
    patterns = "\n".join(sorted(words))
    kernels = "--exclude-dir=proc --exclude-dir=sys --exclude-dir=dev"
    script = f'cd / && grep -rlF {kernels} -e "$WORDS" . || [ $? = 1 ]'
    done = docker(
        "run",
        "--rm",
        "--hostname",
        "none",
        "--network",
        "none",
        "-e",
        f"WORDS={patterns}",
        "--user",
        "0",
        "--entrypoint",
        "sh",
        image(),
        "-c",
        script,
    )
    # /etc/resolv.conf, hosts and hostname are the engine's, made for this container
    left = [
        line
        for line in done.stdout.split()
        if line not in ("./etc/resolv.conf", "./etc/hosts", "./etc/hostname")
    ]
    assert (done.returncode, left) == (0, []), done


def own_authorities():
    """A line of each certificate that this machine trusts beyond those that everyone does."""
    bundle = Path("/etc/ssl/certs/ca-certificates.crt")
    everyone = Path(certifi.where()).read_text()
    certificates = (
        re.findall(r"-+BEGIN CERTIFICATE-+\n\S+\n(\S+)\n", bundle.read_text())
        if bundle.exists()
        else []
    )
    return [line for line in certificates if line not in everyone]


def test_two_cohorts_in_containers_one_killed_give_what_processes_give(tiny_suite, out, tmp_path):
    arguments = ["run", "--suite", tiny_suite, "--members", "2", *LONGER, "--device", "cpu"]
    assert host(*arguments, "--out", tmp_path / "local").returncode == 0
    running = subprocess.Popen(
        command(
            *arguments,
            "--out",
            out,
            "--executor",
            "docker",
            "--image",
            image(),
            "-j",
            "2",
            "--checkpoint-seconds",
            "0",
        ),
        stderr=subprocess.PIPE,
        text=True,
    )
    _wait_for_step(out, 100)
    victims = ours(out)
    assert len(victims) == 2
    hardening = victims[0].attrs["HostConfig"]
    assert (
        hardening["ReadonlyRootfs"]
        and hardening["NetworkMode"] == "none"
        and hardening["CapDrop"] == ["ALL"]
    )
    victims[0].kill()
    _, errors = running.communicate(timeout=300)
    assert running.returncode == 0, errors
    assert files(out) == files(tmp_path / "local")
    assert ours(out) == []
    (folder,) = out.glob("*")
    manifest = read_manifest(folder)
    assert (manifest.faults, manifest.resumes, manifest.image.variant) == (1, 1, "cpu")
    digest = docker(
        "run", "--rm", "--entrypoint", "sha256sum", image(), "/opt/mst-bench/content.json"
    ).stdout.split()[0]
    assert manifest.image.content_sha256 == digest
    faults = [json.loads(path.read_text()) for path in folder.glob("cohorts/*/faults.json")]
    assert "its container was killed (exit code 137)" in json.dumps(faults)


def _wait_for_step(out, step, seconds=120):
    """Until every cohort has trained so far."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        steps = [
            json.loads(path.read_text())["step"] for path in out.glob("*/cohorts/*/progress.json")
        ]
        if len(steps) == 2 and min(steps) >= step:
            return
        time.sleep(0.05)
    raise AssertionError(f"no cohort got to step {step} in {seconds} s")


def test_ctrl_c_saves_in_containers_and_the_same_command_goes_on(tiny_suite, out):
    arguments = [
        "run",
        "--suite",
        tiny_suite,
        "--members",
        "2",
        *LONGER,
        "--device",
        "cpu",
        "--out",
        out,
    ]
    arguments += ["--executor", "docker", "--image", image(), "-j", "2"]
    running = subprocess.Popen(command(*arguments), stderr=subprocess.PIPE, text=True)
    _wait_for_step(out, 60)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=120)
    assert running.returncode == 130, errors
    assert "everything is saved" in errors
    assert ours(out) == []
    assert host(*arguments).returncode == 0


def test_a_container_out_of_memory_says_so(tiny_suite, out):
    done = host(
        "run",
        "--suite",
        tiny_suite,
        "--device",
        "cpu",
        "--out",
        out,
        "--executor",
        "docker",
        "--image",
        image(),
        "--memory-gib",
        "0.15",
    )
    assert done.returncode == 3
    assert (
        "its container ran out of memory, the limit is 0.1 GiB: give more --memory-gib"
        in done.stderr
    ), done.stderr
    assert ours(out) == []


def test_an_image_that_is_not_there(tiny_suite, out):
    done = host(
        "run",
        "--suite",
        tiny_suite,
        "--out",
        out,
        "--executor",
        "docker",
        "--image",
        "no-such-image",
    )
    assert done.returncode == 7
    assert (
        "--image no-such-image: the engine has no such image. Make it with `make image`"
        in done.stderr
    )


def test_gpus_are_asked_of_the_engine(tiny_suite, out):
    """Cohorts go to the GPUs in turn; an engine that has no GPU runtime is named as the cause."""
    arguments = [
        "run",
        "--suite",
        tiny_suite,
        "--members",
        "2",
        "--device",
        "cuda",
        "--devices",
        "0,1",
        "--out",
        out,
    ]
    running = subprocess.Popen(
        command(*arguments, "--executor", "docker", "--image", image()),
        stderr=subprocess.PIPE,
        text=True,
    )
    devices = set()
    while running.poll() is None:
        for running_container in ours(out):
            devices |= {
                gpu
                for request in running_container.attrs["HostConfig"]["DeviceRequests"]
                for gpu in request["DeviceIDs"]
            }
        time.sleep(0.1)
    _, errors = running.communicate()
    assert ours(out) == []
    if os.environ.get("MST_BENCH_TEST_GPU") == "stub":  # the engine grants GPUs that are none
        assert running.returncode == 3, errors
        assert devices == {"0", "1"}
        assert errors.count("--device cuda asks for a CUDA device, and none is visible") == 2
    else:
        assert running.returncode == 7, errors
        assert (
            "the container engine has no GPU runtime: install the NVIDIA container toolkit"
            in errors
        )


class Proxy:
    """A way to the engine that can be cut."""

    def __init__(self, path):
        self.target = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix(
            "unix://"
        )
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.open = [self.listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(self.target)
            self.open += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._copy, args=(source, sink), daemon=True).start()

    @staticmethod
    def _copy(source, sink):
        try:
            while received := source.recv(65536):
                sink.sendall(received)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def cut(self):
        for end in self.open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


def test_an_engine_that_goes_away_loses_nothing(tiny_suite, out):
    path = Path("/tmp") / f"mst-bench-engine-{os.getpid()}.sock"
    proxy = Proxy(path)
    arguments = [
        "run",
        "--suite",
        tiny_suite,
        "--members",
        "2",
        *LONGER,
        "--device",
        "cpu",
        "--out",
        out,
    ]
    arguments += ["--executor", "docker", "--image", image(), "-j", "2"]
    try:
        running = subprocess.Popen(
            command(*arguments),
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "DOCKER_HOST": f"unix://{path}"},
        )
        _wait_for_step(out, 40)
        proxy.cut()
        _, errors = running.communicate(timeout=120)
    finally:
        path.unlink()
    assert running.returncode == 3, errors
    assert "the container engine does not answer any more" in errors
    for running_container in ours(out):
        assert running_container.wait()["StatusCode"] == 0, "what runs goes on by itself"
    assert host(*arguments).returncode == 0
    assert ours(out) == [], "containers that nobody watched are removed"
