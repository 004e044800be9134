"""Merging entries of one experiment."""

from dataclasses import asdict, replace
from types import SimpleNamespace

import pytest

from harness.entries import merge as merging
from harness.entries.merge import _joined_hardware, merge
from harness.entries.merged_plan import merged_plan
from harness.entries.verified import Changed, verified
from harness.errors import NonConforming, UserError
from harness.files import digest_file, write_atomic, write_json
from harness.planning.making import make_plan
from harness.planning.plan import read_plan, write_plan
from harness.planning.reader import load
from harness.run import Request, plan_of
from helpers.boards import Keys
from helpers.forge import check_of, forge_level, statement_of
from helpers.registered import Registered, ship
from helpers.runs import Killed
from leaderboard.formats.keys import one_use_key
from leaderboard.formats.mirrors import TENSORS_SCHEMA, KeptElsewhere, KeptFile, parse_kept
from leaderboard.verification.checks import ORDER
from leaderboard.verification.verify import verify

REGISTERED_KEYS = Keys()


def test_seeds_that_come_later_are_merged_into_the_plan_that_has_them_all(
    three_seeds, later_seeds, tmp_path
):
    folder = merge([three_seeds, later_seeds], tmp_path / "merged", one_use_key())
    assert verify(folder / "entry.dsse.json", complete=True).accepted
    plan = read_plan(folder / "plan.json")
    assert [run.seed for run in plan.runs] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert plan.suite.name == "own-tiny"
    assert {"own suite file", "--set seeds=3", "--set first_seed=3"} <= set(plan.suite.changes)

    again = merge([three_seeds, folder], tmp_path / "again", one_use_key())
    assert again.name == folder.name, "what both have is the same"


def test_other_experiments_and_changed_runs_are_not_merged(three_seeds, old, other_suite, tmp_path):
    with pytest.raises(NonConforming, match="only runs of the same experiment are merged"):
        merge([three_seeds, other_suite], tmp_path / "merged", one_use_key())
    forge_level(old, 50.0)
    with pytest.raises(UserError, match="one of them was changed"):
        merge([three_seeds, old], tmp_path / "merged", one_use_key())


@pytest.mark.parametrize("files", [5, 6])
def test_a_merge_that_was_killed_is_given_again(
    three_seeds, later_seeds, tmp_path, monkeypatch, files
):
    """Killed before the last or the last but one file of the first run, which has seven."""
    copied = []

    def copy_some(path, content):
        if len(copied) == files:
            raise Killed
        copied.append(path)
        write_atomic(path, content)

    folders = [three_seeds, later_seeds]
    with monkeypatch.context() as patch:
        patch.setattr(merging, "write_atomic", copy_some)
        with pytest.raises(Killed):
            merge(folders, tmp_path, one_use_key())
    assert not any(path.name == "result.json" for path in copied), "it comes last"
    folder = merge(folders, tmp_path, one_use_key())
    assert verify(folder / "entry.dsse.json", complete=True).accepted


def test_a_file_that_changes_while_it_is_merged_is_not_merged(
    old, later_seeds, tmp_path, monkeypatch
):
    def change(*arguments):
        (changed,) = old.glob("runs/*/mst/0/records.jsonl")
        changed.write_bytes(changed.read_bytes() + b"\n")
        return write_plan(*arguments)

    monkeypatch.setattr(merging, "write_plan", change)
    with pytest.raises(Changed, match="its bytes are not those that were signed"):
        merge([old, later_seeds], tmp_path, one_use_key())


def test_merged_regimes_keep_the_order_of_the_first_folder(tiny_suite, tmp_path):
    """A plan's file sorts its regimes; the merged plan used to run them in that order."""
    plans = []
    for seed in (0, 1):
        overrides = ("regimes=[mst, dense]", f"first_seed={seed}")
        _, plan = plan_of(Request(str(tiny_suite), tmp_path, overrides))
        plans.append(read_plan(write_plan(plan, tmp_path) / "plan.json"))
    entries = [SimpleNamespace(plan=plan, path=tmp_path / "entry.dsse.json") for plan in plans]
    merged = merged_plan(entries)
    assert [(run.regime, run.seed) for run in merged.runs] == [
        ("mst", 0),
        ("dense", 0),
        ("mst", 1),
        ("dense", 1),
    ]


