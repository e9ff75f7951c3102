"""What is wrong with TensorFlow is found, whatever becomes of the process that imports it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from environments import NO_TENSORFLOW, Environment, named, the

from tfmagic.checkup import machine, trial
from tfmagic.checkup.page import Checkup
from tfmagic.checkup.report import report
from tfmagic.checkup.troubles.tensorflow import troubles

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


@pytest.fixture
def bare(tmp_path: Path) -> Environment:
    """An environment with everything but a TensorFlow."""
    return Environment(tmp_path, *NO_TENSORFLOW)


def test_none_is_installed(bare: Environment) -> None:
    found = bare.report()
    one = the("tensorflow-missing", found)
    assert str(bare.python) in one["what"]
    assert one["remedy"] == [f"{bare.python} -m pip install 'tfmagic[{extra}]'" for extra in ("cpu", "gpu")]
    assert found["trial"]["origin"] is None
    assert found["failed"] == []


def test_an_old_one(bare: Environment) -> None:
    bare.package("tensorflow", "__version__ = '2.15.1'")
    one = the("tensorflow-too-old", bare.report())
    assert "This TensorFlow is 2.15.1, and tfmagic needs 2.16 or newer" in one["what"]
    assert one["remedy"][0].endswith("install --upgrade 'tensorflow>=2.16'")


def test_two_that_have_the_same_files(bare: Environment) -> None:
    for name in ("tensorflow", "tensorflow_cpu"):
        bare.installed(name, "2.21.0", "tensorflow/__init__.py")
    one = the("tensorflow-twice", bare.report())
    assert "tensorflow and tensorflow-cpu are installed side by side" in one["what"]
    assert one["remedy"][0].endswith("-m pip uninstall -y tensorflow tensorflow-cpu")


def test_one_that_only_asks_for_another_is_no_second_one(bare: Environment) -> None:
    bare.installed("tensorflow", "2.21.0")
    bare.installed("tensorflow_intel", "2.21.0", "tensorflow/__init__.py")
    found = bare.report()
    assert named(found) == []
    assert [one["brings_files"] for one in found["versions"]["tensorflow"]].count(True) == 1


@pytest.mark.parametrize("name", ["tensorflow.py", "tensorflow/__init__.py", "tensorflow/notes.txt"])
def test_a_file_of_that_name_comes_first(bare: Environment, name: str) -> None:
    mine = bare.work / name
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("")
    one = the("tensorflow-shadowed", bare.report())
    top = bare.work / name.partition("/")[0]
    assert str(top) in one["what"]
    assert one["remedy"] == [f"mv {top} {top.with_stem('my_tensorflow')}"]


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        ("numpy.core.multiarray failed to import", "install --upgrade --force-reinstall numpy"),
        ("Descriptors cannot be created directly.", "install --upgrade --force-reinstall protobuf"),
        ("libstdc++.so.6: version `GLIBCXX_3.4.32' not found", "install 'tensorflow-cpu==2.16.*'"),
        ("No module named 'absl'", "install --force-reinstall 'tfmagic[cpu]'"),
    ],
)
def test_an_import_that_fails_is_said_with_its_last_line(bare: Environment, error: str, cause: str) -> None:
    bare.package("tensorflow", f"print('so far')\nraise ImportError({'first line' + chr(10) + error!r})")
    found = bare.report()
    one = the("tensorflow-import-fails", found)
    assert f"TensorFlow is installed and cannot be imported: {error}. Likely: " in one["what"]
    assert one["remedy"][0].endswith(cause)
    assert found["trial"]["stderr"][-1] == error


@pytest.mark.parametrize(
    ("number", "name"),
    [("SIGILL", "illegal-instruction"), ("SIGKILL", "killed"), ("SIGSEGV", "tensorflow-crashes")],
)
def test_an_import_that_ends_the_process(bare: Environment, number: str, name: str) -> None:
    bare.package("tensorflow", f"import os, signal\nos.kill(os.getpid(), signal.{number})")
    found = bare.report()
    the(name, found)
    assert found["trial"]["exit_signal"] == number
    # Python says where it was, if it is let.
    assert (number == "SIGKILL") == (found["trial"]["stderr"] == [])


def test_an_import_that_hangs_ends_with_all_that_it_started(bare: Environment) -> None:
    started = bare.work / "started"
    bare.package(
        "tensorflow",
        f"import subprocess, time\nopen({str(started)!r}, 'w').write(str(subprocess.Popen(['sleep', '100']).pid))\n"
        "time.sleep(100)",
    )
    assert "after 3 s" in the("tensorflow-hangs", bare.report("--timeout", "3"))["what"]
    import psutil

    pid = int(started.read_text())
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_processor_without_avx(bare: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cpu_info = tmp_path / "cpuinfo"
    cpu_info.write_text("model name\t: Atom\nflags\t\t: fpu sse4_2\n")
    monkeypatch.setattr(machine, "_CPU_INFO", cpu_info)
    monkeypatch.setattr(machine, "is_x86", lambda: True)
    found = machine.machine_record()
    assert (found["processor"], found["avx"]) == ("Atom", False)
    bare.package("tensorflow", "import os, signal\nos.kill(os.getpid(), signal.SIGILL)")
    made = bare.report()
    made["machine"]["avx"] = found["avx"]
    (one,) = troubles(made)  # type: ignore[arg-type]  # what was JSON is the record
    assert "This processor has no AVX" in one["what"]


def test_versions_that_do_not_fit_are_named(bare: Environment) -> None:
    bare.installed("numpy", "1.20.0")
    one = the("versions-do-not-fit", bare.report())
    assert "asks for numpy>=1.26, and 1.20.0 is installed" in one["what"]
    assert "'numpy>=1.26'" in one["remedy"][0]


def test_keras_on_something_else(bare: Environment) -> None:
    one = the("keras-backend", bare.report(KERAS_BACKEND="jax"))
    assert "KERAS_BACKEND has Keras run on jax" in one["what"]


def test_the_keras_of_before(bare: Environment) -> None:
    one = the("keras-legacy", bare.report(TF_USE_LEGACY_KERAS="1"))
    assert "TF_USE_LEGACY_KERAS=1 makes tf.keras the old tf_keras" in one["what"]
    assert one["remedy"] == ["unset TF_USE_LEGACY_KERAS"]


def test_keras_on_something_else_by_its_own_settings(tmp_path: Path) -> None:
    whole = Environment(tmp_path)
    (whole.home / ".keras").mkdir()
    (whole.home / ".keras" / "keras.json").write_text(json.dumps({"backend": "numpy"}))
    one = the("keras-backend", whole.report())
    assert '"backend" in ~/.keras/keras.json has Keras run on numpy' in one["what"]


def test_where_nothing_can_be_imported_the_rest_is_still_said(bare: Environment) -> None:
    broken = bare.work / "psutil"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise ImportError('psutil is broken here')")
    found = bare.report()
    assert "machine" in [one["section"] for one in found["failed"]]
    assert [one["error"] for one in found["failed"]] == ["ImportError: psutil is broken here"] * len(found["failed"])
    assert found["versions"]["packages"]["ipython"] is not None
    page = bare.run()
    assert page.returncode == 1
    assert "could not be made: ImportError: psutil is broken here" in page.stdout


def test_where_tfmagic_itself_cannot_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "_CODE", "import sys, nothing_such")
    record = trial.trial_record(60)
    assert (record["failed_step"], record["error"]) == (
        trial.START,
        "ModuleNotFoundError: No module named 'nothing_such'",
    )
    sections = dict.fromkeys(("versions", "requirements", "machine")) | {"trial": record}
    (one,) = troubles(sections)  # type: ignore[arg-type]  # of a report only what is looked at
    assert one["name"] == "python-broken"
    assert "No module named 'nothing_such'" in one["what"]


def test_a_section_that_fails_is_said_and_the_others_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        msg = "no such luck\nand more"
        raise OSError(msg)

    monkeypatch.setattr("tfmagic.checkup.trial.trial_record", fails)
    monkeypatch.setattr("tfmagic.checkup.kernels.kernel_specs", fails)
    made = report()
    assert made["failed"] == [{"section": name, "error": "OSError: no such luck"} for name in ("trial", "kernels")]
    assert made["versions"] is not None
    assert "The section kernels could not be made: OSError: no such luck" in Checkup(made).text()


@pytest.mark.parametrize("version", ["2.16.1", "2.17.1", "2.18.0"])
def test_one_whose_lite_can_end_the_kernel(bare: Environment, version: str) -> None:
    bare.package("tensorflow", f"__version__ = {version!r}")
    # An empty module in TensorFlow's place has other troubles as well.
    one = next(one for one in bare.report()["troubles"] if one["name"] == "lite-not-sound")
    assert f"TensorFlow {version} has an interpreter for small networks" in one["what"]
    assert one["remedy"] == [f"{bare.python} -m pip install ai-edge-litert"]
    bare.installed("ai_edge_litert", "2.3.0")
    assert "lite-not-sound" not in named(bare.report())


@pytest.mark.parametrize("version", ["2.19.1", "2.21.0", "2.30.0"])
def test_one_whose_lite_does_no_harm_is_no_trouble(bare: Environment, version: str) -> None:
    bare.package("tensorflow", f"__version__ = {version!r}")
    assert "lite-not-sound" not in named(bare.report())


@pytest.mark.parametrize("version", ["3.0.5", "3.11.3"])
def test_a_keras_with_faults_that_change_answers(bare: Environment, version: str) -> None:
    bare.installed("keras", version)
    one = the("keras-old", bare.report())
    assert one["what"].startswith(f"Keras {version} has faults that change answers")
    assert one["remedy"] == [f"{bare.python} -m pip install --upgrade 'keras>=3.12'"]
