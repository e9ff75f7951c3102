"""What is wrong with JupyterLab, its server and its kernels is found."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from environments import NO_TENSORFLOW, WIDGETS, Environment, named, the

import tfmagic

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


@pytest.fixture
def here(tmp_path: Path) -> Environment:
    """An environment in which nothing is wrong but that there is no TensorFlow."""
    return Environment(tmp_path, *NO_TENSORFLOW)


@pytest.fixture
def other(tmp_path: Path) -> Environment:
    """Another one, to which tfmagic's folder is no package."""
    folder = tmp_path / "other"
    folder.mkdir()
    return Environment(folder, *NO_TENSORFLOW, "tfmagic-*")


def disable(environment: Environment, name: str) -> None:
    file = environment.folder / "etc" / "jupyter" / "labconfig" / "page_config.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"disabledExtensions": {name: True}}))


def test_nothing_is_wrong_where_all_is_there(here: Environment) -> None:
    found = here.report()
    assert named(found) == []
    assert found["jupyter"]["lab_extension"]["version"] == tfmagic.__version__
    assert found["jupyter"]["lab_extension"]["disabled"] == []
    assert found["jupyter"]["server_extension"] is True
    assert [(one["name"], one["is_this_python"]) for one in found["kernels"]] == [("python3", True)]


def test_jupyterlab_does_not_find_the_extension(here: Environment) -> None:
    here.remove(here.extensions / "@tfmagic" / "lab")
    one = the("lab-extension-missing", here.report())
    assert str(here.extensions) in one["what"]


@pytest.mark.parametrize("what", ["@tfmagic/lab", "@tfmagic/lab:plugin"])
def test_the_extension_or_a_part_of_it_is_disabled(here: Environment, what: str) -> None:
    disable(here, what)
    one = the("lab-extension-disabled", here.report())
    assert one["remedy"] == [f"{here.python} -m jupyterlab.labextensions enable {what}"]


def test_the_extension_is_of_another_version(here: Environment) -> None:
    here.changed_extension("@tfmagic/lab", version="0.0.9")
    assert "JupyterLab has tfmagic 0.0.9" in the("lab-extension-version", here.report())["what"]


def test_the_server_is_not_told_to_load_its_part(here: Environment) -> None:
    here.remove(here.server)
    assert "is not told to load tfmagic" in the("server-extension-off", here.report())["what"]


@pytest.mark.parametrize("whose", ["environment", "person"])
def test_the_server_is_told_not_to_and_the_remedy_tells_it_to(here: Environment, whose: str) -> None:
    # Where the command's own `disable` writes it.
    here.remove(here.server)
    top = here.server.parents[1] if whose == "environment" else here.home / ".jupyter"
    file = top / "jupyter_server_config.d" / "tfmagic.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"ServerApp": {"jpserver_extensions": {"tfmagic": False}}}))
    one = the("server-extension-off", here.report())
    assert "is told not to load" in one["what"]
    (line,) = one["remedy"]
    assert named(here.report(before=f"{line} >/dev/null 2>&1; ")) == []


@pytest.mark.parametrize("missing", ["anywidget", "ipywidgets"])
def test_what_the_panel_needs_is_missing(tmp_path: Path, missing: str) -> None:
    here = Environment(tmp_path, *NO_TENSORFLOW, missing, f"{missing}-*")
    found = here.report()
    # anywidget asks for ipywidgets.
    assert named(found) == [*(["versions-do-not-fit"] if missing == "ipywidgets" else []), "widgets-missing"]
    assert f"{missing} is not installed" in found["troubles"][-1]["what"]


def test_nothing_draws_widgets(here: Environment) -> None:
    here.remove(here.extensions / WIDGETS)
    assert WIDGETS in the("widget-manager", here.report())["what"]


def test_what_draws_widgets_is_disabled(here: Environment) -> None:
    disable(here, WIDGETS)
    assert "disable" in the("widget-manager", here.report())["what"]


def test_what_draws_widgets_is_of_another_generation(here: Environment) -> None:
    here.changed_extension(WIDGETS, version="3.1.0")
    assert "needs version 5" in the("widget-manager", here.report())["what"]


def test_notebooks_take_the_kernel_of_another_python(here: Environment, other: Environment) -> None:
    here.kernel("python3", other.python)
    found = here.report()
    one = the("kernel-elsewhere", found)
    assert one["remedy"][0] == f"{other.python} -m pip install 'tfmagic[lab]'"
    assert found["kernels"][0]["tfmagic"] is None


def test_a_further_kernel_without_tfmagic_is_listed_and_no_trouble(here: Environment, other: Environment) -> None:
    here.kernel("another", other.python)
    found = here.report()
    assert named(found) == []
    assert [(one["name"], one["is_this_python"]) for one in found["kernels"]] == [("another", False), ("python3", True)]


def test_a_kernel_has_another_tfmagic(here: Environment, other: Environment) -> None:
    other.installed("tfmagic", "0.0.1")
    here.kernel("another", other.python)
    assert "has tfmagic 0.0.1" in the("kernel-version", here.report())["what"]


def test_a_kernel_s_python_is_gone(here: Environment, other: Environment) -> None:
    here.kernel("another", other.python)
    shutil.rmtree(other.folder)
    one = the("kernel-gone", here.report())
    assert str(other.python) in one["what"]
    assert one["remedy"] == ["jupyter kernelspec remove another"]


def test_a_kernel_that_no_python_starts_is_no_trouble(here: Environment) -> None:
    here.kernel("another", "/bin/false")
    found = here.report()
    assert named(found) == []
    assert "non-zero exit status" in found["kernels"][0]["error"]


def test_what_runs_is_not_what_is_installed(here: Environment) -> None:
    here.installed("tfmagic", "0.0.1")
    assert "and 0.0.1 is what is installed" in the("tfmagic-twice", here.report())["what"]


def test_no_kernel_of_this_python(tmp_path: Path) -> None:
    here = Environment(tmp_path, *NO_TENSORFLOW, "ipykernel", "ipykernel-*", "ipykernel_launcher.py")
    here.remove(here.folder / "share" / "jupyter" / "kernels")
    assert "no-kernel" in named(here.report())


def test_a_script_s_environment_without_jupyter_is_healthy(tmp_path: Path) -> None:
    left_out = ("jupyterlab*", "jupyter_*", "notebook*", "ipykernel*", "ipywidgets*", "anywidget*", "nb*")
    found = Environment(tmp_path, *NO_TENSORFLOW, *left_out).report()
    assert named(found) == []
    assert found["failed"] == []
    assert found["kernels"] is None
