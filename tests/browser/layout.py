"""The layout that JupyterLab keeps on its server, some time after it has changed: a page that is loaded finds it."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from browser.notebook import PATIENCE_MS

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from browser.lab import Lab


def wait_until_kept(lab: Lab, page: Page, *documents: str, side: str = "right") -> None:
    """Wait until the layout that is kept has our sidebar open on a side, and these documents, the first in front.

    Parameters
    ----------
    documents
        As JupyterLab calls them there: ``notebook:net.ipynb``, ``tfmagic-panel:net.ipynb``.
    side
        Where the sidebar is open; none where it is not.
    """
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while True:
        workspace = urlsplit(page.url).path.rpartition("/workspaces/")[2].split("/")[0]
        kept = lab.get(f"lab/api/workspaces/{workspace}")["data"].get("layout-restorer:data", {})
        main, beside = kept.get("main", {}), kept.get(side, {})
        there = all(json.dumps(document) in json.dumps(main["dock"]) for document in documents) if main else False
        opened = not side or (beside.get("current") == "tfmagic-sidebar" and not beside.get("collapsed"))
        if there and opened and (not documents or main.get("current") == documents[0]):
            return
        assert time.monotonic() < deadline, f"this is kept: {kept}"
        page.wait_for_timeout(100)
