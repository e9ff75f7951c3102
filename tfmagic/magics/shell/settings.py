"""``%config TfMagic``: the settings, each validated, with the reason in the error."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from traitlets import Bool, Float, Integer, TraitError, Unicode, observe, validate
from traitlets.config import Configurable

from tfmagic.core.notices import notices
from tfmagic.core.process import once
from tfmagic.core.units import size_text
from tfmagic.errors import SettingError
from tfmagic.model.memory.budget import budget, size_of
from tfmagic.panel.snapshot.sampler import sampler
from tfmagic.runtime.memory.policy import memory_policy
from tfmagic.runtime.native_log.log import native_log
from tfmagic.runtime.startup.thread_pools import thread_counts
from tfmagic.runtime.state.spill_directory import park_directory

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell


class TfMagic(Configurable):
    """What a person can set, also in ``ipython_config.py`` (``c.TfMagic.memory_budget = "1.5GB"``)."""

    memory_budget = Unicode(
        "",
        help='How much the models may take together: "1.5GB", "2GB,gpu:0=8GB", or "auto" (80 % of the limit of a '
        "container, less what TensorFlow itself takes). What does not fit is parked, the least recently used first. "
        "Empty for no limit.",
    ).tag(config=True)
    memory_policy = Unicode(
        "return",
        help='"return" has the memory of what is dropped go back to the system; "pool" leaves it with TensorFlow, as '
        "it does by itself. Before TensorFlow's first use.",
    ).tag(config=True)
    trim_threshold = Unicode(
        "256MB",
        help="From how much free memory on it is given back after a cell; the notebook's own arrays included.",
    ).tag(config=True)
    park_directory = Unicode(
        "",
        help="Where the weights of parked models wait; empty for a private folder of the user's cache.",
    ).tag(config=True)
    native_log = Unicode(
        "capture",
        help='What becomes of what TensorFlow writes to stderr by itself: "capture" keeps it in the log (%tf_runtime '
        'log) and shows only what matters; "pass" shows all of it, too; "off" leaves it alone. A kernel begins with '
        '"capture", a terminal with "off".',
    ).tag(config=True)

    panel_interval = Float(
        1.0, help="Seconds from one look of the panel to the next, from 0.1 to 60; it looks while somebody does."
    ).tag(config=True)
    inter_op_threads = Integer(
        0,
        help="How many operations of a graph may run at once; 0 for as many as TensorFlow likes. Before its first use.",
    ).tag(config=True)
    intra_op_threads = Integer(
        0, help="How many threads one operation may use; 0 for as many as TensorFlow likes. Before its first use."
    ).tag(config=True)
    gpu_memory_growth = Bool(
        True,  # noqa: FBT003 - as traitlets takes it
        help="Whether TensorFlow takes a GPU's memory as it needs it; else all at once. Before its first use.",
    ).tag(config=True)

    @validate("memory_budget")
    def _memory_budget(self, proposal: Any) -> Any:
        return _tried(budget().choose, proposal.value)

    @validate("memory_policy")
    def _memory_policy(self, proposal: Any) -> Any:
        return _tried(memory_policy().choose, proposal.value)

    @validate("trim_threshold")
    def _trim_threshold(self, proposal: Any) -> Any:
        return _tried(lambda text: size_of(text, text, "trim_threshold"), proposal.value)

    @observe("trim_threshold")
    def _new_threshold(self, change: Any) -> None:
        memory_policy().trim_threshold_bytes = size_of(change.new, change.new, "trim_threshold")

    @validate("park_directory")
    def _park_directory(self, proposal: Any) -> Any:
        return _tried(park_directory().choose, proposal.value)

    @validate("panel_interval")
    def _panel_interval(self, proposal: Any) -> Any:
        return _tried(sampler().choose, proposal.value)

    @validate("inter_op_threads", "intra_op_threads")
    def _threads(self, proposal: Any) -> Any:
        return _tried(partial(thread_counts().choose, proposal.trait.name), proposal.value)

    @validate("gpu_memory_growth")
    def _gpu_memory_growth(self, proposal: Any) -> Any:
        return _tried(memory_policy().grow_on_gpus, proposal.value)

    @validate("native_log")
    def _native_log(self, proposal: Any) -> Any:
        return _tried(native_log().choose, proposal.value)


def _tried(choose: Callable[[Any], object], value: Any) -> Any:
    try:
        choose(value)
    except SettingError as error:
        raise TraitError(str(error)) from None
    return value


def add_settings(shell: InteractiveShell) -> None:
    """Have ``%config TfMagic`` set what the process uses, and show what it has.

    What ``ipython_config.py`` says is taken over; of a value that cannot be, one line
    says why, and the setting is as it was.
    """
    settings = TfMagic()
    # Once: %config puts whatever was typed there too, also what was refused.
    from_file = dict(once("settings of the file", lambda: dict(shell.config.get(TfMagic.__name__, {}))))
    once("settings of the file", dict).clear()
    for name, value in {**_present(shell), **from_file}.items():
        try:
            setattr(settings, name, value)
        except TraitError as error:
            notices().show(f"c.TfMagic.{name} is not taken over: {error}")
    shell.configurables.append(settings)  # type: ignore[arg-type]  # declared narrower than it is


def _present(shell: InteractiveShell) -> dict[str, Any]:
    threshold = size_text(memory_policy().trim_threshold_bytes).replace(" ", "")
    # A terminal shows its own stderr, and programs in it look whether that is one.
    capture = hasattr(shell, "kernel") and sys.platform != "win32"
    return {
        "memory_budget": budget().text,
        "memory_policy": memory_policy().requested,
        "trim_threshold": threshold,
        "panel_interval": sampler().watched_s,
        **{str(pool): count for pool, count in thread_counts().requested.items()},
        "gpu_memory_growth": memory_policy().grows_on_gpus,
        "native_log": native_log().requested or ("capture" if capture else "off"),
    }


def remove_settings(shell: InteractiveShell) -> None:
    """Take ``%config TfMagic`` out again; what was set stays."""
    shell.configurables[:] = [one for one in shell.configurables if type(one).__name__ != TfMagic.__name__]
