"""TensorFlow's Python log, held back for a block."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import tensorflow as tf

from tfmagic.runtime.tensorflow.python_log import suppressed_warnings

if TYPE_CHECKING:
    import pytest


def test_warnings_are_held_back_within_the_block_and_errors_are_not(caplog: pytest.LogCaptureFixture) -> None:
    tf.get_logger().addHandler(caplog.handler)
    try:
        with suppressed_warnings():
            for logger in (tf.get_logger(), logging.getLogger("absl")):
                logger.warning("within")
                logger.error("an error")
        tf.get_logger().warning("after")
    finally:
        tf.get_logger().removeHandler(caplog.handler)
    said = [record.getMessage() for record in caplog.records]
    assert "within" not in said
    assert "an error" in said
    assert "after" in said
