"""What can be said of the image without an engine: its manifest, its locks, its sentences."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from harness.errors import NonConforming, UserError
from harness.files import digest_file
from harness.machine import device, image
from helpers.program import call

ROOT = Path(__file__).parents[2]
LOCKS = {name: ROOT / "docker" / f"requirements-{name}.txt" for name in ("cuda", "cpu", "verify")}


@pytest.fixture
def environment(tmp_path):
    """An installed environment in small, its manifest written."""
    packages = "lib/python3.11/site-packages"
    for name in ("requirements.txt", f"{packages}/harness/cli.py", f"{packages}/other/x.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    image.write_content(tmp_path, "cpu", "c" * 40)
    image.content.cache_clear()
    yield tmp_path
    image.content.cache_clear()


def test_the_content_manifest_finds_what_was_changed_removed_or_added(environment):
    packages = "lib/python3.11/site-packages"
    content = image.content(environment)
    assert (content.variant, content.commit, len(content.files)) == ("cpu", "c" * 40, 3)
    assert content.lock_sha256 == digest_file(environment / "requirements.txt")
    assert image.all_changes(environment) == image.sampled_changes(environment) == []

    # Changed, removed, added.
    (environment / packages / "harness/cli.py").write_text("changed")
    (environment / packages / "other/x.py").unlink()
    (environment / packages / "harness/new.py").write_text("new")
    assert set(image.all_changes(environment)) == {
        f"{packages}/harness/cli.py is not the file that was built",
        f"{packages}/other/x.py is missing",
        f"{packages}/harness/new.py was added",
    }
    assert f"{packages}/harness/cli.py is not the file that was built" in image.sampled_changes(
        environment
    )


def test_a_changed_image_does_not_run(environment, monkeypatch):
    monkeypatch.setattr(image, "sampled_changes", lambda: ["bin/mst-bench is missing"])
    with pytest.raises(
        NonConforming, match="bin/mst-bench is missing\\. This is not the image that was built"
    ):
        image.check_sample()


@pytest.mark.parametrize(
    ("mounted", "kept"),
    [
        ("/", False),
        (f"/engine/volumes/{'a' * 64}/_data", False),
        ("/engine/volumes/results/_data", True),
        ("/home/me/out", True),
    ],
)
def test_results_that_nobody_keeps_are_announced(mounted, kept, tmp_path, monkeypatch):
    table = tmp_path / "mountinfo"
    mount = "/" if mounted == "/" else "/out"
    table.write_text(
        "1 0 0:1 / / rw - overlay overlay rw\n"
        f"2 1 8:1 {mounted} {mount} rw,relatime - ext4 /dev/sda rw\n"
    )
    monkeypatch.setattr(image, "MOUNTS", table)
    monkeypatch.setattr(image, "content", lambda: "an image")
    said = image.unkept(Path("/out"))
    assert (said is None) == kept
    assert kept or re.search(r"add `-v ./out:/out`; or .*`docker cp \S+:/out ./out`", said)


@pytest.mark.parametrize(
    ("text", "version", "old"),
    [
        (
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05"
            "  Sat Aug 19 01:15:15 UTC 2023\n",
            "535.104.05",
            True,
        ),
        (
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05"
            "  Release Build  (dvs-builder)\n",
            "580.95.05",
            False,
        ),
        (None, None, False),
    ],
)
def test_an_old_driver_has_its_own_sentence(text, version, old, tmp_path, monkeypatch):
    monkeypatch.setattr(device, "DRIVER", tmp_path / "version")
    if text:
        (tmp_path / "version").write_text(text)
    assert device.driver_version() == version

    with pytest.raises(NonConforming) as raised:
        device.choose_device("auto", "cuda", "dmc-hard")
    expected = (
        "the NVIDIA driver here is 535.104.05: CUDA 13 needs 580 or newer"
        if old
        else "add `--gpus all`"
    )
    assert expected in str(raised.value)
    assert "--device cpu" in str(raised.value)


def test_a_device_of_another_name_is_refused():
    with pytest.raises(UserError, match="--device gpu: expected auto, cpu, cuda or cuda:<index>"):
        device.choose_device("gpu", "any", "smoke")


def locked(name):
    """Package -> version of a lock."""
    pin = r"^([a-z0-9-]+)(?:\[.*\])?==(\S+)"
    return dict(re.findall(pin, LOCKS[name].read_text(), re.MULTILINE))


def test_locks_hold_hashes_and_no_place_to_fetch_from():
    for path in LOCKS.values():
        text = path.read_text()
        assert not re.search(r"https?:|file:|index|find-links", text)
        for line in text.replace("\\\n", "").splitlines():
            assert re.search(r"==\S+(\s+--hash=sha256:[0-9a-f]{64})+$", line), path


def test_locks_agree_with_each_other():
    cuda, cpu, light = (locked(name) for name in LOCKS)
    shared_with_cuda = {name: version for name, version in cuda.items() if name in cpu}
    drawing = {name: version for name, version in cpu.items() if name == "av"}
    assert cpu == shared_with_cuda | {"torch": f"{cuda['torch']}+cpu"} | drawing
    assert drawing, "the CPU image writes films"
    assert light == {name: version for name, version in cuda.items() if name in light}
    of_gpus = {name for name in cuda if re.match("nvidia-|cuda-|triton", name)}
    assert set(cuda) - set(cpu) == of_gpus


def test_locks_agree_with_the_pins():
    cuda = locked("cuda")
    pins = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    exact = dict(pin.lower().replace("_", "-").split("==") for pin in pins if "==" in pin)
    assert exact.items() <= cuda.items()
    toolkit = [cuda[name] for name in ("cuda-bindings", "nvidia-nvjitlink")]
    assert {version.rsplit(".", 1)[0] for version in toolkit} == {"13.0"}


VERIFY_ALONE = """
import sys
from importlib import metadata
locked, ours = set(sys.argv.pop(1).split(",")), {"harness", "leaderboard"}
distributions = metadata.packages_distributions()

class Light:
    '''An environment that holds what the light install holds.'''
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        owners = {owner.lower().replace("_", "-") for owner in distributions.get(top, ())}
        if top not in ours and owners and not owners & locked:
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Light())
from harness.cli.main import main
main()
"""


@pytest.mark.slow
def test_verify_needs_the_light_install_alone(tiny_entry):
    packages = ",".join(locked("verify"))
    python = [sys.executable, "-P", "-c", VERIFY_ALONE, packages]
    verify = [*python, "verify", str(tiny_entry), "--json"]
    done = subprocess.run(verify, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["accepted"]


def test_the_dockerfile_is_clean():
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
    text = (ROOT / "Dockerfile").read_text()
    assert "# syntax" not in text
    assert re.search(
        r"^ARG BASE_IMAGE=debian:bookworm-\d{8}-slim@sha256:[0-9a-f]{64}$", text, re.MULTILINE
    )


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ([], 7, "no container engine answers at unix:///nowhere/engine.sock"),
        (["--device", "cuda:1"], 2, "with --executor docker, name GPUs by --devices 1"),
        (["--device", "gpu"], 2, "expected auto, cpu, cuda or cuda:<index>"),
    ],
)
def test_the_docker_executor_says_what_is_missing(
    tiny_suite, tmp_path, monkeypatch, arguments, code, sentence
):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/engine.sock")
    run = ("run", "--suite", tiny_suite, "--out", tmp_path, "--executor", "docker")
    done = call(*run, *arguments)
    assert done.returncode == code, done.stderr
    assert sentence in done.stderr
