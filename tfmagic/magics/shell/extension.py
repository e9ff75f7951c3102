"""The magics in IPython's terms. Each imports its command when it is first typed: `%load_ext` stays quick."""

from __future__ import annotations

from functools import wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar, cast

from IPython.core.error import UsageError
from IPython.core.magic import (
    Magics,
    line_cell_magic,
    line_magic,
    magics_class,
    needs_local_scope,
    no_var_expand,
)

from tfmagic.concurrency.entry_point import is_own_error, trim_traceback
from tfmagic.concurrency.few_lines import show_in_few_lines, show_without_magic
from tfmagic.errors import UsageLineError
from tfmagic.magics.ipython.older import output_can_be_silenced

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tfmagic.execution.room.cell import Cell
    from tfmagic.panel.views.view import View

F = TypeVar("F", bound="Callable[..., Any]")


def _one_line(magic: F) -> F:
    """Show tfmagic's own errors as IPython's one-line ``UsageError``.

    Exactly that class: IPython prints a traceback for a subclass (ipython#14024).
    """

    @wraps(magic)
    def called(*args: Any, **options: Any) -> Any:
        try:
            return magic(*args, **options)
        except KeyboardInterrupt as error:
            error.__cause__ = None
            if len(args) > 2:
                trim_traceback(error)
                raise
            # To show a traceback IPython reads every file that is in it, which takes
            # longer than coming back has taken.
            shown_as = ": ".join(filter(None, (type(error).__name__, str(error))))
            error._render_traceback_ = lambda: [shown_as]  # type: ignore[attr-defined]
            error.__traceback__ = None
            raise
        except Exception as error:
            if not is_own_error(error):
                trim_traceback(error)
                show_in_few_lines(error, always=len(args) <= 2)
                show_without_magic(error)
                raise
            shown = UsageError(str(error))
            # For sys.last_value: of a run in batches, what had been done by then.
            shown.partial = getattr(error, "partial", None)  # type: ignore[attr-defined]
        # Outside the block above: what IPython keeps of an error must not keep where it came from, models included.
        raise shown

    return cast("F", called)


def _documented_by(command: str) -> Callable[[F], F]:
    """Have ``%magic?`` show the help of a module of `tfmagic.magics.commands`, imported only then."""

    def documented(magic: F) -> F:
        def getdoc() -> str:
            from tfmagic.magics.grammar.options import help_of

            documented = import_module(f"tfmagic.magics.commands.{command}").DOCUMENTED
            return f"{magic.__doc__}\n\n{help_of(documented)}\n"

        magic.getdoc = getdoc  # type: ignore[attr-defined]  # IPython asks for it before the docstring
        return magic

    return documented


@magics_class
class TfMagics(Magics):
    """``%tf_model`` and ``%tf_run`` with their cell forms, ``%tf_runtime`` and ``%tf_panel``."""

    # IPython declares it optional; magics are only ever made with a shell.
    shell: Any
    knows_rooms = True

    @needs_local_scope
    @no_var_expand
    @line_cell_magic
    @_documented_by("model")
    @_one_line
    def tf_model(self, line: str, cell: str | None = None, local_ns: Mapping[str, Any] | None = None) -> View | None:
        """Register and look after models."""
        from tfmagic.magics.commands import model

        if cell is None:
            return model.run_line(line, self._names(local_ns), _show)

        def source(eager: bool) -> Any:  # noqa: FBT001 - one of two kinds
            from tfmagic.formats.cell_source import CellSource, EagerCellSource
            from tfmagic.magics.shell.room_shell import names_for_a_room

            return (EagerCellSource if eager else CellSource)(
                self._cell("tf_model", line, cell), names_for_a_room(self.shell)
            )

        _show(model.run_cell(line, source))
        return None

    @needs_local_scope
    @no_var_expand
    @output_can_be_silenced
    @line_cell_magic
    @_documented_by("run")
    @_one_line
    def tf_run(self, line: str, cell: str | None = None, local_ns: Mapping[str, Any] | None = None) -> Any:
        """Run models."""
        from tfmagic.magics.commands import run, runner

        request = run.read(line) if cell is None else run.read_cell_line(line)
        if request.help:
            print((run.LINE if cell is None else run.CELL).help())  # noqa: T201 - as argparse does
            return None
        push = self._pusher(local_ns)
        if cell is None:
            return runner.run_line(request, self._names(local_ns), push, _show)
        from tfmagic.magics.shell.room_shell import names_for_a_room
        from tfmagic.runtime.startup.importing import require_tensorflow

        require_tensorflow()
        return runner.run_cell(request, self._cell("tf_run", line, cell), names_for_a_room(self.shell), push)

    @no_var_expand
    @line_magic
    @_documented_by("runtime")
    @_one_line
    def tf_runtime(self, line: str) -> View | None:
        """Look at the one TensorFlow of this kernel, and give it back."""
        from tfmagic.magics.commands import runtime

        return runtime.run_line(line, _show)

    @no_var_expand
    @line_magic
    @_documented_by("panel")
    @_one_line
    def tf_panel(self, line: str) -> Any:
        """Show the panel."""
        from tfmagic.magics.commands import panel

        return panel.run_line(line, self.shell, _show)

    def _names(self, local_ns: Mapping[str, Any] | None) -> Mapping[str, Any]:
        """Return the notebook's names, with a calling function's over them."""
        notebook: dict[str, Any] = self.shell.user_ns
        if local_ns is None or local_ns is notebook:
            return notebook
        return {**notebook, **local_ns}

    def _pusher(self, local_ns: Mapping[str, Any] | None) -> Callable[[dict[str, Any]], None]:
        from tfmagic.execution.room.namespace import Namespace

        def push(values: dict[str, Any]) -> None:
            if isinstance(local_ns, Namespace):
                # A line magic inside a room's cell: what it sends out goes there.
                for name, value in values.items():
                    local_ns[name] = value
            else:
                self.shell.push(values)

        return push

    def _cell(self, magic: str, line: str, body: str) -> Cell:
        """Return the cell's code, under the name and lines that tracebacks show."""
        from tfmagic.execution.room.cell import Cell

        # The magic's own line is the cell's first, so that line numbers agree; IPython
        # drops blank lines at the top.
        blank = body[: len(body) - len(body.lstrip())].count("\n")
        source = f"# %%{magic} {line.strip()}\n" + "\n" * blank + self.shell.transform_cell(body)
        number = len(self.shell.history_manager.input_hist_parsed) - 1
        filename = self.shell.compile.cache(source, number, raw_code=source)
        try:
            return Cell(source, filename)
        except SyntaxError as error:
            # IPython would show every frame between its own and the parser's.
            text = (error.text or "").rstrip()
            indent = len(text) - len(text.lstrip())
            at = f"\n    {text[indent:]}\n    {' ' * ((error.offset or 1) - 1 - indent)}^" if text else ""
            msg = f"line {error.lineno} of this cell: {error.msg}{at}"
            raise UsageLineError(msg) from None


def _show(view: View) -> None:
    from IPython.display import display

    display(view)  # type: ignore[no-untyped-call]  # IPython's display has no types
