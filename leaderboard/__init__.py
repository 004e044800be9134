"""Entries: their formats, verification, statistics and pages.

Imports nobody of ours, no torch and no simulator: whoever verifies an entry needs few libraries.
"""
