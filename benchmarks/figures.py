"""Figures: several readings of one thing, and how they are written down."""

from __future__ import annotations

import os
import platform
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Figure:
    """One thing, read several times.

    Attributes
    ----------
    what
        What was measured, in words.
    unit
        The unit of the readings.
    readings
        Each reading.
    target
        What it must reach, in words; empty for a peer.
    """

    what: str
    unit: str
    readings: Sequence[float]
    target: str = ""

    def row(self) -> tuple[str, str, str, str, str, str]:
        """Return what, median, minimum, maximum, unit and target as text."""
        low, middle, high = min(self.readings), statistics.median(self.readings), max(self.readings)
        return (self.what, _short(middle), _short(low), _short(high), self.unit, self.target)


def _short(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else f"{value:.3g}"


def table(title: str, figures: Sequence[Figure]) -> str:
    """Return a Markdown table of figures."""
    lines = [
        f"### {title}",
        "",
        "| what | median | min | max | unit | must reach |",
        "|---|---:|---:|---:|---|---|",
    ]
    lines += [f"| {' | '.join(figure.row())} |" for figure in figures]
    return "\n".join(lines)


def machine() -> str:
    """Return what the figures were measured on."""
    import psutil

    model = platform.processor() or "unknown processor"
    described = Path("/proc/cpuinfo")
    if described.exists():
        lines = described.read_text(encoding="utf-8").splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
    memory = psutil.virtual_memory().total / 1e9
    return (
        f"{model}, {os.cpu_count()} cores, {memory:.0f} GB, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}"
    )
