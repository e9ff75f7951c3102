"""Capture at file descriptor 2, each time in a process of its own: nothing is lost, nobody is held up."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from typing import Any

import pytest

from tfmagic.errors import SettingError
from tfmagic.runtime.native_log.log import native_log

PRELUDE = """
import ctypes, json, os, subprocess, sys, threading, time
from tfmagic.runtime.native_log import capture as log_capture
from tfmagic.runtime.native_log.log import native_log

def line(severity, text):
    return f"{severity}0000 00:00:1700000000.000000 {os.getpid()} file.cc:12] {text}\\n".encode()

def write(*parts):
    for part in parts:
        os.write(2, part)

def pipes():
    fds = {}
    for fd in os.listdir("/proc/self/fd"):
        try:
            fds[fd] = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            pass
    return fds

log = native_log()
texts = lambda: [(one["text"], one["count"]) for one in log.record()["entries"]]
say = lambda what: print(json.dumps(what))
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def process(code: str) -> tuple[Any, str, int]:
    """Run `code`; return what it said, its stderr, and how it ended."""
    program = PRELUDE + textwrap.dedent(code)
    # From Python 3.12 on, a fork beside other threads is worth a warning.
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)  # noqa: S603 - a fixed program
    return json.loads(done.stdout or "null"), done.stderr.decode(), done.returncode


def ok(code: str) -> tuple[Any, str]:
    said, stderr, ended = process(code)
    assert ended == 0, stderr
    return said, stderr


def test_lines_of_tensorflow_are_kept_and_all_others_pass_in_their_order() -> None:
    said, stderr = ok("""
        log.choose("capture")
        write(b"one\\n", line("I", "a"), b"two\\n", line("W", "b\\nmore of b"), b"three", b"\\rfour\\n", line("I", "a"))
        log.drain(5)
        say(texts())
    """)
    assert said == [["a", 2], ["b\nmore of b", 1]]
    assert stderr == "one\ntwo\nthree\rfour\n"


def test_what_matters_is_kept_and_passes_unchanged() -> None:
    said, stderr = ok("""
        log.choose("capture")
        write(line("E", "bad"), line("W", "OOM\\nat length"), line("I", "Check failed: a"), line("W", "harmless"))
        log.stop()
        say(texts())
    """)
    assert [text for text, _ in said] == ["bad", "OOM\nat length", "Check failed: a", "harmless"]
    assert [one.partition("] ")[2] for one in stderr.splitlines()] == ["bad", "OOM", "", "Check failed: a"]


def test_that_there_is_no_gpu_where_there_is_none_is_in_the_log_alone() -> None:
    code = """
        from tfmagic.runtime.libraries import gpu
        gpu.gpu_files = lambda: {files}
        log.choose("capture")
        write(line("E", "failed call to cuInit: UNKNOWN ERROR (303)"), b"end")
        log.stop()
        say([(one["severity"], one["text"]) for one in log.record(errors=True)["entries"]])
    """
    for files, shown in (("[]", False), ("['/dev/nvidia0']", True)):
        said, stderr = ok(code.format(files=files))
        assert said == [["error", "failed call to cuInit: UNKNOWN ERROR (303)"]]
        assert ("cuInit" in stderr, stderr.endswith("end")) == (shown, True)


def test_pass_shows_every_line_and_off_leaves_them_alone() -> None:
    said, stderr = ok("""
        log.choose("capture")
        log.choose("pass")
        write(line("I", "shown"))
        log.drain(5)
        log.choose("off")
        write(line("I", "left alone"))
        say([texts(), log.mode])
    """)
    assert said == [[["shown", 1]], "off"]
    assert [one.partition("] ")[2] for one in stderr.splitlines()] == ["shown", "left alone"]


