"""Some lines are kept from stderr, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tfmagic.runtime.native_log.stderr_filter import stderr_filter, without_lines


def test_the_line_is_gone_and_the_rest_comes_in_its_order(capfd: pytest.CaptureFixture[str]) -> None:
    with stderr_filter(without_lines(b"INFO: here")):
        for piece in (b"before\n", b"INFO: ", b"here", b"\n", b"after\n"):
            os.write(2, piece)
        assert capfd.readouterr().err == ""
    os.write(2, b"later\n")
    assert capfd.readouterr().err == "before\nafter\nlater\n"


def test_each_line_that_is_one_as_a_whole_is_kept_back(capfd: pytest.CaptureFixture[str]) -> None:
    with stderr_filter(without_lines(rb"W\d .*")):
        os.write(2, b"W1 one\nof W2 two\nW2 two\nW3 three")
    assert capfd.readouterr().err == "of W2 two\nW3 three"


def test_what_was_written_before_an_error_is_not_lost(capfd: pytest.CaptureFixture[str]) -> None:
    def failing() -> None:
        with stderr_filter(without_lines(b"INFO: here")):
            os.write(2, b"mine\n")
            raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        failing()
    os.write(2, b"and mine\n")
    assert capfd.readouterr().err == "mine\nand mine\n"


def test_a_process_without_a_stderr_does_without() -> None:
    code = (
        "import os; from tfmagic.runtime.native_log.stderr_filter import stderr_filter, without_lines\nos.close(2)\n"
        "with stderr_filter(without_lines(b'x')): print('there')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout == "there\n"
