"""The sidebar in a page of JupyterLab."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page


def sidebar(page: Page, situation: str | None = None) -> Locator:
    """Return the sidebar; with a situation, only while it stands so with the kernel."""
    return page.locator("#tfmagic-sidebar" + (f"[data-situation='{situation}']" if situation else ""))


def model_of(place: Locator, name: str) -> Locator:
    """Return what the sidebar shows of a model."""
    return place.locator(f"li[data-model='{name}']")


def look(place: Locator) -> int:
    """Return the number of the snapshot that is shown."""
    return int(place.locator("[data-seq]").get_attribute("data-seq") or 0)


def wait_for_news(place: Locator, looks: int = 3) -> None:
    """Wait until that many later snapshots are shown."""
    place.page.wait_for_function(
        "([place, wanted]) => Number(place.querySelector('[data-seq]')?.dataset.seq) >= wanted",
        arg=[place.element_handle(), look(place) + looks],
    )
