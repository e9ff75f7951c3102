"""What every test has: a quiet TensorFlow, and nothing left over from the test before."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# What a shell starts in the background ignores Ctrl-C, and so would these tests.
signal.signal(signal.SIGINT, signal.default_int_handler)

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """Drop all models and close the session, where the test has used them."""
    yield
    kept = vars(sys.modules.get("_tfmagic_process", object))
    if "models" in kept:
        kept["models"].drop(all=True)
    if "session" in kept:
        kept["session"].close()


@pytest.fixture
def savedmodels() -> Path:
    """Models that this project did not write, beside the checkout."""
    folder = CHECKOUT.parent / "shared" / "savedmodels"
    if not folder.is_dir():
        pytest.skip(f"there is no {folder}: these models are not part of the project")
    return folder
