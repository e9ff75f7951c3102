from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from benchmarks.call_chart import Bar, bars, drawn
from benchmarks.figures import Figure, table

SVG = "{http://www.w3.org/2000/svg}"
FIGURES = [
    Figure('small: tfmagic: models.net.run({"x": x})', "µs", [9.0, 10.0, 30.0]),
    Figure("small: keras predict", "µs", [9e4, 1e5, 2e5]),
    Figure("small: a < b", "µs", [99.0, 100.0, 101.0]),
    Figure("small: models.net(x) over ONNX Runtime, pair by pair", "times", [1.2], "≤ 1.3"),
    Figure("small: %tf_run over models.net(x), pair by pair", "ms", [0.5], "≤ 1 ms"),
    Figure("deep: tf.function", "ms", [7.0]),
]


@pytest.fixture(scope="module")
def found() -> list[Bar]:
    return bars(table("Calls", FIGURES))


@pytest.fixture(scope="module")
def chart(found: list[Bar]) -> ET.Element:
    return ET.fromstring(drawn(found, "A machine & its cores"))  # noqa: S314 - written here, a line before


def test_times_are_bars_and_ratios_are_not(found: list[Bar]) -> None:
    assert [(bar.case, bar.way) for bar in found] == [
        ("small", 'tfmagic: models.net.run({"x": x})'),
        ("small", "keras predict"),
        ("small", "a < b"),
        ("deep", "tf.function"),
    ]


def test_median_and_spread_are_seconds(found: list[Bar]) -> None:
    predict = found[1]
    assert (predict.low_s, predict.median_s, predict.high_s) == pytest.approx((0.09, 0.1, 0.2))
    assert [bar.said for bar in found] == ["10 µs", "100 ms", "100 µs", "7 ms"]


def test_quickest_of_a_network_is_at_its_top_and_only_ours_has_our_colour(chart: ET.Element) -> None:
    kinds = [rect.get("class") for rect in chart.iter(f"{SVG}rect")]
    names = [text.text for text in chart.iter(f"{SVG}text") if (text.get("class") or "").startswith("name")]
    assert names == ['tfmagic: models.net.run({"x": x})', "a < b", "keras predict", "tf.function"]
    assert kinds == ["ours", "peer", "peer", "peer"]


def test_ten_times_as_long_is_one_step_more(chart: ET.Element) -> None:
    ours, middle, predict, _ = (float(rect.get("width", "nan")) for rect in chart.iter(f"{SVG}rect"))
    assert predict - middle == pytest.approx(3 * (middle - ours), abs=0.5)
    ticks = [text.text for text in chart.iter(f"{SVG}text") if text.get("class") == "tick"]
    assert ticks == ["1 µs", "10 µs", "100 µs", "1 ms", "10 ms", "100 ms", "1 s", "1 ms", "10 ms"]


def test_nothing_is_drawn_outside(chart: ET.Element) -> None:
    width, height = map(float, chart.get("viewBox", "").split()[2:])
    for text in chart.iter(f"{SVG}text"):
        assert 0 <= float(text.get("x", "nan")) < width
        assert 0 <= float(text.get("y", "nan")) < height
    for path in chart.iter(f"{SVG}path"):
        assert all(0 <= float(number) <= max(width, height) for number in re.findall(r"[\d.]+", path.get("d", "")))


def test_it_says_what_it_was_measured_on_and_has_colours_for_dark_pages(chart: ET.Element) -> None:
    assert "A machine & its cores" in "".join(chart.itertext())
    assert "prefers-color-scheme: dark" in "".join(chart.itertext())