def test_stopping_leaves_nothing_behind_and_starting_again_doubles_nothing() -> None:
    said, stderr = ok("""
        before = pipes()
        for _ in range(3):
            log.choose("capture")
            log.choose("capture")
            threads = [one.name for one in threading.enumerate()]
            inside = pipes()["2"]
            log.stop()
        log.choose("capture")
        write(line("I", "a"), b"mine\\n")
        log.stop()
        say([before, pipes(), inside, threads, threading.active_count(), texts()])
    """)
    before, after, inside, threads, left, texts = said
    assert before == after
    assert inside != before["2"]
    assert threads == ["MainThread", "tfmagic-log"]
    assert left == 1
    assert texts == [["a", 1]]
    assert stderr == "mine\n"


def test_a_process_that_ends_loses_no_last_words() -> None:
    _, stderr = ok("""
        log.choose("capture")
        for number in range(2_000):
            write(b"%d\\n" % number)
    """)
    assert stderr.split() == [str(number) for number in range(2_000)]


@pytest.mark.parametrize("length", [4_095, 4_096, 4_097, 100_000])
def test_a_long_message_is_one_and_the_line_after_it_passes(length: int) -> None:
    said, stderr = ok(f"""
        head = line("I", "")[:-1]
        log.choose("capture")
        write(head + b"x" * ({length} - len(head) - 1) + b"\\n", b"mine\\n")
        log.stop()
        say([len(texts()), len(head)])
    """)
    assert said[0] == 1
    assert stderr == "mine\n"


def test_native_code_that_keeps_the_gil_writes_as_much_as_it_likes() -> None:
    # ipykernel's capture alone stands still for good after 64 kB.
    said, stderr = ok("""
        log.choose("capture")
        keeps_the_gil = ctypes.PyDLL(None)
        data = b"x" * 5_000_000 + b"\\n"
        written = keeps_the_gil.write(2, data, len(data))
        for _ in range(20_000):
            keeps_the_gil.write(2, one := line("I", "a"), len(one))
        log.stop()
        # On a busy machine the rest of a flood comes after the end.
        deadline = time.monotonic() + 60
        while texts() != [("a", 20_000)] and time.monotonic() < deadline:
            time.sleep(0.05)
        say([written, texts()])
    """)
    assert said == [5_000_001, [["a", 20_000]]]
    assert len(stderr) == 5_000_001


def test_stopping_in_the_middle_of_a_flood_loses_no_byte() -> None:
    said, stderr = ok("""
        log.choose("capture")
        written = 0
        going = True
        def flood():
            global written
            while going:
                write(line("I", "a"), b"%d\\n" % written)
                written += 1
        thread = threading.Thread(target=flood)
        thread.start()
        time.sleep(0.3)
        log.stop()
        time.sleep(0.1)
        going = False
        thread.join()
        say([written, sum(count for _, count in texts())])
    """)
    written, kept = said
    others = [one for one in stderr.splitlines() if "file.cc" not in one]
    # Those of before and those of after the end come by two ways.
    assert sorted(others, key=int) == [str(number) for number in range(written)]
    assert 0 < kept < written
    assert kept + stderr.count("file.cc:12] a\n") == written


def test_what_children_write_passes_also_after_the_end() -> None:
    said, stderr = ok("""
        log.choose("capture")
        subprocess.run(["sh", "-c", "echo run >&2; echo opened anew > /dev/stderr"])
        os.system("ls nowhere")
        if (child := os.fork()) == 0:
            write(b"fork\\n")
            log.stop()
            os._exit(0)
        os.waitpid(child, 0)
        lasting = subprocess.Popen(["sh", "-c", "read line; echo late >&2; echo later >&2; echo lived"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        log.stop()
        say([lasting.communicate(b"go\\n")[0].decode(), lasting.returncode])
        write(b"end\\n")
        while log_capture.once("log pumps", list):
            log_capture._reap(None)
    """)
    assert said == ["lived\n", 0]
    assert stderr.splitlines()[:2] == ["run", "opened anew"]
    assert "nowhere" in stderr.splitlines()[2]
    assert stderr.splitlines()[3] == "fork"
    assert sorted(stderr.splitlines()[4:]) == ["end", "late", "later"]


