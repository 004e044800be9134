"""Learning: algorithms, networks and sparse training on the member axis, without any simulator.

In shape descriptions, P is members (runs that are trained together), E is environments per member
(1 for off-policy agents), B is rows of a batch, H is steps of a horizon, and G = P x copies, member
by member: a twin critic has two copies in each member.
"""
