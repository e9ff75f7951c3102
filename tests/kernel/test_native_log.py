"""TensorFlow's native lines in a real kernel: in the log, and out of the notebook unless they matter."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest

from kernel.harness import PATIENCE_S, Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.kernel

TALK = """
import os, subprocess, sys, time

def line(severity, text):
    return f"{severity}0000 00:00:1700000000.000000 {os.getpid()} file.cc:12] {text}\\n"

def write(*parts):
    for part in parts:
        os.write(2, part.encode())

def shown():
    # What ipykernel reads from its own pipe it shows with the cell that runs at that moment.
    from tfmagic.runtime.native_log.log import native_log
    native_log().drain(5)
    time.sleep(0.3)
"""

HUNGRY = """
%%tf_model hungry
import tensorflow as tf
v1 = tf.compat.v1
rows = v1.placeholder(tf.int32, [], name="rows")
space = tf.raw_ops.Empty(shape=tf.stack([rows, 1 << 20]), dtype=tf.float32)
y = tf.shape(space, name="y")
"""

READER = """
%%tf_model reader
import tensorflow as tf
v1 = tf.compat.v1
path = v1.placeholder(tf.string, [], name="path")
y = tf.io.read_file(path, name="y")
"""


@pytest.fixture(scope="module")
def talking_kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A kernel that does not silence TensorFlow."""
    kernel = Kernel(tmp_path_factory.mktemp("talking"), TF_CPP_MIN_LOG_LEVEL="0")
    kernel.ok("%load_ext tfmagic")
    yield kernel
    kernel.stop()


@pytest.fixture
def kernel(talking_kernel: Kernel) -> Kernel:
    talking_kernel.clean()
    talking_kernel.ok("%config TfMagic.native_log = 'capture'")
    talking_kernel.ok(TALK)
    talking_kernel.ok("%tf_runtime log --clear")
    return talking_kernel


def entries(kernel: Kernel, options: str = "") -> list[dict[str, object]]:
    said = kernel.ok(f"page = get_ipython().run_line_magic('tf_runtime', 'log {options}')\nimport json")
    assert said.stderr == ""
    found: list[dict[str, object]] = json.loads(kernel.ok("print(json.dumps(page.record['entries']))").stdout)
    return found


def test_banners_of_the_import_are_in_the_log_and_not_in_the_notebook(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path, TF_CPP_MIN_LOG_LEVEL="0")
    try:
        kernel.ok("%load_ext tfmagic")
        shown = kernel.ok("import tensorflow\nimport time; time.sleep(0.5)")
        assert "oneDNN custom operations" not in shown.stderr
        (banner,) = [one for one in entries(kernel) if "oneDNN custom operations" in str(one["text"])]
        assert (banner["severity"], banner["count"]) == ("info", 2)
        assert str(banner["source"]).startswith("port.cc:")
    finally:
        kernel.stop()


def test_a_real_warning_is_in_the_log_with_its_model_and_not_in_the_notebook(kernel: Kernel) -> None:
    kernel.ok(READER)
    failed = kernel.run("%tf_run reader 'nowhere.bin'")
    assert failed.status == "error"
    assert "OP_REQUIRES" not in failed.stderr
    assert "OP_REQUIRES" not in kernel.ok("shown()").stderr
    (warning,) = [one for one in entries(kernel) if "OP_REQUIRES" in str(one["text"])]
    assert (warning["severity"], warning["model"], warning["count"]) == ("warning", "reader", 1)
    kernel.run("%tf_run reader 'nowhere.bin'")
    (warning,) = [one for one in entries(kernel) if "OP_REQUIRES" in str(one["text"])]
    assert warning["count"] == 2


def test_tracing_leaves_no_warning_of_its_own(kernel: Kernel) -> None:
    kernel.ok(READER)
    kernel.ok("import keras\n%tf_model add net keras.Sequential([keras.Input([2]), keras.layers.Dense(1)])")
    kernel.ok("%tf_run reader '/dev/null' --trace -o r")
    kernel.ok("%tf_run net [[1.0, 2.0]] --trace -o r")
    kernel.ok("%tf_runtime placement net --anew")
    kernel.ok("shown()")
    assert [one for one in entries(kernel) if one["severity"] == "warning"] == []


def test_memory_that_runs_out_is_in_the_log_and_in_the_notebook(kernel: Kernel) -> None:
    kernel.ok(HUNGRY)
    failed = kernel.run("try:\n    %tf_run hungry 1000000\nfinally:\n    shown()")
    assert failed.ename == "ResourceExhaustedError"
    assert "OOM when allocating tensor with shape[1000000,1048576]" in failed.stderr
    found = [one for one in entries(kernel, "--errors") if "OOM when allocating" in str(one["text"])]
    assert {one["model"] for one in found} == {"hungry"}


def test_mixed_lines_keep_their_order_and_only_tensorflows_are_missing(kernel: Kernel) -> None:
    said = kernel.ok("""
        write("one\\n", line("I", "a"), "two\\n", line("E", "bad"), line("W", "b"))
        subprocess.run(["sh", "-c", "echo three >&2"])
        os.system("ls nowhere")
        write(line("I", "a"), "four", "\\rfive\\n")
        shown()
    """).stderr.splitlines()
    assert said[:2] == ["one", "two"]
    assert said[2].endswith("] bad")
    assert said[3] == "three"
    assert "nowhere" in said[4]
    assert said[5:] == ["four", "five"]
    assert [(one["text"], one["count"]) for one in entries(kernel)] == [("a", 2), ("bad", 1), ("b", 1)]


