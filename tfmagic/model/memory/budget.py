"""The memory budget: how much the models may take together. Idle models are parked to make room for others."""

from __future__ import annotations

import math
import re
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from tfmagic.core.notices import notices
from tfmagic.core.process import once
from tfmagic.core.units import size_text
from tfmagic.errors import MemoryBudgetError, ParkError, SettingError
from tfmagic.runtime.memory.malloc import rss_bytes
from tfmagic.runtime.memory.process_memory import container_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tfmagic.execution.room.variables import Weights

HOST = "memory"
"""The key of the budget for all memory that no named device has a budget for."""

_SIZE = re.compile(r"(?P<number>\d+(\.\d+)?)\s*(?P<unit>|b|[kmgt]i?b)", re.IGNORECASE)
_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_UNITS |= {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}
_DEVICE = re.compile(r"(?P<kind>cpu|gpu)(:(?P<number>\d+))?", re.IGNORECASE)
# Of a container's limit; the rest is for runs and for the notebook.
_SHARE = 0.8
_EXPECTED = "expected a size such as '1.5GB' or '2GB,gpu:0=8GB', 'auto', or '' for none"


class Tenant(Protocol):
    """A model that takes memory from a budget."""

    @property
    def name(self) -> str:
        """The model's name, for messages."""

    @property
    def used_at_s(self) -> float:
        """When the model was last used, on the monotonic clock."""

    @property
    def can_be_parked(self) -> bool:
        """Whether the model is idle, and nothing else uses its weights."""

    @property
    def why_it_stays(self) -> str:
        """Why the model is not parked, in a few words."""

    def bytes_wanted(self, device: str, named: set[str]) -> int:
        """Return how much of one part of the budget the model takes once it is loaded."""

    def bytes_held(self, device: str, named: set[str]) -> int:
        """Return how much of one part of the budget the model takes now."""

    def park_if_idle(self) -> bool:
        """Park the model if it is idle at this moment; return whether it was parked."""


