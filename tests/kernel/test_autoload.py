"""``tfmagic autoload on``: in a kernel that begins, tfmagic is there before the first cell."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from forking import kernels

from kernel.harness import Kernel
from tfmagic.__main__ import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Starting = Callable[..., Kernel]

pytestmark = pytest.mark.kernel

CHECKOUT = Path(__file__).resolve().parents[2]
TENSORFLOW_FIRST = "import tensorflow as tf\nkept = tf.ones([4000, 4000])"
IN_FORCE = "__import__('tfmagic').snapshot()['policy']['in_force']"
RSS = "__import__('psutil').Process().memory_info().rss"
MAGICS = "[name for name in get_ipython().magics_manager.magics['line'] if name.startswith('tf_')]"


@pytest.fixture
def startup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The startup folder of the profile that kernels of this folder have."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / ".ipython"))
    folder = tmp_path / ".ipython" / "profile_default" / "startup"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def starting(tmp_path: Path) -> Iterator[Starting]:
    started: list[Kernel] = []

    def start(*, by_itself: bool = False) -> Kernel:
        started.append(Kernel(tmp_path, by_itself=by_itself))
        return started[-1]

    yield start
    for kernel in started:
        kernel.stop()


@pytest.mark.slow
@pytest.mark.usefixtures("startup")
def test_tensorflow_in_the_first_cell_is_not_before_tfmagic(starting: Starting) -> None:
    main(["autoload", "on"])
    kernel = starting(by_itself=True)
    first = kernel.ok(f"started = 'tensorflow' in __import__('sys').modules\n{TENSORFLOW_FIRST}\nbefore = {RSS}")
    assert (first.stdout, first.results) == ("", [])
    assert kernel.value("started") == "False"
    assert kernel.value(IN_FORCE) == "'return'"
    kernel.ok("%config TfMagic.trim_threshold = '1MB'\ndel kept")
    assert int(kernel.value(f"before - {RSS}")) > 55e6
    assert kernel.ok("%tf_model").text.startswith("no models yet")


@pytest.mark.usefixtures("startup")
def test_a_notebook_that_loads_it_too_prints_nothing_and_has_no_name_of_it(starting: Starting) -> None:
    main(["autoload", "on"])
    kernel = starting()
    assert kernel.value("[name for name in dir() if 'tfmagic' in name.lower()]") == "[]"
    assert kernel.ok("%who").stdout == "Interactive namespace is empty.\n"
    loaded = kernel.ok("%load_ext tfmagic")
    assert (loaded.stdout, loaded.stderr) == ("", "")
    assert kernel.value(f"len({MAGICS})") == "4"


@pytest.mark.usefixtures("startup")
def test_off_is_as_before_and_a_late_load_names_the_command(starting: Starting) -> None:
    main(["autoload", "on"])
    main(["autoload", "off"])
    kernel = starting()
    assert kernel.value(MAGICS) == "[]"
    kernel.ok(TENSORFLOW_FIRST)
    late = kernel.ok("%load_ext tfmagic").stdout
    assert late.count("\n") == 1
    assert "tfmagic autoload on" in late
    assert kernel.value(IN_FORCE) == "'partly'"


def test_without_tfmagic_the_kernel_and_the_person_s_own_files_start_as_ever(starting: Starting, startup: Path) -> None:
    main(["autoload", "on"])
    # As where it was uninstalled: no import finds it.
    (startup / "+.py").write_text("__import__('sys').modules['tfmagic'] = None")
    (startup / "50-mine.py").write_text("mine = 1")
    kernel = starting()
    assert kernel.value("mine") == "1"
    assert kernel.value(MAGICS) == "[]"


def test_a_tfmagic_that_is_broken_stops_nothing_either(starting: Starting, startup: Path) -> None:
    main(["autoload", "on"])
    (startup / "+.py").write_text("__import__('sys').modules['tfmagic.magics.shell.loading'] = None")
    (startup / "50-mine.py").write_text("mine = 1")
    kernel = starting()
    assert kernel.value("mine") == "1"
    assert kernel.value("[name for name in dir() if 'tfmagic' in name.lower()]") == "[]"


@pytest.mark.usefixtures("startup")
def test_settings_of_the_person_s_configuration_hold(starting: Starting, tmp_path: Path) -> None:
    config = tmp_path / ".ipython" / "profile_default" / "ipython_config.py"
    config.write_text("c.TfMagic.memory_policy = 'pool'\nc.InteractiveShellApp.extensions = ['autoreload']")
    main(["autoload", "on"])
    kernel = starting()
    assert kernel.value(IN_FORCE) == "'pool'"
    assert "autoreload" in kernel.value("get_ipython().extension_manager.loaded")


@pytest.mark.slow
@pytest.mark.usefixtures("startup")
def test_papermill_s_kernels_have_it_too(tmp_path: Path) -> None:
    main(["autoload", "on"])
    new: Any = nbformat.v4
    cells = [new.new_code_cell(cell) for cell in (TENSORFLOW_FIRST, IN_FORCE)]
    notebook = new.new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "python3"}})
    given, run = tmp_path / "given.ipynb", tmp_path / "run.ipynb"
    nbformat.write(notebook, given)  # type: ignore[no-untyped-call]
    environment = kernels.environment(tmp_path / "kernels")
    environment["PYTHONPATH"] += f"{os.pathsep}{CHECKOUT}"
    command: list[str | Path] = [sys.executable, "-m", "papermill", given, run]
    subprocess.run(command, check=True, capture_output=True, env=environment)  # noqa: S603 - ours
    first, last = nbformat.read(run, 4).cells  # type: ignore[no-untyped-call]
    assert first.outputs == []
    assert last.outputs[0]["data"]["text/plain"] == "'return'"
