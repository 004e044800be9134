"""Environments: the task catalogue, EnvPool behind one adapter, and dm_control as its oracle."""

PATIENCE = 120.0
"""Seconds without an answer after which environments count as hung; building and replaying are answers like any other."""
