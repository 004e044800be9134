"""`export`: what was measured comes back from every format, to the bit."""

import csv
import json
import sys
from importlib.util import find_spec

import pytest

from helpers.measured_rows import PLACE, curves, expected
from helpers.program import call
from helpers.runs import planned_copy
from leaderboard.data.tidy import COLUMNS


def needs(*libraries):
    """A mark for tests of libraries that an extra of this project installs."""
    absent = [name for name in libraries if find_spec(name) is None]
    return pytest.mark.skipif(bool(absent), reason=f"{', '.join(absent)} is not installed")


def exported(folder, to, *more):
    """What `export` printed as JSON."""
    done = call("export", folder, "--to", to, "--json", *more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def csv_rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def of_csv(rows):
    """PLACE -> value of rows as CSV has them."""
    numbers = {}
    for row in rows:
        steps = [int(row[name]) for name in ("seed", "agent_step", "environment_step")]
        episode = int(row["episode"]) if row["episode"] else None
        place = (row["task"], row["regime"], *steps, row["what"], episode)
        assert place not in numbers
        numbers[place] = float(row["value"]) if row["value"] else None
    return numbers


def test_csv_gives_back_every_evaluation_to_the_bit(tiny_entry, tmp_path):
    path = tmp_path / "new" / "curves.csv"
    told = exported(tiny_entry.parent, path)
    rows = csv_rows(path)
    numbers = expected(tiny_entry.parent)
    assert of_csv(rows) == numbers
    assert told == {"export": str(path), "numbers": len(numbers), "runs": 4}
    assert tuple(rows[0]) == COLUMNS
    assert {(row["plan"], row["suite"], row["verified"]) for row in rows} == {
        (tiny_entry.parent.name, "own-tiny", "true")
    }


@needs("pandas", "pyarrow")
def test_parquet_gives_back_every_evaluation_to_the_bit(tiny_entry, tmp_path):
    import pandas as pd

    path = tmp_path / "curves.parquet"
    exported(tiny_entry, path)
    frame = pd.read_parquet(path)
    rows = frame.astype(object).where(frame.notna(), None)
    places = rows[list(PLACE)].itertuples(index=False, name=None)
    assert dict(zip(places, rows["value"], strict=True)) == expected(tiny_entry.parent)
    assert tuple(frame.columns) == COLUMNS
    assert frame["verified"].dtype == bool


def test_several_plans_make_one_table(tiny_entry, three_seeds, tmp_path):
    path = tmp_path / "both.csv"
    done = call("export", tiny_entry.parent, three_seeds, tiny_entry, "--to", path)
    assert done.stdout.endswith("numbers of 10 runs\n")
    plans = [row["plan"] for row in csv_rows(path)]
    assert list(dict.fromkeys(plans)) == [tiny_entry.parent.name, three_seeds.name]
    assert len(plans) == len(expected(tiny_entry.parent)) + len(expected(three_seeds))


def test_a_plan_without_an_entry_is_exported_as_not_verified(tiny_entry, fresh, tmp_path):
    """What is there so far counts, up to a record that is being written."""
    part = fresh / "runs/cartpole-swingup/mst/0"
    part.mkdir(parents=True)
    whole = (tiny_entry.parent / part.relative_to(fresh) / "records.jsonl").read_bytes()
    first, second, *_ = whole.splitlines(keepends=True)
    (part / "records.jsonl").write_bytes(first + second[:100])
    path = tmp_path / "curves.csv"
    done = call("export", fresh, "--to", path)
    rows = csv_rows(path)
    assert "has no entry yet: its numbers are not verified" in done.stderr
    assert {row["verified"] for row in rows} == {"false"}
    numbers = expected(tiny_entry.parent)
    assert of_csv(rows) == {
        (task, regime, seed, step, *more): value
        for (task, regime, seed, step, *more), value in numbers.items()
        if (regime, step) == ("mst", 0)
    }


def test_records_of_an_unfinished_plan_that_were_edited_are_refused(tiny_entry, tmp_path):
    folder = planned_copy(tiny_entry.parent, tmp_path)
    part = folder / "runs/cartpole-swingup/mst/0"
    part.mkdir(parents=True)
    (part / "records.jsonl").write_bytes(b'{"kind":"evaluation"}\n{}\n')
    done = call("export", folder, "--to", tmp_path / "x.csv")
    assert done.returncode == 2
    assert "records.jsonl:1" in done.stderr
    assert not (tmp_path / "x.csv").exists()


def test_an_entry_that_does_not_verify_is_not_exported(entry, tmp_path):
    records = next(entry.parent.glob("runs/*/*/*/records.jsonl"))
    records.write_bytes(records.read_bytes().replace(b'"agent_step":60', b'"agent_step":61'))
    done = call("export", entry, "--to", tmp_path / "x.csv")
    assert done.returncode == 4
    assert "REFUSED" in done.stdout
    assert not (tmp_path / "x.csv").exists()


@pytest.mark.parametrize("to", ["curves.xlsx", "tensorbord", "curves"])
def test_an_unknown_way_is_one_sentence(tiny_entry, to):
    done = call("export", tiny_entry, "--to", to)
    assert done.returncode == 2
    assert done.stderr == (
        f"mst-bench: --to {to}: expected one of FILE.csv, FILE.parquet, tensorboard, wandb,"
        " mlflow.\n"
    )


@pytest.mark.parametrize(
    ("to", "library", "extra"),
    [
        ("x.parquet", "pyarrow", "data"),
        ("tensorboard", "tensorboard", "tensorboard"),
        ("wandb", "wandb", "wandb"),
        ("mlflow", "mlflow", "mlflow"),
        ("mlflow", "sqlalchemy", "mlflow"),
    ],
)
def test_a_library_that_is_not_installed_is_named_with_its_command(
    tiny_entry, monkeypatch, tmp_path, to, library, extra
):
    for name in [name for name in sys.modules if name.startswith("harness.exports.")]:
        if name != "harness.exports.export":
            monkeypatch.delitem(sys.modules, name)
    for name in ("pyarrow", "pyarrow.parquet", "tensorboard", "wandb", "mlflow"):
        monkeypatch.setitem(sys.modules, name, None if name.startswith(library) else object())
    monkeypatch.setitem(sys.modules, library, None)
    done = call("export", tiny_entry, "--to", to, "--out", tmp_path)
    assert done.returncode == 2
    assert f"needs {library}, which is not installed: `pip install 'mst-bench[{extra}]'`" in (
        done.stderr
    )


@needs("tensorboard")
def test_tensorboards_own_reader_finds_every_point(tiny_entry, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    exported(tiny_entry, "tensorboard", "--out", tmp_path)
    told = exported(tiny_entry, "tensorboard", "--out", tmp_path)  # replaces, never doubles
    store = tmp_path / "tensorboard" / tiny_entry.parent.name
    points = {}
    for folder in store.glob("*/*/*"):
        events = EventAccumulator(str(folder)).Reload()
        for name in events.Tags()["tensors"]:
            for event in events.Tensors(name):
                place = (folder.relative_to(store).as_posix(), name, event.step)
                points[place] = make_ndarray(event.tensor_proto).item()
    assert points == curves(tiny_entry.parent)
    assert told["numbers"] == len(points)


@needs("wandb")
def test_offline_runs_of_wandb_hold_every_point(tiny_entry, tmp_path):
    from helpers.wandb_file import offline_run

    exported(tiny_entry, "wandb", "--out", tmp_path)
    points = {}
    for path in tmp_path.glob("wandb/offline-run-*/run-*.wandb"):
        name, config, rows = offline_run(path)
        assert name == f"{config['task']}/{config['regime']}/{config['seed']}"
        for row in rows:
            for tag, value in row.items():
                if not tag.startswith("_") and tag != "environment_step":
                    points[name, tag, row["environment_step"]] = value
    assert points == curves(tiny_entry.parent)


@pytest.mark.slow
@needs("mlflow", "sqlalchemy", "alembic")
def test_mlflows_own_client_finds_every_point(tiny_entry, tmp_path):
    from mlflow import MlflowClient

    told = exported(tiny_entry, "mlflow", "--out", tmp_path)
    exported(tiny_entry, "mlflow", "--out", tmp_path)  # replaces, never doubles
    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'mlflow/mlflow.db'}")
    experiment = client.get_experiment_by_name("own-tiny")
    points = {}
    for run in client.search_runs([experiment.experiment_id]):
        params = run.data.params
        name = f"{params['task']}/{params['regime']}/{params['seed']}"
        assert (name, run.info.status) == (run.info.run_name, "FINISHED")
        for tag in run.data.metrics:
            for metric in client.get_metric_history(run.info.run_id, tag):
                points[name, tag, metric.step] = metric.value
    assert points == curves(tiny_entry.parent)
    assert told["numbers"] == len(points)
