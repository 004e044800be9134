"""The board: a repository whose log says who may do what, and what was done."""
