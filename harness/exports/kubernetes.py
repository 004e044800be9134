"""A plan as an Indexed Job of Kubernetes: one cohort an index, on a volume that all pods share.

The document is `batch/v1` as Kubernetes 1.33 and later take it, where `backoffLimitPerIndex` is
stable.
"""

from __future__ import annotations

import re

import yaml

from harness.errors import INCOMPLETE, INTERNAL, NONCONFORMING, USAGE, UserError
from harness.options import Options
from harness.planning.cohorts import Cohorts
from harness.planning.estimate import JOB_CORES, estimate, memory_limit_mib
from harness.planning.plan import Plan

USER = 10001
"""The user of the image."""
SAVE_SECONDS = 300
"""How long a pod that is asked to end may take to save."""
HOPELESS = (INTERNAL, USAGE, INCOMPLETE, NONCONFORMING)
"""Exit codes after which another attempt would end as before: `run-cohort` itself retries what is
worth it."""
COHORT = "COHORT"
"""Environment variable of a pod that holds its index."""
DIGEST = r"[^\s@]+@sha256:[0-9a-f]{64}"


def job(
    plan: Plan, cohorts: Cohorts, image: str, claim: str, retries: int, at_a_time: int | None
) -> dict[str, object]:
    """The Job that carries out every cohort of a plan, whose folder lies in the root of `claim`.

    `at_a_time`: pods at most; None: all. UserError for an image that is not named by its digest.
    """
    if not re.fullmatch(DIGEST, image):
        raise UserError(
            f"--image {image}: expected NAME@sha256:DIGEST, as `docker images --digests` has it: a"
            " tag may name another image tomorrow."
        )
    number = len(cohorts.cohorts)
    name = f"mst-bench-{plan.id}"
    labels = {"app.kubernetes.io/name": "mst-bench", "mst-bench/plan": plan.id}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "completionMode": "Indexed",
            "completions": number,
            "parallelism": min(number, at_a_time or number),
            # Of each cohort: how often it is begun again after a pod was lost.
            "backoffLimitPerIndex": retries,
            "podFailurePolicy": _failures(),
            "template": {
                "metadata": {"labels": labels},
                "spec": _pod(plan, cohorts, image, claim, retries),
            },
        },
    }


def text(document: dict[str, object]) -> str:
    """The document as YAML."""
    return yaml.safe_dump(document, sort_keys=False, width=100)


def _failures() -> dict[str, object]:
    """What a failed pod means, by the rules of `ending.json`."""
    return {
        "rules": [
            # Taken away by the cluster: no fault, as often as it happens.
            {
                "action": "Ignore",
                "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
            },
            {
                "action": "FailIndex",
                "onExitCodes": {
                    "containerName": "cohort",
                    "operator": "In",
                    "values": list(HOPELESS),
                },
            },
        ]
    }


def _pod(plan: Plan, cohorts: Cohorts, image: str, claim: str, retries: int) -> dict[str, object]:
    index = "metadata.annotations['batch.kubernetes.io/job-completion-index']"
    command = ["run-cohort", "--plan", f"/out/{plan.id}/plan.json", "--index", f"$({COHORT})"]
    command += Options(device=cohorts.device_class, retries=retries).arguments()
    return {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": SAVE_SECONDS,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "cohort",
                "image": image,
                "args": command,
                "env": [
                    {"name": COHORT, "valueFrom": {"fieldRef": {"fieldPath": index}}},
                    {"name": "OMP_NUM_THREADS", "value": "1"},
                ],
                "resources": _resources(plan, cohorts),
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "volumeMounts": [
                    {"name": "out", "mountPath": "/out"},
                    {"name": "tmp", "mountPath": "/tmp"},
                ],
            }
        ],
        "volumes": [
            {"name": "out", "persistentVolumeClaim": {"claimName": claim}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}},
        ],
    }


def _resources(plan: Plan, cohorts: Cohorts) -> dict[str, object]:
    """Those of the largest cohort: all indices of a Job have one size."""
    gib = max(estimate(plan, [cohort]).memory_gib for cohort in cohorts.cohorts)
    limits = {"memory": f"{memory_limit_mib(gib)}Mi"}
    if cohorts.device_class == "cuda":
        limits["nvidia.com/gpu"] = "1"
    return {"requests": {"cpu": str(JOB_CORES[cohorts.device_class]), **limits}, "limits": limits}
