"""Measurements of networks besides their return."""