def planned(tmp_path, suite, *overrides):
    """What `merge` reads of the entry of a plan."""
    _, plan = plan_of(Request(str(suite), tmp_path, overrides))
    read = read_plan(write_plan(plan, tmp_path) / "plan.json")
    return SimpleNamespace(plan=read, path=tmp_path / "entry.dsse.json")


def test_the_main_suite_and_its_controls_make_the_suite_of_both(tmp_path):
    """They used to be refused, so the controls at MST's density could not be compared with MST."""
    merged = merged_plan([planned(tmp_path, "dmc-hard"), planned(tmp_path, "dmc-hard-controls")])
    assert (merged.suite.name, merged.suite.changes) == ("dmc-hard-all", ())
    assert merged.suite.claims == load("dmc-hard-all").claims
    assert merged.id == make_plan(load("dmc-hard-all")).id
    pairs = {(test.regime, test.than) for test in merged.suite.claims}
    assert {("mst", "sst-ac"), ("mst", "dst-ac"), ("mst", "swap")} <= pairs


def test_parts_of_a_suite_make_it_whole(tmp_path):
    parts = [planned(tmp_path, "quick", "seeds=1", f"first_seed={seed}") for seed in (0, 1)]
    merged = merged_plan(parts)
    assert (merged.suite.name, merged.suite.changes) == ("quick", ())


def test_parts_may_be_named_in_any_order(tmp_path):
    """In another order than the suite's own they used to make a plan of its own."""
    parts = [
        planned(tmp_path, "dmc-hard", f"tasks=[{task}]") for task in ("humanoid-run", "dog-run")
    ]
    merged = merged_plan(parts)
    assert merged.suite.name == "dmc-hard"
    assert merged.id == make_plan(load("dmc-hard")).id


def test_other_tasks_of_another_suite_are_merged_and_said(tiny_suite, tmp_path):
    other = tmp_path / "other.yaml"
    text = tiny_suite.read_text().replace("suite: tiny", "suite: other") + "claims: [O1]\n"
    other.write_text(text.replace("cartpole-swingup", "cartpole-balance"))
    merged = merged_plan([planned(tmp_path, tiny_suite), planned(tmp_path, other)])
    assert merged.suite.name == "own-tiny"
    assert merged.suite.changes == ("own suite file", "merged with own-other version 1")
    assert [claim.id for claim in merged.suite.claims] == ["O1a", "O1b", "O1c"]
    assert {run.task for run in merged.runs} == {"cartpole-swingup", "cartpole-balance"}


def test_two_tests_of_one_name_are_not_merged(tiny_suite, tmp_path):
    """The page would show two verdicts of one id, and no reader could tell them apart."""
    parts = []
    for seed, margin in ((0, 0.05), (1, 0.1)):
        path = tmp_path / f"mine{seed}.yaml"
        test = "{id: mine, statement: MST is better, source: ours, family: mine, regime: mst,"
        rest = f" than: dense, figure: score, rule: above, margin: {margin}}}"
        path.write_text(tiny_suite.read_text() + f"tests: [{test}{rest}]\n")
        parts.append(planned(tmp_path, path, f"first_seed={seed}"))
    with pytest.raises(NonConforming, match="two of them call different tests mine"):
        merged_plan(parts)


@pytest.mark.parametrize(
    ("overrides", "lacking"),
    [
        (("regimes=[sst-ac]", "seeds=2"), "cartpole-swingup/dense/1 and 3 more"),
        (("regimes=[sst-ac]", "tasks=[cartpole-balance]"), "cartpole-swingup/sst-ac/0 and 4 more"),
    ],
)
def test_regimes_with_other_seeds_or_tasks_are_not_merged(tiny_suite, tmp_path, overrides, lacking):
    """A mean over the tasks that a regime happens to have compares with nothing."""
    parts = [planned(tmp_path, tiny_suite), planned(tmp_path, tiny_suite, *overrides)]
    with pytest.raises(NonConforming, match=f"together they lack {lacking}"):
        merged_plan(parts)


