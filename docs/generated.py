"""What the reference says of magics, settings and the snapshot: taken from the code, each time the pages are built.

A page has a line ``% generated: NAME`` where one of these texts is to stand.
"""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tfmagic
from tfmagic.magics.commands import model as model_magic
from tfmagic.magics.commands import panel as panel_magic
from tfmagic.magics.commands import run as run_magic
from tfmagic.magics.commands import runtime as runtime_magic
from tfmagic.magics.shell.settings import TfMagic
from tfmagic.model.model import Model
from tfmagic.model.registry import Models

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sphinx.application import Sphinx

    from tfmagic.magics.grammar.options import Command, Option

_PLACE = re.compile(r"^% generated: (\S+)$", re.MULTILINE)
# What in the help of an option is typed as it stands.
_TYPED = re.compile(r'''%%?\w+|--[a-z-]+|-o \w+|\*\*EXPR|~1|\br\["a"\]|NAME=\S+|NAME~1|models\.NAME\.\w+|"[^" ]*"''')
_SPECIAL = re.compile(r"([\\`*_\[\]<>|])")


def fill(_: Sphinx, __: str, source: list[str]) -> None:
    """Put the generated texts into a page that asks for them, as Sphinx reads it."""
    source[0] = _PLACE.sub(lambda place: TEXTS[place[1]](), source[0])


def prose(text: str) -> str:
    """Return a sentence of the code as Markdown, with what is typed set as code."""
    parts, end = [], 0
    for typed in _TYPED.finditer(text):
        parts += [_SPECIAL.sub(r"\\\1", text[end : typed.start()]), f"`{typed[0]}`"]
        end = typed.end()
    return "".join([*parts, _SPECIAL.sub(r"\\\1", text[end:])])


def code(text: str) -> str:
    """Return a text as code, also in a table's cell."""
    return f"`{text}`".replace("|", r"\|")


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """Return a table of cells that are Markdown already."""
    names = list(head)
    lines = [names, ["---"] * len(names), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines] + [""]


# -- magics --------------------------------------------------------------------


def model_magics() -> str:
    """Return every verb of ``%tf_model``, and the cell magic."""
    in_python: dict[str, Callable[..., Any]] = {
        "add": Models.add,
        "save": Model.save,
        "drop": Models.drop,
        "stop": Model.stop,
    }
    lines = [
        line
        for verb, command in model_magic.COMMANDS.items()
        for line in _command(f"%tf_model {verb}", command, _keywords(in_python.get(verb)))
    ]
    return "\n".join([*lines, *_command("%%tf_model", model_magic.CELL)])


def run_magics() -> str:
    """Return ``%tf_run`` and its cell magic."""
    keywords = {**_keywords(Model.timed), **_keywords(Model.run)}
    return "\n".join([*_command("%tf_run", run_magic.LINE, keywords), *_command("%%tf_run", run_magic.CELL)])


def runtime_magics() -> str:
    """Return every verb of ``%tf_runtime``."""
    commands = runtime_magic.COMMANDS.items()
    return "\n".join(line for verb, command in commands for line in _command(f"%tf_runtime {verb}", command))


def panel_magics() -> str:
    """Return ``%tf_panel``."""
    return "\n".join(_command("%tf_panel", panel_magic.COMMAND))


def _keywords(function: Callable[..., Any] | None) -> dict[str, str]:
    """Return the keywords of a function by the option that is spelt like it."""
    if function is None:
        return {}
    known = inspect.signature(function).parameters
    return {name.replace("_", "-"): f"{function.__name__}({name}=…)" for name in known}


def _command(title: str, command: Command, keywords: dict[str, str] | None = None) -> Iterator[str]:
    usage = command.usage + (" [options]" if command.options else "")
    yield from (f"### {code(title)}", "", "```text", usage, "```", "", prose(command.summary), "")
    if not command.options:
        return
    heads = ["option", "what it does"]
    in_python = keywords is not None and any(option.key in keywords for option in command.options)
    rows = [_option(option, (keywords or {}) if in_python else None) for option in command.options]
    yield from table([*heads, "in Python"] if in_python else heads, rows)


def _option(option: Option, keywords: dict[str, str] | None) -> list[str]:
    row = [code(f"{option.name} {option.value}".strip()), prose(option.help)]
    if keywords is None:
        return row
    return [*row, code(keywords[option.key]) if option.key in keywords else ""]


# -- settings ------------------------------------------------------------------


def settings() -> str:
    """Return every setting with its default."""
    lines = []
    for name, trait in TfMagic.class_traits(config=True).items():
        kind = type(trait).__name__.lower().replace("unicode", "text")
        lines += [f"## {code(name)}", "", f"{kind}, {code(repr(trait.default_value))} by default", ""]
        lines += [prose(str(trait.help)), ""]
    return "\n".join(lines)


# -- snapshot ------------------------------------------------------------------


def snapshot_schema() -> str:
    """Return every record of the schema: the snapshot and what it is made of, then what else a page gets."""
    file = Path(tfmagic.__file__).parent / "panel" / "snapshot.schema.json"
    schema = json.loads(file.read_text(encoding="utf-8"))
    roots = [_named(one) for one in schema["anyOf"]]
    order: list[str] = []
    for root in roots:
        _reach(root, schema["$defs"], order)
    lines = []
    for name in order:
        record = schema["$defs"][name]
        lines += [f"## {name}", "", _doc(record.get("description", "")), ""]
        fields = record.get("properties", {}).items()
        rows = [[code(field), kind(one), _doc(one.get("description", ""))] for field, one in fields]
        lines += table(["field", "type", "meaning"], rows)
    return "\n".join(lines)


def kind(one: dict[str, Any]) -> str:
    """Return what a field may be, in words, with links to other records."""
    if "$ref" in one:
        name = _named(one)
        return f"[{name}](#{name.lower()})"
    if "anyOf" in one:
        return " or ".join(kind(other) for other in one["anyOf"])
    if "enum" in one:
        return " or ".join(code(json.dumps(value)) for value in one["enum"])
    if one.get("type") == "array":
        return f"list of {kind(one['items'])}"
    if one.get("type") == "object":
        return f"object of {kind(one['additionalProperties'])} by name"
    return str(one.get("type", "anything"))


def _named(one: dict[str, Any]) -> str:
    return str(one["$ref"]).rpartition("/")[2]


def _reach(name: str, definitions: dict[str, Any], order: list[str]) -> None:
    if name in order:
        return
    order.append(name)
    for inner in re.findall(r'"#/\$defs/(\w+)"', json.dumps(definitions[name])):
        _reach(inner, definitions, order)


def _doc(text: str) -> str:
    """Return a docstring's sentence as Markdown: it has code between one backtick or two."""
    parts = re.split(r"(`+[^`]+`+)", " ".join(text.split()))
    return "".join(code(part.strip("`")) if part.startswith("`") else _SPECIAL.sub(r"\\\1", part) for part in parts)


TEXTS: dict[str, Callable[[], str]] = {
    "%tf_model": model_magics,
    "%tf_run": run_magics,
    "%tf_runtime": runtime_magics,
    "%tf_panel": panel_magics,
    "settings": settings,
    "snapshot": snapshot_schema,
}
