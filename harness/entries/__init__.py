"""Signed entries: making, checking, comparing and re-evaluating them."""
