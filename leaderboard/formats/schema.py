"""JSON schemas: the published contract of what is signed, checked before a document is built."""

from __future__ import annotations

import functools
import json
from importlib import resources

from jsonschema import Draft202012Validator

RUN_SCHEMA = "run.v3.json"
"""The statement of an entry; its `run` definition is also what result.json holds."""


def schema_defects(name: str, document: object, called: str) -> list[str]:
    """Sentences about where a document does not fit the schema in file `name`, in the document's
    order. `called`: what they call the document as a whole."""
    return _defects(_validator(name), document, called)


def run_defects(run: object) -> list[str]:
    """`schema_defects` of one run of a statement."""
    return _defects(_run_validator(), run, "result")


@functools.cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(_schema(name))


@functools.cache
def _run_validator() -> Draft202012Validator:
    definitions = _schema(RUN_SCHEMA)["$defs"]
    return Draft202012Validator({"$ref": "#/$defs/run", "$defs": definitions})


def _schema(name: str) -> dict[str, object]:
    folder = resources.files("leaderboard.formats")
    text = folder.joinpath(f"schemas/{name}").read_text(encoding="utf-8")
    schema: dict[str, object] = json.loads(text)
    return schema


def _defects(validator: Draft202012Validator, document: object, called: str) -> list[str]:
    errors = sorted(
        validator.iter_errors(document),
        key=lambda error: [str(key) for key in error.absolute_path],
    )
    defects = []
    for error in errors:
        location = ".".join(str(key) for key in error.absolute_path) or called
        defects.append(f"{location}: {error.message[:200]}")
    return defects
