"""Why a GPU is not used: every reason has its sentence, and nothing is loaded to find out."""

from __future__ import annotations

import platform
import shlex
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tensorflow as tf

from tfmagic.runtime.libraries import gpu
from tfmagic.runtime.libraries.elf import read_elf
from tfmagic.runtime.libraries.gpu import build_info, gpu_record, loader_cache, tensorflow_folder
from tfmagic.runtime.libraries.installation import installed_tensorflow
from tfmagic.runtime.libraries.shared_objects import shared_objects

if TYPE_CHECKING:
    from tfmagic.runtime.libraries.gpu import GpuRecord

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64", reason="there is no TensorFlow with CUDA for others"
)

CUDA = """
import collections
build_info = collections.OrderedDict([('cuda_version', '12.5.1'), ('cudnn_version', '9'), ('is_cuda_build', True)])
"""
PIP = f"{shlex.quote(sys.executable)} -m pip"
NEEDED = ["cudart.so.12", "cublas.so.12", "cublasLt.so.12", "cufft.so.11", "cusolver.so.11", "cusparse.so.12"]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A TensorFlow for CUDA on a machine of nothing else, whose files a test can add."""
    folder = tmp_path / "tensorflow"
    (folder / "python" / "platform").mkdir(parents=True)
    (folder / "python" / "platform" / "build_info.py").write_text(CUDA)
    (tmp_path / "lib").mkdir()
    monkeypatch.setattr(gpu, "tensorflow_folder", lambda: folder)
    monkeypatch.setattr(gpu, "search_path", lambda: [str(tmp_path / "lib"), str(tmp_path / "absent")])
    monkeypatch.setattr(gpu, "loader_cache", dict)
    monkeypatch.setattr(gpu, "_SYSTEM", ())
    monkeypatch.setattr(gpu, "gpu_files", list)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    package(tmp_path, "tensorflow")
    return tmp_path


def package(folder: Path, name: str, installer: str = "pip") -> None:
    """Have TensorFlow's files come with a package of that name."""
    for former in folder.glob("*.dist-info"):
        shutil.rmtree(former)
    own = folder / f"{name.replace('-', '_')}-2.20.1.dist-info"
    own.mkdir()
    (own / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.20.1\n")
    (own / "RECORD").write_text("tensorflow/__init__.py,,\n")
    (own / "INSTALLER").write_text(f"{installer}\n")
    # A name like TensorFlow's, and none of its files.
    (folder / "tensorflow_io-1.dist-info").mkdir()
    (folder / "tensorflow_io-1.dist-info" / "METADATA").write_text("Name: tensorflow-io\nVersion: 1\n")


def without_cuda(folder: Path) -> None:
    (folder / "tensorflow" / "python" / "platform" / "build_info.py").write_text(CUDA.replace("True", "False"))


def add(folder: Path, *names: str) -> None:
    for name in names:
        (folder / "lib" / f"lib{name}").touch()


def device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "gpu_files", lambda: ["/dev/nvidia0"])


def test_what_tensorflow_was_built_with_is_what_it_says_itself() -> None:
    folder = tensorflow_folder()
    assert folder == Path(tf.__file__).parent
    assert build_info(folder) == dict(tf.sysconfig.get_build_info())
    record = gpu_record()
    assert record["built_with_cuda"] == tf.test.is_built_with_cuda()
    assert record["cuda_version"] == tf.sysconfig.get_build_info().get("cuda_version")


def test_looking_loads_nothing() -> None:
    before = shared_objects().counters()
    gpu_record()
    assert shared_objects().counters() == before


@pytest.mark.skipif(not Path("/sbin/ldconfig").exists(), reason="there is no ldconfig to compare with")
def test_loader_s_cache_is_what_ldconfig_prints() -> None:
    lines = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout.splitlines()[1:]
    expected: dict[str, str] = {}
    for line in lines:
        if " => " in line:
            expected.setdefault(line.split()[0], line.rpartition(" => ")[2])
    assert loader_cache() == expected


