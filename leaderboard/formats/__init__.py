"""What is signed and what it is about, as frozen types built from checked bytes."""