class Budget:
    """How much the models may take together: `text` is the setting, `models` returns the registered models."""

    def __init__(self) -> None:
        self.text = ""
        self.models: Callable[[], Iterable[Tenant]] = tuple
        self._limits: dict[str, int] = {}
        self._room_lock = threading.RLock()
        self._loading: set[Tenant] = set()

    def limits(self) -> dict[str, int]:
        """Return how many bytes the models may take, by device (``GPU:0``) and `HOST`."""
        if self.text != "auto":
            return self._limits
        limit, _ = container_limit()
        if limit is None:
            return {}
        runtime = rss_bytes() - sum(model.bytes_held(HOST, set()) for model in self.models())
        return {HOST: max(0, int(limit * _SHARE) - max(0, runtime))}

    def choose(self, text: str) -> None:
        """Set the budget, and park models that no longer fit.

        A text that is no budget, or one too small for the models that cannot be parked,
        raises SettingError and changes nothing.
        """
        if not isinstance(text, str):
            msg = f"memory_budget is text, got {type(text).__name__}: {_EXPECTED}"
            raise SettingError(msg)
        limits = {} if text in {"", "auto"} else parse_budget(text)
        with self._room_lock:
            previous = self.text, self._limits
            self.text, self._limits = text, limits
            try:
                for step in (self._plan, self._make_room):
                    for device, limit in self.limits().items():
                        step(device, limit, 0, None)
            except MemoryBudgetError as error:
                self.text, self._limits = previous
                msg = f"memory_budget {text!r} is below what is loaded and cannot be parked: {error}"
                raise SettingError(msg) from None

    @contextmanager
    def room_for(self, model: Tenant) -> Iterator[None]:
        """Park the least recently used idle models until `model` fits, which is loaded in the block.

        If it does not fit even then, MemoryBudgetError is raised and nothing is parked.
        """
        with self._room_lock:
            limits = self.limits()
            wanted = {device: model.bytes_wanted(device, set(limits)) for device in limits}
            for device, limit in limits.items():
                if wanted[device] > limit:
                    msg = (
                        f"{model.name} takes {size_text(wanted[device])}, more than the whole {_setting(device)} of "
                        f"{size_text(limit)}: raise it (%config TfMagic.memory_budget = …), or leave the model out"
                    )
                    raise MemoryBudgetError(msg)
            for device, limit in limits.items():
                # For every device before a model is parked for one.
                self._plan(device, limit, wanted[device], model)
            for device, limit in limits.items():
                self._make_room(device, limit, wanted[device], model)
            # From here on it counts: two models that load at once must not take the same room.
            self._loading.add(model)
        try:
            yield
        finally:
            self._loading.discard(model)

    def _held(self, device: str, named: set[str], model: Tenant | None) -> list[tuple[Tenant, int]]:
        """Return how much of a part of the budget each other model takes, or is about to take."""
        coming = self._loading.copy()
        sizes = (
            (other, other.bytes_wanted(device, named) if other in coming else other.bytes_held(device, named))
            for other in dict.fromkeys((*self.models(), *coming))
            if other is not model
        )
        return [(other, size) for other, size in sizes if size > 0]

    def _plan(
        self, device: str, limit: int, wanted: int, model: Tenant | None
    ) -> tuple[int, list[tuple[Tenant, int]], list[tuple[Tenant, int]]]:
        """Return how many bytes are missing, the models that take memory, and those to park, in that order.

        If parking these is not enough, MemoryBudgetError is raised.
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
        for other, size in idle:
            if over <= 0:
                break
            try:
                was_parked = other.park_if_idle()
            except ParkError as error:
                msg = f"{other.name} was to be parked for it, and cannot be: {error}"
                raise MemoryBudgetError(msg) from error
            if was_parked:
                parked.append(other.name)
                over -= size
        if over > 0:
            raise _no_room(device, limit, wanted, model, [pair for pair in held if pair[0].name not in parked])
        names = " and ".join(filter(None, (", ".join(parked[:-1]), parked[-1])))
        reason = f"so that {model.name} ({size_text(wanted)}) fits" if model is not None else "so that the rest fits"
        setting = f"the {_setting(device)} of {size_text(limit)}"
        notices().show(f"parked {names}, least recently used, {reason} into {setting}")


def _no_room(
    device: str, limit: int, wanted: int, model: Tenant | None, staying: list[tuple[Tenant, int]]
) -> MemoryBudgetError:
    stay = ", ".join(f"{other.name} ({size_text(size)}, {other.why_it_stays})" for other, size in staying)
    problem = f"{model.name} takes {size_text(wanted)}" if model is not None else "too much is in use"
    return MemoryBudgetError(
        f"{problem}, and the {_setting(device)} of {size_text(limit)} has no room for it: what stays is {stay}; "
        "drop one of these, or raise the budget (%config TfMagic.memory_budget = …)"
    )


def _setting(device: str) -> str:
    return "memory_budget" if device == HOST else f"memory_budget for {device.lower()}"


def parse_budget(text: str) -> dict[str, int]:
    """Return the bytes of a budget, by device (``GPU:0``) and `HOST`; other text raises SettingError."""
    limits: dict[str, int] = {}
    for part in text.split(","):
        name, equals, size = part.rpartition("=")
        device = HOST
        if equals:
            match = _DEVICE.fullmatch(name.strip())
            if match is None:
                msg = f"memory_budget {text!r}: {name.strip()!r} is no device, {_EXPECTED}"
                raise SettingError(msg)
            device = f"{match['kind'].upper()}:{int(match['number'] or 0)}"
        if device in limits:
            msg = f"memory_budget {text!r} says {_setting(device)} twice"
            raise SettingError(msg)
        limits[device] = parse_size(size.strip(), text)
    return limits


def parse_size(size: str, text: str, setting: str = "memory_budget") -> int:
    """Return the bytes of a size in the text of a setting; no size, or one not above zero, raises SettingError."""
    match = _SIZE.fullmatch(size)
    if match is None:
        problem = "is negative" if size.startswith("-") else "is no size"
        expected = _EXPECTED if setting == "memory_budget" else "expected a size such as '256MB'"
        msg = f"{setting} {text!r}: {size!r} {problem}, {expected}"
        raise SettingError(msg)
    number = float(match["number"]) * _UNITS[match["unit"].lower()]
    if not math.isfinite(number):
        msg = f"{setting} is more than there is memory in the world"
        raise SettingError(msg)
    if number < 1:
        msg = f"{setting} {text!r}: {size!r} is nothing"
        raise SettingError(msg)
    return int(number)


def bytes_in_part(weights: Weights, device: str, named: set[str], calls_bytes: int = 0) -> int:
    """Return how many bytes of a model count for one part of a budget: a device, or `HOST`.

    `named` are the devices that have a part of their own; `calls_bytes` are constants of prepared
    calls, which ask for no device.
    """
    total = 0
    for place in weights.devices:
        actual = place or default_device()
        part = actual if actual in named else HOST
        # A GPU without a part of its own does not count for the host.
        if part == device and (part != HOST or not actual.startswith("GPU")):
            total += weights.bytes_on(place) + (0 if place else calls_bytes)
    return total


def default_device() -> str:
    """Return the device on which TensorFlow places operations that ask for none."""
    import tensorflow as tf

    return "GPU:0" if tf.config.list_physical_devices("GPU") else "CPU:0"


def budget() -> Budget:
    """Return the process's budget."""
    return once("budget", Budget)
