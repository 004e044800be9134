"""A task of the catalogue as an algorithm sees it."""

from __future__ import annotations

from agents.spec import TaskShape
from envs.spec import Task


def task_shape(task: Task, action_repeat: int) -> TaskShape:
    """Widths, and an episode's length in agent steps."""
    return TaskShape(
        observation=task.observation_size,
        action=task.action,
        episode_steps=task.horizon // action_repeat,
        terminates=task.terminates,
    )
