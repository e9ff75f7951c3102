"""Bars as SVG: well-formed, named for a screen reader, readable on any page."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from tfmagic.panel.drawing.chart import _COLOURS, Bar, BarChart

SVG = "{http://www.w3.org/2000/svg}"


def chart(**more: object) -> BarChart:
    groups = [("a", [Bar(0.5, "half"), Bar(1.0, "all")]), ("b", [Bar(0.0, "none"), Bar(None, "unknown")])]
    return BarChart("shares", ["one", "two"], groups, **more)  # type: ignore[arg-type]


def parsed(drawn: BarChart) -> ET.Element:
    return ET.fromstring(drawn.svg())  # noqa: S314 - our own text


def bars(svg: ET.Element) -> list[ET.Element]:
    return [element for element in svg.iter(f"{SVG}rect") if list(element)]


def test_it_is_an_image_with_a_title_and_each_bar_says_what_it_is() -> None:
    svg = parsed(chart())
    assert svg.get("role") == "img"
    assert svg.findtext(f"{SVG}title") == "shares"
    said = [element.findtext(f"{SVG}title") for element in bars(svg)]
    assert said == ["a, one: half", "a, two: all", "b, one: none", "b, two: unknown"]


def box(element: ET.Element) -> tuple[float, float, float, float]:
    """Return where a rectangle begins and ends: left, top, right, bottom."""
    x, y, width, height = (float(element.attrib[name]) for name in ("x", "y", "width", "height"))
    return x, y, x + width, y + height


def tracks(svg: ET.Element) -> list[ET.Element]:
    """Return what lies behind the bars, each as long as the whole scale."""
    return [element for element in svg.iter(f"{SVG}rect") if element.get("fill-opacity")]


def texts(svg: ET.Element) -> dict[str, tuple[float, float]]:
    """Return where each text stands: from its left end, or to its right end where it is anchored so."""
    return {
        element.text or "": (float(element.attrib["x"]), float(element.attrib["y"]))
        for element in svg.iter(f"{SVG}text")
    }


def test_a_bar_is_as_long_as_its_value() -> None:
    svg = parsed(chart(track=True))
    left, _, right, _ = box(tracks(svg)[0])
    spans = [(box(element)[0], box(element)[2]) for element in bars(svg)]
    assert spans == [(left, pytest.approx((left + right) / 2)), (left, right), (left, left), (left, left)]


@pytest.mark.parametrize(
    ("least", "most", "value", "begins", "ends"),
    [
        (-1.0, 1.0, -1.0, 0.0, 0.5),
        (-1.0, 1.0, 1.0, 0.5, 1.0),
        (-1.0, 3.0, 2.0, 0.25, 0.75),
        (-1.0, 3.0, -0.5, 0.125, 0.25),
        # What goes past the ends of the scale is cut off there.
        (0.0, 1.0, 7.0, 0.0, 1.0),
        (-1.0, 1.0, -7.0, 0.0, 0.5),
        # Where zero is no part of the scale, bars begin at the end that is next to it.
        (2.0, 4.0, 3.0, 0.0, 0.5),
        (-4.0, -2.0, -3.0, 0.5, 1.0),
    ],
)
def test_a_bar_reaches_from_zero_to_its_value(
    least: float, most: float, value: float, begins: float, ends: float
) -> None:
    svg = parsed(BarChart("scores", ["one"], [("a", [Bar(value, "v")])], least, most, track=True))
    left, _, right, _ = box(tracks(svg)[0])
    start, _, stop, _ = box(bars(svg)[0])
    width = right - left
    assert (start - left) / width == pytest.approx(begins)
    assert (stop - left) / width == pytest.approx(ends)
    zero = svg.find(f"{SVG}line")
    assert zero is not None
    at = begins if value > 0 else ends
    assert [(float(zero.attrib[name]) - left) / width for name in ("x1", "x2")] == [pytest.approx(at)] * 2
    # It crosses all bars, and nothing else.
    top, bottom = float(zero.attrib["y1"]), float(zero.attrib["y2"])
    assert 0 <= box(bars(svg)[0])[1] - top <= 4
    assert 0 <= bottom - box(bars(svg)[0])[3] <= 6
    assert bottom <= float(svg.attrib["height"])


def test_bars_do_not_overlap_and_groups_are_further_apart_than_their_bars() -> None:
    (_, a1, _, a1_end), (_, a2, _, a2_end), (_, b1, _, b1_end), (_, b2, _, _) = map(box, bars(parsed(chart())))
    assert a1_end < a2
    assert b1_end < b2
    assert b1 - a2_end > a2 - a1_end
    assert a1_end - a1 == a2_end - a2 == b1_end - b1 > 8


def test_a_groups_name_stands_beside_the_middle_of_its_bars() -> None:
    svg = parsed(chart())
    for name, group in (("a", bars(svg)[:2]), ("b", bars(svg)[2:])):
        x, y = texts(svg)[name]
        assert x < min(box(bar)[0] for bar in group)
        middle = (box(group[0])[1] + box(group[1])[3]) / 2
        # The line that letters stand on is below their middle, by less than they are high.
        assert 0 < y - middle < 8


@pytest.mark.parametrize("track", [False, True])
def test_a_label_stands_at_the_end_of_its_bar_and_on_its_line(track: bool) -> None:  # noqa: FBT001 - a parameter
    svg = parsed(chart(track=track))
    ends = [box(element)[2] for element in (tracks(svg) if track else bars(svg))]
    for bar, end, label in zip(bars(svg), ends, ["half", "all", "none", "unknown"], strict=True):
        x, y = texts(svg)[label]
        assert 0 < x - end < 10
        # Letters of 12 px stand 9 px above their line.
        assert box(bar)[1] <= y - 9
        assert y < box(bar)[3]


def test_the_legend_has_the_colour_of_each_series_before_its_name() -> None:
    svg = parsed(chart(first_colour=2))
    first, second, *_ = [element for element in svg.iter(f"{SVG}rect") if element not in bars(svg)]
    assert [first.get("fill"), second.get("fill")] == [element.get("fill") for element in bars(svg)[:2]]
    assert first.get("fill") != second.get("fill")
    assert box(first)[2] < texts(svg)["one"][0] < box(second)[0] < box(second)[2] < texts(svg)["two"][0]
    assert texts(svg)["one"][0] + 6.6 * len("one") < box(second)[0]
    assert box(first)[3] < box(bars(svg)[0])[1]


def test_equal_ends_are_no_error() -> None:
    assert bars(parsed(BarChart("zeros", ["one"], [("a", [Bar(0.0, "0")])], 0.0, 0.0)))


def test_one_series_needs_no_legend() -> None:
    texts = [element.text for element in parsed(BarChart("t", ["one"], [("a", [Bar(1.0, "1")])])).iter(f"{SVG}text")]
    assert "one" not in texts
    assert "one" in [element.text for element in parsed(chart()).iter(f"{SVG}text")]
    first, *_ = bars(parsed(BarChart("t", ["one"], [("a", [Bar(1.0, "1")])])))
    assert box(first)[1] < box(bars(parsed(chart()))[0])[1]


def test_text_stays_text() -> None:
    hostile = "</text><script>"
    svg = parsed(BarChart(hostile, [hostile, "two"], [(hostile, [Bar(1.0, hostile), Bar(1.0, "")])]))
    assert svg.findtext(f"{SVG}title") == hostile
    assert not list(svg.iter(f"{SVG}script"))


def test_all_that_is_drawn_lies_within_the_picture() -> None:
    long = "a name of thirty letters or so"
    groups = [(long, [Bar(1.0, long.upper()), Bar(0.5, "half")])]
    for drawn in (
        chart(track=True),
        BarChart("t", ["one", "two"], groups),
        BarChart("t", ["one"], [("a", [Bar(1.0, "1")]), (long, [Bar(1.0, "1")])]),
        BarChart(long * 4, ["one"], [("a", [Bar(1.0, "1")])]),
        BarChart("t", [f"{long}{number}" for number in range(4)], [("a", [Bar(1.0, str(n)) for n in range(4)])]),
    ):
        svg = parsed(drawn)
        x, y, width, height = (float(part) for part in (svg.get("viewBox") or "").split())
        assert (x, y) == (0, 0)
        assert [svg.get("width"), svg.get("height")] == [f"{width:.0f}", f"{height:.0f}"]
        for element in svg.iter(f"{SVG}rect"):
            left, top, right, bottom = box(element)
            assert 0 <= left <= right <= width
            assert 0 <= top <= bottom <= height
        for element in svg.iter(f"{SVG}text"):
            x, y = float(element.attrib["x"]), float(element.attrib["y"])
            # Letters of 12 px are about 6.6 px wide, bold ones 7.
            length = (7 if element.get("font-weight") else 6.6) * len(element.text or "")
            left = x - length if element.get("text-anchor") == "end" else x
            assert left >= 0
            assert left + length <= width
            assert 12 <= y <= height


def test_a_track_lies_behind_each_bar_on_its_line() -> None:
    svg = parsed(chart(track=True))
    assert tracks(parsed(chart())) == []
    drawn = list(svg.iter(f"{SVG}rect"))
    for track, bar in zip(tracks(svg), bars(svg), strict=True):
        assert drawn.index(track) < drawn.index(bar)
        assert box(track)[1::2] == box(bar)[1::2]
        assert box(track)[0] == box(bar)[0]
        assert box(track)[2] >= box(bar)[2]


def test_the_colours_can_begin_later() -> None:
    first, later = bars(parsed(chart())), bars(parsed(chart(first_colour=1)))
    assert first[1].get("fill") == later[0].get("fill")


def test_text_and_lines_have_the_pages_own_colour_and_nothing_is_loaded() -> None:
    svg = chart().svg()
    assert 'fill="currentColor"' in svg
    assert set(re.findall(r"#[0-9a-f]{6}", svg)) <= set(_COLOURS)
    assert "href" not in svg
    assert "url(" not in svg
    assert " id=" not in svg


def luminance(colour: str) -> float:
    def linear(part: float) -> float:
        return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(int(colour[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("colour", _COLOURS)
def test_every_colour_stands_out_from_white_and_from_a_dark_page(colour: str) -> None:
    light, dark = 1.05 / (luminance(colour) + 0.05), (luminance(colour) + 0.05) / (luminance("#111111") + 0.05)
    assert light >= 3
    assert dark >= 3


def test_neighbouring_colours_differ() -> None:
    assert all(one != other for one, other in pairwise(_COLOURS))
