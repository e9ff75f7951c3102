"""Tab in tfmagic's lines: what is offered, that nothing else is, and that looking does nothing."""

from __future__ import annotations

import tempfile
import threading
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest
import tensorflow as tf
from IPython.core.completer import provisionalcompleter, rectify_completions
from IPython.core.interactiveshell import InteractiveShell
from making import add_cell, printed, run_cell, save_v2, scale_graph
from traitlets.config import Config

from tfmagic import models
from tfmagic.magics import model_magic, run_magic
from tfmagic.magics.completion import matcher
from tfmagic.magics.completion.matcher import add_matcher, offers_at, remove_matcher
from tfmagic.magics.options import Command, Option

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TWO_ENDS = """
    import tensorflow as tf
    v1 = tf.compat.v1
    image = v1.placeholder(tf.float32, [None], name="image")
    mask = v1.placeholder(tf.float32, [None], name="mask")
    hidden = tf.multiply(image, 2.0, name="body/hidden")
    sum = tf.add(hidden, mask, name="sum")
    gap = tf.subtract(hidden, mask, name="gap")
"""
ONE_END = """
    import tensorflow as tf
    image = tf.compat.v1.placeholder(tf.float32, [None], name="image")
    sum = tf.identity(image, name="sum")
"""


@pytest.fixture(scope="module")
def the_shell() -> Iterator[Any]:
    with tempfile.TemporaryDirectory() as folder:
        config = Config()
        config.HistoryManager.enabled = False
        config.ProfileDir.location = folder
        shell: Any = InteractiveShell(config=config)  # type: ignore[no-untyped-call]
        shell.run_line_magic("load_ext", "tfmagic")
        yield shell
        shell.run_line_magic("unload_ext", "tfmagic")


@pytest.fixture
def shell(the_shell: Any) -> Iterator[Any]:
    """A shell that has loaded tfmagic, with these names in its notebook."""
    names = {"batch": [1.0], "block": {"first": 1, "second": 2}}
    the_shell.push(names)
    before = set(the_shell.user_ns)
    yield the_shell
    for name in {*names, *(set(the_shell.user_ns) - before)}:
        the_shell.user_ns.pop(name, None)
    the_shell.Completer.use_jedi = True
    the_shell.automagic = True


@pytest.fixture
def two() -> Any:
    """A graph model: ``image`` and ``mask`` to ``sum`` and ``gap``."""
    return add_cell("two", TWO_ENDS).model


@pytest.fixture
def rooms(two: Any) -> Any:
    add_cell("one", ONE_END)
    return two


def tab(shell: Any, cell: str) -> list[str]:
    """Return what tfmagic offers at the end of a cell, or where ``<Tab>`` stands in it."""
    before, _, after = cell.partition("<Tab>")
    row = before.count("\n")
    offers = offers_at(shell, before + after, row, len(before.split("\n")[-1]))
    assert offers is not None, "none of tfmagic's business"
    assert before.endswith(offers.fragment)
    return [one.text for one in offers.found]


def is_ours(shell: Any, cell: str) -> bool:
    return offers_at(shell, cell, cell.count("\n"), len(cell.rsplit("\n", maxsplit=1)[-1])) is not None


def all_offered(shell: Any, cell: str) -> list[str]:
    """Return the cell after each completion of IPython's and of all matchers was taken."""
    with provisionalcompleter():
        found = list(rectify_completions(cell, shell.Completer.completions(cell, len(cell))))
    return [cell[: one.start] + one.text for one in found]


# -- %tf_model ---------------------------------------------------------------------


@pytest.mark.usefixtures("rooms")
def test_verbs_and_models_come_first(shell: Any) -> None:
    assert tab(shell, "%tf_model ") == [*model_magic.COMMANDS, "two", "one"]
    assert tab(shell, "%tf_model tw") == ["two"]
    assert tab(shell, "r = %tf_model sh") == ["show"]


@pytest.mark.parametrize("verb", [verb for verb in model_magic.COMMANDS if verb not in {"add", "list"}])
@pytest.mark.usefixtures("rooms")
def test_every_verb_takes_models(shell: Any, verb: str) -> None:
    assert tab(shell, f"%tf_model {verb} ")[:2] == ["two", "one"]
    assert tab(shell, f"%tf_model {verb} tw") == ["two"]


