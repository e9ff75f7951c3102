"""SOURCE: a path, an object of the notebook, or an expression."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tfmagic.errors import MissingPathError, UsageLineError
from tfmagic.magics.grammar.source import resolve


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with some paths in it, as the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models" / "churn" / "2").mkdir(parents=True)
    for name in ("net", "legacy.pb", "best.keras", "2024", "a-b", "my net"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("text", "names", "meant"),
    [
        ('"net"', {"net": 1}, "net"),
        ("'anything at all'", {}, "anything at all"),
        ("(net)", {"net": 1}, 1),
        ("(net + 1)", {"net": 1}, 2),
        ("(net) + (net)", {"net": [1]}, [1, 1]),
        ("mine", {"mine": 7}, 7),
        ("mine['a']", {"mine": {"a": 7}}, 7),
        ("net", {}, "net"),
        ("./net", {}, "./net"),
        ("legacy.pb", {}, "legacy.pb"),
        ("best.keras", {"keras": 1}, "best.keras"),
        ("models/churn/2", {}, "models/churn/2"),
        ("models/churn/2", {"models": 1}, "models/churn/2"),
        ("models/churn/2", {"churn": 1}, "models/churn/2"),
        ("models/churn/2", {"models": [], "churn": {}}, "models/churn/2"),
        ("legacy.pb", {"legacy": 1}, "legacy.pb"),
        ("2024", {}, "2024"),
        ("a-b", {"a": 1}, "a-b"),
        ("gs://bucket/net", {"gs": 1}, "gs://bucket/net"),
        ("max", {}, max),
        ("str('net')", {}, "net"),
        ("Path('net')", {"Path": Path}, Path("net")),
    ],
)
def test_what_is_meant(text: str, names: dict[str, Any], meant: Any) -> None:
    assert resolve(text, names) == meant


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("net", {"net": 1}),
        ("legacy.pb", {"legacy": SimpleNamespace(pb=1)}),
        ("models/churn/2", {"models": 1, "churn": 1}),
        ("a-b", {"a": 1, "b": 1}),
    ],
)
def test_where_both_could_be_meant_both_ways_to_say_it_are_offered(text: str, names: dict[str, Any]) -> None:
    with pytest.raises(UsageLineError) as refused:
        resolve(text, names)
    assert f'"./{text}"' in str(refused.value)
    assert f"({text})" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("none", ""),
        ("none.pb", ""),
        ("nets", " (did you mean 'net'?)"),
        ("legacy_2.pb", " (did you mean 'legacy.pb'?)"),
        ("models/none", " (there is: churn)"),
        ("models/churn/3", " (there is: 2)"),
        ("models/churns/2", ""),
        ("2023", " (did you mean '2024'?)"),
        ("a b c", ""),
        ("C:\\none", ""),
    ],
)
@pytest.mark.parametrize("names", [{}, {"models": [], "churn": {}, "keras": 1}], ids=["empty", "models"])
def test_what_is_neither_is_a_missing_path(text: str, near: str, names: dict[str, Any], here: Path) -> None:
    with pytest.raises(MissingPathError) as refused:
        resolve(text, names)
    assert str(refused.value) == f"there is no path {text} here ({here}){near}, and the notebook has no such object"


@pytest.mark.parametrize(("text", "error"), [("mine['b/c']", "KeyError"), ("mine.b", "AttributeError")])
def test_an_expression_that_raises_is_refused(text: str, error: str) -> None:
    with pytest.raises(UsageLineError, match=f"raised {error}"):
        resolve(text, {"mine": {}})


def test_a_path_of_home_is_found(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(here))
    assert resolve("~/net", {}) == "~/net"
