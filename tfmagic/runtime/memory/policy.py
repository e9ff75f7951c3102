"""The memory policy: whether freed memory goes back to the system.

TensorFlow's own allocators keep memory that they once had. With ``"return"`` tensors come
from malloc instead. malloc then keeps large buffers between runs (mapping them again takes
1.6 to 2.4 times as long) and gives them back when it is trimmed. ``"pool"`` leaves TensorFlow
as it is.
"""

from __future__ import annotations

import gc
import os
import time
from typing import TYPE_CHECKING, Any, TypedDict

from tfmagic.core.modules import imported
from tfmagic.core.process import existing, once
from tfmagic.errors import SettingError
from tfmagic.runtime.memory.malloc import malloc

if TYPE_CHECKING:
    from collections.abc import Callable

POLICIES = ("return", "pool")

_GROWTH = "TF_FORCE_GPU_ALLOW_GROWTH"
_SYSTEM_ALLOCATOR = "TF_ONEDNN_USE_SYSTEM_ALLOCATOR"
SETTINGS = {_SYSTEM_ALLOCATOR: "1", "TF_GPU_ALLOCATOR": "cuda_malloc_async", _GROWTH: "true"}
"""The environment variables that "return" sets; TensorFlow reads them when it first takes memory."""

_TRIM_BYTES = 256_000_000


class PolicyRecord(TypedDict):
    """The memory policy as plain data.

    Attributes
    ----------
    asked, in_force
        ``return`` or ``pool``; in force may also be ``partly`` (TensorFlow had its
        memory before tfmagic was loaded, or the platform has no call to give any back).
    why
        One sentence.
    variables
        The environment variables that tfmagic set, until TensorFlow had read them;
        the user's own are left alone.
    calls
        The settings made in malloc.
    trim_threshold_bytes
        Free memory above this is given back between cells.
    """

    asked: str
    in_force: str
    why: str
    variables: dict[str, str]
    calls: list[str]
    trim_threshold_bytes: int