def test_damaged_cache_is_empty(tmp_path: Path) -> None:
    file = tmp_path / "cache"
    assert loader_cache(file) == {}
    whole = Path("/etc/ld.so.cache").read_bytes() if Path("/etc/ld.so.cache").exists() else b"x" * 200
    for content in (b"", b"glibc-ld.so.cache1.1", whole[:100], whole[: len(whole) // 2]):
        file.write_bytes(content)
        assert loader_cache(file) == {}


def test_no_driver_and_no_gpu(installed: Path) -> None:
    record = gpu_record()
    assert record["answer"] == f"TensorFlow uses no GPU: {record['reasons'][0]}"
    assert record["reasons"][0] == "none is to be seen here (no device file /dev/nvidia*, and no driver libcuda.so.1)"
    assert record["reasons"][1].startswith("libcudart.so.12, libcublas.so.12, ")
    assert record["searched"] == [str(installed / "lib")]
    assert record["absent_folders"] == 1
    assert [one["name"] for one in record["needs"]] == [
        *(f"lib{name}" for name in NEEDED), "libcudnn.so.9", "libnccl.so.2",
    ]  # fmt: skip


def test_driver_without_a_gpu(installed: Path) -> None:
    add(installed, "cuda.so.1")
    assert gpu_record()["reasons"][0].startswith("the driver's library is here and no GPU: there is no /dev/nvidia0")


def test_libraries_that_are_missing_are_named(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device(monkeypatch)
    add(installed, "cuda.so.1", *NEEDED)
    record = gpu_record()
    assert record["reasons"] == [
        "libcudnn.so.9, libnccl.so.2 not found in the folders searched, nor in those of LD_LIBRARY_PATH"
    ]
    assert record["advice"] == [f"{PIP} install 'tensorflow[and-cuda]==2.20.1'"]
    assert [one["name"] for one in record["needs"] if one["found"] is None] == ["libcudnn.so.9", "libnccl.so.2"]
    assert record["needs"][0]["found"] == str(installed / "lib" / "libcudart.so.12")


def test_all_is_there(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device(monkeypatch)
    add(installed, "cuda.so.1", *NEEDED, "cudnn.so.9", "nccl.so.2")
    assert (gpu_record()["reasons"], gpu_record()["advice"]) == ([], [])
    assert gpu_record()["answer"].endswith("it uses the GPU when it is first used")
    assert gpu_record(in_use=[])["answer"].startswith("driver, GPU and every library are here, and TensorFlow has made")
    assert gpu_record(in_use=["GPU:0"])["answer"] == "TensorFlow uses GPU:0"


@pytest.mark.parametrize("value", ["", "-1"])
@pytest.mark.usefixtures("installed")
def test_gpus_that_are_hidden(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    device(monkeypatch)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert any(one.startswith(f"CUDA_VISIBLE_DEVICES={value!r} hides every GPU") for one in gpu_record()["reasons"])


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("tensorflow-cpu", ["uninstall --yes tensorflow-cpu", "install 'tensorflow[and-cuda]==2.20.1'"]),
        ("tf_nightly_cpu", ["uninstall --yes tf-nightly-cpu", "install 'tf-nightly[and-cuda]==2.20.1'"]),
        ("intel-tensorflow", ["uninstall --yes intel-tensorflow", "install 'tensorflow[and-cuda]==2.20.1'"]),
    ],
)
def test_the_package_without_cuda_goes_first(
    installed: Path, monkeypatch: pytest.MonkeyPatch, name: str, lines: list[str]
) -> None:
    without_cuda(installed)
    package(installed, name)
    device(monkeypatch)
    add(installed, "cuda.so.1")
    record = gpu_record()
    assert record["reasons"] == [f"this TensorFlow ({name.replace('_', '-')} 2.20.1) was built without CUDA"]
    assert record["advice"] == [f"{PIP} {line}" for line in lines]
    assert record["needs"] == []


def test_what_to_type_fits_what_has_installed_it(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_cuda(installed)
    package(installed, "tensorflow", "conda")
    assert gpu_record()["advice"] == ["conda install 'tensorflow=2.20.1=cuda*'"]
    package(installed, "tensorflow-cpu", "uv")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)  # such environments have no pip
    into = f"--python {shlex.quote(sys.executable)}"
    assert gpu_record()["advice"] == [
        f"uv pip uninstall {into} tensorflow-cpu",
        f"uv pip install {into} 'tensorflow[and-cuda]==2.20.1'",
    ]


def test_a_tensorflow_that_was_built_here_is_to_stay(installed: Path) -> None:
    for one in installed.glob("*.dist-info"):
        shutil.rmtree(one)
    record = gpu_record()
    assert record["advice"] == []
    without_cuda(installed)
    assert gpu_record()["reasons"][1] == "this TensorFlow was built without CUDA"
    assert gpu_record()["advice"] == []


def test_where_there_are_no_packages_with_cuda_none_is_named(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_cuda(installed)
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert gpu_record()["advice"] == []


def test_the_package_that_is_installed_here_is_found() -> None:
    found = installed_tensorflow(tensorflow_folder())
    assert found is not None
    assert found.version == metadata.version(found.name)


def test_folders_of_pip_s_own_libraries_are_searched(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path(tf.__file__).parent / "libtensorflow_cc.so.2"
    if not any("nvidia" in one for one in read_elf(str(real)).runpath):
        pytest.skip("this TensorFlow was built without CUDA, and looks in no folder of pip's")
    device(monkeypatch)
    # Only its header is read.
    (installed / "tensorflow" / "libtensorflow_cc.so.2").symlink_to(real)
    folder = installed / "nvidia" / "cusolver" / "lib"
    folder.mkdir(parents=True)
    (folder / "libcusolver.so.11").touch()
    found: GpuRecord = gpu_record()
    assert {one["name"]: one["found"] for one in found["needs"]}["libcusolver.so.11"] == str(
        folder / "libcusolver.so.11"
    )


def test_no_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "tensorflow_folder", lambda: None)
    record: Any = gpu_record()
    assert record["answer"] == "TensorFlow uses no GPU: no TensorFlow is installed here"
    assert record["advice"] == [f"{PIP} install 'tensorflow[and-cuda]'"]
    assert record["built_with_cuda"] is None


def test_damaged_build_info_is_no_error(installed: Path) -> None:
    info = installed / "tensorflow" / "python" / "platform" / "build_info.py"
    for content in ("", "build_info = (", "build_info = other()", "import x"):
        info.write_text(content)
        assert build_info(installed / "tensorflow") == {}
    shutil.rmtree(info.parent)
    assert build_info(installed / "tensorflow") == {}
