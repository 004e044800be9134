"""The public log: its tree, its signed checkpoints, its proofs and its files."""
