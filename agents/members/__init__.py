"""The member axis: layers, parameters, replay and random draws of all members, each [P, ...]."""
