"""The magics in IPython's terms, and how they come and go."""

from __future__ import annotations

from functools import partial, wraps
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from IPython.core.error import UsageError
from IPython.core.magic import (
    Magics,
    line_cell_magic,
    line_magic,
    magics_class,
    needs_local_scope,
    no_var_expand,
    output_can_be_silenced,
)
from IPython.display import display

from tfmagic.concurrency.workers import workers
from tfmagic.core.exit import exit_at_once, finalize_as_usual
from tfmagic.core.notices import notices
from tfmagic.errors import TfMagicError
from tfmagic.magics.commands import model as model_magic
from tfmagic.magics.commands import panel as panel_magic
from tfmagic.magics.commands import run as run_magic
from tfmagic.magics.commands import runner
from tfmagic.magics.commands import runtime as runtime_magic
from tfmagic.magics.completion.matcher import add_matcher, remove_matcher
from tfmagic.magics.shell.cells import leave_cells_alone, look_after_cells, whose
from tfmagic.magics.shell.display import hide_views, show_views
from tfmagic.magics.shell.room_shell import names_for_a_room
from tfmagic.magics.shell.settings import add_settings, remove_settings
from tfmagic.model.memory.holders import also_look, forget
from tfmagic.panel.channel.channel import close_channel, open_channel
from tfmagic.runtime.libraries.timeline import libraries
from tfmagic.runtime.memory.policy import memory_policy
from tfmagic.runtime.native_log.log import native_log, no_models
from tfmagic.runtime.startup.importing import ignore_import, require_tensorflow, watch_import

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from IPython.core.interactiveshell import InteractiveShell

    from tfmagic.execution.room.cell import Cell
    from tfmagic.panel.views.view import View

F = TypeVar("F", bound="Callable[..., Any]")


def _is_ours(error: Exception) -> bool:
    # By name: after a reload, what an older model raises is of the class as it was.
    ours = (TfMagicError.__module__, TfMagicError.__name__)
    return any((base.__module__, base.__name__) == ours for base in type(error).__mro__)


def _of_the_cell(traceback: TracebackType | None) -> TracebackType | None:
    """Return a traceback without tfmagic's own part of the way."""
    steps: list[TracebackType] = []
    while traceback is not None:
        if not traceback.tb_frame.f_globals.get("__name__", "").startswith("tfmagic."):
            steps.append(traceback)
        traceback = traceback.tb_next
    kept: TracebackType | None = None
    for step in reversed(steps):
        kept = TracebackType(kept, step.tb_frame, step.tb_lasti, step.tb_lineno)
    return kept


def _one_line(magic: F) -> F:
    """Show tfmagic's own errors as IPython's one-line ``UsageError``.

    Exactly that class: IPython prints a traceback for a subclass (ipython#14024).
    """

    @wraps(magic)
    def called(*args: Any, **options: Any) -> Any:
        __tracebackhide__ = True
        try:
            return magic(*args, **options)
        except Exception as error:
            if not _is_ours(error):
                raise
            shown = UsageError(str(error))
            # For sys.last_value: of a run in batches, what had been done by then.
            shown.partial = getattr(error, "partial", None)  # type: ignore[attr-defined]
        except KeyboardInterrupt as error:
            # To show a traceback IPython reads every file that is in it, which takes
            # longer than coming back has taken.
            if len(args) > 2:
                raise error.with_traceback(_of_the_cell(error.__traceback__)) from None
            shown_as = ": ".join(filter(None, (type(error).__name__, str(error))))
            error._render_traceback_ = lambda: [shown_as]  # type: ignore[attr-defined]
            raise error.with_traceback(None) from None
        # Outside the block above: what IPython keeps of an error must not keep where it came from, models included.
        raise shown

    return cast("F", called)


