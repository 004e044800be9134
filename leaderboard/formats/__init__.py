"""Documents and signatures: how they are written, read and refused."""
