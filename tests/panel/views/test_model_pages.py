"""Views of models and files: they draw records, unknown figures as unknown, names escaped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tfmagic.panel.views.model_pages import FilePage, ModelPage, ModelTable, ends_text, where_text
from tfmagic.panel.views.sentences import added_text
from tfmagic.panel.views.view import Sentence, View

if TYPE_CHECKING:
    from tfmagic.execution.signature.signature import SignatureRecord, TensorRecord
    from tfmagic.formats.common.source import FileRecord
    from tfmagic.model.record import ModelRecord

HOSTILE = "<img src=x onerror=1>"


def signature(name: str = "serving_default", end: str = "x") -> SignatureRecord:
    return {
        "name": name,
        "inputs": [{"name": end, "dtype": "float32", "shape": [None, 64], "tensor": "x:0", "optional": False}],
        "outputs": [{"name": "y", "dtype": "float32", "shape": None, "tensor": "y:0", "optional": False}],
    }


def model(name: str = "net", source: str = "models/net", *, known: bool = True, note: str = "") -> ModelRecord:
    return {
        "name": name,
        "kind": "SavedModel",
        "copied": False,
        "mode": "graph",
        "state": "ready" if known else "parked",
        "path": None,
        "source": source,
        "device": None,
        "signature": signature() if known else None,
        "default_signature": "serving_default" if known else None,
        "signatures": [signature()] if known else [],
        "variables": 3 if known else None,
        "weights_bytes": 26_600 if known else None,
        "constants_bytes": 12 if known else None,
        "size_bytes": 26_612 if known else None,
        "held_bytes": 26_612 if known else 0,
        "grew_bytes": 40_000 if known else None,
        "run_peak_bytes": None,
        "peak_awaits_trace": known,
        "prepared": [],
        "folded_bytes": 0,
        "stopped": False,
        "names": ["a", "b"],
        "calls": 2,
        "last_latency_s": 0.002 if known else None,
        "median_latency_s": 0.001 if known else None,
        "last_error": None,
        "devices": None,
        "moved": None,
        "runs_on": ["CPU:0"] if known else None,
        "can_park": known,
        "notes": [note] if note else [],
    }


def file(path: str = "models/net", *, known: bool = True) -> FileRecord:
    return {
        "path": path,
        "kind": "SavedModel",
        "tags": [["serve"], ["gpu", "serve"]],
        "signatures": [signature(), signature("other")],
        "variables": 3 if known else None,
        "weights_bytes": 26_600 if known else None,
        "disk_bytes": 53_000,
        "available_bytes": 8_000_000_000 if known else None,
        "fits": True if known else None,
        "notes": ["version 7"],
    }


VIEWS = [
    ModelTable([model(HOSTILE)]),
    ModelPage(model(HOSTILE)),
    ModelPage(model(source=HOSTILE)),
    ModelPage(model(note=HOSTILE)),
    ModelPage({**model(), "last_error": HOSTILE}),
    ModelPage({**model(), "names": [HOSTILE]}),
    ModelPage({**model(), "signatures": [signature(end=HOSTILE)]}),
    FilePage(file(HOSTILE)),
    FilePage({**file(), "tags": [[HOSTILE]]}),
    FilePage({**file(), "signatures": [signature(HOSTILE)]}),
    Sentence(f"dropped: {HOSTILE}"),
]


@pytest.mark.parametrize("view", VIEWS)
def test_a_name_that_is_html_is_shown_as_it_is_and_never_becomes_html(view: View) -> None:
    assert HOSTILE in view.text()
    assert repr(view) == view.text()
    html = view._repr_html_()
    assert "<img" not in html
    assert "&lt;img src=x onerror=1&gt;" in html


def test_the_table_has_a_row_a_model() -> None:
    first, *rows = ModelTable([model("one"), model("two")]).text().splitlines()
    assert first.split()[:3] == ["name", "kind", "mode"]
    assert [row.split()[0] for row in rows] == ["one", "two"]
    assert "x float32 (?, 64)" in rows[0]
    assert "y float32 any shape" in rows[0]
    assert "26.6 kB" in rows[0]
    assert "2 ms" in rows[0]


def test_an_empty_table_says_how_to_begin() -> None:
    assert "%tf_model add NAME SOURCE" in ModelTable([]).text()
    assert "%tf_model add NAME SOURCE" in ModelTable([]).html()


def test_the_page_shows_every_fact_and_signature() -> None:
    text = ModelPage(model(note="version 7")).text()
    for fact in ("models/net (SavedModel)", "ready", "no request", "26.6 kB", "median 1 ms", "a, b", "version 7"):
        assert fact in text
    assert "serving_default (default)" in text


def test_where_it_runs_is_told_apart_from_where_it_was_asked_to_be() -> None:
    row = model()
    assert where_text(row) == "CPU:0"
    row["device"] = "/job:localhost/device:GPU:0"
    assert where_text(row) == "CPU:0 (asked for GPU:0)"
    row["moved"], row["runs_on"] = 0, ["GPU:0"]
    assert where_text(row) == "GPU:0"
    row["moved"], row["runs_on"] = 2, ["CPU:0", "GPU:0"]
    assert where_text(row) == "CPU:0, GPU:0 (2 not where asked for)"
    assert where_text(model(known=False)) == "unknown (%tf_runtime placement net tells)"
    assert "runs on          CPU:0" in ModelPage(model()).text()


@pytest.mark.parametrize(
    "view", [ModelTable([model(known=False)]), ModelPage(model(known=False)), FilePage(file(known=False))]
)
def test_what_is_not_known_is_unknown_and_never_a_zero(view: View) -> None:
    assert "unknown" in view.text()
    assert "unknown" in view.html()
    assert " 0 " not in view.text()
    assert "0 B" not in view.text()


def test_the_page_of_a_file_says_whether_it_fits() -> None:
    text = FilePage(file()).text()
    assert "yes (8 GB of memory available)" in text
    assert "serve | gpu,serve" in text
    assert "other" in text
    assert "no (8 GB" in FilePage({**file(), "fits": False}).text()


def test_ends_are_drawn_with_dtype_and_shape() -> None:
    drawn = signature()
    assert ends_text(drawn, "inputs") == "x float32 (?, 64)"
    assert ends_text(drawn, "outputs") == "y float32 any shape"
    assert ends_text(None, "inputs") == "unknown"
    assert ends_text({**drawn, "inputs": []}, "inputs") == "nothing"
    assert ends_text({**drawn, "outputs": []}, "outputs") == "known after a call"
    optional: TensorRecord = {**drawn["inputs"][0], "shape": [3], "optional": True}
    assert ends_text({**drawn, "inputs": [optional]}, "inputs") == "x float32 (3,) (optional)"


def test_what_came_of_adding_is_said() -> None:
    assert added_text(model(), "kept") == "net: unchanged, kept"
    assert added_text(model(), "kept", warmed=True) == "net: unchanged, kept, and warmed"
    assert added_text(model(note="version 7"), "added").startswith("net added: SavedModel models/net (version 7)\n  x ")
    assert added_text(model(known=False), "renewed").endswith("parked until it is first run")


def test_a_page_says_how_calls_are_run_and_what_was_measured() -> None:
    record = model()
    record["prepared"] = [
        {"fetches": ["y:0"], "way": "folded", "latencies_s": {"pool": 50e-6, "caller": 20e-6, "folded": 10e-6}}
    ]
    record["folded_bytes"] = 26_600
    text = ModelPage(record).text()
    assert "with folded variables (in TensorFlow's pool 50 µs, in the caller's thread 20 µs, with folded" in text
    assert "about 26.6 kB of constants beside the variables" in text
    assert "is run" not in ModelPage(model()).text()


def test_a_file_without_variables_has_constants() -> None:
    assert "none, 2.62 kB of constants" in FilePage({**file(), "variables": 0, "weights_bytes": 2620}).text()
