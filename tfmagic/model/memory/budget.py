"""The memory budget: how much the models may take together, and who is parked for another."""

from __future__ import annotations

import math
import re
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from tfmagic.core.notices import notices
from tfmagic.core.process import once
from tfmagic.core.units import size_text
from tfmagic.errors import MemoryBudgetError, ParkError, SettingError
from tfmagic.runtime.memory.malloc import rss_bytes
from tfmagic.runtime.memory.process_memory import container_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping


HOST = "memory"
"""What the part of a budget without a device's name is for: everything on no device that has its own."""

_SIZE = re.compile(r"(?P<number>\d+(\.\d+)?)\s*(?P<unit>|b|[kmgt]i?b)", re.IGNORECASE)
_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_UNITS |= {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}
_DEVICE = re.compile(r"(?P<kind>cpu|gpu)(:(?P<number>\d+))?", re.IGNORECASE)
# Of a container's limit; the rest is for what runs take, and for the person.
_SHARE = 0.8
_EXPECTED = "expected a size such as '1.5GB' or '2GB,gpu:0=8GB', 'auto', or '' for none"


class Tenant(Protocol):
    """What takes memory of a budget: a model."""

    @property
    def name(self) -> str:
        """What to call it in a message."""

    @property
    def used_at_s(self) -> float:
        """When it was last used, on the monotonic clock."""

    @property
    def can_be_parked(self) -> bool:
        """Whether it is idle, and its weights are nobody's but its own."""

    @property
    def why_it_stays(self) -> str:
        """Why it is not parked, in a few words."""

    def bytes_wanted(self, device: str, named: set[str]) -> int:
        """Return what it takes of one part of the budget when it is there."""

    def bytes_held(self, device: str, named: set[str]) -> int:
        """Return what it takes of one part of the budget now."""

    def park_if_idle(self) -> bool:
        """Park it if nothing is done with it at this moment; return whether it is parked now."""


class Budget:
    """How much the models may take together.

    Attributes
    ----------
    text : str
        As it was said; empty for none.
    models
        Gives the registered models.
    """

    def __init__(self) -> None:
        self.text = ""
        self.models: Callable[[], Iterable[Tenant]] = tuple
        self._limits: dict[str, int] = {}
        self._making = threading.RLock()
        self._coming: set[Tenant] = set()

    def limits(self) -> dict[str, int]:
        """Return how many bytes the models may take, by device (``GPU:0``) and for everything else."""
        if self.text != "auto":
            return self._limits
        limit, _ = container_limit()
        if limit is None:
            return {}
        runtime = rss_bytes() - sum(model.bytes_held(HOST, set()) for model in self.models())
        return {HOST: max(0, int(limit * _SHARE) - max(0, runtime))}

    def choose(self, text: str) -> None:
        """Set the budget; what no longer fits is parked.

        Raises
        ------
        SettingError
            For a text that is no budget, and for one below what cannot be parked; the
            former one is still in force then.
        """
        if not isinstance(text, str):
            msg = f"memory_budget is text, got {type(text).__name__}: {_EXPECTED}"
            raise SettingError(msg)
        limits = {} if text in {"", "auto"} else parsed(text)
        with self._making:
            former = self.text, self._limits
            self.text, self._limits = text, limits
            try:
                for work in (self._plan, self._make_room):
                    for device, limit in self.limits().items():
                        work(device, limit, 0, None)
            except MemoryBudgetError as error:
                self.text, self._limits = former
                msg = f"memory_budget {text!r} is below what is loaded and cannot be parked: {error}"
                raise SettingError(msg) from None

    @contextmanager
    def room_for(self, model: Tenant) -> Iterator[None]:
        """Park the least recently used idle models until another one fits, which comes in the block.

        Raises
        ------
        MemoryBudgetError
            When it does not fit, whatever is parked; then nothing is.
        """
        with self._making:
            limits = self.limits()
            wanted = {device: model.bytes_wanted(device, set(limits)) for device in limits}
            for device, limit in limits.items():
                if wanted[device] > limit:
                    msg = (
                        f"{model.name} takes {size_text(wanted[device])}, more than the whole {_called(device)} of "
                        f"{size_text(limit)}: raise it (%config TfMagic.memory_budget = …), or leave the model out"
                    )
                    raise MemoryBudgetError(msg)
            for device, limit in limits.items():
                # Looked at for every device before anything is parked for one.
                self._plan(device, limit, wanted[device], model)
            for device, limit in limits.items():
                self._make_room(device, limit, wanted[device], model)
            # From here on it counts: two that come at once must not both take the same room.
            self._coming.add(model)
        try:
            yield
        finally:
            self._coming.discard(model)

    def _held(self, device: str, named: set[str], model: Tenant | None) -> list[tuple[Tenant, int]]:
        """Return what each other model takes of a part of the budget, or is just about to take."""
        coming = self._coming.copy()
        sizes = (
            (one, one.bytes_wanted(device, named) if one in coming else one.bytes_held(device, named))
            for one in dict.fromkeys((*self.models(), *coming))
            if one is not model
        )
        return [(one, size) for one, size in sizes if size > 0]

    def _plan(
        self, device: str, limit: int, wanted: int, model: Tenant | None
    ) -> tuple[int, list[tuple[Tenant, int]], list[tuple[Tenant, int]]]:
        """Return by how much it is too little, what takes part in it, and what of that can go, in that order.

        Raises
        ------
        MemoryBudgetError
            When that is not enough.
        """
        held = self._held(device, set(self.limits()), model)
        over = sum(size for _, size in held) + wanted - limit
        if over <= 0:
            return over, held, []
        idle = sorted((pair for pair in held if pair[0].can_be_parked), key=lambda pair: pair[0].used_at_s)
        if sum(size for _, size in idle) < over:
            raise _no_room(device, limit, wanted, model, [pair for pair in held if pair not in idle])
        return over, held, idle

    def _make_room(self, device: str, limit: int, wanted: int, model: Tenant | None) -> None:
        over, held, idle = self._plan(device, limit, wanted, model)
        if over <= 0:
            return
        parked: list[str] = []
        for one, size in idle:
            if over <= 0:
                break
            try:
                done = one.park_if_idle()
            except ParkError as error:
                msg = f"{one.name} was to be parked for it, and cannot be: {error}"
                raise MemoryBudgetError(msg) from error
            if done:
                parked.append(one.name)
                over -= size
        if over > 0:
            raise _no_room(device, limit, wanted, model, [pair for pair in held if pair[0].name not in parked])
        names = " and ".join(filter(None, (", ".join(parked[:-1]), parked[-1])))
        whole = f"the {_called(device)} of {size_text(limit)}"
        reason = f"so that {model.name} ({size_text(wanted)}) fits" if model is not None else "so that the rest fits"
        notices().show(f"parked {names}, least recently used, {reason} into {whole}")


