"""Suite files for tests."""

TINY = """
suite: tiny
version: 1
description: seconds of CartPole for the tests
tasks: [cartpole-swingup]
regimes: [dense, sst, dst, mst]
seeds: 1
environment_steps: 240
settings: {width: 16, zs_dim: 16, za_dim: 8, zsa_dim: 16,
           batch_size: 16, warmup: 40, target_cycle: 10}
sparsity: {interval: 10}
evaluation: {every: 60, episodes: 2, final_episodes: 2, fresh_episodes: 4, environments: 2}
"""
"""120 agent steps, 80 updates, rewires every 10, evaluations at 0, 60 and 120."""
