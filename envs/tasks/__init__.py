"""The task catalogue: one module for each family of environments."""

from envs.tasks.dm_control import TASKS

__all__ = ["TASKS"]
