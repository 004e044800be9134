"""Every dm_control task that EnvPool has, under dm_control's names.

Observation keys are listed, never taken from EnvPool. Its dictionaries carry keys that dm_control's
do not have, some of them live (quadruped's `origin` leaks position), and some in another order.
"""

from __future__ import annotations

from envs.spec import Action, Observation, Task

HORIZON = 1000
"""Environment steps of every dm_control episode."""
ACTION_REPEAT = 2
"""Environment steps of an agent step, as in the papers on dm_control."""
RETURNS = (0.0, 1000.0)
"""Rewards lie between 0 and 1, so the return of an episode lies between these."""
LQR_RETURNS = (-10_000.0, 1000.0)
"""The reward of `lqr` is 1 less a quadratic cost, which has no bound. This project's choice for the
lowest return is ten times the horizon below zero; a resting system stays far above it."""

ACROBOT = (("orientations", 4), ("velocity", 2))
BALL_IN_CUP = (("position", 4), ("velocity", 4))
CARTPOLE = (("position", 3), ("velocity", 2))
TWO_POLES = (("position", 5), ("velocity", 3))
THREE_POLES = (("position", 7), ("velocity", 4))
CHEETAH = (("position", 8), ("velocity", 9))
DOG = (
    ("joint_angles", 73),
    ("joint_velocites", 73),
    ("torso_pelvis_height", 2),
    ("z_projection", 9),
    ("torso_com_velocity", 3),
    ("inertial_sensors", 9),
    ("foot_forces", 12),
    ("touch_sensors", 4),
    ("actuator_state", 38),
)
DOG_FETCH = (
    *DOG,
    ("ball_state", 6),
    ("target_position", 3),
)
FINGER = (
    ("position", 4),
    ("velocity", 3),
    ("touch", 2),
)
FINGER_TURN = (
    *FINGER,
    ("target_position", 2),
    ("dist_to_target", 1),
)
FISH = (
    ("joint_angles", 7),
    ("upright", 1),
    ("velocity", 13),
)
FISH_SWIM = (
    ("joint_angles", 7),
    ("upright", 1),
    ("target", 3),
    ("velocity", 13),
)
HOPPER = (
    ("position", 6),
    ("velocity", 7),
    ("touch", 2),
)
HUMANOID = (
    ("joint_angles", 21),
    ("head_height", 1),
    ("extremities", 12),
    ("torso_vertical", 3),
    ("com_velocity", 3),
    ("velocity", 27),
)
HUMANOID_RUN_PURE_STATE = (("position", 28), ("velocity", 27))
HUMANOID_CMU = (
    ("joint_angles", 56),
    ("head_height", 1),
    ("extremities", 12),
    ("torso_vertical", 3),
    ("com_velocity", 3),
    ("velocity", 62),
)
LQR = (("position", 2), ("velocity", 2))
LQR_6_2 = (("position", 6), ("velocity", 6))
MANIPULATOR = (
    ("arm_pos", 16),
    ("arm_vel", 8),
    ("touch", 5),
    ("hand_pos", 4),
    ("object_pos", 4),
    ("object_vel", 3),
    ("target_pos", 4),
)
PENDULUM = (("orientation", 2), ("velocity", 1))
POINT_MASS = (("position", 2), ("velocity", 2))
QUADRUPED = (
    ("egocentric_state", 44),
    ("torso_velocity", 3),
    ("torso_upright", 1),
    ("imu", 6),
    ("force_torque", 24),
)
QUADRUPED_ESCAPE = (
    *QUADRUPED,
    ("origin", 3),
    ("rangefinder", 20),
)
QUADRUPED_FETCH = (
    *QUADRUPED,
    ("ball_state", 9),
    ("target_position", 3),
)
REACHER = (
    ("position", 2),
    ("to_target", 2),
    ("velocity", 2),
)
STACKER = (
    ("arm_pos", 16),
    ("arm_vel", 8),
    ("touch", 5),
    ("hand_pos", 4),
    ("box_pos", 8),
    ("box_vel", 6),
    ("target_pos", 2),
)
STACKER_4 = (
    ("arm_pos", 16),
    ("arm_vel", 8),
    ("touch", 5),
    ("hand_pos", 4),
    ("box_pos", 16),
    ("box_vel", 12),
    ("target_pos", 2),
)
SWIMMER = (
    ("joints", 5),
    ("to_target", 2),
    ("body_velocities", 18),
)
SWIMMER_15 = (
    ("joints", 14),
    ("to_target", 2),
    ("body_velocities", 45),
)
WALKER = (
    ("orientations", 14),
    ("height", 1),
    ("velocity", 9),
)

COSTS = {
    "acrobot": (13, 0.05),
    "ball_in_cup": (13, 0.05),
    "cartpole": (13, 0.05),
    "cheetah": (13, 0.05),
    "dog": (90, 0.40),
    "finger": (13, 0.05),
    "fish": (13, 0.05),
    "hopper": (13, 0.05),
    "humanoid": (13, 0.14),
    "humanoid_CMU": (13, 0.05),
    "lqr": (13, 0.05),
    "manipulator": (13, 0.05),
    "pendulum": (13, 0.05),
    "point_mass": (13, 0.05),
    "quadruped": (13, 0.05),
    "reacher": (13, 0.05),
    "stacker": (13, 0.05),
    "swimmer": (13, 0.05),
    "walker": (13, 0.05),
}
"""Memory of one environment in MiB and milliseconds of one environment step on one core, by domain.

Measured on a busy AMD EPYC. `mst-bench doctor` measures the time on another machine.
"""

