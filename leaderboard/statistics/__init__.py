"""Intervals and tests of scores, and the verdicts of claims and gates that follow from them."""