class MemoryPolicy:
    """The process's memory policy: ``requested`` is ``return`` or ``pool``."""

    def __init__(self) -> None:
        self.requested = "return"
        self.trim_threshold_bytes = _TRIM_BYTES
        # Variables set by tfmagic, and those that were set outside.
        self._set: dict[str, str] = {}
        self._set_outside: dict[str, str] = {}
        self._is_applied = self._is_read = self._came_late = self._has_warned = False
        # Whether settings from outside made tensors come from malloc before tfmagic was loaded.
        self._malloc_before = False
        # Whether TensorFlow takes a GPU's memory as it needs it, unless set otherwise outside.
        self.grows_on_gpus = True
        self._trimmed_at_s = float("-inf")

    def apply(self) -> None:
        """Set what the policy needs, the first time; `record` reports what came too late."""
        if self._is_applied or self.requested == "pool":
            return
        self._is_applied = True
        self._came_late = has_taken_memory() or _graphs_were_built()
        self._malloc_before = _is_on(_SYSTEM_ALLOCATOR, "0") or not _is_on("TF_ENABLE_ONEDNN_OPTS", "1")
        if not self._came_late:
            for name, value in SETTINGS.items():
                if name in os.environ:
                    self._set_outside[name] = os.environ[name]
                else:
                    self._set[name] = os.environ[name] = str(self.grows_on_gpus).lower() if name == _GROWTH else value
        malloc().keep_buffers()

    def choose(self, policy: str) -> None:
        """Request a policy; `SettingError` for an unknown name, or once TensorFlow has its memory."""
        if policy not in POLICIES:
            msg = f"memory_policy is 'return' or 'pool', got {policy!r}"
            raise SettingError(msg)
        if policy == self.requested:
            return
        if self._is_read or has_taken_memory():
            msg = (
                f"memory_policy is {self.requested!r} for the life of this kernel: TensorFlow has taken memory already "
                f"(in ipython_config.py: c.TfMagic.memory_policy = {policy!r})"
            )
            raise SettingError(msg)
        self.requested = policy
        if policy == "pool":
            self._unset_variables()
            self._set.clear()
            self._is_applied = False
        else:
            self.apply()

    def grow_on_gpus(self, grow: bool) -> None:  # noqa: FBT001 - a setting's value
        """Take a GPU's memory as needed, or all at once; `SettingError` once TensorFlow has made its devices."""
        if grow == self.grows_on_gpus:
            return
        if self._is_read or has_taken_memory():
            msg = (
                f"gpu_memory_growth is {self.grows_on_gpus} for the life of this kernel: TensorFlow has made its "
                f"devices already (in ipython_config.py: c.TfMagic.gpu_memory_growth = {grow})"
            )
            raise SettingError(msg)
        self.grows_on_gpus = grow
        if self._is_applied and _GROWTH not in self._set_outside:
            self._set[_GROWTH] = os.environ[_GROWTH] = str(grow).lower()

    def unset_once_read(self, config: Callable[[], Any]) -> None:
        """Once TensorFlow has its memory, unset the variables, which child processes do not need."""
        if self._is_read or not has_taken_memory():
            return
        self._is_read = True
        from tfmagic.runtime.memory.fed_arrays import flush_run

        # TensorFlow does not read these variables for its devices, but for its first tensor.
        flush_run().initialise_allocators(config)
        self._unset_variables()

    def trim(self, threshold_bytes: int | None = None, *, unless_within_s: float = 0.0) -> bool:
        """Give free memory back if there is more than the threshold (by default the setting's).

        Return whether that was done. Do nothing if the last check was so short a time ago as `unless_within_s`: a
        check takes longer the more is in the heap.
        """
        now = time.monotonic()
        if not self._is_applied or now - self._trimmed_at_s < unless_within_s:
            return False
        self._trimmed_at_s = now
        return malloc().trim_over(threshold_bytes or self.trim_threshold_bytes)

    @property
    def stays(self) -> str | None:
        """Which memory TensorFlow took before tfmagic was loaded and keeps, without a full stop; None for none."""
        if self.requested == "pool" or not self._came_late or self._malloc_before:
            return None
        return (
            "TensorFlow was in use before tfmagic was loaded, so it keeps the memory of its tensors for the life of "
            "this kernel, also of models that are dropped: restart the kernel and put %load_ext tfmagic first, or type "
            "tfmagic autoload on in a terminal, once for all notebooks"
        )

    def new_warning(self) -> str | None:
        """Return `stays` at the first call, and None from then on."""
        warned, self._has_warned = self._has_warned, True
        return None if warned else self.stays

    def give_back(self) -> None:
        """Give all free memory back now."""
        if self.requested == "return":
            if self._is_read:
                from tfmagic.runtime.memory.fed_arrays import flush_run

                flush_run().release_fed_arrays()
            malloc().trim_now()

    def record(self) -> PolicyRecord:
        """Return the policy as plain data."""
        in_force, why = self._in_force()
        return {
            "asked": self.requested,
            "in_force": in_force,
            "why": why,
            "variables": dict(self._set),
            "calls": list(malloc().settings),
            "trim_threshold_bytes": self.trim_threshold_bytes,
        }

    def _in_force(self) -> tuple[str, str]:
        if self.requested == "pool":
            return "pool", "TensorFlow keeps the memory that it once had, as it does without tfmagic."
        if not self._is_applied:
            return "return", "It takes effect when TensorFlow is first used."
        if self.stays is not None:
            return "partly", f"{self.stays}."
        outside = self._set_outside.get(_SYSTEM_ALLOCATOR, "1")
        if outside.lower() not in {"1", "true"}:
            why = f"{_SYSTEM_ALLOCATOR}={outside} was set outside, and keeps tensors in TensorFlow's own pool."
            return "partly", why
        if not malloc().settings:
            return "partly", f"Tensors come from malloc, and this one ({malloc().name}) gives them back as it sees fit."
        return "return", "The memory of what is dropped goes back to the system."

    def _unset_variables(self) -> None:
        for name, value in self._set.items():
            if os.environ.get(name) == value:
                del os.environ[name]


def _is_on(name: str, default: str) -> bool:
    return os.environ.get(name, default).lower() in {"1", "true"}


def has_taken_memory() -> bool:
    """Return whether TensorFlow has made its devices, and so has read the environment."""
    if imported("tensorflow") is None:
        return False
    from tfmagic.runtime.tensorflow.private import devices_are_made

    session: Any = existing("session")
    return devices_are_made() or (session is not None and bool(session.has_opened))


def _graphs_were_built() -> bool:
    """Return whether the user has a graph with operations: its constants, or its session, have taken memory."""
    tensorflow = imported("tensorflow")
    if tensorflow is None:
        return False
    # By type: isinstance may run code of the user's.
    graphs = [thing for thing in gc.get_objects() if issubclass(type(thing), tensorflow.Graph)]
    return any(graph.version > 0 for graph in graphs)


def memory_policy() -> MemoryPolicy:
    """Return the process's memory policy."""
    return once("memory policy", MemoryPolicy)