HINGE_NOISE = "initial hinge noise sd 0.01 instead of 0.1"
LQR_IN_ENVPOOL = (
    "time limit of 1000 steps, none in dm_control; stiffness drawn once per environment"
)
SHARP_TERRAIN = "terrain is white noise per cell; dm_control smooths coarse bumps"


def _row(
    domain: str,
    task: str,
    keys: tuple[tuple[str, int], ...],
    action_size: int,
    terminates: bool = False,
    differs: str = "",
) -> Task:
    """A task with what all of dm_control shares, and the costs of its domain."""
    size = sum(width for _, width in keys)
    memory_mib, step_ms = COSTS[domain]

    return Task(
        name=f"{domain}-{task}",
        domain=domain,
        task=task,
        env_id=_env_id(domain, task),
        observation_spec=Observation(keys, (size,), "float32"),
        action_spec=Action(action_size, -1.0, 1.0),
        terminates=terminates,
        horizon=HORIZON,
        action_repeat=ACTION_REPEAT,
        returns=LQR_RETURNS if domain == "lqr" else RETURNS,
        memory_mib=memory_mib,
        step_ms=step_ms,
        differs=differs,
    )


def _env_id(domain: str, task: str) -> str:
    """EnvPool's id: domain and task in CamelCase, divided at `_`."""
    words = f"{domain}_{task}".split("_")
    return "".join(word[:1].upper() + word[1:] for word in words) + "-v1"


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        _row("acrobot", "swingup", ACROBOT, 1),
        _row("acrobot", "swingup_sparse", ACROBOT, 1),
        _row("ball_in_cup", "catch", BALL_IN_CUP, 2),
        _row("cartpole", "balance", CARTPOLE, 1),
        _row("cartpole", "balance_sparse", CARTPOLE, 1),
        _row("cartpole", "swingup", CARTPOLE, 1),
        _row("cartpole", "swingup_sparse", CARTPOLE, 1),
        _row("cartpole", "two_poles", TWO_POLES, 1, differs=HINGE_NOISE),
        _row("cartpole", "three_poles", THREE_POLES, 1, differs=HINGE_NOISE),
        _row("cheetah", "run", CHEETAH, 6),
        _row("dog", "stand", DOG, 38),
        _row("dog", "walk", DOG, 38),
        _row("dog", "trot", DOG, 38),
        _row("dog", "run", DOG, 38),
        _row("dog", "fetch", DOG_FETCH, 38),
        _row("finger", "spin", FINGER, 2),
        _row("finger", "turn_easy", FINGER_TURN, 2),
        _row("finger", "turn_hard", FINGER_TURN, 2),
        _row("fish", "upright", FISH, 5),
        _row("fish", "swim", FISH_SWIM, 5),
        _row("hopper", "stand", HOPPER, 4),
        _row("hopper", "hop", HOPPER, 4),
        _row("humanoid", "stand", HUMANOID, 21),
        _row("humanoid", "walk", HUMANOID, 21),
        _row("humanoid", "run", HUMANOID, 21),
        _row("humanoid", "run_pure_state", HUMANOID_RUN_PURE_STATE, 21),
        _row("humanoid_CMU", "stand", HUMANOID_CMU, 56),
        _row("humanoid_CMU", "walk", HUMANOID_CMU, 56),
        _row("humanoid_CMU", "run", HUMANOID_CMU, 56),
        _row("lqr", "lqr_2_1", LQR, 1, terminates=True, differs=LQR_IN_ENVPOOL),
        _row("lqr", "lqr_6_2", LQR_6_2, 2, terminates=True, differs=LQR_IN_ENVPOOL),
        _row("manipulator", "bring_ball", MANIPULATOR, 5),
        _row("manipulator", "bring_peg", MANIPULATOR, 5),
        _row("manipulator", "insert_ball", MANIPULATOR, 5),
        _row("manipulator", "insert_peg", MANIPULATOR, 5),
        _row("pendulum", "swingup", PENDULUM, 1),
        _row("point_mass", "easy", POINT_MASS, 2),
        _row("point_mass", "hard", POINT_MASS, 2),
        _row("quadruped", "walk", QUADRUPED, 12),
        _row("quadruped", "run", QUADRUPED, 12),
        _row("quadruped", "escape", QUADRUPED_ESCAPE, 12, differs=SHARP_TERRAIN),
        _row("quadruped", "fetch", QUADRUPED_FETCH, 12),
        _row("reacher", "easy", REACHER, 2),
        _row("reacher", "hard", REACHER, 2),
        _row("stacker", "stack_2", STACKER, 5),
        _row("stacker", "stack_4", STACKER_4, 5),
        _row("swimmer", "swimmer6", SWIMMER, 5),
        _row("swimmer", "swimmer15", SWIMMER_15, 14),
        _row("walker", "stand", WALKER, 6),
        _row("walker", "walk", WALKER, 6),
        _row("walker", "run", WALKER, 6),
    )
}
"""Task name -> task."""
