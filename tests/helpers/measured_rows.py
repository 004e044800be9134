"""What an export must give back, read from records.jsonl without any code of ours."""

import json

PLACE = ("task", "regime", "seed", "agent_step", "environment_step", "what", "episode")
"""What tells two rows of the table apart."""


def records(folder):
    """(task, regime, seed) -> the records of each run in a plan folder, as JSON gives them."""
    by_run = {}
    for path in sorted(folder.glob("runs/*/*/*/records.jsonl")):
        task, regime, seed = path.parent.parts[-3:]
        by_run[task, regime, int(seed)] = [json.loads(line) for line in path.open()]
    return by_run


def expected(folder, action_repeat=2):
    """Every number of a plan folder: PLACE -> value."""
    numbers = {}
    for run, lines in records(folder).items():
        for line in lines:
            step = line["agent_step"]
            at = (*run, step, step * action_repeat)
            what = {"evaluation": "return", "final": "final return"}[line["kind"]]
            for episode, value in enumerate(line["returns"]):
                numbers[*at, what, episode] = value
            for module, diagnostics in line.get("diagnostics", {}).items():
                for name, value in diagnostics.items():
                    numbers[*at, f"{module}.{name}", None] = value
            for name in ("updates", "rewires"):
                for module, count in line.get(name, {}).items():
                    numbers[*at, f"{module}.{name}", None] = count
    return numbers


def curves(folder):
    """Every point that a tracker shows: (run's name, `MODULE/NAME`, environment step) -> value."""
    points = {}
    episodes = {}
    for (task, regime, seed, _, step, what, episode), value in expected(folder).items():
        run = f"{task}/{regime}/{seed}"
        if episode is not None:
            name = "score" if what == "final return" else what
            episodes.setdefault((run, name, step), []).append(value)
        elif value is not None:
            points[run, what.replace(".", "/"), step] = value
    return points | {place: sum(values) / len(values) for place, values in episodes.items()}
