"""``%config TfMagic``: the settings, each validated, with the reason in the error."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from traitlets import Bool, Float, Integer, TraitError, TraitType, Unicode, validate
from traitlets.config import Configurable

from tfmagic.core.notices import notices
from tfmagic.core.process import existing, once
from tfmagic.core.units import size_text
from tfmagic.errors import SettingError
from tfmagic.magics.shell.cell_hooks import models_that_ran
from tfmagic.panel.snapshot.sampler import WATCHED_S, sampler
from tfmagic.runtime.memory.policy import memory_policy

if TYPE_CHECKING:
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
        "it does without a setting. Before TensorFlow's first use.",
    ).tag(config=True)
    trim_threshold = Unicode(
        "256MB", help="From how much free memory on it is given back after a cell; the notebook's own arrays included."
    ).tag(config=True)
    park_directory = Unicode(
        "", help="Where the weights of parked models wait; empty for a private folder of the user's cache."
    ).tag(config=True)
    native_log = Unicode(
        "capture",
        help="Where the messages of TensorFlow's native code go, which it writes to stderr: "
        '"capture" keeps them in the log (%tf_runtime log) and shows only what matters; "pass" shows all of them, too; '
        '"off" leaves them alone. A kernel begins with "capture", a terminal with "off".',
    ).tag(config=True)

    panel_interval = Float(
        WATCHED_S, help="Seconds from one snapshot of the panel to the next, from 0.1 to 60, while it is open."
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

    @validate(*[name for name, setting in list(vars().items()) if isinstance(setting, TraitType)])
    def _validate(self, proposal: Any) -> Any:
        try:
            _apply(proposal.trait.name, proposal.value)
        except SettingError as error:
            raise TraitError(str(error)) from None
        return proposal.value


def _apply(name: Any, value: Any) -> None:
    """Put a setting in force; what it belongs to is imported only then."""
    if name == "memory_budget":
        from tfmagic.model.memory.budget import budget

        budget().choose(value)
    elif name == "memory_policy":
        memory_policy().choose(value)
    elif name == "trim_threshold":
        from tfmagic.model.memory.budget import parse_size

        memory_policy().trim_threshold_bytes = parse_size(value, value, "trim_threshold")
    elif name == "park_directory":
        from tfmagic.runtime.state.spill_directory import park_directory

        park_directory().choose(value)
    elif name == "native_log":
        from tfmagic.runtime.native_log.log import native_log

        native_log().models_at = models_that_ran
        native_log().choose(value)
    elif name == "panel_interval":
        sampler().choose(value)
    elif name == "gpu_memory_growth":
        memory_policy().grow_on_gpus(value)
    else:
        from tfmagic.runtime.startup.thread_pools import thread_counts

        thread_counts().choose(name, value)


def add_settings(shell: InteractiveShell) -> None:
    """Have ``%config TfMagic`` set what the process uses, and show what it has.

    The settings of ``ipython_config.py`` are applied; for one that cannot be, a line says why.
    """
    settings = TfMagic()
    present = _present(shell)
    with settings.cross_validation_lock:  # these are in force already
        for name, value in present.items():
            setattr(settings, name, value)
    # Once: %config puts whatever was typed there too, also what was refused.
    wanted = dict(once("settings of the file", lambda: dict(shell.config.get(TfMagic.__name__, {}))))
    once("settings of the file", dict).clear()
    if present["native_log"] != "off":
        wanted.setdefault("native_log", present["native_log"])
    for name, value in wanted.items():
        try:
            setattr(settings, name, value)
        except TraitError as error:
            notices().show(f"c.TfMagic.{name} is not taken over: {error}")
    shell.configurables.append(settings)  # type: ignore[arg-type]  # declared narrower than it is


def _present(shell: InteractiveShell) -> dict[str, Any]:
    """Return the settings in force, of those parts that are in use; the others have their defaults."""
    policy = memory_policy()
    present = {
        "memory_policy": policy.requested,
        "gpu_memory_growth": policy.grows_on_gpus,
        "panel_interval": sampler().watched_s,
    }
    if policy.trim_threshold_bytes != type(policy)().trim_threshold_bytes:
        present["trim_threshold"] = size_text(policy.trim_threshold_bytes).replace(" ", "")
    if (budget := existing("budget")) is not None:
        present["memory_budget"] = budget.text
    if (counts := existing("thread counts")) is not None:
        present.update(counts.requested)
    # A terminal shows its own stderr, and programs in it look whether that is one.
    capture = hasattr(shell, "kernel") and sys.platform != "win32"
    log = existing("native log")
    present["native_log"] = (log and log.requested) or ("capture" if capture else "off")
    return present


def remove_settings(shell: InteractiveShell) -> None:
    """Remove ``%config TfMagic``; what was set stays."""
    shell.configurables[:] = [part for part in shell.configurables if type(part).__name__ != TfMagic.__name__]
