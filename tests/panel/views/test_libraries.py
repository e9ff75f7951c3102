"""The views of the libraries draw their records, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.panel.views.libraries import GpuPage, LibrariesPage, OpLibraryLoaded

if TYPE_CHECKING:
    from tfmagic.runtime.custom_ops.libraries import OpLibraryRecord
    from tfmagic.runtime.custom_ops.libraries_report import LibrariesRecord, LibraryRecord

EVIL = "<img src=x onerror=alert(1)>"


def library(name: str, size: int | None, *, of_tensorflow: bool = False) -> LibraryRecord:
    return {
        "name": name,
        "version": "1.2",
        "path": f"/lib/{name}",
        "package": "numpy",
        "package_version": "2.4",
        "size_bytes": size,
        "resident_bytes": None,
        "occasion": "model digits",
        "at_s": 0.0,
        "since_load": True,
        "of_tensorflow": of_tensorflow,
        "threads": "blas, 2 threads",
    }


def record() -> LibrariesRecord:
    return {
        "call": "dl_iterate_phdr",
        "counters": {"loads": 12, "unloads": 3},
        "counters_at_load": {"loads": 7, "unloads": 0},
        "loaded_at_s": 0.0,
        "since_load": ["/lib/a.so"],
        "gone_since_load": [],
        "libraries": [library("small.so", 10), library("large.so", 2_000_000), library("tf.so", 5, of_tensorflow=True)],
        "resident_at_s": None,
        "resident_age_s": None,
        "occasions": [
            {
                "occasion": "model digits",
                "began_s": 0.0,
                "ended_s": 0.0,
                "before": {"loads": 12, "unloads": 3},
                "after": {"loads": 12, "unloads": 3},
                "brought": [],
                "since": [],
            }
        ],
        "duplicates": [{"kind": "same library", "name": "libz", "paths": ["/a", "/b"], "why": "libz is there twice"}],
        "settings": [
            {
                "name": "LD_LIBRARY_PATH",
                "value": "/new",
                "at_start": "/old",
                "decides": "folders",
                "libraries": ["/old/libq.so"],
            }
        ],
        "gpu": {
            "answer": "no driver is here",
            "reasons": ["no driver is here", "libcudnn.so.9 not found"],
            "advice": ["pip install it", "pip install that"],
            "built_with_cuda": True,
            "cuda_version": "12.5",
            "cudnn_version": None,
            "needs": [
                {"name": "libcudart.so.12", "version": "12.5", "found": "/cuda/libcudart.so.12", "loaded": True},
                {"name": "libcudnn.so.9", "version": "9", "found": None, "loaded": False},
            ],
            "searched": ["/cuda"],
            "absent_folders": 4,
            "driver": None,
            "device_files": [],
            "in_use": None,
        },
        "op_libraries": [ops()],
    }


def ops() -> OpLibraryRecord:
    return {
        "path": "/ops/twice.so",
        "at_s": 0.0,
        "through": "tfmagic",
        "ops": [{"name": "Twice", "inputs": ["x: float32", "n: T"], "outputs": ["y: float32"], "devices": ["CPU"]}],
        "kernels_for": ["MatMul"],
    }


def test_every_figure_is_drawn() -> None:
    text = LibrariesPage(record()).text()
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "loaded 3, 2 MB on disk, unknown resident" in lines
    assert "brought by TensorFlow 1, 5 B on disk, unknown resident" in lines
    assert "since tfmagic was loaded 1 came, 0 went" in lines
    assert "loads, unloads of the process 12, 3" in lines
    assert "when tfmagic was loaded 7, 0" in lines
    assert "resident sizes not known on this platform" in lines
    assert "libz libz is there twice /a /b" in lines
    assert "LD_LIBRARY_PATH /new (changed too late: the loader has read '/old') folders /old/libq.so" in lines
    assert "answer no driver is here" in lines
    assert "also libcudnn.so.9 not found" in lines
    assert "to type pip install it pip install that" in lines
    assert "libcudart.so.12 /cuda/libcudart.so.12, loaded" in lines
    assert "libcudnn.so.9 not found" in lines
    assert "built for CUDA 12.5, cuDNN unknown" in lines
    assert "/ops/twice.so tfmagic Twice(x: float32, n: T) -> (y: float32) on CPU" in lines


def test_tensorflow_s_own_come_first_then_the_largest() -> None:
    text = LibrariesPage(record()).text()
    files = [
        line.split()[0] for line in text.splitlines() if line.partition(" ")[0] in {"tf.so", "large.so", "small.so"}
    ]
    assert files == ["tf.so", "large.so", "small.so"]


def test_figures_that_are_not_known_are_no_zeros() -> None:
    unknown = record()
    unknown["counters"] = unknown["counters_at_load"] = None
    unknown["libraries"] = [library("one.so", None)]
    text = LibrariesPage(unknown).text()
    assert "not counted by this platform" in text
    assert "1, unknown on disk, unknown resident" in text


def test_text_from_files_and_the_environment_is_text() -> None:
    evil = record()
    evil["libraries"][0]["path"] = evil["libraries"][0]["name"] = EVIL
    evil["settings"][0]["value"] = EVIL
    evil["duplicates"][0]["why"] = EVIL
    evil["gpu"]["answer"] = EVIL
    evil["op_libraries"][0]["path"] = EVIL
    html = LibrariesPage(evil).html()
    assert "<img" not in html
    assert html.count("&lt;img src=x onerror=alert(1)&gt;") == 6


def test_the_gpu_s_answer_comes_first_then_the_reasons_then_what_to_type() -> None:
    gpu = record()["gpu"]
    lines = GpuPage(gpu).text().splitlines()
    assert lines[:6] == [
        "no driver is here",
        "also: libcudnn.so.9 not found",
        "on a machine with a GPU, type in a terminal, then restart the kernel:",
        "  pip install it",
        "  pip install that",
        "GPU",
    ]
    gpu["device_files"], gpu["answer"] = ["/dev/nvidia0"], EVIL
    assert GpuPage(gpu).text().splitlines()[2] == "type in a terminal, then restart the kernel:"
    assert GpuPage(gpu).html().startswith("<p>&lt;img src=x onerror=alert(1)&gt;</p>")
    gpu["advice"], gpu["reasons"] = [], []
    assert GpuPage(gpu).text().splitlines()[1] == "GPU"


def test_files_are_folded_in_a_notebook() -> None:
    html = LibrariesPage(record()).html()
    assert "<details><summary>3 libraries, file by file</summary><table>" in html
    assert html.index("<details>") > html.index("no driver is here")


def test_loaded_library_shows_its_operations() -> None:
    first = OpLibraryLoaded(ops(), None, is_new=True).text()
    assert first.splitlines() == [
        "/ops/twice.so is loaded: 1 operation",
        "  Twice(x: float32, n: T) -> (y: float32) on CPU",
        "  kernels for MatMul",
    ]
    assert "was loaded already, at" in OpLibraryLoaded(ops(), None, is_new=False).text()
    theirs = ops()
    theirs["through"], theirs["ops"], theirs["kernels_for"] = "tf.load_op_library", [], []
    text = OpLibraryLoaded(theirs, None, is_new=False).text()
    assert "was loaded already by tf.load_op_library, at" in text
    assert text.endswith(": no operations")
