"""MR.Q: Towards General-Purpose Model-Free Reinforcement Learning (arXiv 2501.16142), on the member axis."""