def _no_room(
    device: str, limit: int, wanted: int, model: Tenant | None, staying: list[tuple[Tenant, int]]
) -> MemoryBudgetError:
    stay = ", ".join(f"{one.name} ({size_text(size)}, {one.why_it_stays})" for one, size in staying)
    what = f"{model.name} takes {size_text(wanted)}" if model is not None else "too much is in use"
    return MemoryBudgetError(
        f"{what}, and the {_called(device)} of {size_text(limit)} has no room for it: what stays is {stay}; "
        "drop one of these, or raise the budget (%config TfMagic.memory_budget = …)"
    )


def _called(device: str) -> str:
    return "memory_budget" if device == HOST else f"memory_budget for {device.lower()}"


def parsed(text: str) -> dict[str, int]:
    """Return the bytes of a budget, by device (``GPU:0``) and `HOST`.

    Raises
    ------
    SettingError
        For a text that is none.
    """
    limits: dict[str, int] = {}
    for part in text.split(","):
        name, given, size = part.rpartition("=")
        device = HOST
        if given:
            found = _DEVICE.fullmatch(name.strip())
            if found is None:
                msg = f"memory_budget {text!r}: {name.strip()!r} is no device, {_EXPECTED}"
                raise SettingError(msg)
            device = f"{found['kind'].upper()}:{int(found['number'] or 0)}"
        if device in limits:
            msg = f"memory_budget {text!r} says {_called(device)} twice"
            raise SettingError(msg)
        limits[device] = size_of(size.strip(), text)
    return limits


def size_of(size: str, text: str, setting: str = "memory_budget") -> int:
    """Return the bytes of one size of a setting.

    Raises
    ------
    SettingError
        For one that is none, or not above zero.
    """
    found = _SIZE.fullmatch(size)
    if found is None:
        what = "is negative" if size.startswith("-") else "is no size"
        expected = _EXPECTED if setting == "memory_budget" else "expected a size such as '256MB'"
        msg = f"{setting} {text!r}: {size!r} {what}, {expected}"
        raise SettingError(msg)
    number = float(found["number"]) * _UNITS[found["unit"].lower()]
    if not math.isfinite(number):
        msg = f"{setting} is more than there is memory in the world"
        raise SettingError(msg)
    count = int(number)
    if count <= 0:
        msg = f"{setting} {text!r}: {size!r} is nothing"
        raise SettingError(msg)
    return count


def shares(by_device: Mapping[str, int], device: str, named: set[str]) -> int:
    """Return how much of what lies on devices counts for one part of a budget.

    Parameters
    ----------
    by_device
        Bytes by device, ``""`` for what asked for none.
    device
        A device, or `HOST`.
    named
        The devices that have a part of their own.
    """
    total = 0
    for place, size in by_device.items():
        actual = place or default_device()
        part = actual if actual in named else HOST
        # Without a part of its own, what is on a GPU does not count for the host.
        if part == device and (part != HOST or not actual.startswith("GPU")):
            total += size
    return total


def default_device() -> str:
    """Return where TensorFlow puts what asks for no device."""
    return once("default device", _default_device)


def _default_device() -> str:
    import tensorflow as tf

    return "GPU:0" if tf.config.list_physical_devices("GPU") else "CPU:0"


def budget() -> Budget:
    """Return the process's budget."""
    made: Any = once("budget", Budget)
    return made  # type: ignore[no-any-return]  # after a reload it is of the class as it was
