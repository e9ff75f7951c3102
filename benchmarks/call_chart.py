"""The table of calls drawn: bars on a logarithmic scale, ours in one colour, readable on light and on dark pages."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SECONDS = {"µs": 1e-6, "ms": 1e-3, "s": 1.0}
OURS = "tfmagic: "
WIDTH, LABELS, VALUES = 860, 330, 70
ROW, GAP, TOP = 18, 46, 34
STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #57606a; }
  .title { font-weight: 600; font-size: 14px; fill: #1f2328; }
  .name { text-anchor: end; }
  .tick { text-anchor: middle; font-size: 11px; }
  .grid { stroke: #d0d7de; }
  .peer { fill: #afb8c1; }
  .ours { fill: #e36209; }
  text.ours { font-weight: 600; fill: #bc4c00; }
  .spread { stroke: #57606a; }
  @media (prefers-color-scheme: dark) {
    text { fill: #9198a1; }
    .title { fill: #f0f6fc; }
    .grid { stroke: #3d444d; }
    .peer { fill: #656c76; }
    text.ours { fill: #f0883e; }
    .spread { stroke: #9198a1; }
  }"""


@dataclass(frozen=True)
class Bar:
    """One way to call one network.

    Attributes
    ----------
    case
        The network and the batch.
    way
        What was called.
    median_s, low_s, high_s
        The readings' median, smallest and largest.
    said
        The median with its unit, as the table has it.
    """

    case: str
    way: str
    median_s: float
    low_s: float
    high_s: float
    said: str


def bars(table: str) -> list[Bar]:
    """Return the times of a written table of calls; its ratios and differences are no bars.

    Parameters
    ----------
    table
        Markdown, as ``figures.table`` writes it.
    """
    found = []
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if len(cells) != len(("what", "median", "min", "max", "unit", "must reach")) or cells[4] not in SECONDS:
            continue
        case, separator, way = cells[0].partition(": ")
        if not separator or way.endswith("pair by pair"):
            continue
        median, low, high = (float(cell) * SECONDS[cells[4]] for cell in cells[1:4])
        found.append(Bar(case, way, median, low, high, _said(median)))
    return found


def drawn(found: Sequence[Bar], machine: str) -> str:
    """Return the chart as SVG: a group for each network, the quickest way at its top.

    Parameters
    ----------
    found
        The bars, those of a case one after the other.
    machine
        What they were measured on.
    """
    cases = [
        (case, sorted(group, key=lambda bar: bar.median_s)) for case, group in groupby(found, lambda bar: bar.case)
    ]
    lines: list[str] = []
    y = TOP
    for case, group in cases:
        lines += _group(case, group, y)
        y += len(group) * ROW + GAP
    said = (
        "Median of a call, NumPy to NumPy, with the smallest and the largest reading; each scale is its own.",
        machine,
    )
    size = f'viewBox="0 0 {WIDTH} {y + 8}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title">',
            '<title id="title">What a call costs: tfmagic beside every other way to call the same network</title>',
            f"<style>{STYLE}\n</style>",
            *lines,
            *(f'<text x="8" y="{y - 20 + 16 * row}">{escape(line)}</text>' for row, line in enumerate(said)),
            "</svg>\n",
        ]
    )


def _group(case: str, group: Sequence[Bar], top: int) -> Iterator[str]:
    first = math.floor(math.log10(min(bar.low_s for bar in group)))
    last = math.ceil(math.log10(max(bar.high_s for bar in group)))
    step = (WIDTH - LABELS - VALUES) / max(1, last - first)

    def x(seconds: float) -> float:
        return LABELS + (math.log10(seconds) - first) * step

    bottom = top + len(group) * ROW
    yield f'<text class="title" x="8" y="{top - 8}">{escape(case)}</text>'
    for exponent in range(first, last + 1):
        at = x(10.0**exponent)
        yield f'<path class="grid" d="M{at:.1f} {top}V{bottom}"/>'
        yield f'<text class="tick" x="{at:.1f}" y="{top - 8}">{_said(10.0**exponent)}</text>'
    for index, bar in enumerate(group):
        kind = "ours" if bar.way.startswith(OURS) else "peer"
        y, end = top + index * ROW, x(bar.median_s)
        middle = y + ROW / 2
        name = f'class="name {kind}"' if kind == "ours" else 'class="name"'
        yield f'<text {name} x="{LABELS - 8}" y="{middle + 4:g}">{escape(bar.way)}</text>'
        yield f'<rect class="{kind}" x="{LABELS}" y="{y + 2}" width="{end - LABELS:.1f}" height="{ROW - 4}" rx="2"/>'
        yield f'<path class="spread" d="M{x(bar.low_s):.1f} {middle:g}H{x(bar.high_s):.1f}"/>'
        yield f'<text x="{x(bar.high_s) + 6:.1f}" y="{middle + 4:g}">{bar.said}</text>'


def _said(seconds: float) -> str:
    """Return a time to two digits, in the unit that suits it."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= 0.9995 * size or unit == "µs":
            value = seconds / size
            return f"{value:.2g} {unit}" if value < 99.5 else f"{value:.0f} {unit}"
    raise AssertionError
