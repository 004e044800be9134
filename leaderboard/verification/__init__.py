"""Checks of an entry."""
