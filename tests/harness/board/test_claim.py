"""Seeds of a registered plan are claimed: when, from what, and what is written."""

import http.server
import json
import threading
import time

import pytest

from harness.board import beacon
from harness.board.remembered import recall
from helpers.beacons import CHAIN, round_of, with_signature
from helpers.boards import Keys, key_file, user
from helpers.logs import ORIGIN
from helpers.program import call
from helpers.registering import inside_image, submitter_of
from helpers.statements import CONTENT
from leaderboard.formats.envelope import open_envelope
from leaderboard.formats.layout import REGISTERED
from leaderboard.formats.log.leaf import RetractLeaf
from leaderboard.formats.plan import draft_digest, parse_plan
from leaderboard.formats.registration import registered_plan

KEYS = Keys()


@pytest.fixture
def plan(tiny_entry):
    """The bytes of the tiny suite's plan."""
    return (tiny_entry.parent / "plan.json").read_bytes()


@pytest.fixture
def me(tmp_path, tiny_suite, plan):
    return submitter_of(tmp_path, tiny_suite, plan, KEYS)


def refused(finished, code, sentence):
    assert finished.returncode == code, finished.stderr
    assert sentence in finished.stderr, finished.stderr


def plans(me):
    """The plan folders that were written."""
    return [path for path in me.out.iterdir() if path.name != "drafts"]


def test_a_claimed_plan_has_the_seeds_of_its_leaf_and_round(me, plan):
    index = me.registered()
    finished = me.claim(index)
    assert finished.returncode == 0, finished.stderr
    (folder,) = plans(me)
    assert finished.stdout.endswith(f"carry it out: mst-bench run --plan {folder}\n")

    content = (folder / "plan.json").read_bytes()
    files = {name: (folder / name).read_bytes() for name in REGISTERED}
    source = parse_plan(content, "plan").seed_source
    registered = registered_plan(files, content, source, ("own-tiny", 1), CONTENT)
    assert registered.round == round_of(me.round(index))
    assert draft_digest(content) == draft_digest(plan) == registered.leaf.draft
    assert {path.name for path in folder.iterdir()} == {"plan.json", "suite.json", *REGISTERED}


def test_a_claim_is_the_same_when_it_is_repeated(me):
    index = me.registered()
    first = me.claim(index, "--json")
    (folder,) = plans(me)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert me.claim(index, "--json").stdout == first.stdout
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert json.loads(first.stdout) == {
        "plan": folder.name,
        "folder": str(folder),
        "index": index,
        "round": me.round(index),
        "witnessed": True,
    }


def test_a_blinded_plan_is_claimed_as_any_other(me):
    me.register("--blind")
    index = me.accept()
    me.sign_log(index)
    assert me.claim(index).returncode == 0
    document = json.loads((plans(me)[0] / "registration.json").read_bytes())
    assert document["salt"] is not None


def test_what_a_claim_saw_of_the_log_is_remembered(me):
    index = me.registered()
    me.claim(index)
    with user(me.folder / "config"):
        assert recall(ORIGIN).checkpoint.size == index + 1


def test_without_witnesses_in_time_it_is_said_that_nothing_will_be_ranked(me):
    me.register()
    index = me.accept()
    me.sign_log(index, before=-5)
    finished = me.claim(index, "--json")
    assert finished.returncode == 0 and json.loads(finished.stdout)["witnessed"] is False
    assert "no quorum of witnesses is known to have seen it before" in finished.stderr


# -- too early --


def test_before_its_leaf_there_is_no_registration(me):
    me.register()
    refused(me.plan("--claim", 3), 2, "leaf 3 is no registration; the log has 3 leaves. Pull")


def test_a_claim_waits_for_a_signed_checkpoint(me):
    me.register()
    index = me.accept()
    refused(
        me.claim(index), 3, f"leaf {index}: no signed checkpoint covers it yet: it waits for `mst-"
    )
    assert plans(me) == []


def test_a_claim_waits_for_its_round_and_says_when_to_come_back(me):
    me.register()
    index = me.accept(at=int(time.time()))
    me.board.sign(witnesses=(0, 1))
    finished = me.claim(index)
    refused(finished, 3, f"is drawn from round {me.round(index)} of the beacon, which comes at")
    moment = CHAIN.time_of(me.round(index))
    assert time.strftime("%Y-%m-%d %H:%M:%S UTC, in", time.gmtime(moment)) in finished.stderr
    assert "Come back then." in finished.stderr and plans(me) == []


