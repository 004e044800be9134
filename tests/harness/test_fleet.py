"""`plan --fleet`: cohorts that fit so many GPUs, and how long they take there."""

import itertools
import json
import statistics
from pathlib import Path

import pytest

from envs.tasks import TASKS
from harness.errors import UserError
from harness.planning import fleet
from harness.planning.cohorts import read_cohorts
from harness.planning.request import Request, plan_of
from helpers.program import call

H200 = fleet.CARDS["h200"]


@pytest.fixture(scope="module")
def hard(tmp_path_factory):
    """The plan of dmc-hard: 40 runs of each of two tasks, in one shape."""
    return plan_of(Request("dmc-hard", tmp_path_factory.mktemp("out")))[1]


def fitted(plan, gpus):
    return fleet.fit(plan, fleet.fleet_of(f"{gpus}xh200"))


def test_a_cards_rates_are_those_that_were_measured_with_masks():
    results = Path(__file__).parents[2] / "results/h200/rates-1x.json"
    seconds = json.loads(results.read_bytes())["seconds"]
    for precision, rates in H200.learning_ms.items():
        for members, rate in rates.items():
            measured = statistics.median(seconds[f"{precision}, P = {members}, masked"])
            assert f"{1e3 * members * measured:.3g}" == f"{rate:.3g}", (precision, members)


def test_its_cpus_simulate_at_the_rate_that_was_measured_beside_learning():
    table = Path(__file__).parents[2] / "results/h200/simulators.txt"
    (dogs,) = (row for row in table.read_text().splitlines() if row.startswith("dog-run 16 1 8 "))
    agent_step = float(dogs.split()[5]) * 8 / 16
    assert H200.simulating == pytest.approx(agent_step / (2 * TASKS["dog-run"].step_ms))


def test_one_gpu_gets_the_largest_cohorts_and_many_get_one_each(hard):
    assert [fitted(hard, gpus).members for gpus in (1, 8, 80)] == [40, 10, 1]
    assert len(fitted(hard, 8).cohorts.cohorts) == 8


def test_more_gpus_end_earlier_and_need_no_fewer_hours_of_gpus(hard):
    each = [fitted(hard, gpus) for gpus in (1, 2, 8, 64)]
    assert all(more.hours < fewer.hours for fewer, more in itertools.pairwise(each))
    assert all(more.gpu_hours >= fewer.gpu_hours for fewer, more in itertools.pairwise(each))
    assert each[0].hours == pytest.approx(each[0].gpu_hours)


def test_the_longest_cohort_comes_first_and_no_run_is_lost(hard):
    cohorts = fitted(hard, 3).cohorts.cohorts
    seconds = [fleet.cohort_seconds(hard, cohort, H200) for cohort in cohorts]
    assert seconds == sorted(seconds, reverse=True)
    assert [cohort.index for cohort in cohorts] == list(range(len(cohorts)))
    assert sorted(run.name for cohort in cohorts for run in cohort.runs) == sorted(
        run.name for run in hard.runs
    )


def test_measured_rates_are_the_measured_ones_and_lie_between_them_elsewhere(hard):
    run = hard.runs[0]
    assert fleet._learning_ms(hard, run, 20, H200) == 17.9
    assert fleet._learning_ms(hard, run, 14, H200) == pytest.approx((7.88 + 17.9) / 2)


def test_the_plan_of_a_fleet_fixes_its_cohorts(tmp_path):
    words = ("plan", "--suite", "dmc-hard", "--out", tmp_path)
    done = call(*words, "--fleet", "8xh200", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    (folder,) = tmp_path.iterdir()
    assert len(read_cohorts(folder).cohorts) == said["cohorts"] == 8
    assert "GPU hours (estimate" in call(*words, "--fleet", "8xh200").stdout
    refused = call(*words, "--fleet", "1xh200")
    assert refused.returncode == 2 and "holds other cohorts" in refused.stderr


@pytest.mark.parametrize(
    ("named", "sentence"),
    [
        ("h200", "expected so many GPUs and their name"),
        ("0xh200", "expected so many GPUs and their name"),
        ("8xh20", "no rates were measured on h20; there are some of h200. Did you mean 'h200'?"),
    ],
)
def test_what_is_no_fleet_is_said(named, sentence):
    with pytest.raises(UserError) as raised:
        fleet.fleet_of(named)
    assert sentence in str(raised.value)