@magics_class
class TfMagics(Magics):
    """``%tf_model`` and ``%tf_run`` with their cell forms, ``%tf_runtime`` and ``%tf_panel``."""

    # IPython declares it optional; magics are only ever made with a shell.
    shell: Any
    knows_rooms = True

    @needs_local_scope
    @no_var_expand
    @line_cell_magic
    @_one_line
    def tf_model(self, line: str, cell: str | None = None, local_ns: Mapping[str, Any] | None = None) -> View | None:
        """Register and look after models."""
        __tracebackhide__ = True
        if cell is None:
            return model_magic.run_line(line, self._names(local_ns), _show)

        def source(eager: bool) -> Any:  # noqa: FBT001 - one of two kinds
            from tfmagic.formats.cell import CellSource, EagerCellSource

            return (EagerCellSource if eager else CellSource)(
                self._cell("tf_model", line, cell), names_for_a_room(self.shell)
            )

        _show(model_magic.run_cell(line, source))
        return None

    @needs_local_scope
    @no_var_expand
    @output_can_be_silenced
    @line_cell_magic
    @_one_line
    def tf_run(self, line: str, cell: str | None = None, local_ns: Mapping[str, Any] | None = None) -> Any:
        """Run models."""
        __tracebackhide__ = True
        run = run_magic.read(line) if cell is None else run_magic.read_cell_line(line)
        if run.help:
            print((run_magic.LINE if cell is None else run_magic.CELL).help())  # noqa: T201 - as argparse does
            return None
        push = self._pusher(local_ns)
        if cell is None:
            return runner.run_line(run, self._names(local_ns), push, _show)
        require_tensorflow()
        return runner.run_cell(run, self._cell("tf_run", line, cell), names_for_a_room(self.shell), push)

    @no_var_expand
    @line_magic
    @_one_line
    def tf_runtime(self, line: str) -> View | None:
        """Look at the one TensorFlow of this kernel, and give it back."""
        __tracebackhide__ = True
        return runtime_magic.run_line(line, _show)

    @no_var_expand
    @line_magic
    @_one_line
    def tf_panel(self, line: str) -> Any:
        """Show the panel."""
        __tracebackhide__ = True
        return panel_magic.run_line(line, self.shell, _show)

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
        return Cell(source, filename)


# IPython shows a magic's docstring for %tf_model? and %tf_run?.
TfMagics.tf_model.__doc__ = f"Register and look after models.\n\n{model_magic.help_text()}\n"
TfMagics.tf_runtime.__doc__ = (
    f"Look at the one TensorFlow of this kernel, and give it back.\n\n{runtime_magic.help_text()}\n"
)
TfMagics.tf_panel.__doc__ = f"Show the panel.\n\n{panel_magic.COMMAND.help()}\n"
TfMagics.tf_run.__doc__ = f"Run models.\n\n{run_magic.LINE.help()}\n\n{run_magic.CELL.help()}\n"


def _show(view: View) -> None:
    display(view)  # type: ignore[no-untyped-call]  # IPython's display has no types


def _say(line: str) -> None:
    print(line)  # noqa: T201 - in the cell that it comes from


def _last_traceback(shell: Any) -> list[tuple[str, Any, str]]:
    """Return what the shell itself keeps of the last error."""
    tb = getattr(getattr(shell, "InteractiveTB", None), "tb", None)
    return [] if tb is None else [("the last traceback", tb, "get_ipython().InteractiveTB.tb = None")]


def load(shell: InteractiveShell) -> None:
    """Register the magics with `shell`; what a former load left is taken out first."""
    unload(shell)
    libraries()
    watch_import()
    notices().show = _say
    native_log().models_at = whose
    add_settings(shell)
    memory_policy().apply()
    also_look("the last traceback", partial(_last_traceback, shell))
    look_after_cells(shell)
    open_channel(shell)
    shell.register_magics(TfMagics)
    add_matcher(shell)
    show_views(shell)
    workers().interactive = True
    exit_at_once()
    if (stays := memory_policy().new_warning()) is not None:
        _say(f"tfmagic: {stays}")


def unload(shell: InteractiveShell) -> None:
    """Take the magics and the matcher out of `shell`, and end the worker threads.

    IPython has no call for this: a magic is in the manager's two tables, in its
    registry, and among the shell's configurables.
    """
    manager = shell.magics_manager
    name = TfMagics.__name__
    for table in manager.magics.values():
        # By name first: to look at one of IPython's own is to import it.
        ours = [magic for magic in table if magic.startswith("tf_")]
        for magic in ours:
            if type(getattr(table[magic], "__self__", None)).__name__ == name:
                del table[magic]
    manager.registry.pop(name, None)
    shell.configurables[:] = [one for one in shell.configurables if type(one).__name__ != name]
    remove_matcher(shell)
    hide_views(shell)
    remove_settings(shell)
    ignore_import()
    forget("the last traceback")
    notices().show = notices().log
    close_channel(shell)
    leave_cells_alone(shell)
    workers().dismiss()
    native_log().stop()
    native_log().models_at = no_models
    finalize_as_usual()
