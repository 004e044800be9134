"""The story of a board, run from its page."""

import http.server
import json
import os
import sys
import threading
import time
import venv
from dataclasses import asdict
from pathlib import Path

import pytest

from harness.machine.image import write_content
from helpers.beacons import CHAIN, round_of
from helpers.pages import check, commands
from helpers.preloaded import preloaded

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/story.md"
PATIENCE = 500
"""Seconds after which something hangs. It takes a minute or two on a machine of its own."""
ASK = "from harness.board import beacon; beacon.RELAYS = ({relay!r},)"
"""What makes a process of the program ask the tests' relay for rounds."""


class Relay(http.server.BaseHTTPRequestHandler):
    """Serves rounds of the tests' chain, each once its time has come."""

    def do_GET(self):
        number = int(self.path.removeprefix(f"/{CHAIN.chain}/public/"))
        came = CHAIN.time_of(number) <= time.time()
        self.send_response(200 if came else 425)
        self.end_headers()
        self.wfile.write(round_of(number).content() if came else b"")

    def log_message(self, *arguments):
        """Nothing."""


@pytest.fixture
def relay():
    """The address of a relay on this machine."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Relay)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def stage(tmp_path, relay):
    """The environment of the story's shell: the program inside an image, and a beacon."""
    image = tmp_path / "image"
    venv.create(image, symlinks=True)
    (image / "requirements.txt").write_text("")
    write_content(image, "cpu", "unknown")
    home = tmp_path / "home"
    home.mkdir()
    (home / "chain.json").write_text(json.dumps(asdict(CHAIN)))
    (home / ".gitconfig").write_text("[user]\nname = somebody\nemail = somebody@example.org\n")
    ours = ("MST_BENCH_", "GIT_", "XDG_", "PYTHON")
    inherited = {name: at for name, at in os.environ.items() if not name.startswith(ours)}
    environment = inherited | {
        "HOME": str(home),
        "PATH": f"{image / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(os.path.isdir, sys.path)]),
        "MST_BENCH_BOARD_INIT_BEACON": str(home / "chain.json"),
    }
    program, python = image / "bin/mst-bench", image / "bin/python"
    with preloaded(program, python, environment, ASK.format(relay=relay)):
        yield environment


@pytest.mark.slow
def test_the_story_of_a_board_goes_as_its_page_says(stage, tmp_path):
    folder = tmp_path / "story"
    folder.mkdir()
    check(commands(PAGE.read_text()), folder, stage, PATIENCE)
