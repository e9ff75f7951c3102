"""Native calls on a stack that is deep enough for a graph of any depth."""

from __future__ import annotations

import threading

import pytest
from factories import printed

from tfmagic.concurrency.deep_stack import on_deep_stack


def test_the_result_and_the_error_are_those_of_the_call() -> None:
    assert on_deep_stack(1, divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        on_deep_stack(1, divmod, 7, 0)


def test_other_threads_keep_their_size() -> None:
    before = threading.stack_size()
    on_deep_stack(1_000_000, int)
    assert threading.stack_size() == before


SCARCE = """
import resource
import threading
from tfmagic.concurrency.deep_stack import on_deep_stack

pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + (1 << 26)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
print(on_deep_stack(1, threading.current_thread) is threading.current_thread())
"""


def test_without_room_for_a_large_stack_the_call_is_made_on_the_one_there_is() -> None:
    assert printed(SCARCE) == ["True"]


DEEP = """
import sys
import numpy as np
import tensorflow as tf
from tfmagic import models

v1 = tf.compat.v1
definition = v1.GraphDef()
x = definition.node.add(name="x", op="Placeholder")
x.attr["dtype"].type = tf.float32.as_datatype_enum
last = "x"
for number in range(100_000):
    node = definition.node.add(name=f"n{number}", op="Tanh", input=[last])
    node.attr["T"].type = tf.float32.as_datatype_enum
    last = node.name
model = models.add("deep", definition)
print(round(float(model(np.float32(0.0))), 3))
print(round(float(model.run(np.float32(0.0), trace=True)["n99999"]), 3))
model.park()
print(round(float(model(np.float32(0.0))), 3))
"""


@pytest.mark.slow
def test_a_chain_of_a_hundred_thousand_operations_does_not_end_the_process() -> None:
    # TensorFlow's own session ends it from about 60,000 on: it walks the graph by recursion.
    assert printed(DEEP) == ["0.0", "0.0", "0.0"]