@pytest.mark.parametrize("verb", ["drop", "sync"])
@pytest.mark.usefixtures("rooms")
def test_a_verb_of_several_models_takes_those_that_are_not_given_yet(shell: Any, verb: str) -> None:
    assert tab(shell, f"%tf_model {verb} two ") == ["one"]
    assert tab(shell, f"%tf_model {verb} <Tab> two") == ["one"]
    assert tab(shell, f"%tf_model {verb} two one ") == []


def test_save_takes_a_model_and_a_path(shell: Any, two: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.keras").touch()
    (tmp_path / "nets").mkdir()
    assert tab(shell, f"%tf_model save {two.name} ") == ["nets/", "old.keras"]
    assert tab(shell, f"%tf_model save {two.name} nets/ ") == []


def test_options_are_those_of_the_verb_less_those_given(shell: Any) -> None:
    known = [option.name for option in model_magic.COMMANDS["add"].options]
    assert tab(shell, "%tf_model add m net -") == known
    assert tab(shell, "%tf_model add m net --") == known
    assert tab(shell, "%tf_model add m net --lazy --la") == []
    assert "--tags" not in tab(shell, "%tf_model add m net --<Tab> --tags serve")
    assert "--tags" not in tab(shell, "%tf_model add m net --tags=serve --")
    assert tab(shell, "%tf_model drop --") == ["--all"]
    assert tab(shell, "%tf_model list --") == []
    assert tab(shell, "%%tf_model m --") == [option.name for option in model_magic.CELL.options]


@pytest.mark.usefixtures("rooms")
def test_a_new_verb_or_option_needs_nothing_but_its_place_in_the_table(
    shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = (Option("--hard", "…"), Option("--like", "…", "S", "signature"))
    monkeypatch.setitem(model_magic.COMMANDS, "polish", Command("%tf_model polish NAME...", "…", options))
    assert "polish" in tab(shell, "%tf_model ")
    assert tab(shell, "%tf_model polish ") == ["two", "one"]
    assert tab(shell, "%tf_model polish two --") == ["--hard", "--like"]
    assert tab(shell, "%tf_model polish two --like ") == ["serving_default"]
    line = Command(run_magic.LINE.usage, "…", (*run_magic.LINE.options, *options))
    monkeypatch.setattr("tfmagic.magics.completion.run_line.LINE", line)
    assert tab(shell, "%tf_run two --h") == ["--hard"]


def test_add_offers_no_name_for_a_new_model(shell: Any, two: Any) -> None:
    assert tab(shell, "%tf_model add ") == []
    assert tab(shell, "%tf_model add t") == []
    assert two.name == "two"


def test_a_source_is_a_likely_object_or_a_path(shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("net.pb", "net.keras", "notes.txt", "table.csv", ".hidden.pb"):
        (tmp_path / name).touch()
    (tmp_path / "nets").mkdir()

    class Net(tf.Module):
        pass

    shell.push(
        {
            "net_object": Net(),
            "net_function": tf.function(lambda x: x),
            "net_graph": scale_graph(2.0)[0],
            "net_path": "nets",
            "net_word": "no such file",
            "net_number": 3,
            "net_class": Net,
        }
    )
    objects = ["net_object", "net_function", "net_graph", "net_path"]
    assert tab(shell, "%tf_model add m ") == [*objects, "net.keras", "net.pb", "nets/"]
    assert tab(shell, "%tf_model add m net_") == objects
    assert tab(shell, "%tf_model add m net.") == ["net.keras", "net.pb"]
    assert tab(shell, "%tf_model add m net_object.name_sc") == ["name_scope"]
    assert "net_number" in tab(shell, "%tf_model add m (net_n")
    assert tab(shell, "%tf_model add m .") == [".hidden.pb"]
    assert tab(shell, "%tf_model add m net_object ") == []


def test_paths_are_quoted_where_they_must_be_and_open_folders(
    shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "my nets"))
    (tmp_path / "my nets" / "inner").mkdir(parents=True)
    (tmp_path / "my nets" / "old net.pb").touch()
    assert tab(shell, "%tf_model add m my") == ['"my nets/']
    assert tab(shell, '%tf_model add m "my') == ["my nets/"]
    assert tab(shell, '%tf_model add m "my nets/') == ["my nets/inner/", "my nets/old net.pb"]
    assert tab(shell, "%tf_model add m 'my nets/o") == ["my nets/old net.pb"]
    assert tab(shell, "%tf_model add m ~") == ["~/"]
    assert tab(shell, "%tf_model add m ~/") == ["~/inner/", '"~/old net.pb"']
    assert tab(shell, f'%tf_model show "{tmp_path}/my nets/i') == [f"{tmp_path}/my nets/inner/"]
    assert tab(shell, "%tf_model add m ~nobody_of_that_name/") == []
    assert tab(shell, "%tf_model add m no/such/folder/") == []


def test_a_saved_model_is_a_folder_of_one_graph(shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_v2(tmp_path / "net", lambda x: {"y": x}, tf.TensorSpec([None], tf.float32, name="x"))
    assert tab(shell, "%tf_model add m n") == ["net/"]
    assert tab(shell, "%tf_model add m net/") == ["net/saved_model.pb"]


def test_show_takes_models_and_paths(shell: Any, two: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "two.pb").touch()
    assert tab(shell, f"%tf_model show {two.name[:1]}") == ["two", "two.pb"]
    assert tab(shell, "%tf_model two ") == []
    assert tab(shell, "%tf_model nonsense ") == []


def test_a_file_says_which_signatures_and_tags_it_has(
    shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save_v2(tmp_path / "net", lambda x: {"y": x}, tf.TensorSpec([None], tf.float32, name="x"))
    assert tab(shell, "%tf_model add m net --signature ") == ["serving_default"]
    assert tab(shell, "%tf_model add m net --signature=serv") == ["serving_default"]
    assert tab(shell, '%tf_model add m "net" --tags ') == ["serve"]
    assert tab(shell, "%tf_model add m net --tags serve,") == []
    assert tab(shell, "%tf_model add m nothing --signature ") == []
    assert tab(shell, "%tf_model add --signature <Tab> m net") == ["serving_default"]


@pytest.mark.usefixtures("two")
def test_ends_and_devices(shell: Any) -> None:
    offered = tab(shell, "%%tf_model two --inputs x=")
    assert offered[:2] == ["image", "mask"]
    assert "body/hidden" in offered
    assert tab(shell, "%%tf_model two --outputs a=sum,b=g") == ["gap"]
    assert tab(shell, "%%tf_model two --device ") == ["cpu", "gpu", "cpu:0"]
    assert tab(shell, "%%tf_model two --device /") == ["/device:CPU:0", "/device:GPU:0"]


def test_only_models_of_cells_are_built_by_a_cell(shell: Any, two: Any) -> None:
    models.add("from_object", tf.function(lambda x: x))
    assert tab(shell, "%%tf_model ") == [two.name]


# -- %tf_run ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form", ["%tf_run {}", "%%tf_run {}", "r = %tf_run {}", "    %tf_run {}", "tf_run {}", "a, b = %tf_run {}"]
)
@pytest.mark.usefixtures("rooms")
def test_every_form_of_the_line_takes_models(shell: Any, form: str) -> None:
    assert tab(shell, form.format("")) == ["two", "one"]
    assert tab(shell, form.format("o")) == ["one"]


@pytest.mark.usefixtures("rooms")
def test_models_to_compare_are_listed_with_commas(shell: Any) -> None:
    assert tab(shell, "%tf_run two,") == ["one"]
    assert tab(shell, "%tf_run two,one,") == []
    assert tab(shell, "%%tf_run two,") == []
    assert tab(shell, "%tf_run two,one im") == ["image="]
    assert tab(shell, "%tf_run two,one --fetch ")[0] == "sum"
    assert "gap" not in tab(shell, "%tf_run two,one --fetch ")


@pytest.mark.usefixtures("two")
def test_inputs_come_by_name_before_the_notebooks_names(shell: Any) -> None:
    assert tab(shell, "%tf_run two ") == ["image=", "mask=", "batch", "block"]
    assert tab(shell, "%tf_run two im") == ["image="]
    assert tab(shell, "%tf_run two image=batch ") == ["mask="]
    assert tab(shell, "%tf_run two <Tab> image=batch") == ["mask=", "batch", "block"]
    assert tab(shell, "%tf_run two image=batch mask=batch ") == []
    assert tab(shell, "%tf_run two block ") == ["image=", "mask="]


@pytest.mark.parametrize("jedi", [True, False])
@pytest.mark.usefixtures("two")
def test_expressions_take_the_notebooks_names(shell: Any, jedi: bool) -> None:  # noqa: FBT001 - a parameter
    shell.Completer.use_jedi = jedi
    assert tab(shell, "%tf_run two image=") == ["batch", "block"]
    assert tab(shell, "%tf_run two image=ba") == ["batch"]
    assert tab(shell, "%tf_run two image= ba") == ["batch"]
    assert tab(shell, "%tf_run two ba") == ["batch"]
    assert tab(shell, "%tf_run two **bl") == ["block"]
    assert tab(shell, "%tf_run two image=batch + ") == ["batch", "block"]
    assert tab(shell, "%tf_run two image=len(") == ["batch", "block"]
    assert all_offered(shell, "%tf_run two batch.app") == ["%tf_run two batch.append"]
    assert tab(shell, "%tf_run two image=block['") == ["first", "second"]
    assert tab(shell, '%tf_run two image=block["s') == ["second"]
    assert tab(shell, "%tf_run two image=block['nothing") == []
    assert tab(shell, "%tf_run two image=lamb") == ["lambda"]
    assert tab(shell, "%tf_run two image=whi") == []
    assert tab(shell, "%tf_run two image=time") == []


def test_names_that_the_cell_has_yet_to_bind_are_offered_too(shell: Any, two: Any) -> None:
    assert tab(shell, f"for rows in batch:\n    %tf_run {two.name} row") == ["rows"]
    assert "rows" in tab(shell, f"for rows in batch:\n    %tf_run {two.name} ")
    assert tab(shell, f"def answer(question):\n    r = %tf_run {two.name} qu") == ["question"]


def test_values_of_options_are_the_models(shell: Any, two: Any) -> None:
    assert tab(shell, "%tf_run two --") == [option.name for option in run_magic.LINE.options if len(option.name) > 2]
    assert tab(shell, "%tf_run two --signature ") == ["serving_default"]
    assert tab(shell, "%tf_run two --signature nothing im") == []
    fetched = tab(shell, "%tf_run two --fetch ")
    assert fetched[:2] == ["sum", "gap"]
    assert {"image", "hidden", "body/hidden"} <= set(fetched)
    assert not [name for name in fetched if name.startswith("tfmagic_")]
    assert tab(shell, "%tf_run two --fetch sum,g") == ["gap"]
    assert tab(shell, "%tf_run two --fetch=sum,body/h") == ["body/hidden/y", "body/hidden"]
    assert "sum" not in tab(shell, "%tf_run two --fetch sum,")
    assert tab(shell, "%tf_run --fetch g<Tab> two") == ["gap"]
    assert tab(shell, "%tf_run two batch --repeat ") == []
    assert tab(shell, "%tf_run two batch --timeout=") == []
    assert two.built is not None


@pytest.mark.usefixtures("two")
def test_what_is_sent_out(shell: Any) -> None:
    assert tab(shell, "%tf_run two image=batch -o ") == ["batch", "block"]
    assert tab(shell, "%tf_run two image=batch -o r=") == ["sum", "gap"]
    assert tab(shell, "%tf_run two image=batch --fetch mask -o r=") == ["mask"]
    assert tab(shell, "%tf_run two -o ") == ["image", "mask", "hidden", "sum", "gap", "batch", "block"]
    assert tab(shell, "%tf_run two -o hi") == ["hidden"]
    assert tab(shell, "%tf_run two -o sum,mine=g") == ["gap"]
    assert tab(shell, "%%tf_run two -o mine=hi") == ["hidden"]
    assert tab(shell, "%%tf_run two -o image,ma") == ["mask"]


def test_a_live_model_has_outputs_and_no_tensors(shell: Any) -> None:
    models.add("live", tf.function(lambda x: {"y": x}, input_signature=[tf.TensorSpec([None], tf.float32, name="x")]))
    assert tab(shell, "%tf_run live ") == ["x=", "batch", "block"]
    assert tab(shell, "%tf_run live --fetch ") == [
        output.name for output in models.live.signatures[models.live.default_signature].outputs
    ]


@pytest.mark.usefixtures("two")
def test_a_line_goes_on_behind_a_backslash(shell: Any) -> None:
    assert tab(shell, "%tf_run two \\\n  image=batch \\\n  ma") == ["mask="]
    assert tab(shell, "%tf_run two \\\n  mas<Tab> \\\n  image=batch") == ["mask="]
    assert tab(shell, "r = %tf_run two <Tab>\\\n  image=batch")[0] == "mask="


@pytest.mark.usefixtures("two")
def test_behind_the_end_of_a_line_nothing_is_offered(shell: Any) -> None:
    assert tab(shell, "%tf_run two batch  # ba") == []
    assert tab(shell, "%tf_run two batch;") == []
    assert tab(shell, "%tf_run two image=batch ; ") == []
    assert tab(shell, "%tf_run two image=block[';") == []


# -- the cells of a room ------------------------------------------------------------------


@pytest.mark.parametrize("jedi", [True, False])
def test_a_rooms_names_shadow_the_notebooks(shell: Any, two: Any, jedi: bool) -> None:  # noqa: FBT001 - a parameter
    shell.Completer.use_jedi = jedi
    run_cell(two, "class Net: pass\nnet = Net()\nnet.layers_here = 3")
    shell.run_cell("class Net: pass\nnet = Net()\nnet.layers_there = 3\nnetwork = 1")
    assert tab(shell, "%%tf_run two\nnet") == ["net", "network"]
    assert all_offered(shell, "%%tf_run two\nnet.lay") == ["%%tf_run two\nnet.layers_here"]
    assert all_offered(shell, "%%tf_run two\nnet.layers_t") == []
    assert tab(shell, "%%tf_run two\nhidd") == ["hidden"]
    assert tab(shell, "%%tf_run two\nsessi") == ["session"]
    assert tab(shell, "%%tf_run two\ngrap") == ["graph"]
    assert "while" in tab(shell, "%%tf_run two\nwhil")
    assert "enumerate" in tab(shell, "%%tf_run two\nenum")
    assert tab(shell, "%%tf_run -o r two\n\n\nhidd") == ["hidden"]


@pytest.mark.usefixtures("rooms")
def test_a_line_in_a_rooms_cell_is_ours_and_sees_the_rooms_names(shell: Any) -> None:
    assert tab(shell, "%%tf_run two\nx = 1\n%tf_run o") == ["one"]
    assert tab(shell, "%%tf_run two\nr = %tf_run one hidd") == ["hidden"]
    assert tab(shell, "%%tf_model three\nr = %tf_run one im") == ["image="]


def test_other_magics_in_a_rooms_cell_are_completed_as_usual(shell: Any, two: Any) -> None:
    assert "%timeit" in tab(shell, f"%%tf_run {two.name}\n%timei")
    assert not [one for one in tab(shell, f"%%tf_run {two.name}\ntime") if one.startswith("%%")]


@pytest.mark.parametrize(
    "cell",
    [
        "",
        "two",
        "%tf_run",
        "%%tf_run",
        "%tf_other two",
        "x = 3",
        "r = tf_run two",
        "text = '%tf_run '",
        'text = "a = %tf_run ',
        "f(a = %tf_run ",
        "# %tf_run ",
        "x\n%%tf_run ",
        "%%tf_model m\nba",
        "%%tf_run unknown\nba",
        "%%tf_run two 'open\nba",
        "%%time\nba",
        "tf_run = ",
        "tf_run , ",
        "x = 1\ntf_run ",
    ],
)
@pytest.mark.usefixtures("two")
def test_everything_else_is_left_to_ipython(shell: Any, cell: str) -> None:
    assert not is_ours(shell, cell)


def test_automagic_counts_only_where_it_is_on_and_not_shadowed(shell: Any, two: Any) -> None:
    assert tab(shell, f"tf_run {two.name[0]}") == ["two"]
    assert tab(shell, "\ntf_run t\n"[:-1]) == ["two"]
    shell.automagic = False
    assert not is_ours(shell, "tf_run t")
    shell.automagic = True
    shell.push({"tf_run": 1})
    assert not is_ours(shell, "tf_run t")


# -- the matcher ------------------------------------------------------------------------


@pytest.mark.parametrize("jedi", [True, False])
@pytest.mark.usefixtures("two")
def test_ipython_mixes_nothing_in(
    shell: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    jedi: bool,  # noqa: FBT001 - a parameter
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "two.csv").touch()
    shell.Completer.use_jedi = jedi
    shell.push({"twofold": 2})
    assert all_offered(shell, "%tf_run tw") == ["%tf_run two"]
    assert all_offered(shell, "%tf_run two im") == ["%tf_run two image="]
    assert all_offered(shell, "%tf_model drop tw") == ["%tf_model drop two"]
    # Where there is nothing to offer, nothing is: files and builtins are no answer.
    assert all_offered(shell, "%tf_run unknown_mod") == []
    assert all_offered(shell, "%tf_model drop ") == ["%tf_model drop two"]
    assert all_offered(shell, "%tf_model add ") == []
    assert all_offered(shell, "twof") == ["twofold"]


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
@pytest.mark.usefixtures("two")
def test_a_front_end_that_completes_single_lines_is_served_too(shell: Any) -> None:
    assert shell.complete("", "%tf_run tw", 10) == ("tw", ["two"])
    assert shell.complete("", "%tf_run two image=bat", 21) == ("bat", ["batch"])


def test_it_is_there_once_and_goes_with_the_extension(shell: Any) -> None:
    others = list(shell.Completer.custom_matchers)[:-1]

    def ours() -> list[Any]:
        return [one for one in shell.Completer.custom_matchers if one not in others]

    assert len(ours()) == 1
    shell.run_line_magic("reload_ext", "tfmagic")
    assert len(ours()) == 1
    shell.run_line_magic("unload_ext", "tfmagic")
    assert ours() == []
    # What an older copy of the module left is known by its name.
    shell.Completer.custom_matchers.append(matcher.matcher_of(shell))
    shell.run_line_magic("load_ext", "tfmagic")
    assert len(ours()) == 1


def test_other_matchers_stay_where_they_are(shell: Any) -> None:
    def theirs(text: str) -> list[str]:
        return [text]

    shell.Completer.custom_matchers.append(theirs)
    remove_matcher(shell)
    assert shell.Completer.custom_matchers == [theirs]
    add_matcher(shell)
    assert shell.Completer.custom_matchers[0] is theirs
    shell.Completer.custom_matchers.remove(theirs)


def test_an_error_of_its_own_shows_nothing(
    shell: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        msg = "broken"
        raise RuntimeError(msg)

    monkeypatch.setattr(matcher, "offers_at", fail)
    all_offered(shell, "%tf_run ")
    assert capsys.readouterr() == ("", "")


LINES = (
    '%tf_model add m "a b/c" --signature s --tags a,b --inputs x=y:0,z --device gpu:1 --objects [A, B] --lazy',
    "%tf_model show ~/x/../y  # comment",
    "%tf_model drop a b c --all",
    "r = %tf_run two,one image=block['first'][0] + (1, [2, {3: '''x'''}]) **block -o a,b=c --fetch sum,body/hidden:0;",
    "%tf_run two mask=batch[:8, :] image={'a': \"b\"} --signature 'serving_default' -o mine=theirs",
    "%%tf_run two -o r\nx = [1,\n 2]\ndef f(a='q'):\n    return %tf_run one image=a\n%time net.layers['x']",
    "%%tf_model m --outputs c=op:0\nx = tf.",
    "for i in x:\n    if i:\n        a[i], b = %tf_run two \\\n  image=i \\\n mask=batch",
)


@pytest.mark.parametrize("jedi", [True, False])
@pytest.mark.parametrize("line", LINES)
@pytest.mark.usefixtures("rooms")
def test_no_beginning_of_a_line_raises_or_prints(
    shell: Any,
    line: str,
    jedi: bool,  # noqa: FBT001 - a parameter
    capsys: pytest.CaptureFixture[str],
) -> None:
    shell.Completer.use_jedi = jedi
    for at in range(len(line) + 1):
        row = line[:at].count("\n")
        column = len(line[:at].rsplit("\n", maxsplit=1)[-1])
        offers = offers_at(shell, line, row, column)
        assert offers is None or all(isinstance(one.text, str) and one.text for one in offers.found)
    assert capsys.readouterr() == ("", "")


# -- looking does nothing -------------------------------------------------------------------


class Touchy:
    """An object that notes whatever is asked of it."""

    def __init__(self, noted: list[str]) -> None:
        object.__setattr__(self, "noted", noted)

    @property
    def value(self) -> Any:
        self.noted.append("value")
        return self

    @property
    def __class__(self) -> type:
        self.noted.append("__class__")
        return Touchy

    @__class__.setter
    def __class__(self, value: type) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        self.noted.append(name)
        raise AttributeError(name)

    def __repr__(self) -> str:
        self.noted.append("__repr__")
        return "touchy"


@pytest.mark.parametrize("jedi", [True, False])
@pytest.mark.usefixtures("two")
def test_the_persons_code_is_not_run(shell: Any, jedi: bool) -> None:  # noqa: FBT001 - a parameter
    shell.Completer.use_jedi = jedi
    noted: list[str] = []
    shell.push({"touchy": Touchy(noted)})
    noted.clear()
    for line in ("%tf_model add m ", "%tf_model add m to", "%tf_model show to", "%tf_run two -o to", "%tf_model drop "):
        tab(shell, line)
    assert noted == []


@pytest.mark.parametrize("jedi", [True, False])
@pytest.mark.parametrize("expression", ["to", "touchy.", "touchy.va", "touchy.value.", "touchy['", "[touchy."])
@pytest.mark.usefixtures("two")
def test_no_more_is_asked_of_an_object_than_ipython_itself_asks(
    shell: Any,
    expression: str,
    jedi: bool,  # noqa: FBT001 - a parameter
) -> None:
    shell.Completer.use_jedi = jedi
    noted: list[str] = []
    shell.push({"touchy": Touchy(noted)})
    all_offered(shell, expression)
    noted.clear()
    all_offered(shell, expression)
    ipythons = set(noted)
    noted.clear()
    tab(shell, f"%tf_run two image={expression}")
    assert set(noted) <= ipythons


def test_a_lazy_model_is_not_built(shell: Any, tmp_path: Path) -> None:
    path = save_v2(tmp_path / "net", lambda x: {"y": x}, tf.TensorSpec([None], tf.float32, name="x"))
    models.add("lazy", path, lazy=True)
    assert tab(shell, "%tf_run la") == ["lazy"]
    assert tab(shell, "%tf_run lazy ") == ["batch", "block"]
    assert tab(shell, "%tf_run lazy --fetch ") == []
    assert "batch" in tab(shell, "%%tf_run lazy\nbat")
    assert models["lazy"].state == "parked"


def test_tab_waits_for_no_run_no_cell_and_no_building(shell: Any) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def wait(x: Any) -> Any:
        begun.set()
        go_on.wait(60)
        return x

    add_cell(
        "slow",
        """
        import tensorflow as tf
        x = tf.compat.v1.placeholder(tf.float32, [None], name="x")
        y = tf.numpy_function(wait, [x], tf.float32, name="y")
        """,
        {"wait": wait},
    )
    started = [threading.Thread(target=lambda: models.slow.run([1.0]))]
    started[0].start()
    assert begun.wait(60)
    assert tab(shell, "%tf_run slow x") == ["x="]
    begun.clear()
    started.append(threading.Thread(target=lambda: run_cell(models.slow, "wait(new := 1)", {"wait": wait})))
    started[1].start()
    assert begun.wait(60)
    assert tab(shell, "%%tf_run slow\nses") == ["session"]
    assert tab(shell, "%%tf_run slow\nne") == ["new", "next"]
    with models.slow._building:
        elsewhere = threading.Thread(target=lambda: tab(shell, "%%tf_run slow\nse"))
        elsewhere.start()
        elsewhere.join(60)
        assert not elsewhere.is_alive()
    go_on.set()
    for thread in started:
        thread.join(60)
        assert not thread.is_alive()


def test_a_model_that_is_gone_is_no_error(shell: Any, two: Any) -> None:
    models.drop(two.name)
    assert tab(shell, "%tf_run two ") == ["batch", "block"]
    assert not is_ours(shell, "%%tf_run two\nba")


def test_nothing_of_tensorflow_is_imported() -> None:
    code = """
        import sys
        from IPython.core.interactiveshell import InteractiveShell
        from traitlets.config import Config
        from tfmagic.magics.completion.matcher import offers_at

        shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
        shell.run_line_magic("load_ext", "tfmagic")
        shell.user_ns["batch"] = [1]
        for line in ("%tf_model ", "%tf_model add m ", "%tf_model add m . --device ", "%tf_model add m . --tags ",
                     "%tf_run ", "%tf_run m ", "%tf_run m x=ba", "%tf_run m --fetch ", "%%tf_run m -o "):
            print(line, [one.text for one in offers_at(shell, line, 0, len(line)).found][:3])
        print([name for name in ("tensorflow", "keras", "numpy") if name in sys.modules])
    """
    shown = printed(dedent(code))
    assert shown[-1] == "[]"
    assert "%tf_run m x=ba ['batch']" in shown
