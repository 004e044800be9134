"""The image, run by a real engine."""

import json
import os
import re
import shutil
import socket
from pathlib import Path

import certifi
import pytest

from harness.entries.manifest import read_manifest
from helpers.containers import HARDENED, container, docker, files, host
from helpers.hosts import engine, image
from leaderboard.formats.envelope import open_envelope

pytestmark = pytest.mark.container


def test_without_arguments_it_names_the_suites():
    done = container()
    assert done.returncode == 0
    assert "dmc-hard-pilot" in done.stdout
    assert "smoke" in done.stdout


def test_it_trains_for_any_user_without_network_or_rights_and_the_entry_verifies_here(
    tiny_suite, out, tmp_path, tiny_entry
):
    mounts = ["-v", f"{out}:/out", "-v", f"{tiny_suite}:/tiny.yaml:ro"]
    done = container("--suite", "/tiny.yaml", options=mounts)
    assert done.returncode == 0, done.stderr
    here = files(tiny_entry.parent.parent)
    assert files(out) == here, "the image computes what this machine computes"

    # What the manifest says of the image.
    (entry,) = out.glob("*/entry.dsse.json")
    manifest = read_manifest(entry.parent)
    assert manifest.image.variant == "cpu"
    assert manifest.command == "docker run --rm -v ./out:/out mst-bench --suite /tiny.yaml"
    assert "environment: not the reference image" not in manifest.unranked_because

    # A release statement of the image by a known key vouches for the entry.
    key = tmp_path / "release.pem"
    public_key = json.loads(host("keys", "generate", key, "--json").stdout)["public_key"]
    released = host("release", "--image", image(), "--out", tmp_path / "release", "--key", key)
    assert released.returncode == 0, released.stderr
    statement = tmp_path / "release/release.dsse.json"
    signer = json.loads(open_envelope(entry.read_bytes()).payload)["predicate"]["signer"]
    trusted = [("us", public_key, "release"), ("it", signer["public_key"], "submitter")]
    names = [{"name": a, "public_key": b, "roles": [c]} for a, b, c in trusted]
    trust = tmp_path / "trust.json"
    trust.write_text(json.dumps({"schema": "urn:mst-bench:trust:v2", "keys": names}))
    verdict = host("verify", entry, "--release", statement, "--trust", trust, "--json")
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


def test_it_draws_a_policy_without_a_gpu(tiny_entry, out):
    """Python does not find a library by the compiler there, and nothing but /out and /tmp can be
    written."""
    folder = out / "plan"
    shutil.copytree(tiny_entry.parent, folder)
    film = ["clip", "/out/plan", "--run", "cartpole-swingup/mst/0", "--out", "/out/film.mp4"]
    done = container(
        *film, "--fps", "5", "--size", "96x64", "--json", options=["-v", f"{out}:/out"]
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["signed"] == told["envpool"] == told["dm_control"]
    assert (out / "film.mp4").read_bytes()[4:8] == b"ftyp"


def test_without_a_mount_it_says_how_results_are_kept(tiny_suite):
    suite = ["-v", f"{tiny_suite}:/tiny.yaml:ro"]
    done = container("--suite", "/tiny.yaml", "--max-wall", "0", options=suite)
    assert re.search(r"add `-v ./out:/out`; or .* `docker cp [0-9a-f]{12}:/out ./out`", done.stderr)
    assert done.returncode == 3


COUNT_CHANGES = """
from harness.machine import image
print(len(image.content().files), image.all_changes())
"""


def test_every_file_is_as_it_was_built():
    python = ("--entrypoint", "python", image(), "-P", "-c", COUNT_CHANGES)
    done = docker("run", "--rm", *HARDENED, *python)
    assert re.fullmatch(r"\d{4,} \[\]\n", done.stdout), done


LIST_ROMS = """
cd /opt/mst-bench/lib/python3.11/site-packages/envpool_assets/atari/roms || exit
ls -A
exec 2> /dev/null
find / -xdev -type f \\( -path '*/roms/*' -o -iname '*.a26' -o -iname '*.rom' \\) ! -name '*.py*'
true
"""


def test_it_carries_no_rom():
    """104 of them come with a default dependency; EnvPool lists their folder when imported."""
    done = docker("run", "--rm", *HARDENED, "--entrypoint", "sh", image(), "-c", LIST_ROMS)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_neither_variables_nor_the_working_folder_decide_what_is_imported(tmp_path):
    folder = tmp_path / "stranger"
    folder.mkdir()
    for name in ("typer.py", "sitecustomize.py", "numpy.py", "matplotlibrc"):
        (folder / name).write_text("raise SystemExit('a module of the stranger ran')\n")
    there = ("-v", f"{folder}:/stranger:ro", "--workdir", "/stranger", "-e", "PYTHONPATH=/stranger")
    done = container("list", "suites", options=there)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "dmc-hard" in done.stdout


def test_a_changed_file_is_noticed():
    changed = f"mst-bench-changed:{os.getpid()}"
    name = f"mst-bench-changing-{os.getpid()}"
    path = "/opt/mst-bench/lib/python3.11/site-packages/harness/seeding.py"
    append = ("--entrypoint", "sh", image(), "-c", f"echo >> {path}")
    try:
        docker("run", "--name", name, "--user", "0", *append)
        docker("commit", "--change", 'ENTRYPOINT ["mst-bench"]', name, changed)
        done = docker("run", "--rm", *HARDENED, changed, "--suite", "smoke")
    finally:
        docker("rm", "-f", "-v", name)
        docker("rmi", "-f", changed)
    assert done.returncode == 7
    assert "harness/seeding.py is not the file that was built" in done.stderr


SEARCH = """
cd / && grep -rlF --exclude-dir=proc --exclude-dir=sys --exclude-dir=dev -e "$WORDS" . || [ $? = 1 ]
"""
OF_THE_ENGINE = ("./etc/resolv.conf", "./etc/hosts", "./etc/hostname")
"""Files that the engine makes for each container."""


def test_nothing_of_the_building_machine_is_in_the_image():
    """Not in its history or settings, nor in any file of it.

    Looked for: host name, folders, pip's settings, the CA bundle.
    """
    wheels = os.environ.get("PIP_FIND_LINKS", "")
    words = {socket.gethostname(), str(Path(__file__).parents[2]), wheels, *own_authorities()}
    words = {word for word in words if len(word) > 5 and word != "localhost"}

    # History and settings.
    built = engine().images.get(image())
    settings = json.dumps([built.history(), built.attrs])
    assert [word for word in words if word in settings] == []

    # Files.
    patterns = "\n".join(sorted(words))
    alone = ("--hostname", "none", "--network", "none", "-e", f"WORDS={patterns}", "--user", "0")
    done = docker("run", "--rm", *alone, "--entrypoint", "sh", image(), "-c", SEARCH)
    left = [line for line in done.stdout.split() if line not in OF_THE_ENGINE]
    assert (done.returncode, left) == (0, []), done


def own_authorities():
    """A line of each certificate that this machine trusts beyond those that everyone does."""
    bundle = Path("/etc/ssl/certs/ca-certificates.crt")
    if not bundle.exists():
        return []
    everyone = Path(certifi.where()).read_text()
    certificate = r"-+BEGIN CERTIFICATE-+\n\S+\n(\S+)\n"
    return [line for line in re.findall(certificate, bundle.read_text()) if line not in everyone]
