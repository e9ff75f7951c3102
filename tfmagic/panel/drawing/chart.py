"""Bar charts as SVG, without a library, readable on light and dark pages."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# A contrast of at least 3:1 to white and to black, in hues that red-green blindness does not confuse.
_COLOURS = ("#3d85c6", "#d0762a", "#2a9266", "#a56bc9", "#b5862a", "#c9608a")
_BAR, _GAP, _BLOCK = 14, 2, 10
_WIDTH = 360
_LETTER = 6.6
_SIDE = 8


@dataclass(frozen=True)
class Bar:
    """A bar, None for nothing to draw, and the label at its end."""

    value: float | None
    label: str


@dataclass(frozen=True)
class BarChart:
    """Groups of bars, one a series, below each other on a scale; `track` draws the full length behind each bar."""

    title: str
    series: Sequence[str]
    groups: Sequence[tuple[str, Sequence[Bar]]]
    least: float = 0.0
    most: float = 1.0
    first_colour: int = 0
    track: bool = False

    def svg(self) -> str:
        """Return the chart as an SVG element; text and lines have the page's own colour."""
        left = _SIDE + max((len(name) for name, _ in self.groups), default=0) * _LETTER + 8
        right = max((len(bar.label) for _, bars in self.groups for bar in bars), default=0) * _LETTER + 12
        top = 26 + (22 if len(self.series) > 1 else 0)
        block = len(self.series) * (_BAR + _GAP) + _BLOCK
        height = top + len(self.groups) * block
        legend = sum(26 + len(name) * _LETTER for name in self.series)
        width = max(left + _WIDTH + right, len(self.title) * 7 + 2 * _SIDE, legend + 2 * _SIDE)
        zero = self._x(min(max(0.0, self.least), self.most), left)
        opening = (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}" style="max-width:100%;height:auto;color:inherit" '
            f'font-family="sans-serif" font-size="12" fill="currentColor">'
        )
        parts = [
            opening,
            f"<title>{escape(self.title)}</title>",
            f'<text x="{_SIDE}" y="16" font-weight="bold">{escape(self.title)}</text>',
            *(self._legend() if len(self.series) > 1 else []),
        ]
        for number, (name, bars) in enumerate(self.groups):
            parts += self._group(name, bars, top + number * block, left, zero)
        parts.append(
            f'<line x1="{zero:.1f}" y1="{top - 2}" x2="{zero:.1f}" y2="{height - _BLOCK + 2:.0f}" '
            'stroke="currentColor" stroke-opacity="0.5"/>'
        )
        return "".join([*parts, "</svg>"])

    def _legend(self) -> list[str]:
        parts, x = [], float(_SIDE)
        for number, name in enumerate(self.series):
            parts.append(f'<rect x="{x:.1f}" y="27" width="12" height="12" rx="2" fill="{self._colour(number)}"/>')
            parts.append(f'<text x="{x + 17:.1f}" y="37">{escape(name)}</text>')
            x += 26 + len(name) * _LETTER
        return parts

    def _group(self, name: str, bars: Sequence[Bar], top: float, left: float, zero: float) -> list[str]:
        middle = top + len(bars) * (_BAR + _GAP) / 2 + 3
        parts = [f'<text x="{left - 8:.1f}" y="{middle:.1f}" text-anchor="end">{escape(name)}</text>']
        for number, bar in enumerate(bars):
            y = top + number * (_BAR + _GAP)
            end = zero if bar.value is None else self._x(bar.value, left)
            start, stop = sorted((zero, end))
            if self.track:
                parts.append(f'<rect x="{left:.1f}" y="{y:.1f}" width="{_WIDTH}" height="{_BAR}" fill-opacity="0.08"/>')
            says = f"{name}, {self.series[number]}: {bar.label}"
            parts.append(
                f'<rect x="{start:.1f}" y="{y:.1f}" width="{stop - start:.1f}" height="{_BAR}" '
                f'fill="{self._colour(number)}"><title>{escape(says)}</title></rect>'
            )
            beside = left + _WIDTH if self.track else stop
            parts.append(f'<text x="{beside + 5:.1f}" y="{y + _BAR - 3:.1f}">{escape(bar.label)}</text>')
        return parts

    def _x(self, value: float, left: float) -> float:
        reach = self.most - self.least
        share = (value - self.least) / reach if reach else 0.0
        return left + _WIDTH * min(1.0, max(0.0, share))

    def _colour(self, number: int) -> str:
        return _COLOURS[(self.first_colour + number) % len(_COLOURS)]
