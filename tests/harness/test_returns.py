"""Returns are told while runs learn: each evaluation once, when all runs of a cohort have it."""

import io
import json

from harness.folder import Folder
from harness.planning.cohorts import read_cohorts
from harness.training import progress as progress_module
from harness.training.returns import Returns


def evaluation(number, *returns):
    """A line of records.jsonl."""
    kinds = {"diagnostics": {}, "updates": {}, "rewires": {}, "environment_step": 80 * number}
    steps = {"number": number, "agent_step": 40 * number, "returns": returns}
    return {"kind": "evaluation", "before": "0" * 64, **kinds, **steps}


def add(path, record):
    """Appends to the records of a run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(record) + "\n")


def followed(fresh):
    """The only cohort of a plan folder, and where its four runs record."""
    (cohort,) = read_cohorts(fresh).cohorts
    return cohort, [Folder(fresh).run(run).records for run in cohort.runs]


def test_an_evaluation_is_told_once_when_the_last_run_has_it(fresh):
    cohort, paths = followed(fresh)
    returns = Returns(fresh, cohort)
    for value, path in enumerate(paths):
        assert not list(returns.new_lines())
        add(path, evaluation(1, value, value + 1.0))
    expected = "mean return after 40 agent steps: dense 0.5, sst 1.5, dst 2.5, mst 3.5"
    assert list(returns.new_lines()) == [expected]
    assert not list(returns.new_lines())

    for path in paths:
        add(path, {"kind": "final", "before": "0" * 64, "agent_step": 120, "returns": [7.0]})
    assert list(returns.new_lines()) == ["mean score: dense 7.0, sst 7.0, dst 7.0, mst 7.0"]


def test_a_run_that_failed_is_not_waited_for(fresh):
    cohort, paths = followed(fresh)
    returns = Returns(fresh, cohort)
    failure = {"kind": "failure", "before": "0" * 64, "agent_step": 3, "reason": "NaN"}
    add(paths[0], failure)
    for path in paths[1:]:
        add(path, evaluation(1, 5.0))
    expected = "mean return after 40 agent steps: sst 5.0, dst 5.0, mst 5.0"
    assert list(returns.new_lines()) == [expected]


def test_what_was_recorded_before_is_not_told_again_after_a_resume(fresh):
    cohort, paths = followed(fresh)
    for path in paths:
        add(path, evaluation(0, 1.0))
        add(path, evaluation(1, 2.0))
    returns = Returns(fresh, cohort)
    assert not list(returns.new_lines())

    # A resumed cohort cuts its records at its checkpoint and records again what followed.
    for path in paths:
        path.write_text(json.dumps(evaluation(0, 1.0)) + "\n")
    assert not list(returns.new_lines())
    for path in paths:
        add(path, evaluation(1, 2.0))
        add(path, evaluation(2, 3.0))
    (told,) = returns.new_lines()
    assert told.startswith("mean return after 80 agent steps: dense 3.0")


def test_a_terminal_shows_returns_above_the_bars(fresh):
    cohort, paths = followed(fresh)
    display = progress_module.Display(fresh, [cohort])
    display.console.file = io.StringIO()
    progress = progress_module.Writer(Folder(fresh).cohort(0).progress, 120, 10, 1.0)
    progress(40)
    for path in paths:
        add(path, evaluation(1, 3.0))
    display.refresh([0])
    assert "mean return after 40 agent steps: dense 3.0" in display.console.file.getvalue()
