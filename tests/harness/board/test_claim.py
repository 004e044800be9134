"""Seeds of a registered plan are claimed: when, from what, and what is written."""

import http.server
import json
import threading
import time

import pytest

from harness.board import beacon
from harness.board.remembered import recall
from helpers.beacons import CHAIN, round_of, with_signature
from helpers.boards import user
from helpers.logs import ORIGIN
from helpers.people import KEYS
from helpers.statements import CONTENT
from leaderboard.formats.layout import REGISTERED
from leaderboard.formats.log.leaf import RetractLeaf
from leaderboard.formats.plan import draft_digest, parse_plan
from leaderboard.formats.registration import registered_plan


def refused(finished, code, sentence):
    assert finished.returncode == code, finished.stderr
    assert sentence in finished.stderr, finished.stderr


def test_a_claimed_plan_has_the_seeds_of_its_leaf_and_round(me, plan):
    index = me.registered()
    finished = me.claim(index)
    assert finished.returncode == 0, finished.stderr
    (folder,) = me.plans
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
    (folder,) = me.plans
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
    document = json.loads((me.plans[0] / "registration.json").read_bytes())
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
    assert me.plans == []


def test_a_claim_waits_for_its_round_and_says_when_to_come_back(me):
    me.register()
    index = me.accept(at=int(time.time()))
    me.board.sign(witnesses=(0, 1))
    finished = me.claim(index)
    refused(finished, 3, f"is drawn from round {me.round(index)} of the beacon, which comes at")
    moment = CHAIN.time_of(me.round(index))
    assert time.strftime("%Y-%m-%d %H:%M:%S UTC, in", time.gmtime(moment)) in finished.stderr
    assert "Come back then." in finished.stderr and me.plans == []


# -- row 28 --


def test_row_28_another_round_is_not_claimed(me):
    index = me.registered()
    later = me.beacon(index, later=1)
    refused(me.plan("--claim", index, "--beacon", later), 4, "expected round")
    assert me.plans == []


def test_row_28_another_chains_round_is_not_claimed(me):
    index = me.registered()
    foreign = me.beacon(index, secret=99)
    refused(me.plan("--claim", index, "--beacon", foreign), 4, "did not sign this as round")
    assert me.plans == []


@pytest.mark.parametrize("content", [b"", b"{}", b"x" * 5000])
def test_row_28_what_is_no_round_is_not_claimed(me, content):
    index = me.registered()
    me.beacon(index).write_bytes(content)
    refused(me.plan("--claim", index, "--beacon", me.folder / "served.json"), 4, "served.json")
    assert me.plans == []


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
    assert len(me.plans) == 1


def test_a_relay_is_not_believed(me, relay):
    index = me.registered()
    path = f"/{CHAIN.chain}/public/{me.round(index)}"
    relay[path] = with_signature(me.round(index), round_of(1).signature).content()
    refused(me.plan("--claim", index), 4, "the relay's answer: the chain abababababababab did not")
    assert me.plans == []


@pytest.mark.parametrize("answer", [None, b"<html>", b"x" * 10_000])
def test_without_an_answer_the_claim_says_what_to_do(me, relay, answer):
    index = me.registered()
    if answer is not None:
        relay[f"/{CHAIN.chain}/public/{me.round(index)}"] = answer
    refused(me.plan("--claim", index), 3, f"no relay served round {me.round(index)} of the beacon")
    assert me.plans == []
