from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from browser.panel_page import AXE, ROOT, TABS, THEMES, open_tab, panel

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow


def models_table(page: Page) -> None:
    """Open the models with everything in sight: details, and the question before a drop."""
    open_tab(page, "Models")
    page.locator(".tfm-toggle").nth(1).click()
    page.locator(".tfm-actions").nth(2).get_by_text("Drop", exact=True).click()


def faults(page: Page, *rules: str) -> list[tuple[str, str]]:
    """Return what axe finds wrong with what is shown, by all of its rules or by some."""
    only = {"runOnly": list(rules)} if rules else {}
    result = page.evaluate("options => axe.run(options)", {"resultTypes": ["violations"], **only})
    assert result["passes"]
    return [(fault["id"], fault["nodes"][0]["html"]) for fault in result["violations"]]


@pytest.mark.parametrize(("theme", "width"), [("jupyter light", 280), ("light", 900)])
def test_no_tab_has_an_accessibility_fault(chromium: Browser, theme: str, width: int) -> None:
    with panel(chromium, theme, width) as page:
        page.add_script_tag(path=AXE)
        found = {}
        for tab in TABS:
            open_tab(page, tab)
            if tab == "Models":
                models_table(page)
            found[tab] = faults(page)
        assert found == {tab: [] for tab in TABS}


# What is in a page is the same in each; only what of it can be told apart is not.
@pytest.mark.parametrize("theme", [theme for theme in THEMES if theme != "light"])
def test_everything_can_be_told_apart_in_every_theme(chromium: Browser, theme: str) -> None:
    with panel(chromium, theme) as page:
        page.add_script_tag(path=AXE)
        found = {}
        for tab in TABS:
            open_tab(page, tab)
            if tab == "Models":
                models_table(page)
            found[tab] = faults(page, "color-contrast", "link-in-text-block")
        assert found == {tab: [] for tab in TABS}


@pytest.mark.parametrize("width", [280, 761, 900, 1400])
def test_nothing_stands_out_of_the_panel_at_any_width(chromium: Browser, width: int) -> None:
    long = "x" * 10_000
    with panel(chromium, width=width) as page:
        page.evaluate(
            """long => {
              const held = model.get('snapshot');
              const models = held.models.map(row => ({...row, name: row.name + long, last_error: long, source: long}));
              model.answers = false;
              model.set('snapshot', {...held, seq: held.seq + 1000, models, policy: {...held.policy, why: long}});
              model.answers = true;
            }""",
            long,
        )
        for tab in TABS:
            if tab == "Models":
                models_table(page)
            else:
                open_tab(page, tab)
            wide = "document.documentElement.scrollWidth, document.getElementById('panel').scrollWidth"
            assert page.evaluate(f"Math.max({wide})") <= width, tab
            cut = (
                "e => [...e.querySelectorAll('button')].filter(b => b.offsetWidth && b.scrollWidth > b.clientWidth + 1)"
            )
            assert page.locator(".tfm-actions, .tfm-tabs").evaluate_all(f"all => all.flatMap({cut}).length") == 0, tab


def cut(page: Page, cells: str) -> list[str]:
    """Return the texts of those that are not seen whole."""
    texts = f"{cells} :is(.tfm-text, .tfm-tail, .tfm-message, .tfm-message > span)"
    found: list[str] = page.locator(texts).evaluate_all(
        "all => all.filter(one => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).display !== 'inline')"
        ".map(one => one.textContent)"
    )
    return found


@pytest.mark.parametrize("width", [280, 700])
def test_where_it_is_narrow_log_and_paths_are_read_whole_and_nothing_empty_is_named(
    chromium: Browser, width: int
) -> None:
    with panel(chromium, width=width) as page:
        open_tab(page, "Log")
        assert cut(page, ":is([data-label='Text'], [data-label='Source'])") == []
        assert page.locator("tbody td[data-empty]").count() > 0
        assert page.locator("tbody td[data-empty]:visible").count() == 0
        open_tab(page, "Libraries")
        assert page.locator("td[data-label='Path']").count() > 5
        assert cut(page, "td[data-label='Path']") == []


def test_where_it_is_narrow_the_headings_are_a_row_to_sort_by(chromium: Browser) -> None:
    by = "tr => getComputedStyle(tr, '::before').content"
    with panel(chromium, width=700) as page:
        open_tab(page, "Models")
        row = page.locator(".tfm-models thead tr")
        assert row.evaluate(by) == '"Sort by:"'
        middles = {
            round(box["y"] + box["height"] / 2) for one in row.locator("button").all() if (box := one.bounding_box())
        }
        assert len(middles) == 1
        page.set_viewport_size({"width": 900, "height": 700})
        assert row.evaluate(by) == "none"
        open_tab(page, "Memory")
        assert page.locator(".tfm-memory thead tr").first.get_attribute("data-by") is None


@pytest.mark.parametrize("width", [761, 940, 1400])
def test_where_a_model_runs_is_read_whole(chromium: Browser, width: int) -> None:
    with panel(chromium, width=width) as page:
        page.evaluate(
            "() => { const held = model.get('snapshot'); model.answers = false;"
            " const models = held.models.map(row => ({...row, devices: null, runs_on: null, device: null}));"
            " model.set('snapshot', {...held, seq: held.seq + 1000, models}); model.answers = true; }"
        )
        open_tab(page, "Models")
        place = page.locator("td[data-label='Runs on']")
        assert set(place.all_inner_texts()) == {"unknown until traced"}
        assert cut(page, "td[data-label='Runs on']") == []


def test_markup_in_names_is_shown_and_does_nothing(chromium: Browser) -> None:
    with panel(chromium) as page:
        title = page.title()
        for tab in TABS:
            open_tab(page, tab)
        page.get_by_role("tab", name="Models").click()
        assert page.get_by_text("<img src=x onerror=").first.is_visible()
        assert page.locator("#panel img, #panel script").count() == 0
        assert page.title() == title


def test_a_notebooks_own_style_of_lists_leaves_the_panel_as_it_is(chromium: Browser) -> None:
    with panel(chromium) as page:
        style = page.locator("dt").evaluate_all(
            "all => all.map(dt => [getComputedStyle(dt).float, getComputedStyle(dt).fontWeight])"
        )
        assert style
        assert {tuple(pair) for pair in style} == {("none", "400")}


def test_a_model_is_dropped_by_keyboard_alone(chromium: Browser) -> None:
    with panel(chromium) as page:
        focused = "document.activeElement.textContent"
        page.keyboard.press("Tab")
        page.keyboard.press("ArrowRight")
        assert page.evaluate(focused) == "Models"
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate(focused) == "Drop":
                break
        page.keyboard.press("Enter")
        assert page.evaluate(focused) == "Keep"
        page.keyboard.press("Tab")
        assert page.evaluate(focused) == "Drop it"
        page.keyboard.press("Enter")
        page.locator(".tfm-said", has_text="digits dropped").wait_for()
        asked = page.evaluate("model.sent.filter(({request}) => request === 'drop').map(({model}) => model)")
        assert asked == ["digits"]


def test_a_selection_and_a_scrolled_page_outlive_the_updates(chromium: Browser) -> None:
    with panel(chromium, width=280) as page:
        open_tab(page, "Models")
        page.locator("tbody .tfm-code").nth(5).evaluate("cell => getSelection().selectAllChildren(cell)")
        page.evaluate("scrollTo(0, 300)")
        before = page.evaluate("[String(getSelection()), scrollY, model.get('snapshot').seq]")
        page.wait_for_function("seq => model.get('snapshot').seq >= seq + 2", arg=before[2])
        assert before[:2] == page.evaluate("[String(getSelection()), scrollY]")
        assert before[0]


def test_the_chart_takes_the_colours_of_another_theme_at_once(chromium: Browser) -> None:
    with panel(chromium) as page:
        open_tab(page, "Memory")
        pen = "getComputedStyle(document.querySelector('.tfm-chart .tfm-pen-process')).stroke"
        page.evaluate("document.body.style.setProperty('--jp-ui-font-color1', 'rgb(1, 2, 3)')")
        assert page.evaluate(pen) == "rgb(1, 2, 3)"


def test_the_chart_says_its_figures_at_any_moment_to_the_keyboard(chromium: Browser) -> None:
    with panel(chromium) as page:
        open_tab(page, "Memory")
        slider = page.get_by_role("slider", name="Point in time")
        slider.focus()
        now = slider.get_attribute("aria-valuetext")
        page.keyboard.press("Home")
        assert "process" in (slider.get_attribute("aria-valuetext") or "")
        assert slider.get_attribute("aria-valuetext") != now
        then = page.locator(".tfm-memory tbody td").first.text_content()
        assert then
        assert then in (slider.get_attribute("aria-valuetext") or "")


def test_what_is_shipped_is_small_and_speaks_to_nobody() -> None:
    built = [ROOT / "tfmagic" / "panel" / "static" / name for name in ("panel.js", "panel.css")]
    assert sum(path.stat().st_size for path in built) < 100_000
    script = built[0].read_text(encoding="utf-8")
    for word in ("fetch(", "XMLHttpRequest", "WebSocket", "innerHTML", "eval(", "import("):
        assert word not in script
    assert "url(" not in built[1].read_text(encoding="utf-8")
