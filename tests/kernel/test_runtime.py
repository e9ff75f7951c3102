"""``%tf_runtime`` and ``%tf_panel`` in a real kernel: what is shown, and what is said to a wrong line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kernel.cells import LINE
from kernel.harness import Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.kernel


@pytest.fixture
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A kernel that has only loaded the extension."""
    kernel = Kernel(tmp_path_factory.mktemp("fresh"), by_itself=True)
    kernel.ok("%load_ext tfmagic")
    yield kernel
    kernel.stop()


def test_a_line_without_a_verb_is_one_summary(kernel: Kernel) -> None:
    kernel.ok(LINE)
    kernel.ok("%tf_run line [[1, 2]]")
    said = kernel.ok("%tf_runtime").text
    assert kernel.value("__import__('tensorflow').__version__").strip("'") in said
    assert kernel.value("__import__('os').getpid()") in said
    for word in ("resident", '"return"', "threads", "shared objects", "1 native session", "CPU:0", "line"):
        assert word in said, word


def test_everything_can_be_looked_at_before_tensorflow_is_imported(fresh: Kernel) -> None:
    for verb in ("", "summary", "libraries", "gpu", "devices", "memory", "placement", "log", "config"):
        assert fresh.ok(f"%tf_runtime {verb}").text
    fresh.ok("%tf_panel")
    assert fresh.value("'tensorflow' in __import__('sys').modules") == "False"


def test_placement_is_by_name_and_anew_where_it_is_asked_for(kernel: Kernel) -> None:
    kernel.ok(LINE)
    kernel.ok("from tfmagic import models")
    assert "CPU:0" in kernel.ok("%tf_runtime placement line").text
    kernel.ok("trace = models.line.trace\n%tf_runtime placement line")
    assert kernel.value("models.line.trace is trace") == "True"
    kernel.ok("%tf_runtime placement line --anew")
    assert kernel.value("models.line.trace is trace") == "False"
    # Looking is no call of the person's.
    assert kernel.value("models.line.calls, models.line.last_latency_s") == "(0, None)"
    assert "there is no model 'lime' (did you mean 'line'?)" in kernel.refused("%tf_runtime placement lime")


def test_the_configuration_is_that_of_the_native_sessions(fresh: Kernel) -> None:
    fresh.ok("%config TfMagic.intra_op_threads = 1\n%config TfMagic.inter_op_threads = 3")
    fresh.ok("import tensorflow as tf\nfrom tfmagic import session\nv1 = tf.compat.v1")
    said = fresh.ok("%tf_runtime config").text
    assert "the first graph that runs freezes it" in said
    config = "session.config.intra_op_parallelism_threads, session.config.inter_op_parallelism_threads"
    assert fresh.value(config) == "(1, 3)"
    assert fresh.value("tf.config.threading.get_intra_op_parallelism_threads()") == "1"
    fresh.ok("with tf.Graph().as_default(): session.run(tf.constant(1))")
    assert "a graph has run" in fresh.ok("%tf_runtime config").text
    late = fresh.run("%config TfMagic.intra_op_threads = 2").stderr
    assert "intra_op_threads is 1 for the life of this kernel" in late


@pytest.mark.parametrize(
    ("setting", "value", "reason"),
    [
        ("panel_interval", "0.01", "from 0.1 to 60, got 0.01"),
        ("panel_interval", "1e9", "from 0.1 to 60, got 1e+09"),
        ("panel_interval", "float('nan')", "from 0.1 to 60, got nan"),
        ("intra_op_threads", "-1", "a number of threads up to 1024, or 0"),
    ],
)
def test_a_wrong_setting_is_refused_with_the_reason(kernel: Kernel, setting: str, value: str, reason: str) -> None:
    before = kernel.value(f"%config TfMagic.{setting}")
    assert reason in kernel.run(f"%config TfMagic.{setting} = {value}").stderr
    assert kernel.value(f"%config TfMagic.{setting}") == before


def test_an_interval_is_taken_at_once(kernel: Kernel) -> None:
    kernel.ok("%config TfMagic.panel_interval = 0.25")
    assert kernel.value("__import__('tfmagic.panel.snapshot.sampler', fromlist=['']).sampler().watched_s") == "0.25"


def test_wrong_lines_get_one_line(kernel: Kernel) -> None:
    assert kernel.refused("%tf_runtime devises") == "%tf_runtime has no 'devises' (did you mean 'devices'?)"
    assert kernel.refused("%tf_runtime devices now") == "'now' was not expected: %tf_runtime devices"
    assert kernel.refused("%tf_panel now") == "'now' was not expected: type %tf_panel, or %tf_panel --sidebar"
    verbs = "summary, libraries, gpu, devices, memory, placement, log, config, load, reset"
    said = f"%tf_runtime has no 'help': it has {verbs}, and %tf_runtime --help says what they do"
    assert kernel.refused("%tf_runtime help") == said


def test_a_panel_is_a_widget_with_the_same_as_text_and_html(kernel: Kernel) -> None:
    kernel.ok(LINE)
    shown = kernel.ok("%tf_panel")
    (data,) = shown.results
    assert set(data) >= {"application/vnd.jupyter.widget-view+json", "text/plain", "text/html"}
    assert "line" in data["text/plain"]
    assert "<table" in data["text/html"]
