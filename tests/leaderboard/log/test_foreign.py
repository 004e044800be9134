"""A foreign reader: the packages of Go's checksum database verify a log of 700 leaves.

It needs Go, at whose side those packages are installed as source; nothing is fetched.
Alone: `pytest tests/leaderboard/log/test_foreign.py`.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from helpers.logs import LOG_KEYS, ORIGIN, WITNESS_KEYS, checkpoint_of, leaf, signed, tree_of
from leaderboard.formats.log.checkpoint import log_key
from leaderboard.formats.log.tiles import entry_files, tile_files
from leaderboard.formats.spelling import encode_base64

PROGRAM = Path(__file__).parent / "foreign" / "main.go"
LEAVES = [leaf(number) for number in range(700)]
OLD = 300


def go(*arguments, **options):
    """Go's words on stdout; it may fetch nothing."""
    offline = {"GOPROXY": "off", "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local"}
    environment = os.environ | offline
    finished = subprocess.run(
        ["go", *arguments], capture_output=True, text=True, env=environment, **options
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.strip()


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """The foreign program, built."""
    if shutil.which("go") is None:
        pytest.skip("Go is not installed (Debian: golang-go)")
    packages = Path(go("env", "GOROOT")) / "src/cmd/vendor/golang.org/x/mod/sumdb"
    if not packages.is_dir():
        pytest.skip("Go's own packages are not installed as source (Debian: golang-src)")

    # Older releases name the standard library's ed25519 by its former place.
    folder = tmp_path_factory.mktemp("foreign")
    for package in ("note", "tlog"):
        (folder / package).mkdir()
        for source in (packages / package).glob("*.go"):
            text = source.read_text().replace("golang.org/x/crypto/ed25519", "crypto/ed25519")
            (folder / package / source.name).write_text(text)
    (folder / "go.mod").write_text("module foreign\n\ngo 1.19\n")
    shutil.copy(PROGRAM, folder)
    go("build", "-o", "reader", ".", cwd=folder)
    return folder / "reader"


@pytest.fixture
def served(tmp_path):
    """A log of 700 leaves as a site would serve it, and our proofs."""
    tree = tree_of(LEAVES)
    files = {**dict(tile_files(tree, 700)), **dict(entry_files(LEAVES))}
    files["vkey"] = str(log_key(LOG_KEYS[0], ORIGIN)).encode()
    files["checkpoint"] = signed(checkpoint_of(LEAVES), witnesses=WITNESS_KEYS).content()
    files["checkpoint-old"] = signed(checkpoint_of(LEAVES[:OLD])).content()

    inclusion = [list(map(encode_base64, tree.inclusion(index, 700))) for index in range(700)]
    consistency = list(map(encode_base64, tree.consistency(OLD, 700)))
    proofs = {"inclusion": inclusion, "consistency": consistency}
    files["proofs.json"] = json.dumps(proofs).encode()
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path


def test_go_verifies_checkpoints_proofs_and_tiles_of_700_leaves(reader, served):
    finished = subprocess.run([reader, served], capture_output=True, text=True)
    expected = "700 leaves, 700 inclusion proofs, 1 consistency proof, 2 checkpoints\n"
    assert finished.stdout == expected, finished.stderr


@pytest.mark.parametrize(
    "name",
    ["checkpoint", "checkpoint-old", "tile/0/001", "tile/1/000.p/2", "tile/entries/002.p/188"],
)
def test_go_refuses_a_changed_file(reader, served, name):
    """So the reader does look at each of them."""
    path = served / name
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)
    assert subprocess.run([reader, served], capture_output=True).returncode == 1