def test_pythons_stderr_progress_bars_and_shell_lines_are_as_ever(kernel: Kernel) -> None:
    said = kernel.ok("""
        from tqdm import tqdm
        for _ in tqdm(range(3)):
            pass
        print("python", file=sys.stderr)
        sys.__stderr__.write("beneath\\n")
        sys.__stderr__.flush()
        shown()
    """).stderr
    assert "100%" in said
    assert "python\n" in said
    assert "beneath\n" in said
    shell = kernel.ok("!echo shell >&2")
    assert "shell" in shell.stdout + shell.stderr


def test_a_cell_of_a_room_has_its_lines_to_the_last_one(kernel: Kernel) -> None:
    kernel.ok(READER)
    kernel.ok("%%tf_run reader\nwrite(line('I', 'the last'))")
    kernel.ok("write(line('I', 'of no model'))")
    assert [(one["text"], one["model"]) for one in entries(kernel)] == [("the last", "reader"), ("of no model", None)]


def test_settings_take_effect_at_once(kernel: Kernel) -> None:
    passing = kernel.ok("%config TfMagic.native_log = 'pass'\nwrite(line('I', 'a'))\nshown()")
    assert passing.stderr.endswith("] a\n")
    off = kernel.ok("%config TfMagic.native_log = 'off'\nwrite(line('I', 'b'))\nshown()")
    assert off.stderr.endswith("] b\n")
    assert "the log is off" in kernel.ok("%tf_runtime log").text
    again = kernel.ok("%config TfMagic.native_log = 'capture'\nwrite(line('I', 'c'))\nshown()")
    assert again.stderr == ""
    assert [one["text"] for one in entries(kernel)] == ["a", "c"]


def test_what_was_set_survives_a_reload(kernel: Kernel) -> None:
    kernel.ok("%config TfMagic.native_log = 'off'\n%reload_ext tfmagic")
    assert kernel.value("%config TfMagic.native_log") == "'off'"
    assert kernel.value("'tfmagic-log' in [one.name for one in __import__('threading').enumerate()]") == "False"


def test_the_log_is_shown_forgotten_and_survives_a_reload(kernel: Kernel) -> None:
    kernel.ok("write(line('W', '<b>low</b>'), line('E', 'bad'))\nshown()")
    kernel.ok("%reload_ext tfmagic")
    page = kernel.ok("%tf_runtime log --clear")
    assert "<b>low</b>" in page.text
    assert "&lt;b&gt;low&lt;/b&gt;" in page.html
    assert entries(kernel) == []
    assert (
        kernel.ok("%tf_runtime log").text
        == "nothing here: TensorFlow has written nothing of the kind since the log began or was last cleared"
    )
    assert "was not expected" in kernel.refused("%tf_runtime log everything")


def test_a_flood_from_code_that_keeps_the_gil_does_not_stop_the_kernel(kernel: Kernel) -> None:
    kernel.ok("""
        import ctypes
        keeps_the_gil = ctypes.PyDLL(None)
        one = line("I", "a flood").encode()
        for _ in range(50_000):
            keeps_the_gil.write(2, one, len(one))
        many = (b"x" * 99 + b"\\n") * 30_000
        written = keeps_the_gil.write(2, many, len(many))
    """)
    assert kernel.value("written") == "3000000"
    kernel.wait_until("'a flood' in str(get_ipython().run_line_magic('tf_runtime', 'log'))")
    assert [(one["text"], one["count"]) for one in entries(kernel)] == [("a flood", 50_000)]


def test_unloading_in_a_flood_puts_stderr_back_as_it_was(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path)
    try:
        kernel.ok(TALK)
        before = kernel.value("os.readlink('/proc/self/fd/2')")
        kernel.ok("""
            %load_ext tfmagic
            import threading
            going = True
            def flood():
                while going:
                    write(line("I", "a"))
            thread = threading.Thread(target=flood)
            thread.start()
            time.sleep(0.3)
        """)
        assert kernel.value("os.readlink('/proc/self/fd/2')") != before
        kernel.ok("%unload_ext tfmagic")
        assert kernel.value("os.readlink('/proc/self/fd/2')") == before
        kernel.ok("going = False\nthread.join()\ntime.sleep(0.5)")
        assert kernel.value("[one.name for one in threading.enumerate() if one.name == 'tfmagic-log']") == "[]"
        # What reads ipykernel's pipe is a thread, which a busy machine may leave waiting until the cell has ended.
        assert any("] a\n" in kernel.ok("write(line('I', 'a'))\ntime.sleep(0.3)").stderr for _ in range(20))
    finally:
        kernel.stop()


def test_an_abort_leaves_its_last_words_where_the_kernel_was_started(tmp_path: Path) -> None:
    # ipykernel alone leaves none at all.
    terminal = tmp_path / "terminal"
    stderr, descriptor = os.dup(2), os.open(terminal, os.O_CREAT | os.O_WRONLY)
    os.dup2(descriptor, 2)
    try:
        kernel = Kernel(tmp_path)
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(descriptor)
    try:
        kernel.ok("%load_ext tfmagic")
        kernel.ok(TALK)
        kernel.send("write(line('F', 'Check failed: a == b'))\nos.abort()")
        deadline = time.monotonic() + PATIENCE_S
        while "Check failed: a == b" not in terminal.read_text():
            assert time.monotonic() < deadline, "nothing was left"
            time.sleep(0.1)
    finally:
        kernel.stop()