def test_lines_of_a_child_that_runs_tensorflow_are_its_own() -> None:
    said, stderr = ok("""
        log.choose("capture")
        child = subprocess.Popen(
            ["sh", "-c", 'echo "I0000 00:00:1700000000.000000 $$ file.cc:12] of a child" >&2; read line'],
            stdin=subprocess.PIPE)
        time.sleep(1)
        child.communicate()
        log.drain(5)
        say(texts())
    """)
    assert said == []
    assert stderr.endswith("] of a child\n")


def test_the_log_goes_on_when_somebody_ends_its_process() -> None:
    said, stderr = ok("""
        import psutil
        log.choose("capture")
        (pump,) = psutil.Process().children()
        write(line("I", "before"), b"one\\n")
        log.drain(5)
        pump.kill()
        write(line("I", "after"), b"two\\n")
        log.drain(5)
        write(b"three\\n", line("I", "last"))
        before = pipes()["2"]
        log.stop()
        say([texts(), before == pipes()["2"], threading.active_count()])
    """)
    assert said == [[["before", 1], ["after", 1], ["last", 1]], False, 1]
    assert stderr == "one\ntwo\nthree\n"


def test_where_pipes_know_no_packets_it_works_without_a_process() -> None:
    said, stderr = ok("""
        log_capture._packet_pipe = lambda: None
        log.choose("capture")
        write(b"one\\n", line("I", "a\\n  indented"), b"two\\n", line("E", "bad"))
        time.sleep(0.5)
        log.stop()
        say([texts(), threading.active_count()])
    """)
    assert said == [[["a\n  indented", 1], ["bad", 1]], 1]
    assert stderr.startswith("one\ntwo\nE0000")


@pytest.mark.parametrize("library", ["PyDLL", "CDLL"])
def test_the_last_words_before_an_abort_are_not_lost(library: str) -> None:
    _, stderr, ended = process(f"""
        log.choose("capture")
        log.drain(5)
        libc = ctypes.{library}(None)
        words = line("F", "Check failed: a == b")
        libc.write(2, words, len(words))
        libc.write(2, b"goodbye\\n", 8)
        libc.abort()
    """)
    assert ended == -6
    assert "Check failed: a == b\ngoodbye\n" in stderr
    assert "\0" not in stderr


def test_who_has_put_something_else_in_place_of_stderr_keeps_it() -> None:
    said, _ = ok("""
        log.choose("capture")
        theirs = os.open(os.devnull, os.O_WRONLY)
        os.dup2(theirs, 2)
        log.stop()
        say(pipes()["2"])
    """)
    assert said == "/dev/null"


def test_a_line_belongs_to_the_models_that_ran_when_it_says() -> None:
    said, _ = ok("""
        asked = []
        def whose(time_s):
            asked.append(time_s)
            return ["old", "new"]
        log.models_at = whose
        log.choose("capture")
        now = time.time() - 5
        write(f"I0000 00:00:{now:.6f} {os.getpid()} file.cc:12] a\\n".encode(), line("I", "a time long past"))
        log.stop()
        entries = log.record()["entries"]
        say([[one["model"] for one in entries], abs(asked[0] - now) < 1e-3, time.time() - asked[1] < 60,
             entries[0]["first_s"] == asked[0]])
    """)
    assert said == [["old, new", "old, new"], True, True, True]


def test_a_fault_in_who_is_asked_lets_everything_pass() -> None:
    said, stderr = ok("""
        log.models_at = lambda time_s: 1 / 0
        log.choose("capture")
        write(line("I", "a"), b"mine\\n")
        log.stop()
        say(texts())
    """)
    assert said == []
    assert stderr.endswith("] a\nmine\n")


def test_another_mode_is_refused_and_nothing_begins() -> None:
    before = native_log().mode
    with pytest.raises(SettingError, match='native_log is "capture", "pass" or "off", not \'captur\''):
        native_log().choose("captur")
    assert native_log().mode == before
