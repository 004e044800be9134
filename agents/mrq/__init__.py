"""MR.Q on the member axis.

Towards General-Purpose Model-Free Reinforcement Learning, arXiv 2501.16142.
"""
