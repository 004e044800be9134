"""Intervals, tests, and what follows from them for claims and gates."""
