"""Learning: algorithms, networks and sparse training on the member axis. Knows the words of `envs`, never a simulator."""
