"""Runs ``%tf_run`` lines and cells: calls the models, binds the results, returns what to display."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tfmagic.errors import InterruptedRun, RunTimeoutError, TfMagicError, UnknownNameError, UsageLineError, did_you_mean
from tfmagic.magics.grammar.expression import evaluate
from tfmagic.model.registry import the_models
from tfmagic.panel.views.comparison import ComparisonTable
from tfmagic.panel.views.measurements import TimingLine, TraceTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tfmagic.execution.room.cell import Cell
    from tfmagic.magics.commands.run import RunLine
    from tfmagic.model.model import Model
    from tfmagic.panel.views.view import View

    Given = tuple[Any, Mapping[str, Any]]
    """The positional input, and the named inputs."""
    Push = Callable[[dict[str, Any]], None]
    Show = Callable[[View], None]


def run_line(run: RunLine, names: Mapping[str, Any], push: Push, show: Show) -> Any:
    """Run models as a line says, and return what to display.

    Expressions see `names`, `push` binds names in the notebook, `show` displays a view beside the result.
    """
    models = [the_models()[name] for name in run.models]
    with _naming_running_models(models):
        return _run_models(run, models, names, push, show)


def _run_models(run: RunLine, models: Sequence[Model], names: Mapping[str, Any], push: Push, show: Show) -> Any:
    options = (run.fetch, run.signature, run.batch_size, run.repeat, run.timeout)
    only_names = not run.trace and len(models) == 1 and all(option is None for option in options)
    if run.out and only_names and not run.has_inputs:
        values = _from_room(models[0], run.out)
        if values is not None:
            push(values)
            return None
    given = _inputs(run, names)
    if len(models) > 1:
        return _compare(run, given, push, show)
    if run.repeat is not None:
        return _time(run, models[0], given, push, show)
    return _run(run, models[0], given, push, show)


@contextmanager
def _naming_running_models(models: Sequence[Model]) -> Iterator[None]:
    """Have Ctrl-C name the models that still run, and what to type to wait for or cancel them."""
    try:
        yield
    except KeyboardInterrupt as error:
        stopping = [model.name for model in models if model.state == "stopping"]
        if stopping:
            names = " ".join(stopping)
            before = f"{error}; " if str(error) else ""
            are = "is" if len(stopping) == 1 else "are"
            msg = (
                f"{before}{' and '.join(stopping)} {are} stopping: %tf_model stop {names} waits for the present run, "
                f"%tf_model stop {names} --now cancels it"
            )
            error.args = (msg,)
        raise


def _run(run: RunLine, model: Model, given: Given, push: Push, show: Show) -> Any:
    if run.out and (outputs := _outputs(run, model)) is not None:
        # Refuse an -o that does not fit before anything runs.
        _names_to_values(model.name, dict.fromkeys(outputs), run.out)
    try:
        result: Mapping[str, Any] = model.run_stoppable(
            *given,
            fetch=run.fetch,
            signature=run.signature,
            batch_size=run.batch_size,
            timeout=run.timeout,
            trace=run.trace,
        )
    except (InterruptedRun, RunTimeoutError) as stopped:
        _keep_finished_rows(run, stopped, push)
        raise
    if run.trace and not run.silent and model.trace is not None:
        show(TraceTable(model.trace.record()))
    if run.out:
        push(_names_to_values(model.name, result, run.out))
    if run.out or run.silent:
        return None
    return next(iter(result.values())) if len(result) == 1 else result


def _compare(run: RunLine, given: Given, push: Push, show: Show) -> Any:
    from tfmagic.model.several.compare import compared

    if run.out:
        _names_to_values("the comparison", dict.fromkeys(run.models), run.out, "model")
    try:
        comparison = compared(
            run.models, *given, fetch=run.fetch, signature=run.signature, batch_size=run.batch_size, timeout=run.timeout
        )
    except (InterruptedRun, RunTimeoutError) as stopped:
        _keep_finished_rows(run, stopped, push)
        raise
    if run.out:
        push(_names_to_values("the comparison", comparison, run.out))
        if not run.silent:
            show(ComparisonTable(comparison.record()))
        return None
    return None if run.silent else comparison


def _time(run: RunLine, model: Model, given: Given, push: Push, show: Show) -> Any:
    from tfmagic.model.running.timing import timed

    timing = timed(
        model.caller, *given, repeat=run.repeat or 1, fetch=run.fetch, signature=run.signature, timeout=run.timeout
    )
    if run.out:
        push({run.out[0][0]: timing})
        if not run.silent:
            show(TimingLine(timing.record()))
        return None
    return None if run.silent else timing


def _keep_finished_rows(run: RunLine, stopped: InterruptedRun | RunTimeoutError, push: Push) -> None:
    """Bind the finished rows as the line asked, and say in the error where they are."""
    if stopped.partial is None:
        return
    where = "sys.last_value.partial (-o VAR gives them a name)"
    if run.out:
        try:
            push(_names_to_values("what had been done", stopped.partial, run.out))
            where = ", ".join(mine for mine, _ in run.out)
        except TfMagicError:
            pass  # the names do not fit these outputs: the rows stay with the error
    stopped.args = (f"{stopped}: {stopped.rows} are in {where}",)


def _inputs(run: RunLine, names: Mapping[str, Any]) -> Given:
    from tfmagic.execution.signature.feeds import MISSING

    named = {name: evaluate(text, names) for name, text in run.named.items()}
    for text in run.spread:
        value = evaluate(text, names)
        # A mapping, as ** takes in a Python call, or a table with its columns by name.
        if not (isinstance(value, Mapping) or (hasattr(value, "keys") and hasattr(value, "__getitem__"))):
            msg = f"**{text} is a {type(value).__name__}, expected a mapping of inputs by name"
            raise UsageLineError(msg)
        for name in value.keys():  # noqa: SIM118 - iterating a table gives something else
            given = value[name]
            if name in named:
                msg = f"input {name!r} is given twice"
                raise UsageLineError(msg)
            named[str(name)] = given
    return (MISSING if run.positional is None else evaluate(run.positional, names)), named


def _from_room(model: Model, out: Sequence[tuple[str, str | None]]) -> dict[str, Any] | None:
    """Return the names to send out of the room; None where the line means a run."""
    room = model.names
    wanted = {mine: theirs or mine for mine, theirs in out}
    signature = model.signature()
    # A model that needs no input can be run: then its output's value is meant.
    runs = not signature.required and all(signature.output(theirs) is not None for theirs in wanted.values())
    if not runs and all(theirs in room for theirs in wanted.values()):
        return {mine: room[theirs] for mine, theirs in wanted.items()}
    if not signature.required:
        return None
    missing = next(theirs for theirs in wanted.values() if theirs not in room)
    msg = (
        f"the room of {model.name} has no name {missing!r}{did_you_mean(missing, room)}; "
        f"to run {model.name}, give its inputs too"
    )
    raise UnknownNameError(msg)


def _outputs(run: RunLine, model: Model) -> list[str] | None:
    """Return the names that a run will give; None where only the run tells."""
    if run.fetch is not None:
        return run.fetch
    if run.timeout is not None and model.lifecycle.backend is None:
        return None  # asking would load it here, without the deadline
    signature = model.signature(run.signature)
    # An inferred signature gives the outputs for which the inputs suffice.
    return None if signature.needs is not None or not signature.outputs else [spec.name for spec in signature.outputs]


def _names_to_values(
    who: str, result: Mapping[str, Any], out: Sequence[tuple[str, str | None]], what: str = "output"
) -> dict[str, Any]:
    positions = [mine for mine, theirs in out if theirs is None]
    if len(positions) == 1 and len(out) == 1:
        return {positions[0]: next(iter(result.values())) if len(result) == 1 else result}
    if positions and len(positions) != len(result):
        msg = (
            f"-o names {len(positions)} {what}s by position and {who} gives {len(result)} "
            f"({', '.join(result)}): name as many, or say mine=theirs"
        )
        raise UsageLineError(msg)
    values: dict[str, Any] = {}
    by_position = dict(zip(positions, result.values(), strict=True)) if positions else {}
    for mine, theirs in out:
        if theirs is not None and theirs not in result:
            msg = f"-o {mine}={theirs}: {who} gives no {what} {theirs!r}{did_you_mean(theirs, result)}"
            raise UnknownNameError(msg)
        values[mine] = by_position[mine] if theirs is None else result[theirs]
    return values


def run_cell(run: RunLine, cell: Cell, names: Mapping[str, Any], push: Push) -> Any:
    """Run a cell in a model's room, and return what to display."""
    model = the_models()[run.model]
    with _naming_running_models([model]):
        value = model.execute(cell, names)
    if not run.out:
        return None if run.silent else value
    room = model.names
    push({mine: room[theirs or mine] for mine, theirs in run.out})
    return None
