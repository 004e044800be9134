"""Sparse training: how much per layer (distribution), when (schedule), which weights (rewire)."""
