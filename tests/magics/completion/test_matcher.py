"""tfmagic's matcher among IPython's: where it answers, that nothing is mixed in, how it comes and goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tab_key import all_offered, is_ours, tab

from tfmagic.magics.completion import at_cursor, matcher
from tfmagic.magics.completion.at_cursor import candidates_at
from tfmagic.magics.completion.matcher import add_matcher, remove_matcher

if TYPE_CHECKING:
    from pathlib import Path


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

    monkeypatch.setattr(at_cursor, "candidates_at", fail)
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


@pytest.mark.slow
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
        offers = candidates_at(shell, line, row, column)
        assert offers is None or all(isinstance(one.text, str) and one.text for one in offers.items)
    assert capsys.readouterr() == ("", "")
