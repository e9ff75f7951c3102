"""The memory policy: whether the memory of what is freed goes back to the system.

TensorFlow's own allocators keep what they once had. ``"return"`` has it take
tensors from malloc instead, and malloc keep large buffers between runs (else it
maps each anew, which takes 1.6 to 2.4 times as long) and give them back when it is
trimmed. ``"pool"`` leaves TensorFlow as it is.
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

SETTINGS = {
    "TF_ONEDNN_USE_SYSTEM_ALLOCATOR": "1",
    "TF_GPU_ALLOCATOR": "cuda_malloc_async",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
}
"""What TensorFlow reads from the environment when it first takes memory, and what "return" sets there."""

_GROWTH = "TF_FORCE_GPU_ALLOW_GROWTH"
_TRIM_BYTES = 256_000_000


class PolicyRecord(TypedDict):
    """The memory policy as plain data.

    Attributes
    ----------
    asked, in_force
        ``return`` or ``pool``; in force may also be ``partly`` (TensorFlow had its
        memory before tfmagic was there, or the platform has no call to give any back).
    why
        One sentence.
    variables
        The variables that were set in the environment, and taken out again once
        TensorFlow had read them; those that the person had set are theirs.
    calls
        The settings that were made in malloc.
    trim_threshold_bytes
        From how much free memory on it is given back between cells.
    """

    asked: str
    in_force: str
    why: str
    variables: dict[str, str]
    calls: list[str]
    trim_threshold_bytes: int


class MemoryPolicy:
    """The process's memory policy.

    Attributes
    ----------
    asked : str
        ``return`` or ``pool``.
    trim_threshold_bytes : int
        From how much free memory on it is given back between cells.
    """

    def __init__(self) -> None:
        self.asked = "return"
        self.trim_threshold_bytes = _TRIM_BYTES
        self._set: dict[str, str] = {}
        self._own: dict[str, str] = {}
        self._applied = self._read = self._late = self._said = False
        # What a person has set outside, before TensorFlow was there.
        self._takes_from_malloc = False
        self._grows = True
        self._trimmed_at_s = float("-inf")

    def apply(self) -> None:
        """Set what the policy needs, the first time; whatever comes too late is left alone, and `record` says so."""
        if self._applied or self.asked == "pool":
            return
        self._applied = True
        self._late = has_taken_memory() or _graphs_were_built()
        uses_onednn, uses_malloc = _is_on("TF_ENABLE_ONEDNN_OPTS", "1"), _is_on("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "0")
        self._takes_from_malloc = uses_malloc or not uses_onednn
        if not self._late:
            for name, value in SETTINGS.items():
                if name in os.environ:
                    self._own[name] = os.environ[name]
                else:
                    self._set[name] = os.environ[name] = str(self._grows).lower() if name == _GROWTH else value
        malloc().keep_buffers()

    def choose(self, policy: str) -> None:
        """Ask for another policy.

        Raises
        ------
        SettingError
            When there is none of that name, or TensorFlow has its memory already.
        """
        if policy not in POLICIES:
            msg = f"memory_policy is 'return' or 'pool', got {policy!r}"
            raise SettingError(msg)
        if policy == self.asked:
            return
        if self._read or has_taken_memory():
            msg = (
                f"memory_policy is {self.asked!r} for the life of this kernel: TensorFlow has taken memory already "
                f"(in ipython_config.py: c.TfMagic.memory_policy = {policy!r})"
            )
            raise SettingError(msg)
        self.asked = policy
        if policy == "pool":
            self._take_back()
            self._applied = False
        else:
            self.apply()

    @property
    def grows_on_gpus(self) -> bool:
        """Whether TensorFlow takes a GPU's memory as it needs it, where nobody has said otherwise outside."""
        return self._grows

    def grow_on_gpus(self, grow: bool) -> None:  # noqa: FBT001 - a setting's value
        """Have TensorFlow take a GPU's memory as it needs it, or all at once.

        Raises
        ------
        SettingError
            When TensorFlow has made its devices already.
        """
        if grow == self._grows:
            return
        if self._read or has_taken_memory():
            msg = (
                f"gpu_memory_growth is {self._grows} for the life of this kernel: TensorFlow has made its devices "
                f"already (in ipython_config.py: c.TfMagic.gpu_memory_growth = {grow})"
            )
            raise SettingError(msg)
        self._grows = grow
        if self._applied and _GROWTH not in self._own:
            self._set[_GROWTH] = os.environ[_GROWTH] = str(grow).lower()

    def settle(self, config: Callable[[], Any]) -> None:
        """Take the variables out of the environment again, once TensorFlow has read them: children need not.

        Parameters
        ----------
        config
            Gives the ``ConfigProto`` of the process's session.
        """
        if self._read or not has_taken_memory():
            return
        self._read = True
        from tfmagic.runtime.memory.flush_run import small_run

        # Devices are made without a look at these variables; the first tensor is what needs them.
        small_run().take_a_tensor(config)
        self._take_back(forget=False)

    def trim(self, threshold_bytes: int | None = None, *, unless_within_s: float = 0.0) -> bool:
        """Give free memory back where there is more of it than the threshold; return whether that was done.

        Parameters
        ----------
        threshold_bytes
            The setting's by default.
        unless_within_s
            Not where it was looked at so short a time ago: a look takes the longer the more there is in the heap.
        """
        now = time.monotonic()
        if not self._applied or now - self._trimmed_at_s < unless_within_s:
            return False
        self._trimmed_at_s = now
        return malloc().trim_over(threshold_bytes or self.trim_threshold_bytes)

    @property
    def stays(self) -> str | None:
        """What cannot be given back since TensorFlow had memory before tfmagic was there; None where all can.

        One sentence, without a full stop.
        """
        if self.asked == "pool" or not self._late or self._takes_from_malloc:
            return None
        return (
            "TensorFlow was in use before tfmagic was loaded, so it keeps the memory of its tensors for the life of "
            "this kernel, also of models that are dropped: restart the kernel and put %load_ext tfmagic first"
        )

    def news(self) -> str | None:
        """Return the same the first time it is asked for, None from then on."""
        said, self._said = self._said, True
        return None if said else self.stays

    def give_back(self) -> None:
        """Give free memory back now, whatever there is of it."""
        if self.asked == "return":
            if self._read:
                from tfmagic.runtime.memory.flush_run import small_run

                small_run().let_go_of_fed()
            malloc().trim_now()

    def record(self) -> PolicyRecord:
        """Return the policy as plain data."""
        in_force, why = self._in_force()
        return {
            "asked": self.asked,
            "in_force": in_force,
            "why": why,
            "variables": dict(self._set),
            "calls": list(malloc().set),
            "trim_threshold_bytes": self.trim_threshold_bytes,
        }

    def _in_force(self) -> tuple[str, str]:
        if self.asked == "pool":
            return "pool", "TensorFlow keeps the memory that it once had, as it does by itself."
        if not self._applied:
            return "return", "It takes effect when TensorFlow is first used."
        if self.stays is not None:
            return "partly", f"{self.stays}."
        name = "TF_ONEDNN_USE_SYSTEM_ALLOCATOR"
        if self._own.get(name, "1").lower() not in {"1", "true"}:
            return "partly", f"{name}={self._own[name]} was set outside, and keeps tensors in TensorFlow's own pool."
        if not malloc().set:
            return "partly", f"Tensors come from malloc, and this one ({malloc().name}) gives them back as it sees fit."
        return "return", "The memory of what is dropped goes back to the system."

    def _take_back(self, *, forget: bool = True) -> None:
        for name, value in self._set.items():
            if os.environ.get(name) == value:
                del os.environ[name]
        if forget:
            self._set.clear()


def _is_on(name: str, default: str) -> bool:
    return os.environ.get(name, default).lower() in {"1", "true"}


def has_taken_memory() -> bool:
    """Return whether TensorFlow has made its devices, and so read the environment."""
    if imported("tensorflow") is None:
        return False
    from tfmagic.runtime.tensorflow.private import devices_are_made

    return devices_are_made() or _native_sessions_are_open()


def _graphs_were_built() -> bool:
    """Return whether the person has a graph with operations: its constants, or its session, have taken memory."""
    tensorflow = imported("tensorflow")
    if tensorflow is None:
        return False
    # By type: what an object says of its class may run code of the person's.
    graphs = [one for one in gc.get_objects() if issubclass(type(one), tensorflow.Graph)]
    return any(graph.version > 0 for graph in graphs)


def _native_sessions_are_open() -> bool:
    session = existing("session")
    return session is not None and session.has_opened


def memory_policy() -> MemoryPolicy:
    """Return the process's memory policy."""
    return once("memory policy", MemoryPolicy)
