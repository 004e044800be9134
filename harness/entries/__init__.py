"""Makes, checks, compares, merges and re-evaluates signed entries."""
