"""`export-k8s`: a Job that Kubernetes takes, by its own schema; no cluster is asked."""

import json
from importlib.util import find_spec

import pytest
import rfc8785
import yaml

from harness.planning.cohorts import read_cohorts
from helpers.program import call

IMAGE = f"registry.example/mst-bench@sha256:{'a' * 64}"
VERSIONS = ("1.33", "1.37")


@pytest.fixture
def planned(tiny_suite, tmp_path):
    """The folder of a plan of four runs; nothing else is in it."""
    assert call("plan", "--suite", tiny_suite, "--out", tmp_path).returncode == 0
    (folder,) = tmp_path.iterdir()
    return folder


def exported(folder, *more):
    words = ("export-k8s", folder, "--image", IMAGE, "--claim", "results")
    done = call(*words, *more)
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)


@pytest.mark.skipif(
    find_spec("kubernetes_validate") is None, reason="kubernetes-validate is not installed"
)
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_job_is_what_the_schema_of_kubernetes_asks_for(planned, device, version):
    import kubernetes_validate

    job = exported(planned, "--device", device, "--members", "1", "-j", "3")
    kubernetes_validate.validate(job, version, strict=True)
    job["spec"]["backofLimitPerIndex"] = 3
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job, version, strict=True)


def test_each_index_is_a_cohort_of_the_folder(planned):
    job = exported(planned, "--device", "cpu", "--members", "2", "--retries", "5", "-j", "1")
    cohorts = read_cohorts(planned).cohorts
    spec = job["spec"]
    assert (spec["completions"], spec["parallelism"]) == (len(cohorts), 1) == (2, 1)
    assert spec["completionMode"] == "Indexed"
    (container,) = spec["template"]["spec"]["containers"]
    assert container["image"] == IMAGE
    words = container["args"]
    assert words[:2] == ["run-cohort", "--plan"]
    assert words[2] == f"/out/{planned.name}/plan.json"
    assert words[3:5] == ["--index", "$(COHORT)"]
    assert spec["backoffLimitPerIndex"] == 5 == int(words[words.index("--retries") + 1])


def test_what_a_pod_says_at_its_end_is_read_by_our_rules(planned):
    ignored, failed = exported(planned, "--device", "cpu")["spec"]["podFailurePolicy"]["rules"]
    assert ignored["action"] == "Ignore"
    assert ignored["onPodConditions"] == [{"type": "DisruptionTarget", "status": "True"}]
    assert failed["action"] == "FailIndex"
    assert failed["onExitCodes"]["values"] == [1, 2, 3, 7]


def test_a_pod_gets_what_the_plan_needs(planned):
    pod = exported(planned, "--device", "cuda", "--members", "4")["spec"]["template"]["spec"]
    resources = pod["containers"][0]["resources"]
    assert resources["limits"]["nvidia.com/gpu"] == "1"
    assert resources["requests"]["cpu"] == "8"
    memory = int(resources["limits"]["memory"].removesuffix("Mi"))
    assert 1024 < memory == int(resources["requests"]["memory"].removesuffix("Mi")) < 4096
    assert pod["volumes"][0]["persistentVolumeClaim"] == {"claimName": "results"}


@pytest.mark.parametrize("image", ["mst-bench", "mst-bench:1", "mst-bench@sha256:12"])
def test_an_image_without_its_digest_is_refused(planned, image):
    done = call("export-k8s", planned, "--image", image, "--claim", "results")
    assert done.returncode == 2
    assert "expected NAME@sha256:DIGEST" in done.stderr
    assert not done.stdout


@pytest.mark.parametrize("more", [("--device", "cuda"), ("--device", "cpu", "--members", "4")])
def test_cohorts_that_are_there_already_are_not_called_others(planned, more):
    exported(planned, "--device", "cpu", "--members", "2")
    done = call("export-k8s", planned, "--image", IMAGE, "--claim", "results", *more)
    assert done.returncode == 2
    assert "holds cohorts for cpu of 2 members at most" in done.stderr


def test_a_registered_plan_without_its_files_is_no_job(planned):
    document = json.loads((planned / "plan.json").read_bytes())
    document["seed_source"] = f"log:{'0' * 64}"
    (planned / "plan.json").write_bytes(rfc8785.dumps(document))
    done = call("export-k8s", planned, "--image", IMAGE, "--claim", "results")
    assert done.returncode == 2
    assert "registration.json: cannot be read" in done.stderr
