"""What is wrong with the machine and the environment's variables is found."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from cgroup import control_group
from environments import NO_TENSORFLOW, Environment, the

from tfmagic.checkup.machine import machine_record
from tfmagic.checkup.troubles import machine as machine_troubles
from tfmagic.runtime.libraries import gpu

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

CUDA = "build_info = dict([('cuda_version', '12.5.1'), ('cudnn_version', '9'), ('is_cuda_build', True)])"


@pytest.fixture
def here(tmp_path: Path) -> Environment:
    """An environment in which nothing is wrong but that there is no TensorFlow."""
    return Environment(tmp_path, *NO_TENSORFLOW)


@pytest.fixture
def small_group() -> Iterator[Path]:
    with control_group(700_000_000) as group:
        yield group


def found_in(**sections: Any) -> list[dict[str, Any]]:
    """Return the troubles of a report of which only these sections could be made."""
    sections = dict.fromkeys(("machine", "gpu", "trial")) | sections
    return [dict(one) for one in machine_troubles.troubles(sections)]  # type: ignore[arg-type]


def test_the_container_s_limit_is_too_low(here: Environment, small_group: Path) -> None:
    found = here.report(before=f"echo $$ > {small_group}/cgroup.procs; ")
    assert "The container may use 700 MB" in the("memory-limit", found)["what"]
    assert found["machine"]["limit_used_bytes"] > 0


@pytest.mark.parametrize(
    ("limit_bytes", "available_bytes", "names"),
    [
        (None, 1_000_000_000, []),
        (None, 999_000_000, ["memory-short"]),
        (4_000_000_000, 999_000_000, ["memory-short"]),
        (1_000_000_000, 8_000_000_000, []),
        (999_000_000, 8_000_000_000, ["memory-limit"]),
    ],
)
def test_memory_is_short(limit_bytes: int | None, available_bytes: int, names: list[str]) -> None:
    given = {"limit_bytes": limit_bytes, "available_bytes": available_bytes}
    found = found_in(machine=machine_record() | given)
    assert [one["name"] for one in found if one["name"].startswith("memory-")] == names
    said = "999 MB can be had" if limit_bytes is None else "999 MB"
    assert all(said in one["what"] for one in found if one["name"] in names)


def test_nothing_can_be_written_where_models_are_parked(here: Environment) -> None:
    file = here.home / "cache"
    file.write_text("")
    one = the("park-directory", here.report(XDG_CACHE_HOME=str(file)))
    assert f"Nothing can be written to {file}/tfmagic" in one["what"]


def test_there_is_no_room_where_models_are_parked(monkeypatch: pytest.MonkeyPatch) -> None:
    record = machine_record()
    free = record["park"]["free_bytes"]
    assert free is not None
    monkeypatch.setattr(machine_troubles, "DISK_BYTES", free + 1)
    (one,) = found_in(machine=record)
    assert one["name"] == "park-directory"


@pytest.mark.parametrize(("value", "expected"), [("0", ["memory-policy"]), ("1", []), ("true", [])])
def test_a_variable_that_keeps_memory_with_the_process(here: Environment, value: str, expected: list[str]) -> None:
    found = here.report(TF_ONEDNN_USE_SYSTEM_ALLOCATOR=value, TF_GPU_ALLOCATOR="default")
    assert [one["name"] for one in found["troubles"]] == ["tensorflow-missing", *expected]
    assert found["machine"]["variables"]["TF_ONEDNN_USE_SYSTEM_ALLOCATOR"] == value


def test_a_library_that_a_variable_brings_in_a_second_time(tmp_path: Path) -> None:
    whole = Environment(tmp_path)
    (own,) = Path(psutil.__file__).parent.glob("_psutil_*.so")
    copy = shutil.copy(own, tmp_path)
    found = whole.report(before=f"export LD_PRELOAD={copy}; ")
    one = the("library-twice", found)
    assert one["remedy"] == ["unset LD_PRELOAD"]
    assert copy in one["what"]
    assert str(own) in one["what"]


@pytest.fixture
def cuda(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A TensorFlow for CUDA and a GPU, on a machine of nothing else."""
    folder = tmp_path / "tensorflow"
    (folder / "python" / "platform").mkdir(parents=True)
    (folder / "python" / "platform" / "build_info.py").write_text(CUDA)
    package = tmp_path / "tensorflow_cpu-2.20.1.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Name: tensorflow-cpu\nVersion: 2.20.1\n")
    (package / "RECORD").write_text("tensorflow/__init__.py,,\n")
    (tmp_path / "libcuda.so.1").touch()
    monkeypatch.setattr(gpu, "tensorflow_folder", lambda: folder)
    monkeypatch.setattr(gpu, "search_path", lambda: [str(tmp_path)])
    monkeypatch.setattr(gpu, "loader_cache", dict)
    monkeypatch.setattr(gpu, "_SYSTEM", ())
    monkeypatch.setattr(gpu, "gpu_files", lambda: ["/dev/nvidia0"])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return folder


@pytest.mark.usefixtures("cuda")
def test_a_gpu_is_here_and_its_libraries_are_not() -> None:
    (one,) = found_in(gpu=gpu.gpu_record((), []))
    assert one["name"] == "gpu-not-used"
    assert "libcudart.so.12, libcublas.so.12" in one["what"]
    assert one["remedy"][-1].endswith("install 'tensorflow[and-cuda]==2.20.1'")


@pytest.mark.usefixtures("cuda")
def test_a_gpu_that_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    (one,) = found_in(gpu=gpu.gpu_record((), []))
    assert one["remedy"][-1] == "unset CUDA_VISIBLE_DEVICES"


def test_a_gpu_and_a_tensorflow_without(cuda: Path) -> None:
    (cuda / "python" / "platform" / "build_info.py").write_text(CUDA.replace("True", "False"))
    (one,) = found_in(gpu=gpu.gpu_record((), []))
    assert [line.partition(" -m ")[2] for line in one["remedy"]] == [
        "pip uninstall --yes tensorflow-cpu",
        "pip install 'tensorflow[and-cuda]==2.20.1'",
    ]


@pytest.mark.usefixtures("cuda")
def test_a_gpu_that_is_used_or_not_yet_looked_for_is_no_trouble() -> None:
    assert found_in(gpu=gpu.gpu_record((), ["GPU:0"])) == []
    assert found_in(gpu=gpu.gpu_record((), None)) == []
