"""TensorFlow's Python log, held back for the length of a block."""

from __future__ import annotations

import logging
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def without_warnings() -> Iterator[None]:
    """Keep what TensorFlow, Keras and absl would say below an error out of the notebook.

    For calls whose warnings are about what tfmagic does on purpose, such as an
    operation that is to go in a later release.
    """
    with ExitStack() as stack:
        for logger in (tf.get_logger(), logging.getLogger("absl")):
            stack.callback(logger.removeFilter, _errors_only)
            logger.addFilter(_errors_only)
        yield


def _errors_only(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR
