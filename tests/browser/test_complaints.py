"""What keeps the other tests honest: an error in a page that nobody caught fails the test that it came in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow
# Nothing of JupyterLab is in them.
OWN_PAGES = True


@pytest.mark.parametrize(
    "thrown", ["Promise.reject(new Error('lost'))", "setTimeout(() => { throw new Error('lost') })"]
)
def test_what_a_page_throws_is_heard(page: Page, complaints: list[str], thrown: str) -> None:
    page.evaluate(f"() => {{ {thrown}; }}")
    page.wait_for_timeout(200)
    (heard,) = complaints
    assert "lost" in heard
    complaints.clear()


@pytest.mark.parametrize("level", ["error", "warn"])
def test_what_the_extension_logs_is_heard(page: Page, complaints: list[str], level: str) -> None:
    page.evaluate(f"() => console.{level}('at draw (http://host/lab/extensions/@tfmagic/lab/static/1.js)')")
    page.evaluate("() => console.error('JupyterLab has one of its own')")
    page.wait_for_timeout(200)
    (heard,) = complaints
    assert "at draw" in heard
    complaints.clear()
