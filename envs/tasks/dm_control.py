"""Every dm_control task that EnvPool has, under dm_control's names.

Observation keys are listed, never taken from EnvPool: its dictionaries carry keys that dm_control's do not, some of them live
(quadruped's `origin` leaks position), some in another order. Reference scores are MR.Q's released per-seed results.
"""

from __future__ import annotations

from envs.spec import Task

REFERENCE = "facebookresearch/MRQ, dmc_results.txt: return at 500,000 agent steps, 10 seeds (code before its LAP fix)"
"""Source of every `Task.reference`."""

ACROBOT = (
    ("orientations", 4),
    ("velocity", 2),
)
BALL_IN_CUP = (
    ("position", 4),
    ("velocity", 4),
)
CARTPOLE = (
    ("position", 3),
    ("velocity", 2),
)
CARTPOLE_TWO_POLES = (
    ("position", 5),
    ("velocity", 3),
)
CARTPOLE_THREE_POLES = (
    ("position", 7),
    ("velocity", 4),
)
CHEETAH = (
    ("position", 8),
    ("velocity", 9),
)
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
    ("joint_angles", 73),
    ("joint_velocites", 73),
    ("torso_pelvis_height", 2),
    ("z_projection", 9),
    ("torso_com_velocity", 3),
    ("inertial_sensors", 9),
    ("foot_forces", 12),
    ("touch_sensors", 4),
    ("actuator_state", 38),
    ("ball_state", 6),
    ("target_position", 3),
)
FINGER = (
    ("position", 4),
    ("velocity", 3),
    ("touch", 2),
)
FINGER_TURN_EASY = (
    ("position", 4),
    ("velocity", 3),
    ("touch", 2),
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
HUMANOID_RUN_PURE_STATE = (
    ("position", 28),
    ("velocity", 27),
)
HUMANOID_CMU = (
    ("joint_angles", 56),
    ("head_height", 1),
    ("extremities", 12),
    ("torso_vertical", 3),
    ("com_velocity", 3),
    ("velocity", 62),
)
LQR = (
    ("position", 2),
    ("velocity", 2),
)
LQR_LQR_6_2 = (
    ("position", 6),
    ("velocity", 6),
)
MANIPULATOR = (
    ("arm_pos", 16),
    ("arm_vel", 8),
    ("touch", 5),
    ("hand_pos", 4),
    ("object_pos", 4),
    ("object_vel", 3),
    ("target_pos", 4),
)
PENDULUM = (
    ("orientation", 2),
    ("velocity", 1),
)
QUADRUPED = (
    ("egocentric_state", 44),
    ("torso_velocity", 3),
    ("torso_upright", 1),
    ("imu", 6),
    ("force_torque", 24),
)
QUADRUPED_ESCAPE = (
    ("egocentric_state", 44),
    ("torso_velocity", 3),
    ("torso_upright", 1),
    ("imu", 6),
    ("force_torque", 24),
    ("origin", 3),
    ("rangefinder", 20),
)
QUADRUPED_FETCH = (
    ("egocentric_state", 44),
    ("torso_velocity", 3),
    ("torso_upright", 1),
    ("imu", 6),
    ("force_torque", 24),
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
STACKER_STACK_4 = (
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
SWIMMER_SWIMMER15 = (
    ("joints", 14),
    ("to_target", 2),
    ("body_velocities", 45),
)
WALKER = (
    ("orientations", 14),
    ("height", 1),
    ("velocity", 9),
)

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task("acrobot-swingup", "acrobot", "swingup", ACROBOT, 1, 1, reference=(567.0, 82.7)),
        Task("acrobot-swingup_sparse", "acrobot", "swingup_sparse", ACROBOT, 1, 1),
        Task(
            "ball_in_cup-catch", "ball_in_cup", "catch", BALL_IN_CUP, 2, 10, reference=(981.3, 3.7)
        ),
        Task("cartpole-balance", "cartpole", "balance", CARTPOLE, 1, 1, reference=(999.2, 1.0)),
        Task(
            "cartpole-balance_sparse",
            "cartpole",
            "balance_sparse",
            CARTPOLE,
            1,
            1,
            reference=(1000.0, 0.0),
        ),
        Task("cartpole-swingup", "cartpole", "swingup", CARTPOLE, 1, 1, reference=(866.0, 0.7)),
        Task(
            "cartpole-swingup_sparse",
            "cartpole",
            "swingup_sparse",
            CARTPOLE,
            1,
            1,
            reference=(798.1, 32.6),
        ),
        Task(
            "cartpole-two_poles",
            "cartpole",
            "two_poles",
            CARTPOLE_TWO_POLES,
            1,
            1,
            differs="initial hinge noise sd 0.01 instead of 0.1",
        ),
        Task(
            "cartpole-three_poles",
            "cartpole",
            "three_poles",
            CARTPOLE_THREE_POLES,
            1,
            1,
            differs="initial hinge noise sd 0.01 instead of 0.1",
        ),
        Task("cheetah-run", "cheetah", "run", CHEETAH, 6, 1, reference=(914.2, 5.1)),
        Task("dog-stand", "dog", "stand", DOG, 38, 3, reference=(967.6, 12.3)),
        Task("dog-walk", "dog", "walk", DOG, 38, 3, reference=(916.2, 13.5)),
        Task("dog-trot", "dog", "trot", DOG, 38, 3, reference=(877.9, 48.5)),
        Task("dog-run", "dog", "run", DOG, 38, 3, reference=(569.3, 40.0)),
        Task("dog-fetch", "dog", "fetch", DOG_FETCH, 38, 3),
        Task("finger-spin", "finger", "spin", FINGER, 2, 2, reference=(937.9, 35.0)),
        Task(
            "finger-turn_easy",
            "finger",
            "turn_easy",
            FINGER_TURN_EASY,
            2,
            2,
            reference=(953.9, 39.6),
        ),
        Task(
            "finger-turn_hard",
            "finger",
            "turn_hard",
            FINGER_TURN_EASY,
            2,
            2,
            reference=(950.5, 62.3),
        ),
        Task("fish-upright", "fish", "upright", FISH, 5, 10),
        Task("fish-swim", "fish", "swim", FISH_SWIM, 5, 10, reference=(792.5, 32.7)),
        Task("hopper-stand", "hopper", "stand", HOPPER, 4, 4, reference=(951.3, 5.6)),
        Task("hopper-hop", "hopper", "hop", HOPPER, 4, 4, reference=(251.0, 84.5)),
        Task("humanoid-stand", "humanoid", "stand", HUMANOID, 21, 5, reference=(868.1, 71.3)),
        Task("humanoid-walk", "humanoid", "walk", HUMANOID, 21, 5, reference=(662.2, 98.5)),
        Task("humanoid-run", "humanoid", "run", HUMANOID, 21, 5, reference=(200.4, 56.7)),
        Task(
            "humanoid-run_pure_state", "humanoid", "run_pure_state", HUMANOID_RUN_PURE_STATE, 21, 5
        ),
        Task("humanoid_CMU-stand", "humanoid_CMU", "stand", HUMANOID_CMU, 56, 10),
        Task("humanoid_CMU-walk", "humanoid_CMU", "walk", HUMANOID_CMU, 56, 10),
        Task("humanoid_CMU-run", "humanoid_CMU", "run", HUMANOID_CMU, 56, 10),
        Task(
            "lqr-lqr_2_1",
            "lqr",
            "lqr_2_1",
            LQR,
            1,
            1,
            terminates=True,
            differs="time limit of 1000 steps, none in dm_control; stiffness drawn once per environment",
        ),
        Task(
            "lqr-lqr_6_2",
            "lqr",
            "lqr_6_2",
            LQR_LQR_6_2,
            2,
            1,
            terminates=True,
            differs="time limit of 1000 steps, none in dm_control; stiffness drawn once per environment",
        ),
        Task("manipulator-bring_ball", "manipulator", "bring_ball", MANIPULATOR, 5, 10),
        Task("manipulator-bring_peg", "manipulator", "bring_peg", MANIPULATOR, 5, 10),
        Task("manipulator-insert_ball", "manipulator", "insert_ball", MANIPULATOR, 5, 10),
        Task("manipulator-insert_peg", "manipulator", "insert_peg", MANIPULATOR, 5, 10),
        Task("pendulum-swingup", "pendulum", "swingup", PENDULUM, 1, 1, reference=(748.8, 230.8)),
        Task("point_mass-easy", "point_mass", "easy", LQR, 2, 1),
        Task("point_mass-hard", "point_mass", "hard", LQR, 2, 1),
        Task("quadruped-walk", "quadruped", "walk", QUADRUPED, 12, 4, reference=(963.1, 7.7)),
        Task("quadruped-run", "quadruped", "run", QUADRUPED, 12, 4, reference=(947.9, 12.3)),
        Task(
            "quadruped-escape",
            "quadruped",
            "escape",
            QUADRUPED_ESCAPE,
            12,
            4,
            differs="terrain is white noise per cell; dm_control smooths coarse bumps",
        ),
        Task("quadruped-fetch", "quadruped", "fetch", QUADRUPED_FETCH, 12, 4),
        Task("reacher-easy", "reacher", "easy", REACHER, 2, 1, reference=(983.8, 1.9)),
        Task("reacher-hard", "reacher", "hard", REACHER, 2, 1, reference=(977.3, 4.2)),
        Task("stacker-stack_2", "stacker", "stack_2", STACKER, 5, 10),
        Task("stacker-stack_4", "stacker", "stack_4", STACKER_STACK_4, 5, 10),
        Task("swimmer-swimmer6", "swimmer", "swimmer6", SWIMMER, 5, 15),
        Task("swimmer-swimmer15", "swimmer", "swimmer15", SWIMMER_SWIMMER15, 14, 15),
        Task("walker-stand", "walker", "stand", WALKER, 6, 10, reference=(988.3, 3.1)),
        Task("walker-walk", "walker", "walk", WALKER, 6, 10, reference=(978.9, 1.8)),
        Task("walker-run", "walker", "run", WALKER, 6, 10, reference=(793.7, 43.4)),
    )
}
"""Task name -> task."""


ENVIRONMENT_MIB = {"dog": 90}
"""Memory of one environment by domain (each owns its model); others take about 13."""
