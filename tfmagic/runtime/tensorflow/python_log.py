"""TensorFlow's Python log, held back during a block."""

from __future__ import annotations

import logging
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def suppressed_warnings() -> Iterator[None]:
    """Hide log lines that are no errors, for calls whose warnings are about what tfmagic does on purpose."""
    with ExitStack() as stack:
        for logger in (tf.get_logger(), logging.getLogger("absl")):
            stack.callback(logger.removeFilter, _errors_only)
            logger.addFilter(_errors_only)
        yield


def _errors_only(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR
