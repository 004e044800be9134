"""Signed documents and the files that they are about, as frozen types built from checked bytes."""