# -- row 28 --


def test_row_28_another_round_is_not_claimed(me):
    index = me.registered()
    later = me.beacon(index, later=1)
    refused(me.plan("--claim", index, "--beacon", later), 4, "expected round")
    assert plans(me) == []


def test_row_28_another_chains_round_is_not_claimed(me):
    index = me.registered()
    foreign = me.beacon(index, secret=99)
    refused(me.plan("--claim", index, "--beacon", foreign), 4, "did not sign this as round")
    assert plans(me) == []


@pytest.mark.parametrize("content", [b"", b"{}", b"x" * 5000])
def test_row_28_what_is_no_round_is_not_claimed(me, content):
    index = me.registered()
    me.beacon(index).write_bytes(content)
    refused(me.plan("--claim", index, "--beacon", me.folder / "served.json"), 4, "served.json")
    assert plans(me) == []


# -- of others, given up, lost --


def test_a_registration_that_was_retracted_is_not_claimed(me):
    index = me.registered()
    key = KEYS.submitter
    me.board.append(RetractLeaf, [key], key=key.key_id, target=index)
    refused(me.claim(index), 2, "retracted the registration")


def test_without_the_draft_there_is_nothing_to_claim(me):
    index = me.registered()
    next((me.out / "drafts").iterdir()).unlink()
    refused(me.claim(index), 2, "`plan --register` wrote it: give the same --out")


def test_a_draft_that_was_changed_since_is_not_claimed(me):
    index = me.registered()
    path = next((me.out / "drafts").iterdir())
    document = json.loads(path.read_bytes())
    document["plan"]["precision"] = "tf32"
    path.write_text(json.dumps(document))
    refused(me.claim(index), 2, f"is not the plan of leaf {index}")


# -- relays --


class Relay(http.server.BaseHTTPRequestHandler):
    """Serves whatever the test puts there."""

    def do_GET(self):
        content = self.server.served.get(self.path)
        self.send_response(404 if content is None else 200)
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, *arguments):
        """Nothing."""


@pytest.fixture
def relay(monkeypatch):
    """A loopback server in the place of drand's relays, after one that does not answer."""
    server = http.server.HTTPServer(("127.0.0.1", 0), Relay)
    server.served = {}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(beacon, "RELAYS", ("http://127.0.0.1:9", address))
    yield server.served
    server.shutdown()
    server.server_close()


def test_without_a_file_the_round_is_fetched_from_the_first_relay_that_answers(me, relay):
    index = me.registered()
    path = f"/{CHAIN.chain}/public/{me.round(index)}"
    relay[path] = round_of(me.round(index)).content()
    assert me.plan("--claim", index).returncode == 0
    assert len(plans(me)) == 1


def test_a_relay_is_not_believed(me, relay):
    index = me.registered()
    path = f"/{CHAIN.chain}/public/{me.round(index)}"
    relay[path] = with_signature(me.round(index), round_of(1).signature).content()
    refused(me.plan("--claim", index), 4, "the relay's answer: the chain abababababababab did not")
    assert plans(me) == []


@pytest.mark.parametrize("answer", [None, b"<html>", b"x" * 10_000])
def test_without_an_answer_the_claim_says_what_to_do(me, relay, answer):
    index = me.registered()
    if answer is not None:
        relay[f"/{CHAIN.chain}/public/{me.round(index)}"] = answer
    refused(me.plan("--claim", index), 3, f"no relay served round {me.round(index)} of the beacon")
    assert plans(me) == []


# -- run --plan --


@pytest.fixture
def claimed(me):
    """The folder of a claimed plan."""
    me.claim(me.registered())
    return plans(me)[0]


def run(me, folder, *arguments):
    with user(me.folder / "config"):
        return call("run", "--plan", folder, "--executor", "inline", *arguments)


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

    # Once it is accepted, a re-evaluator measures it on episodes that the beacon draws.
    entry = claimed / "entry.dsse.json"
    payload = open_envelope(entry.read_bytes()).payload_sha256
    index = me.board.entry(3, entry=payload)
    judge = key_file(me.folder, KEYS.judge, "judge.pem")
    words = ["--board", me.board.folder, "--beacon", me.beacon(index)]
    with user(me.folder / "config"):
        finished = call("reeval", claimed, "--key", judge, *words)
    assert finished.returncode == 0, finished.stderr
    words = ["--board", me.board.folder, "--reeval", claimed / "reeval.dsse.json"]
    assert "accepted, L1" in me.verify(claimed, *words).stdout
