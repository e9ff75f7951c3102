"""The order of the house: which package imports which, how many modules a folder has, and which classes are needed."""

from __future__ import annotations

import ast
from collections import Counter
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT = Path(__file__).resolve().parents[2]
MOST_MODULES = 12
# Lowest first: a module imports from its own line and from those above. A package that comes after its own
# sub-packages stands for the files beside them.
ORDER = """
    errors  version
    core
    graphdef
    concurrency
    runtime.tensorflow
    runtime.graph
    runtime.memory
    runtime.libraries
    runtime.native_log
    runtime.startup
    runtime.custom_ops
    runtime.tracing
    runtime.state
    runtime.calls
    runtime.session
    execution.signature
    execution.room
    execution.backends
    formats.common
    formats.saved_model
    formats.live
    formats.frozen
    formats.checkpoint
    formats.keras
    formats
    model.lifecycle
    model.tracing
    model.running
    model.memory
    model
    model.several
    panel
    magics
    __init__  checkup  __main__  labserver
"""
LINE_OF = {room: line for line, rooms in enumerate(ORDER.split("\n")) for room in rooms.split()}

# A class of the package: its module and its name.
Class = tuple[str, str]


@cache
def _modules() -> dict[str, ast.Module]:
    trees = {}
    for path in sorted((CHECKOUT / "tfmagic").rglob("*.py")):
        name = ".".join(path.relative_to(CHECKOUT).with_suffix("").parts).removesuffix(".__init__")
        trees[name] = ast.parse(path.read_text(), path)
    return trees


def _imported(tree: ast.AST) -> Iterator[tuple[str, str, str]]:
    """Yield the local name, the module and the name there of what a module of this package gives, wherever it stands.

    The name there is empty where the module itself is imported.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                if name.name.split(".")[0] == "tfmagic":
                    yield name.asname or name.name, name.name, ""
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno} imports by a relative path"
            assert node.module
            if node.module.split(".")[0] == "tfmagic":
                for name in node.names:
                    module = f"{node.module}.{name.name}"
                    whole = module in _modules()
                    yield name.asname or name.name, module if whole else node.module, "" if whole else name.name


@cache
def _imports() -> dict[str, list[str]]:
    """Return, by module, the modules of the package that it imports."""
    return {module: sorted({other for _, other, _ in _imported(tree)}) for module, tree in _modules().items()}


def _line(module: str) -> int:
    """Return the line of ORDER that a module belongs to: that of the innermost package which has one."""
    name = module.removeprefix("tfmagic").removeprefix(".") or "__init__"
    while name not in LINE_OF:
        name, dot, _ = name.rpartition(".")
        assert dot, f"{module} belongs to no line of ORDER"
    return LINE_OF[name]


def test_each_package_imports_only_from_those_before_it() -> None:
    upwards = [
        f"{module} imports {other}"
        for module, others in _imports().items()
        for other in others
        if _line(other) > _line(module)
    ]
    assert not upwards, "\n".join(upwards)


def test_no_modules_import_each_other_in_a_circle() -> None:
    # Imports for type checkers and those inside functions count, too.
    circle: list[str] = []
    try:
        TopologicalSorter(_imports()).prepare()
    except CycleError as error:
        circle = error.args[1]
    assert not circle, " -> ".join(circle)


def test_no_folder_has_more_modules_than_a_person_takes_in_at_a_glance() -> None:
    files = [path for path in (CHECKOUT / "tfmagic").rglob("*.py") if path.name != "__init__.py"]
    counts = Counter(str(path.parent.relative_to(CHECKOUT)) for path in files)
    assert {folder: count for folder, count in counts.items() if count > MOST_MODULES} == {}


def test_nobody_asks_which_backend_it_is() -> None:
    assert {name for _, name in _classes()} >= {"GraphBackend", "EagerBackend"}
    asking = [
        f"{module}, line {node.lineno}"
        for module, tree in _modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("isinstance", "issubclass")
        if {"GraphBackend", "EagerBackend"} & set(_names(node.args[1]))
    ]
    assert not asking, "\n".join(asking)


# -- classes ----------------------------------------------------------------------------------


def _names(node: ast.AST) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            yield inner.id
        elif isinstance(inner, ast.Attribute):
            yield inner.attr


@cache
def _classes() -> dict[Class, ast.ClassDef]:
    return {
        (module, node.name): node
        for module, tree in _modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }


@cache
def _scope(module: str) -> dict[str, Class]:
    """Return the classes of the package that the names in a module stand for."""
    scope = {}
    for name, other, there in _imported(_modules()[module]):
        if there:
            scope[name] = (other, there)
        else:
            scope |= {f"{name}.{inner}": (where, inner) for where, inner in _classes() if where == other}
    scope |= {name: (where, name) for where, name in _classes() if where == module}
    return {name: found for name, found in scope.items() if found in _classes()}


def _base_names(node: ast.ClassDef) -> list[str]:
    """Return the classes it is written to derive from, without what they are subscripted with."""
    return [ast.unparse(base.value if isinstance(base, ast.Subscript) else base) for base in node.bases]


@cache
def _bases() -> dict[Class, list[Class]]:
    """Return, by class, those classes of the package that it derives from directly."""
    return {
        (module, name): [_scope(module)[base] for base in _base_names(node) if base in _scope(module)]
        for (module, name), node in _classes().items()
    }


def _called() -> set[Class]:
    """Return the classes that some call names: to make an object, or by a method of the class."""
    called = set()
    for module, tree in _modules().items():
        for call in ast.walk(tree):
            if isinstance(call, ast.Call):
                names = {
                    ast.unparse(node) for node in ast.walk(call.func) if isinstance(node, ast.Name | ast.Attribute)
                }
                called |= {_scope(module)[name] for name in names & _scope(module).keys()}
    return called


def test_no_class_is_there_only_as_the_base_of_one_other() -> None:
    called = _called()
    # Exceptions are caught by their bases; dictionaries with types have bases for the keys that may be missing.
    excluded = {cls for cls in _classes() if cls[0] == "tfmagic.errors" or "TypedDict" in _base_names(_classes()[cls])}
    lonely = [
        f"{module}.{name}: only of {direct[0][1]}"
        for module, name in _classes().keys() - called - excluded
        if len(direct := [derived for derived, bases in _bases().items() if (module, name) in bases]) == 1
    ]
    assert not lonely, "\n".join(sorted(lonely))


def test_every_package_of_the_order_is_there() -> None:
    assert {f"tfmagic.{room}" for room in LINE_OF} - {"tfmagic.__init__"} <= _modules().keys()
