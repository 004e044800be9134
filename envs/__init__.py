"""Environments: the task catalogue, EnvPool behind one adapter, and dm_control as its oracle."""
