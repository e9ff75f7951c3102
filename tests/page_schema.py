"""The schema of what a page gets, as the package ships it."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema

import tfmagic

_SCHEMA = json.loads((Path(tfmagic.__file__).parent / "panel" / "snapshot.schema.json").read_text())


def check(record: object, definition: str) -> None:
    """Check that a record is plain data, and as its definition has it."""
    plain = json.loads(json.dumps(record))
    wanted = {"$defs": _SCHEMA["$defs"], "$ref": f"#/$defs/{definition}"}
    jsonschema.Draft202012Validator(wanted).validate(plain)
