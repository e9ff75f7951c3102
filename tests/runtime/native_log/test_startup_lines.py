"""Start-up banners stay out of the notebook, and nothing else does."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tfmagic.runtime.native_log.log import native_log
from tfmagic.runtime.startup.importing import filtered_startup_lines

BANNER = b"I0000 00:00:1700000000.000000 1 port.cc:153] oneDNN custom operations are on.\n"
MATTERS = b"E0000 00:00:1700000000.000000 1 cuda.cc:1] out of memory\n"


def test_informational_lines_are_held_back_and_others_pass(capfd: pytest.CaptureFixture[str]) -> None:
    with filtered_startup_lines():
        os.write(2, BANNER + MATTERS)
        assert capfd.readouterr().err == ""
    assert capfd.readouterr().err == MATTERS.decode()
    kept = native_log().record()["entries"]
    assert {"oneDNN custom operations are on.", "out of memory"} <= {one["text"] for one in kept}


def test_a_block_that_raises_shows_every_line(capfd: pytest.CaptureFixture[str]) -> None:
    def import_that_fails() -> None:
        with filtered_startup_lines():
            os.write(2, BANNER)
            raise ImportError

    with pytest.raises(ImportError):
        import_that_fails()
    assert capfd.readouterr().err == BANNER.decode()


def test_the_level_is_set_within_and_not_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    with filtered_startup_lines():
        assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "1"
    assert "TF_CPP_MIN_LOG_LEVEL" not in os.environ


def test_a_level_that_the_person_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    with filtered_startup_lines():
        assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0"
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0"


@pytest.mark.slow
def test_tensorflow_is_imported_without_a_banner() -> None:
    program = "from tfmagic.runtime.startup.importing import require_tensorflow; require_tensorflow()"
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)  # noqa: S603 - a fixed program
    assert "oneDNN" not in done.stderr
    assert "InitializeLog" not in done.stderr
