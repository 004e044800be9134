"""`reeval --retrain`: runs are trained again, and `--work` keeps them over a stop."""

import json
import shutil
import time
from dataclasses import replace

import pytest
import torch

from harness.entries import reeval, retrain
from harness.entries.reeval import reevaluate
from harness.entries.retrain import Retraining
from harness.entries.verified import verified
from harness.entries.work import SCHEMA, Begun, nonce_of, where
from harness.errors import Incomplete, Interrupted, NonConforming, RetriesExhausted, UserError
from harness.folder import Folder
from harness.machine import provenance
from harness.options import Options
from harness.training.loop import Training
from helpers.forge import forge_returns
from helpers.program import call
from helpers.rollouts import believed
from helpers.runs import stop_after
from helpers.trust import CURATOR
from leaderboard.formats.keys import one_use_key
from leaderboard.verification.verify import verify

H200 = {
    "architecture": "x86_64",
    "cpu": "another",
    "cpu_flags": [],
    "cores": 2,
    "gpus": ["NVIDIA H200"],
}


@pytest.mark.slow
def test_retraining_gives_the_same_records_and_l2(submitted, trust):
    outcome = reevaluate(submitted, CURATOR, again=Retraining(2))
    assert (outcome.stated.accepted, outcome.stated.level) == (True, "L2")
    assert [again.repeated for again in outcome.stated.retrained] == [True, True]
    fresh = {run.run: run.fresh for run in outcome.stated.runs}
    assert all(again.fresh == fresh[again.run] for again in outcome.stated.retrained)
    assert verify(submitted, trust, reeval=outcome.path).level == "L2"


@pytest.mark.slow
def test_a_longer_trained_policy_is_found_by_retraining(entry, monkeypatch):
    """Its claimed returns are its own, so only training again tells."""
    monkeypatch.setattr(reeval, "roll_out", believed)
    forge_returns(entry.parent, lambda values: [value + 1.0 for value in values])
    stated = reevaluate(entry, one_use_key(), again=Retraining(4)).stated
    assert len([defect for defect in stated.defects if "trained again" in defect]) == 4


@pytest.mark.slow
def test_a_re_evaluation_that_was_stopped_goes_on_where_it_was(submitted, tmp_path, monkeypatch):
    """With more runs than at first, too: what chance draws first stays first."""
    stop_after(monkeypatch, [20])
    work = tmp_path / "work"
    with pytest.raises(Incomplete, match="stopped by the test"):
        reevaluate(submitted, CURATOR, again=Retraining(1, work=work))
    nonce = json.loads((work / "reeval.json").read_bytes())["nonce"]

    stated = reevaluate(submitted, CURATOR, again=Retraining(4, work=work)).stated
    assert (stated.level, stated.nonce, len(stated.retrained)) == ("L2", nonce, 4)
    resumes = [json.loads(path.read_bytes())["resumes"] for path in work.rglob("timing.json")]
    assert resumes.count(1) == len(resumes), "one cohort holds all four runs"

    # What is there already is not trained again.
    monkeypatch.setattr(Training, "run", None)
    assert reevaluate(submitted, CURATOR, again=Retraining(2, work=work)).stated.level == "L2"


@pytest.fixture
def trained(submitted, tmp_path, monkeypatch):
    """A folder of `--work`, with its cohort trained, and every run of it.

    The results are the entry's own: training them again would give the same.
    """
    monkeypatch.setattr(reeval, "roll_out", believed)
    work = tmp_path / "work"

    def copied(folder, plan, cohort, options):
        for run in cohort.runs:
            theirs, ours = (Folder(each).run(run).path for each in (submitted.parent, folder))
            shutil.copytree(theirs, ours, dirs_exist_ok=True)

    monkeypatch.setattr(retrain, "run_cohort", copied)
    stated = reevaluate(submitted, CURATOR, again=Retraining(2, work=work)).stated
    assert stated.level == "L2"
    monkeypatch.setattr(retrain, "run_cohort", lambda *arguments: None)
    return work, [next(work.glob(f"0/*/runs/{run.run}")) for run in stated.retrained]


@pytest.mark.parametrize("name", ["records.jsonl", "actor.safetensors"])
@pytest.mark.parametrize("cut", [True, False])
def test_damage_to_what_was_trained_does_not_count_against_the_entry(submitted, trained, name, cut):
    work, (run, _) = trained
    path = run / name
    path.write_bytes(path.read_bytes()[:-40]) if cut else path.unlink()
    with pytest.raises(UserError, match="was cut or removed since it was written; remove") as error:
        reevaluate(submitted, CURATOR, again=Retraining(2, work=work))
    assert error.value.code == 2


