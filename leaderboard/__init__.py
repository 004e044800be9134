"""Entries: what they state, how they are signed and checked. No torch, no simulator, nobody of ours."""
