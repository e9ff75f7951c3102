from __future__ import annotations

import json
from pathlib import Path

import pytest
from page_schema import check

DEMO = Path(__file__).resolve().parents[2] / "labextension" / "demo"


@pytest.mark.parametrize(
    ("name", "definition"),
    [
        ("snapshot", "Snapshot"),
        ("history", "HistoryRecord"),
        ("placement", "PlacementRecord"),
        ("libraries", "LibrariesRecord"),
        ("log", "NativeLogRecord"),
    ],
)
def test_what_the_page_is_tested_with_is_what_a_kernel_sends(name: str, definition: str) -> None:
    check(json.loads((DEMO / f"{name}.json").read_text(encoding="utf-8")), definition)
