"""The verbs of ``%tf_model``: add, list, show, drop; and its help."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kernel.cells import LINE, PAIR, SAVE_TO_DISK

if TYPE_CHECKING:
    from kernel.harness import Kernel

pytestmark = pytest.mark.kernel


def test_adding_says_what_was_added_and_what_it_takes_and_gives(kernel: Kernel) -> None:
    kernel.ok(SAVE_TO_DISK)
    said = kernel.ok("%tf_model add net scales").text
    first, second = said.splitlines()
    assert first == "net added: SavedModel scales (version 10, the highest of 2)"
    assert second.startswith("  x float32 (?, 2) -> y float32 (?, 2); 1 variable")
    assert kernel.ok("%tf_run net [[1, 2]]").text == "array([[3., 6.]], dtype=float32)"


def test_the_bare_magic_and_list_show_a_table_of_the_models(kernel: Kernel) -> None:
    kernel.ok(LINE)
    kernel.ok(PAIR)
    bare, listed = kernel.ok("%tf_model"), kernel.ok("%tf_model list")
    headings, *rows = bare.text.splitlines()
    assert headings.split()[:6] == ["name", "kind", "mode", "state", "takes", "gives"]
    assert [row.split()[:4] for row in rows] == [
        ["line", "cell", "graph", "ready"],
        ["pair", "cell", "graph", "ready"],
    ]
    assert listed.text == bare.text
    assert bare.html.startswith("<table>")
    assert bare.html.count("<tr>") == 3


def test_without_models_the_table_says_how_to_begin(kernel: Kernel) -> None:
    assert kernel.ok("%tf_model").text == "no models yet: %tf_model add NAME SOURCE adds one"


def test_a_name_alone_shows_the_model_as_show_does(kernel: Kernel) -> None:
    kernel.ok(LINE)
    named, shown = kernel.ok("%tf_model line"), kernel.ok("%tf_model show line")
    assert named.text == shown.text
    assert "x float32 (?, 2)" in shown.text
    assert "y float32 (?, 2)" in shown.text
    assert shown.html.startswith("<table>")


def test_what_is_shown_can_be_used_as_data(kernel: Kernel) -> None:
    kernel.ok(LINE)
    kernel.ok("listed = %tf_model list")
    assert kernel.value("[record['name'] for record in listed.records]") == "['line']"


def test_showing_a_path_loads_nothing(kernel: Kernel) -> None:
    kernel.ok(SAVE_TO_DISK)
    kernel.ok("import tfmagic\nopen_before = len(tfmagic.session.open_graphs())")
    shown = kernel.ok("%tf_model show scales/1").text
    assert "halves" in shown
    assert "x float32 (?, 2)" in shown
    assert "1, 4 B of weights" in shown
    assert "fits?" in shown
    assert kernel.value("list(tfmagic.models), len(tfmagic.session.open_graphs()) - open_before") == "([], 0)"


def test_showing_a_frozen_graph_names_its_placeholders(kernel: Kernel) -> None:
    kernel.ok(SAVE_TO_DISK)
    shown = kernel.ok("%tf_model show plus.pb").text
    assert "frozen graph" in shown
    assert "placeholders: x" in shown


def test_dropping_frees_the_name_and_leaves_the_others(kernel: Kernel) -> None:
    kernel.ok(LINE)
    kernel.ok(PAIR)
    assert kernel.ok("%tf_model drop line").text.startswith("dropped: line (")
    assert kernel.refused("%tf_run line [[1, 2]]") == "there is no model 'line' (there is: pair)"
    assert kernel.ok("%tf_run pair a=[3] b=[1] --fetch gap").text == "array([2.], dtype=float32)"


def test_dropping_all_leaves_none(kernel: Kernel) -> None:
    kernel.ok(LINE)
    kernel.ok(PAIR)
    assert kernel.ok("%tf_model drop --all").text.startswith("dropped: line, pair (")
    assert kernel.ok("%tf_model drop --all").text == "there was no model to drop"
    kernel.ok("import tfmagic")
    assert kernel.value("list(tfmagic.models)") == "[]"


def test_dropping_an_unknown_model_drops_none(kernel: Kernel) -> None:
    kernel.ok(LINE)
    assert kernel.refused("%tf_model drop line lime") == "there is no model 'lime' (did you mean 'line'?)"
    assert kernel.ok("%tf_run line [[1, 2]]").status == "ok"


@pytest.mark.parametrize("line", ["%tf_model drop", "%tf_model drop --all line"])
def test_drop_asks_for_names_or_all(kernel: Kernel, line: str) -> None:
    kernel.ok(LINE)
    assert "--all" in kernel.refused(line)
    assert kernel.ok("%tf_run line [[1, 2]]").status == "ok"


def test_an_unknown_verb_is_refused_with_the_nearest(kernel: Kernel) -> None:
    assert kernel.refused("%tf_model ad net plus.pb") == "%tf_model has no verb or model 'ad' (did you mean 'add'?)"
    said = kernel.refused("%tf_model help")
    assert said.startswith("%tf_model has no verb or model 'help': its verbs are list, add, show, ")
    assert said.endswith("wake, drop, and %tf_model --help says what they do")
    kernel.ok(LINE)
    assert "%tf_run line" in kernel.refused("%tf_model line [[1, 2]]")


def test_words_that_other_tools_have_lead_to_ours(kernel: Kernel) -> None:
    said = kernel.refused("%tf_model compare net other")
    assert said.startswith("%tf_model has no verb 'compare': %tf_run OLD,NEW EXPR runs several models")
    assert "%tf_model drop NAME" in kernel.refused("%tf_model rm net")


def test_lazy_loads_at_first_use(kernel: Kernel) -> None:
    kernel.ok(SAVE_TO_DISK)
    added = kernel.ok("%tf_model add net scales/1 --lazy").text
    assert "parked until it is first run" in added
    assert "unknown" in kernel.ok("%tf_model").text
    assert kernel.ok("%tf_run net [[1, 2]]").text == "array([[2., 4.]], dtype=float32)"
    assert "ready" in kernel.ok("%tf_model").text


def test_warm_runs_the_model_and_counts_no_call(kernel: Kernel) -> None:
    kernel.ok(SAVE_TO_DISK)
    kernel.ok("%tf_model add --warm net scales/1")
    kernel.ok("import tfmagic")
    assert kernel.value("tfmagic.models.net.record()['calls'], tfmagic.models.net.caller.has_run") == "(0, True)"


def test_a_requested_device_is_shown(kernel: Kernel) -> None:
    kernel.ok(SAVE_TO_DISK)
    kernel.ok("%tf_model add net scales/1 --device cpu")
    assert "/device:CPU:0" in kernel.ok("%tf_model show net").text


def test_help_declares_every_verb_and_option(kernel: Kernel) -> None:
    everything = kernel.ok("%tf_model --help").text
    for word in ("add NAME SOURCE", "list", "show NAME|PATH", "drop NAME", "%%tf_model NAME", "--signature S", "--all"):
        assert word in everything
    assert kernel.ok("%tf_model add --help").text.startswith("%tf_model add NAME SOURCE")
    assert "--fetch" in kernel.ok("%tf_run --help").stdout
    assert "-o VAR" in kernel.ok("%%tf_run --help\npass").stdout
    assert "--outputs" in kernel.ok("%%tf_model --help\npass").text


def test_the_question_mark_shows_the_declared_options(kernel: Kernel) -> None:
    assert "--fetch a,b" in kernel.ok("%tf_run?").page
    shown = kernel.ok("%tf_model?").page
    assert "--signature S" in shown
    assert "%%tf_model NAME" in shown
