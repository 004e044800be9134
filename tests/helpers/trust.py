"""Trust files: whose keys they name, and for what."""

import json

ROLES = ("submitter", "reevaluator", "release", "maintainer")


def trusted(key, name="me", roles=ROLES, **more):
    """A row of a trust file for a private key; `more`: other fields, such as `revoked`."""
    return {"name": name, "public_key": key.public_hex, "roles": list(roles), **more}


def trust_bytes(*rows, **more):
    """A trust file of these rows; `more`: fields besides the rows."""
    return json.dumps({"schema": "urn:mst-bench:trust:v2", "keys": rows, **more}).encode()


def trust_file(folder, *rows):
    """The path of a trust file of these rows in a folder."""
    path = folder / "trust.json"
    path.write_bytes(trust_bytes(*rows))
    return path
