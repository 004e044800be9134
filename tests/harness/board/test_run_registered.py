"""A registered plan is run as it was registered, in its image, and nowhere else."""

import hashlib
import io
import json
import tarfile
from types import SimpleNamespace

import docker
import pytest
from docker.errors import NotFound

from harness.entries.registered import check_registered
from harness.executors.docker import Docker
from harness.executors.docker_options import DockerOptions
from harness.planning.plan import read_plan
from helpers.beacons import round_of
from helpers.boards import key_file, user
from helpers.people import KEYS
from helpers.program import call
from helpers.registering import inside_image
from leaderboard.formats.envelope import open_envelope
from leaderboard.formats.layout import REGISTERED

MANIFEST = b"{}"
"""Of the content of an image."""


def refused(finished, code, sentence):
    assert finished.returncode == code, finished.stderr
    assert sentence in finished.stderr, finished.stderr


@pytest.fixture
def claimed(me):
    """The folder of a claimed plan."""
    me.claim(me.registered())
    return me.plans[0]


def run(me, folder, *arguments):
    with user(me.folder / "config"):
        return call("run", "--plan", folder, *(arguments or ("--executor", "inline")))


def test_a_registered_plan_is_not_run_outside_its_image(me, claimed, monkeypatch):
    refused(run(me, claimed), 7, "the plan was registered for an image, and this is none")
    inside_image(monkeypatch, "1" * 64)
    refused(run(me, claimed), 7, "Run the image that the plan was registered for")


@pytest.mark.parametrize("name", REGISTERED)
def test_a_registered_plan_is_not_run_without_its_registration(me, claimed, monkeypatch, name):
    inside_image(monkeypatch)
    (claimed / name).unlink()
    refused(run(me, claimed), 2, "`mst-bench plan --claim` writes it again")


def test_a_plan_with_other_seeds_than_its_registrations_is_not_run(me, claimed, monkeypatch):
    inside_image(monkeypatch)
    (claimed / "beacon.json").write_bytes(round_of(5).content())
    refused(run(me, claimed), 7, "the seeds are not those of leaf")


def test_a_plan_is_run_as_it_is(me, claimed, tmp_path):
    refused(run(me, claimed, "--suite", "quick"), 2, "--plan: is carried out as it is")
    refused(run(me, claimed, "--set", "seeds=2"), 2, "--plan: is carried out as it is")
    renamed = claimed.rename(claimed.with_name("renamed"))
    refused(run(me, renamed), 2, "a plan's folder is named after it")


def test_a_plan_that_nobody_registered_is_run_in_its_folder_too(entry):
    finished = call("run", "--plan", entry.parent, "--executor", "inline")
    assert finished.returncode == 0, finished.stderr
    assert "nothing is left to do" in finished.stderr
    assert f"plan {entry.parent.name}" in finished.stdout


# -- images of a container engine --


class Engine:
    """Has one image, whose content manifest it gives out, and starts no container."""

    def __init__(self, manifest):
        self.manifest = manifest
        self.images = SimpleNamespace(get=lambda name: SimpleNamespace(id="sha256:0"))
        self.containers = SimpleNamespace(create=self.create)

    def create(self, image, command):
        return SimpleNamespace(get_archive=self.archive, remove=lambda **how: None)

    def archive(self, path):
        if self.manifest is None:
            raise NotFound(path)
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            member = tarfile.TarInfo("content.json")
            member.size = len(self.manifest)
            tar.addfile(member, io.BytesIO(self.manifest))
        return [archive.getvalue()], {}

    def ping(self):
        """It answers."""

    def close(self):
        """Nothing is open."""


@pytest.mark.parametrize(
    ("manifest", "sentence"),
    [
        (b"[]", "Run the image that the plan was registered for"),
        (None, "the plan was registered for an image, and this is none"),
    ],
)
def test_6_another_image_of_the_engine_is_refused_before_anything_is_trained(
    me, claimed, monkeypatch, manifest, sentence
):
    """Weeks of training were once lost to it: `verify` alone noticed."""
    monkeypatch.setattr(docker, "from_env", lambda **how: Engine(manifest))
    before = sorted(claimed.iterdir())
    finished = run(me, claimed, "--executor", "docker", "--device", "cpu")
    refused(finished, 7, sentence)
    assert finished.stderr.count("\n") == 1
    assert sorted(claimed.iterdir()) == before


def test_the_registered_image_of_the_engine_passes(me, monkeypatch):
    with monkeypatch.context() as inside:
        inside_image(inside, hashlib.sha256(MANIFEST).hexdigest())
        me.plan("--suite", me.suite, "--register", "--key", me.key)
    index = me.accept()
    me.sign_log(index)
    me.claim(index)
    (folder,) = me.plans
    monkeypatch.setattr(docker, "from_env", lambda **how: Engine(MANIFEST))
    image_content = Docker(DockerOptions()).image_content
    check_registered(folder, read_plan(folder / "plan.json"), image_content)


@pytest.mark.slow
def test_a_registered_plan_is_run_signed_and_verified(me, claimed, monkeypatch):
    """The whole way of a submitter, but for what the board does."""
    inside_image(monkeypatch)
    finished = run(me, claimed, "--json")
    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout)["ranked"] is False
    assert {path.name for path in me.out.iterdir()} == {"drafts", claimed.name}

    # The same command has nothing left to do.
    assert "nothing is left to do" in run(me, claimed).stderr
    assert call("sign", claimed, "--key", me.key).returncode == 0
    verified = me.verify(claimed, "--board", me.board.folder)
    assert verified.returncode == 0, verified.stdout
    for name in ("registration:", "witnessed:", "beacon:"):
        (line,) = [line for line in verified.stdout.splitlines() if line.startswith(name)]
        assert line.split()[1] == "passed", line

    # Without a clone, what the claim saw of the log counts.
    assert "as this machine knows the log" in me.verify(claimed).stdout

    # Once it is accepted, a re-evaluator measures it on episodes that the beacon draws, and trains
    # a run again that the beacon draws, too.
    entry = claimed / "entry.dsse.json"
    payload = open_envelope(entry.read_bytes()).payload_sha256
    index = me.board.entry(3, entry=payload)
    judge = key_file(me.folder, KEYS.judge, "judge.pem")
    words = ["--board", me.board.folder, "--beacon", me.beacon(index)]
    words += ["--retrain", "1", "--work", me.folder / "again"]
    with user(me.folder / "config"):
        finished = call("reeval", claimed, "--key", judge, *words)
    assert finished.returncode == 0, finished.stderr
    reeval = claimed / "reeval.dsse.json"
    stated = json.loads(open_envelope(reeval.read_bytes()).payload)["predicate"]
    assert json.loads((me.folder / "again/reeval.json").read_bytes())["nonce"] == stated["nonce"]
    words = ["--board", me.board.folder, "--reeval", reeval]
    assert "accepted, L2" in me.verify(claimed, *words).stdout
