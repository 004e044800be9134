"""Carries out suites, from a YAML file to results and a signed entry.

The only folder that knows all the rest.
"""

__version__ = "0.1.0"