def test_a_folder_goes_on_where_bits_are_the_same(submitted, trained, monkeypatch):
    work, _ = trained
    other = {**provenance.hardware(), "cpu": "another"}
    monkeypatch.setattr(provenance, "hardware", lambda: other)
    with pytest.raises(NonConforming, match="and here it is another"):
        reevaluate(submitted, CURATOR, again=Retraining(2, work=work))


def test_a_folder_belongs_to_one_re_evaluation(submitted, trained):
    work, _ = trained
    begun = json.loads((work / "reeval.json").read_bytes())
    (work / "reeval.json").write_text(json.dumps({**begun, "entry": "0" * 64}))
    with pytest.raises(UserError, match="is of another re-evaluation; give another --work"):
        reevaluate(submitted, CURATOR, again=Retraining(2, work=work))

    (work / "reeval.json").write_text(json.dumps(begun)[:-9])
    with pytest.raises(UserError, match="was cut or edited, or another version's"):
        reevaluate(submitted, CURATOR, again=Retraining(2, work=work))


def test_a_beacons_nonce_is_the_only_one(tmp_path):
    """Also of two that begin at once, one alone says what is drawn."""
    now = Begun(SCHEMA, "0" * 64, "1" * 32, where(Options(device="cpu")))
    assert nonce_of(tmp_path, now, drawn=True) == now.nonce
    later = replace(now, nonce="2" * 32)
    assert nonce_of(tmp_path, later, drawn=False) == now.nonce
    with pytest.raises(UserError, match="is of another re-evaluation"):
        nonce_of(tmp_path, later, drawn=True)


def test_what_somebody_else_may_have_trained_is_not_taken_for_ones_own(submitted, tmp_path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/results").write_text("")
    done = call("reeval", submitted, "--retrain", 1, "--work", tmp_path / "theirs")
    assert done.returncode == 2
    assert "is not empty, and holds no re-evaluation" in done.stderr

    folder = submitted.parent
    for work in (folder / "work", folder, folder.parent):
        with pytest.raises(UserError, match="lies in it, or it in there"):
            reevaluate(submitted, CURATOR, again=Retraining(1, work=work))


DIED = "the worker died; gave up after 3 retries. What was saved is whole."


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Interrupted("stopped; everything is saved."), Interrupted),
        (RetriesExhausted(DIED), Incomplete),
    ],
)
def test_without_a_folder_nothing_is_kept_and_a_sentence_says_so(
    submitted, monkeypatch, error, kind
):
    def stopped(*arguments):
        raise error

    monkeypatch.setattr(retrain, "run_cohort", stopped)
    monkeypatch.setattr(reeval, "roll_out", believed)
    with pytest.raises(kind) as raised:
        reevaluate(submitted, CURATOR, again=Retraining(1))
    assert type(raised.value) is kind
    assert "Nothing is kept; with --work FOLDER" in raised.value.reason
    assert "saved" not in raised.value.reason


def test_the_wall_time_is_that_of_the_whole_command(submitted, tmp_path, monkeypatch):
    monkeypatch.setattr(reeval, "roll_out", believed)
    over = Retraining(1, Options(max_wall=1.0), tmp_path / "work", begin=time.monotonic() - 2.0)
    with pytest.raises(Incomplete, match="--max-wall is over; what was trained is kept"):
        reevaluate(submitted, CURATOR, again=over)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--work", "work"), "--work: goes with --retrain."),
        (("--retrain", 1, "--max-wall", 9), "--max-wall: goes with --work"),
        (("--retrain", 1, "--device", "gpu"), "--device gpu: expected auto, cpu, cuda"),
    ],
)
def test_options_of_training_again_that_do_not_fit_are_refused(submitted, words, sentence):
    done = call("reeval", submitted, *words)
    assert done.returncode == 2
    assert sentence in done.stderr


def test_runs_are_trained_again_on_a_gpu_if_the_entry_names_one(entry, monkeypatch, capsys):
    asked = Retraining(1, Options(device="cuda"))
    assert asked.for_entry(verified(entry.parent)).options.device == "cpu"
    assert "does not count: the entry names no GPU" in capsys.readouterr().err

    forge_returns(entry.parent, lambda values: values, {"hardware": H200})
    stated = verified(entry.parent)
    assert Retraining(1).for_entry(stated).options.device == "cpu", "there is none here"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert Retraining(1).for_entry(stated).options.device == "cuda"
