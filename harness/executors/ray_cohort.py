"""A cohort on a node of a Ray cluster, as the program that began it holds it.

The lease of the cohort is this program's: what the node makes is written here, through that lease,
and nothing on the node counts until it is.
"""

from __future__ import annotations

import threading
import time
import traceback
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.errors import INCOMPLETE, INTERNAL, INTERRUPTED, NONCONFORMING, OK, UserError
from harness.executors.log import Log
from harness.executors.ray_cluster import SAME, NodeFault, NodeGone, Remote, differs
from harness.executors.ray_files import Call, CohortFiles
from harness.folder import Folder
from harness.options import Options
from harness.planning.cohorts import Cohort
from harness.training.ending import Ending, ending, ending_of, ending_of_process
from harness.training.held import Held
from harness.training.lease import lease

POLL = 0.5
"""Seconds between looks at what the node has."""
KILL_SECONDS = 10.0
"""How long the end of what copies files is waited for."""
PAUSE_SECONDS = 10.0
"""After a node was lost, before the cohort waits for another one: Ray takes a while to know it, and
would choose the same."""
GONE = -9
"""The code of a cohort whose node is gone."""


class RayCohort:
    """What `supervise` holds of a cohort: it waits for a node, and then runs there."""

    def __init__(self, folder: Path, cohort: Cohort, remote: Remote, options: Options) -> None:
        self._folder = folder
        self._cohort = cohort
        self._paths = Folder(folder).cohort(cohort.index)
        self._remote = remote
        self._options = options
        self._begun = time.monotonic()
        self._asked = threading.Event()
        self._killed = threading.Event()
        self._ended: Ending | None = None
        self._thread: threading.Thread | None = None

    # -- what supervise asks --

    def ending(self) -> Ending | None:
        if self._thread is not None:
            if self._thread.is_alive():
                return None
            if self._ended is None:
                self._ended = ending(INTERNAL, "internal", "what followed its node ended.")
            return self._ended
        if self._ended is None:
            self._wait_for_node()
        return self._ended

    def ask(self) -> None:
        self._asked.set()

    def kill(self) -> None:
        self._killed.set()
        with suppress(Exception):
            self._remote.kill()

    def join(self) -> None:
        if self._thread is not None:
            self._thread.join(KILL_SECONDS)

    # -- before it has a node --

    def _wait_for_node(self) -> None:
        if self._asked.is_set():
            self._remote.kill()
            self._ended = ending(INTERRUPTED, "interrupted", "stopped before a node had room.")
        elif self._remote.placed():
            self._thread = threading.Thread(target=self._follow, daemon=True)
            self._thread.start()
        elif self._options.wall_left(self._begun) == 0.0:
            self._remote.kill()
            self._ended = ending(
                INCOMPLETE, "incomplete", "--max-wall is over before a node had room."
            )

    # -- on a node, in a thread --

    def _follow(self) -> None:
        """One attempt; whatever comes of it stands in `_ended` when this returns."""
        try:
            with closing(Log(self._paths.log)) as log:
                self._ended = self._logged_attempt(log)
        except BaseException as error:
            self._ended = ending_of(error)
        finally:
            with suppress(Exception):
                self._remote.kill()

    def _logged_attempt(self, log: Log) -> Ending:
        """One attempt that holds the cohort; a bug leaves its traceback in the log."""
        try:
            with lease(self._paths.leases, self._options.lease_seconds) as held:
                return self._attempt(held, log)
        except NodeGone as gone:
            self._remote.kill()
            self._killed.wait(PAUSE_SECONDS)
            return ending(GONE, "killed", f"its node is gone: {gone}")
        except NodeFault as fault:
            reason = f"on its node: {fault}. What was saved before is whole."
            return ending(INCOMPLETE, "incomplete", reason)
        except BaseException as error:
            if ending_of(error).kind == "internal":
                log.write(traceback.format_exc().encode())
            raise

    def _attempt(self, held: Held, log: Log) -> Ending:
        """Begin, follow to the end, and bring back what came of it."""
        held.remove(self._paths.ending)
        held.enter([Folder(self._folder).run(run).path for run in self._cohort.runs])

        def watch() -> None:
            if self._killed.is_set():
                raise NodeGone("it was ended.")
            if held.heard == "lost":
                raise held.lost()

        def call(method: str, *arguments: Any) -> Any:
            return self._remote.call(watch, method, *arguments)

        # The node, which may have joined the cluster after it was looked at.
        node = self._remote.begin(watch)
        if difference := differs(node):
            return ending(NONCONFORMING, "nonconforming", f"{node['host']} {difference}. {SAME}")
        files = CohortFiles(call, self._folder, self._cohort, held, log)
        files.send()
        call("start", self._words(node["folder"]))
        code = self._until_ended(files, held, call)

        # What came of it
        if code < 0:
            return ending(code, "killed", f"its process on {node['host']} was ended by {-code}.")
        if code == OK:
            files.bring_results()
        files.bring_ending(node["folder"])
        with suppress(NodeGone, NodeFault):
            call("close")
        return ending_of_process(self._paths, code)

    def _words(self, there: str) -> list[str]:
        """The arguments of `mst-bench` on the node."""
        words = ["run-cohort", "--plan", str(Folder(Path(there)).plan)]
        words += ["--index", str(self._cohort.index)]
        left = self._options.wall_left(self._begun)
        return [*words, *replace(self._options, max_wall=left).arguments()]

    def _until_ended(self, files: CohortFiles, held: Held, call: Call) -> int:
        """Bring what is new, again and again; returns the exit code of the cohort's process."""
        told = False
        while True:
            if self._asked.is_set() and not told:
                call("ask")
                told = True
            try:
                code = files.bring()
            except (OSError, UserError) as error:
                held.wait_if_gone(error)
                continue
            if code is not None:
                return code
            time.sleep(POLL)
