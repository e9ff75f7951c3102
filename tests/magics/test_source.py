"""SOURCE: a path, an object of the notebook, or an expression."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tfmagic.errors import MissingPathError, UsageLineError
from tfmagic.magics.source import resolve


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


@pytest.mark.parametrize("text", ["none", "none.pb", "models/none", "models/churn/3", "2023", "a b c", "C:\\none"])
def test_what_is_neither_is_a_missing_path(text: str, here: Path) -> None:
    with pytest.raises(MissingPathError) as refused:
        resolve(text, {})
    assert str(refused.value) == f"there is no path {text} here ({here}), and the notebook has no such object"


def test_an_expression_that_raises_is_refused() -> None:
    with pytest.raises(UsageLineError, match="raised KeyError"):
        resolve("mine['b']", {"mine": {}})


def test_a_path_of_home_is_found(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(here))
    assert resolve("~/net", {}) == "~/net"
