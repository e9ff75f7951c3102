"""Saying what is waited for, when that takes long."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from contextvars import copy_context
from typing import TYPE_CHECKING

from tfmagic.core.notices import notices

if TYPE_CHECKING:
    from collections.abc import Iterator

SAID_AFTER_S = 4.0
"""How long a person waits without a word."""


@contextmanager
def said_if_long(model: str, what: str) -> Iterator[None]:
    """Say once what the block waits for, if it takes longer than a few seconds."""
    line = (
        f"{model}: waiting for {what}, which has run for {SAID_AFTER_S:g} s and may never end; "
        "Stop (Ctrl-C) ends the wait, %tf_model add … --timeout S limits it"
    )
    # With the context of the waiting thread: what is shown belongs to its cell.
    timer = threading.Timer(SAID_AFTER_S, copy_context().run, [notices().show, line])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
