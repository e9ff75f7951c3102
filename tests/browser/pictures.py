"""Take pictures of every tab in every theme: ``PYTHONPATH=tests python -m browser.pictures FOLDER [THEME WIDTH]``."""

from __future__ import annotations

import sys
from pathlib import Path

from browser.panel_page import TABS, THEMES, browser, open_tab, panel

SETTLED_MS = 300


def main(words: list[str]) -> int:
    """Take them, each the whole length of its page."""
    if len(words) not in {1, 3}:
        sys.stderr.write("usage: python -m browser.pictures FOLDER [THEME WIDTH]\n")
        return 2
    folder = Path(words[0])
    folder.mkdir(parents=True, exist_ok=True)
    chosen = (
        [(words[1], int(words[2]))] if len(words) == 3 else [(theme, w) for theme in THEMES for w in (280, 900, 1400)]
    )
    with browser() as chromium:
        for theme, width in chosen:
            with panel(chromium, theme, width) as page:
                for tab in TABS:
                    open_tab(page, tab)
                    page.wait_for_timeout(SETTLED_MS)
                    name = f"{theme.replace(' ', '-')}-{width}-{tab.lower()}.png"
                    page.screenshot(path=folder / name, full_page=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
