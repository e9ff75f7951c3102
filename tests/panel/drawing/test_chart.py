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


def test_a_bar_is_as_long_as_its_value() -> None:
    lengths = [float(element.get("width") or 0) for element in bars(parsed(chart()))]
    assert lengths[1] == pytest.approx(2 * lengths[0])
    assert lengths[2:] == [0, 0]


def test_values_below_zero_go_the_other_way() -> None:
    both = BarChart("scores", ["one"], [("a", [Bar(-1.0, "-1")]), ("b", [Bar(1.0, "1")])], -1.0, 1.0)
    below, above = bars(parsed(both))
    assert float(below.get("x") or 0) + float(below.get("width") or 0) == pytest.approx(float(above.get("x") or 0))
    assert float(below.get("width") or 0) == pytest.approx(float(above.get("width") or 0))


def test_equal_ends_are_no_error() -> None:
    assert bars(parsed(BarChart("zeros", ["one"], [("a", [Bar(0.0, "0")])], 0.0, 0.0)))


def test_one_series_needs_no_legend() -> None:
    texts = [element.text for element in parsed(BarChart("t", ["one"], [("a", [Bar(1.0, "1")])])).iter(f"{SVG}text")]
    assert "one" not in texts
    assert "one" in [element.text for element in parsed(chart()).iter(f"{SVG}text")]


def test_text_stays_text() -> None:
    hostile = "</text><script>"
    svg = parsed(BarChart(hostile, [hostile, "two"], [(hostile, [Bar(1.0, hostile), Bar(1.0, "")])]))
    assert svg.findtext(f"{SVG}title") == hostile
    assert not list(svg.iter(f"{SVG}script"))


def test_all_that_is_drawn_lies_within_the_picture() -> None:
    svg = parsed(chart(track=True))
    _, _, width, height = (float(part) for part in (svg.get("viewBox") or "").split())
    for element in svg.iter(f"{SVG}rect"):
        assert float(element.get("x") or 0) >= 0
        assert float(element.get("x") or 0) + float(element.get("width") or 0) <= width
        assert float(element.get("y") or 0) + float(element.get("height") or 0) <= height


def test_a_track_lies_behind_each_bar() -> None:
    assert len(list(parsed(chart(track=True)).iter(f"{SVG}rect"))) == len(list(parsed(chart()).iter(f"{SVG}rect"))) + 4


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
