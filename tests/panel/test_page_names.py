"""What the page calls a model that is added from a file is a name that a model can have."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

from tfmagic.core.naming import VERBS
from tfmagic.model.registry import Models

PAGE = Path(__file__).resolve().parents[2] / "labextension" / "src" / "lab" / "naming.ts"


def test_the_page_knows_every_name_that_is_taken() -> None:
    listed = re.search(r"const TAKEN = new Set\((.*?)\.split", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert listed is not None
    known = set(re.findall(r"\w+", listed[1]))
    assert known >= {*keyword.kwlist, *VERBS, *(name for name in dir(Models) if not name.startswith("_"))}
