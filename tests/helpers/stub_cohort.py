"""The unit of work with a cohort that learns nothing, so that a thousand of them fit into minutes.

Everything else is the unit's own: lease, checkpoints, records, results and ending.
"""

import hashlib
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import torch

from harness.errors import UserError
from harness.files import dump_json
from harness.folder import Folder
from harness.options import Options
from harness.planning import estimate
from harness.planning.cohorts import Cohort
from harness.training import loop, unit
from harness.training.checkpoint import Checkpoint, Checkpoints
from harness.training.records import Records
from leaderboard.formats.run import Run

STEPS = 24
MEMBERS = 2
PACE = 0.002
"""Seconds of an agent step."""
COHORT = Cohort(0, "stub", tuple(Run("stub", "dense", seed) for seed in range(MEMBERS)))
PLAN = SimpleNamespace(
    precision="float32",
    budget=SimpleNamespace(agent_steps=STEPS),
    agent_settings=lambda: SimpleNamespace(learning_starts=0),
)
MODULES = ("encoder", "critic")
SALT = "STUB_SALT"
"""Environment variable: set, two attempts never give the same bytes, as on a GPU."""
ENDS = "ends.txt"
"""A line for each time that the cohort was carried out to its end."""


class Stub:
    """Stands for `Training`: every step depends on all before it, and so does every file."""

    def __init__(self, plan, cohort, folder, device, patience, files, record=True):
        self.folder = Folder(folder)
        self.files = files
        self.step = 0
        self.drifted = False
        self.salt = files.owner.token if os.environ.get(SALT) else ""
        self.chain = ""
        self.salts = []
        """Of each step: whose it was."""
        self.rows = []
        self.records = []

    def __enter__(self):
        return self

    def __exit__(self, *raised):
        for records in self.records:
            records.close()

    def run(self, checkpoints, checkpoint, every, report, stop, trace):
        paths = [self.folder.run(run).records for run in COHORT.runs]
        if checkpoint is None:
            self.records = [Records(path, self.files) for path in paths]
        else:
            self.restore(checkpoint, paths)

        for step in range(self.step + 1, STEPS + 1):
            time.sleep(PACE)
            self.learn(step, self.salt)
            if step % 3 == 0:
                for records in self.records:
                    records.append({"kind": "evaluation", "agent_step": step, "salt": self.salt})
            report(step, ())
            error = stop()
            if error or step % 4 == 0:
                self.save(checkpoints)
            if error:
                raise error
        self.finish()

    def learn(self, step, salt):
        self.step = step
        self.chain = hashlib.sha256(f"{self.chain}{step}{salt}".encode()).hexdigest()
        self.salts.append(salt)
        self.rows.append(int(self.chain[:6], 16))

    def save(self, checkpoints: Checkpoints):
        for records in self.records:
            records.sync()
        ends = [[records.length, records.head] for records in self.records]
        new = torch.tensor(self.rows[checkpoints.saved[0] :]).view(-1, 1)
        checkpoints.write(self.step, {"salts": self.salts, "records": ends}, [new] * MEMBERS)

    def restore(self, checkpoint: Checkpoint, paths):
        for step, salt in enumerate(checkpoint.state["salts"], 1):
            self.learn(step, salt)
        assert self.step == checkpoint.step
        for rows in checkpoint.rows:
            assert rows.view(-1).tolist() == self.rows, "somebody else wrote these rows"
        ends = zip(paths, checkpoint.state["records"], strict=True)
        self.records = [Records.resume(path, *end, self.files) for path, end in ends]

    def finish(self):
        for member, run in enumerate(COHORT.runs):
            paths = self.folder.run(run)
            whole = hashlib.sha256(f"{self.chain} {self.rows}".encode()).hexdigest()
            for name in MODULES:
                self.files.write(paths.tensors(name), f"{name} {whole} {self.salt}".encode())
            # Not the same for two processes: this tells whose results these are.
            self.files.write(paths.timing, self.files.owner.token.encode())
            head = self.records[member].head
            document = {"whole": whole, "chain_head": head, "salt": self.salt}
            self.files.write(paths.result, dump_json(document))
        with open(self.folder.path / ENDS, "a") as ends:
            ends.write(f"{self.files.owner.token}\n")


def main():
    """One attempt, as `run-cohort` makes it: arguments are the folder and the lease's seconds."""
    loop.Training = Stub
    estimate.estimate = lambda *arguments: SimpleNamespace(core_hours=0.0)
    estimate.final_seconds = lambda *arguments: 0.0
    options = Options(device="cpu", lease_seconds=float(sys.argv[2]))
    try:
        unit.run_cohort(Path(sys.argv[1]), PLAN, COHORT, options)
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(error.code)
