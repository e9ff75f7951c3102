"""``tfmagic doctor`` in a terminal and in a notebook."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from environments import NO_TENSORFLOW, Environment

import tfmagic
from tfmagic.__main__ import main
from tfmagic.checkup.page import Checkup
from tfmagic.checkup.report import SCHEMA, Report

if TYPE_CHECKING:
    from kernel.harness import Kernel

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return Environment(tmp_path_factory.mktemp("healthy")).report()


def test_a_healthy_environment_has_no_troubles_and_every_fact(healthy: Any) -> None:
    assert healthy["troubles"] == healthy["failed"] == []
    assert healthy["schema"] == SCHEMA
    assert healthy["versions"]["tfmagic"] == tfmagic.__version__
    for name in ("numpy", "keras", "ipykernel", "jupyterlab", "notebook", "anywidget"):
        assert healthy["versions"]["packages"][name] == metadata.version(name)
    trial = healthy["trial"]
    assert trial["version"] == metadata.version(healthy["versions"]["tensorflow"][0]["name"])
    assert trial["keras_backend"] == "tensorflow"
    assert trial["devices"][0] == "CPU:0"
    assert trial["import_s"] > 0
    assert trial["rss_bytes"] > 100_000_000
    assert trial["libraries"]["of_tensorflow"] > 50
    assert "TensorFlow's second copy" in [one["kind"] for one in trial["duplicates"]]
    assert healthy["schemas"] == {"snapshot": 1, "history": 1, "requests": 1}
    if sys.platform == "linux":
        assert trial["policy"]["in_force"] == "return"


def test_the_page_says_what_the_report_has(healthy: Report) -> None:
    page = Checkup(healthy).text()
    assert page.startswith("tfmagic doctor: nothing is wrong here that it knows of.\n\nWhat a bug report needs:\n")
    for label in ("Python", "TensorFlow", "packages", "devices", "memory policy", "Lab extension", "kernel", "schemas"):
        assert f"\n{label} " in page
    assert "unknown" not in page
    assert all(len(line) <= 120 or " " not in line.strip() for line in page.splitlines())


def test_the_folder_of_the_person_is_not_in_the_page(healthy: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    assert healthy["versions"] is not None
    monkeypatch.setenv("HOME", str(Path(healthy["versions"]["executable"]).parents[2]))
    page = Checkup(healthy).text()
    assert "~/environment/bin/python" in page
    assert os.environ["HOME"] not in page


def test_troubles_come_first_with_what_to_type_on_lines_of_their_own(tmp_path: Path) -> None:
    here = Environment(tmp_path, *NO_TENSORFLOW)
    done = here.run()
    assert done.returncode == 1
    assert done.stdout.startswith("tfmagic doctor: 1 trouble.\n\n1. No TensorFlow is installed for this Python\n   (")
    assert f"\n     {here.python} -m pip install 'tfmagic[cpu]'\n" in done.stdout
    assert done.stderr == ""


def test_a_terminal_without_its_characters_and_a_reader_that_goes_away(tmp_path: Path) -> None:
    here = Environment(tmp_path, *NO_TENSORFLOW)
    here.remove(here.extensions / "@jupyter-widgets/jupyterlab-manager")
    plain = here.run(PYTHONIOENCODING="ascii")
    assert (plain.returncode, plain.stderr) == (1, "")
    plain.stdout.encode("ascii")
    gone = here.run(before='set -- sh -c \'"$@" | true\' sh "$@"; ')
    assert gone.stderr == ""


def test_the_command_is_installed_and_named_as_it_is_typed() -> None:
    command = Path(sys.executable).parent / "tfmagic"
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert done.stdout.split() == ["tfmagic", tfmagic.__version__]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "required: COMMAND"),
        (["docter"], "invalid choice: 'docter'"),
        (["doctor", "--timeout", "0"], "a number of seconds above 0, got '0'"),
        (["doctor", "--timeout", "soon"], "invalid _seconds value: 'soon'"),
        (["doctor", "more"], "unrecognized arguments: more"),
    ],
)
def test_words_that_are_no_command(capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.kernel
def test_in_a_notebook_what_tfmagic_itself_has_set_is_not_held_against_it(tmp_path: Path) -> None:
    from kernel.harness import Kernel

    kernel: Kernel = Kernel(tmp_path, HOME=str(tmp_path))
    try:
        kernel.ok("%load_ext tfmagic\nimport os, json, tfmagic")
        assert kernel.value("os.environ['TF_ONEDNN_USE_SYSTEM_ALLOCATOR']") == "'1'"
        shown = kernel.ok("found = tfmagic.doctor()\nfound")
        assert "What a bug report needs:" in shown.text
        record = json.loads(kernel.ok("print(json.dumps(found.record))").stdout)
    finally:
        kernel.stop()
    assert record["failed"] == []
    assert "memory-policy" not in [one["name"] for one in record["troubles"]]
    assert "TF_ONEDNN_USE_SYSTEM_ALLOCATOR" not in record["machine"]["variables"]
    # The process in which it is tried has set it for itself.
    assert record["trial"]["policy"]["variables"]["TF_ONEDNN_USE_SYSTEM_ALLOCATOR"] == "1"
