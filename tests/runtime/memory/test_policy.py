"""The memory policy: what it sets, when it is too late, and that memory comes back."""

from __future__ import annotations

import pytest
from factories import printed, printed_from_start

NAMES = "('TF_ONEDNN_USE_SYSTEM_ALLOCATOR', 'TF_GPU_ALLOCATOR', 'TF_FORCE_GPU_ALLOW_GROWTH')"
START = f"""
import os, sys
from tfmagic.runtime.memory.policy import memory_policy
policy = memory_policy()
NAMES = {NAMES}
def unset_once_read():
    from tfmagic import session
    policy.unset_once_read(lambda: session.config)
def present():
    return [name for name in NAMES if name in os.environ]
"""
# 200 MB in tensors that TensorFlow allocates itself, dropped again.
TAKEN = """
import gc, psutil
import tensorflow as tf
def rss(): return psutil.Process().memory_info().rss
tf.random.normal([10])
before = rss()
tensors = [tf.random.normal([1000, 1000]) for _ in range(50)]
grown = rss() - before
del tensors
gc.collect()
policy.give_back()
left = rss() - before
print(grown > 150e6, left < 20e6)
"""

pytestmark = pytest.mark.slow


def ran(code: str) -> list[str]:
    """Run code where TensorFlow is imported and has done nothing: what it reads for this, it reads at its first use."""
    return printed(START + code)


def test_memory_goes_back_to_the_system() -> None:
    assert printed_from_start(START + "policy.apply()" + TAKEN)[-1] == "True True"


def test_under_pool_it_stays_with_tensorflow() -> None:
    assert ran("policy.choose('pool'); policy.apply(); assert not present()" + TAKEN)[-1] == "True False"


def test_the_variables_are_there_until_tensorflow_has_read_them_and_are_gone_then() -> None:
    code = """
policy.apply()
assert present() == list(NAMES), present()
import tensorflow as tf
unset_once_read()
assert present() == list(NAMES), 'nothing has read them yet'
tf.config.list_logical_devices()
unset_once_read()
assert not present(), present()
assert set(policy.record()['variables']) == set(NAMES)
"""
    assert ran(code + TAKEN)[-1] == "True True"


def test_a_first_graph_run_takes_them_out_too() -> None:
    code = """
from tfmagic import session
import tensorflow as tf
assert present() == list(NAMES)
with tf.Graph().as_default():
    session.run(tf.constant(1.0))
assert not present(), present()
"""
    assert ran(code + TAKEN)[-1] == "True True"


def test_what_the_person_has_set_stays_theirs_and_is_named() -> None:
    code = """
os.environ['TF_ONEDNN_USE_SYSTEM_ALLOCATOR'] = '0'
policy.apply()
import tensorflow as tf
tf.zeros([3])
unset_once_read()
print(os.environ['TF_ONEDNN_USE_SYSTEM_ALLOCATOR'], 'TF_ONEDNN_USE_SYSTEM_ALLOCATOR' in policy.record()['variables'])
print(policy.record()['in_force'], policy.record()['why'])
"""
    stays, why = ran(code)[-2:]
    assert stays == "0 False"
    assert why.startswith("partly TF_ONEDNN_USE_SYSTEM_ALLOCATOR=0 was set outside")


def test_after_tensorflow_s_first_tensor_it_is_too_late_and_that_is_said() -> None:
    code = """
import tensorflow as tf
tf.zeros([3])
policy.apply()
print(present(), policy.record()['in_force'], policy.record()['why'])
"""
    said = ran(code)[-1]
    assert said.startswith("[] partly TensorFlow was in use before tfmagic was loaded, so it keeps the memory")


_OF_ONES_OWN = "graph = v1.Graph()\nwith graph.as_default(): v1.constant([1.0] * 99)"


@pytest.mark.parametrize("use", ["v1.Session().run(v1.constant([1.0] * 99))", _OF_ONES_OWN])
def test_a_graph_of_ones_own_is_use_too(use: str) -> None:
    code = f"""
import tensorflow.compat.v1 as v1
v1.disable_eager_execution()
{use}
policy.apply()
print(policy.record()['in_force'], policy.new_warning() is not None)
"""
    assert ran(code)[-1] == "partly True"


def test_it_is_said_once() -> None:
    code = """
import tensorflow as tf
tf.zeros([3])
policy.apply()
print(policy.new_warning() == policy.stays, policy.new_warning(), policy.stays is None)
"""
    assert ran(code)[-1] == "True None False"


@pytest.mark.parametrize("setting", ["TF_ONEDNN_USE_SYSTEM_ALLOCATOR=1", "TF_ENABLE_ONEDNN_OPTS=0"])
def test_where_tensors_come_from_malloc_anyway_nothing_stays(setting: str) -> None:
    name, value = setting.split("=")
    code = f"""
os.environ[{name!r}] = {value!r}
import tensorflow as tf
tf.zeros([3])
policy.apply()
print(policy.stays, policy.new_warning())
"""
    assert ran(code)[-1] == "None None"


def test_who_chose_the_pool_is_told_nothing() -> None:
    code = """
import tensorflow as tf
policy.choose('pool')
tf.zeros([3])
policy.apply()
print(policy.stays, policy.new_warning())
"""
    assert ran(code)[-1] == "None None"


def test_an_imported_tensorflow_that_has_done_nothing_is_not_too_late() -> None:
    assert ran("import tensorflow; policy.apply()" + TAKEN)[-1] == "True True"


def test_it_cannot_be_changed_once_tensorflow_has_memory() -> None:
    code = """
policy.apply()
import tensorflow as tf
tf.zeros([3])
try:
    policy.choose('pool')
except Exception as error:
    print(type(error).__name__, error)
print(policy.requested)
"""
    said, asked = ran(code)[-2:]
    assert said.startswith("SettingError memory_policy is 'return' for the life of this kernel")
    assert asked == "return"


def test_another_word_is_refused() -> None:
    code = """
try:
    policy.choose('give')
except Exception as error:
    print(error)
"""
    assert ran(code)[-1] == "memory_policy is 'return' or 'pool', got 'give'"


def test_children_do_not_inherit_the_variables() -> None:
    code = """
policy.apply()
import tensorflow as tf
tf.zeros([3])
unset_once_read()
import subprocess
print(subprocess.run([sys.executable, '-c', 'import os; print([n for n in os.environ if n in ' + repr(NAMES) + '])'],
                     capture_output=True, text=True).stdout.strip())
"""
    assert ran(code)[-1] == "[]"


def test_it_is_set_when_models_is_imported_for_a_graph_takes_memory_before_it_is_added() -> None:
    code = """
import tensorflow as tf
from tfmagic import models
assert present() == list(NAMES)
with tf.Graph().as_default() as graph:
    v1 = tf.compat.v1
    x = v1.placeholder(tf.float32, [])
    w = v1.get_variable('w', [200, 250_000], initializer=v1.ones_initializer())
    tf.multiply(x, w[0, 0], name='y')
import psutil
before = psutil.Process().memory_info().rss
models.add('net', graph, outputs='y')
grown = psutil.Process().memory_info().rss - before
models.drop('net')
print(grown > 150e6, psutil.Process().memory_info().rss - before < 0.2 * grown)
"""
    assert ran(code)[-1] == "True True"
