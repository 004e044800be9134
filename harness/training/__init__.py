"""Carrying out one cohort: the loop, evaluations, checkpoints, records, results."""
