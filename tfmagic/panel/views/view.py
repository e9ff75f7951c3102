"""What every view is: something with a text and an HTML form.

A view keeps the record that it draws, so that the result of a magic can also be used.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from html import escape
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tfmagic.panel.drawing.table import Table

R = TypeVar("R")


class View(ABC):
    """Something with a text and an HTML form."""

    @abstractmethod
    def text(self) -> str:
        """Return the view as text."""

    def html(self) -> str:
        """Return the view as HTML; by default its text, preformatted."""
        return f'<pre style="margin:0;padding:0">{escape(self.text())}</pre>'

    def __repr__(self) -> str:
        """Return the view as text."""
        return self.text()

    def _repr_html_(self) -> str:
        return self.html()


class RecordView(View, Generic[R]):
    """A view of a record."""

    def __init__(self, record: R) -> None:
        self.record = record


class Page(RecordView[R]):
    """A record as tables and sentences, one below the other."""

    gap: ClassVar[str] = "\n\n"

    @abstractmethod
    def parts(self) -> Iterable[Table | str]:
        """Return the tables and sentences in their order."""

    def text(self) -> str:
        """Return the parts with an empty line between them."""
        return self.gap.join(part if isinstance(part, str) else part.text() for part in self.parts())

    def html(self) -> str:
        """Return each table as one, each sentence as a paragraph."""
        return "".join(f"<p>{escape(part)}</p>" if isinstance(part, str) else part.html() for part in self.parts())


class ListPage(Page["Sequence[R]"], Generic[R]):
    """A page of several records."""

    @property
    def records(self) -> list[R]:
        """The records, for use as data: ``listed = %tf_model list`` has them, too."""
        return list(self.record)


class Sentence(RecordView[str]):
    """A line, or a few, that say what was done."""

    @property
    def sentence(self) -> str:
        """The sentence, for use as data."""
        return self.record

    def text(self) -> str:
        """Return the sentence."""
        return self.record


class Code(View, str):
    """Python code; a ``str`` that is shown as it would stand in a file."""

    __slots__ = ()

    def text(self) -> str:
        """Return the code."""
        return str(self)

    def html(self) -> str:
        """Return the code, marked up as code."""
        return f'<pre style="user-select:all"><code class="language-python">{escape(str(self))}</code></pre>'

    def _repr_pretty_(self, printer: object, cycle: object) -> None:
        # IPython shows a text in quotes, its line breaks as \n.
        del cycle
        printer.text(str(self))  # type: ignore[attr-defined]  # IPython's, which this package does not import
