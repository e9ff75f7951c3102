"""Code that a magic shows: text that can be copied, or used as it is."""

from __future__ import annotations

from html import escape

from tfmagic.panel.views.view import View


class Code(View, str):
    """Python code; a ``str`` that is shown as it would stand in a file."""

    __slots__ = ()

    def text(self) -> str:
        """Return the code."""
        return str(self)

    def html(self) -> str:
        """Return the code set as code."""
        return f'<pre style="user-select:all"><code class="language-python">{escape(str(self))}</code></pre>'

    def _repr_pretty_(self, printer: object, cycle: object) -> None:
        # IPython shows a text in quotes, its line breaks as \n.
        del cycle
        printer.text(str(self))  # type: ignore[attr-defined]  # IPython's, which this package does not import