def test_parts_of_one_registered_plan_are_merged_with_its_registration(entry, tmp_path):
    parts = []
    for lost in ("sst", "mst"):
        part = Registered(entry, tmp_path / lost, REGISTERED_KEYS, "own-tiny")
        parts.append(part)
    first, second = parts
    first.register().witness().claim()
    second.board, second.index, second.salt = first.board, first.index, first.salt
    second.claim()
    first.lose(first.run("sst"))
    second.lose(second.run("mst"))

    merged = merge([part.sign().folder for part in parts], tmp_path / "merged", first.key)
    verdict = verify(merged / "entry.dsse.json", log=first.board.log())
    assert verdict.accepted
    assert {check_of(verdict, name).status for name in ORDER} == {"passed"}


def test_registered_plans_are_not_merged_with_others(entry, tmp_path, monkeypatch):
    registered = Registered(entry, tmp_path, REGISTERED_KEYS)
    ship(monkeypatch, registered.plan)
    registered.register().witness().claim().sign()
    with pytest.raises(NonConforming, match=r"differs from .* in seed_source"):
        merge([registered.folder, entry.parent], tmp_path / "merged", registered.key)
    assert not list((tmp_path / "merged").iterdir())


def thinned(folder, *, kept="", mirrors=()):
    """A folder without its tensors, and the list that says where they are; `kept`: a regime whose
    tensors stay in the folder."""
    tensors = []
    for path in sorted(folder.rglob("*.safetensors")):
        if kept and f"/{kept}/" in str(path):
            continue
        name = path.relative_to(folder).as_posix()
        tensors.append(KeptFile(name, digest_file(path), path.stat().st_size))
        path.unlink()
    kept_elsewhere = KeptElsewhere(TENSORS_SCHEMA, mirrors, tuple(tensors))
    write_json(folder / "tensors.json", asdict(kept_elsewhere))
    return folder


def tensors_of(folder):
    """Name -> digest, by the signed entry."""
    subjects = statement_of(folder / "entry.dsse.json")["subject"]
    digests = {row["name"]: row["digest"]["sha256"] for row in subjects}
    return {name: sha256 for name, sha256 in digests.items() if name.endswith(".safetensors")}


def test_tensors_that_a_part_keeps_elsewhere_stay_there(old, later_seeds, tmp_path):
    """Whole plans take gigabytes: their parts are joined where only the records are."""
    whole = merge([old, later_seeds], tmp_path / "whole", one_use_key())
    address = "https://example.org/tensors/"
    thinned(old, mirrors=(address,))
    thin = merge([old, later_seeds], tmp_path / "thin", one_use_key())
    assert tensors_of(thin) == tensors_of(whole)

    # The list names what is not there, no more.
    kept = parse_kept((thin / "tensors.json").read_bytes(), "tensors.json")
    assert kept.mirrors == (address,)
    assert {file.name for file in kept.tensors} == {
        name for name in tensors_of(whole) if not (thin / name).exists()
    }
    assert all("/3/" not in file.name for file in kept.tensors), "the other part has its own"

    # Found again, they are those that were signed.
    entry = thin / "entry.dsse.json"
    assert verify(entry).accepted
    assert not verify(entry, complete=True).accepted
    assert verify(entry, complete=True, tensors=whole).accepted


def test_tensors_that_one_of_two_folders_has_are_in_the_merged_one(old, three_seeds, tmp_path):
    """Both orders; half of them lie in the first folder, all in the second."""
    thinned(old, kept="mst")
    for number, folders in enumerate(([old, three_seeds], [three_seeds, old])):
        merged = merge(folders, tmp_path / str(number), one_use_key())
        assert not (merged / "tensors.json").exists()
        assert verify(merged / "entry.dsse.json", complete=True).accepted


def test_parts_of_two_kinds_of_machine_are_no_machines_bits(three_seeds, later_seeds):
    """A re-evaluation on the first kind of machine would ask for the second kind's bits."""
    first, second = (
        verified(folder).documents.manifest.hardware for folder in (three_seeds, later_seeds)
    )
    assert _joined_hardware([first, second]) == first
    other = replace(first, cpu="Another", cpu_flags=("avx2", "fma"), cores=64)
    joined = _joined_hardware([first, other])
    assert joined.cpu == f"{first.cpu} and Another"
    assert set(joined.cpu_flags) <= {"avx2", "fma"}
    assert joined.cores == 64
