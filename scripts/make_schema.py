"""Write the JSON Schema of everything that goes from the kernel to a page.

    python scripts/make_schema.py           writes tfmagic/panel/snapshot.schema.json
    python scripts/make_schema.py --check   says whether it is what the records give

The records are the ``TypedDict`` s of the package, and what is said of a field is
what its docstring says.

A page accepts fields that it does not know, so a new field needs no new version of the
schema. Mark it ``NotRequired`` in its record: kernels of older releases do not send it.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import sys
import types
import typing
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import tfmagic

FILE = Path(tfmagic.__file__).parent / "panel" / "snapshot.schema.json"
# What a page gets: by itself, or as the answer to a request.
ROOTS = ("Snapshot", "HistoryRecord", "PlacementRecord", "LibrariesRecord", "NativeLogRecord", "Reply")
_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def records() -> dict[str, Any]:
    """Return every ``TypedDict`` and ``Literal`` of the package by its name; of records there may be one of a name."""
    modules = [importlib.import_module(info.name) for info in pkgutil.walk_packages(tfmagic.__path__, "tfmagic.")]
    mine = [one for module in modules for one in vars(module).values() if typing.is_typeddict(one)]
    found = {one.__name__: one for one in mine}
    twice = [one.__name__ for one in mine if found[one.__name__] is not one]
    if twice:
        sys.exit(f"two records have one name: {', '.join(twice)}")
    words = {name: one for module in modules for name, one in vars(module).items() if get_origin(one) is Literal}
    return {**words, **found}


def schema() -> dict[str, Any]:
    """Return the schema: one definition a record."""
    known = records()
    definitions: dict[str, Any] = {}
    waiting = list(ROOTS)
    while waiting:
        name = waiting.pop()
        if name not in definitions:
            definitions[name], named = _object(known[name], known)
            waiting.extend(named)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tfmagic: what a page gets",
        "description": "Made by scripts/make_schema.py from the records of the package. null is: not known.",
        "anyOf": [{"$ref": f"#/$defs/{name}"} for name in ROOTS],
        "$defs": dict(sorted(definitions.items())),
    }


def _object(record: Any, known: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    # Some modules import a record for the type checker only: it is found by its name.
    space = {**vars(sys.modules[record.__module__]), **known, "Any": Any}
    hints = typing.get_type_hints(record, space, space, include_extras=True)
    # From the hints: Python does not see `NotRequired` in annotations that are text.
    optional = {field for field, hint in hints.items() if get_origin(hint) is typing.NotRequired}
    fields = {field: get_args(hint)[0] if field in optional else hint for field, hint in hints.items()}
    about = _described(record.__doc__ or "")
    named: list[str] = []
    properties = {field: {**_type(hint, named), **about.get(field, {})} for field, hint in fields.items()}
    return {
        "type": "object",
        "description": (record.__doc__ or "").strip().splitlines()[0],
        "properties": properties,
        "required": [field for field in properties if field in record.__required_keys__ and field not in optional],
    }, named


def _type(hint: Any, named: list[str]) -> dict[str, Any]:
    origin, arguments = get_origin(hint), get_args(hint)
    if typing.is_typeddict(hint):
        named.append(hint.__name__)
        found: dict[str, Any] = {"$ref": f"#/$defs/{hint.__name__}"}
    elif origin is Literal:
        found = {"enum": list(arguments)}
    elif origin in (Union, types.UnionType):
        found = {"anyOf": [_type(one, named) for one in arguments]}
    elif origin is list:
        found = {"type": "array", "items": _type(arguments[0], named)}
    elif origin is dict:
        found = {"type": "object", "additionalProperties": _type(arguments[1], named)}
    else:
        found = {} if hint is Any else {"type": _PLAIN[hint]}
    return found


def _described(text: str) -> dict[str, dict[str, str]]:
    """Return what a NumPy docstring says of each field."""
    _, _, section = text.partition("Attributes\n")
    found: dict[str, dict[str, str]] = {}
    fields: list[str] = []
    lines: list[str] = []
    for line in [*section.splitlines()[1:], "    end"]:
        head = re.match(r"    (\w[\w, ]*)( : .*)?$", line)
        if head is None:
            lines.append(line.strip())
            continue
        said = " ".join(filter(None, lines))
        found.update({field: {"description": said} for field in fields if said})
        fields, lines = head[1].split(", "), []
    return found


def main() -> None:
    """Write the file, or check it."""
    text = json.dumps(schema(), indent=1) + "\n"
    if "--check" not in sys.argv:
        FILE.write_text(text, encoding="utf-8")
        print(f"wrote {FILE.name}: {len(text)} bytes")
    elif not FILE.is_file() or FILE.read_text(encoding="utf-8") != text:
        sys.exit(f"{FILE.name} is not what the records give: python scripts/make_schema.py writes it anew")


if __name__ == "__main__":
    main()
