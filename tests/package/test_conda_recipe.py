"""The recipe for conda, rendered by what conda-forge builds with, says what ``pyproject.toml`` says."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from rattler_build import Stage0Recipe

import tfmagic

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def recipe() -> dict[str, Any]:
    (variant,) = Stage0Recipe.from_file(CHECKOUT / "recipe" / "recipe.yaml").render()
    found: dict[str, Any] = variant.recipe.to_dict()
    return found


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    return tomllib.loads((CHECKOUT / "pyproject.toml").read_text())


def wanted(lines: list[str]) -> dict[str, str]:
    """Return which version is asked for of each package, of conda's lines or pip's."""
    return {one.name: str(one.specifier) for one in map(Requirement, lines)}


def test_version_licence_and_summary_agree(recipe: dict[str, Any], pyproject: dict[str, Any]) -> None:
    project = pyproject["project"]
    assert recipe["package"] == {"name": project["name"], "version": tfmagic.__version__}
    assert recipe["about"]["license"] == project["license"]
    assert recipe["about"]["summary"] == project["description"]
    assert recipe["about"]["license_file"] == project["license-files"]


def test_what_it_runs_with_agrees(recipe: dict[str, Any], pyproject: dict[str, Any]) -> None:
    project = pyproject["project"]
    asked = wanted(recipe["requirements"]["run"])
    assert asked.pop("python") == project["requires-python"]
    assert asked == wanted(project["dependencies"])


def test_what_it_is_built_with_agrees(recipe: dict[str, Any], pyproject: dict[str, Any]) -> None:
    host = [line for line in recipe["requirements"]["host"] if line.split()[0] not in {"python", "pip"}]
    hook = pyproject["tool"]["hatch"]["build"]["hooks"]["jupyter-builder"]
    # What the page is built with is left out: the archive has the page.
    plugins = [line for line in hook["dependencies"] if line.startswith("hatch-")]
    assert wanted(host) == wanted([*pyproject["build-system"]["requires"], *plugins])
    assert f"python {recipe['context']['python_min']}.*" in recipe["requirements"]["host"]


def test_what_may_be_there_already_agrees_with_the_extras(recipe: dict[str, Any], pyproject: dict[str, Any]) -> None:
    extras = pyproject["project"]["optional-dependencies"]
    assert wanted(recipe["requirements"]["run_constraints"]) == wanted(extras["lab"] + extras["tensorflow"])


def test_commands_agree(recipe: dict[str, Any], pyproject: dict[str, Any]) -> None:
    commands = pyproject["project"].get("scripts", {})
    listed = recipe["build"].get("python", {}).get("entry_points", [])
    assert listed == [f"{name} = {where}" for name, where in commands.items()]


def test_it_builds_from_what_make_dist_makes(recipe: dict[str, Any]) -> None:
    assert recipe["source"] == [{"path": f"../dist/tfmagic-{tfmagic.__version__}.tar.gz"}]
