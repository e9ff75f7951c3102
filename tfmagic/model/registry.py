"""``models``: the registered models of this process, by name."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NoReturn
from weakref import WeakValueDictionary

from tfmagic.concurrency.command_lock import CommandLock
from tfmagic.concurrency.deferral import interruptible
from tfmagic.concurrency.entry_point import entry_point, hide_own_frames, trim_traceback
from tfmagic.concurrency.workers import workers
from tfmagic.core.events import events
from tfmagic.core.naming import check_name
from tfmagic.core.process import once
from tfmagic.errors import (
    DropError,
    InputError,
    ModelStateError,
    NameTakenError,
    UnknownNameError,
    did_you_mean,
    first_line,
)
from tfmagic.execution.signature.options import Options, TensorNames
from tfmagic.model.memory.budget import budget
from tfmagic.runtime.startup.importing import require_tensorflow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tfmagic.formats.common.source import FileRecord, Source
    from tfmagic.model.drop import DropRecord
    from tfmagic.model.former import FormerRecord
    from tfmagic.model.model import Model
    from tfmagic.model.record import ModelRecord


# How long a drop waits for a cell that is busy in the model's room, and for one that was told to end.
_CELL_S = 5.0
_END_S = 2.0

Outcome = Literal["added", "kept", "renewed", "replaced"]


@dataclass(frozen=True)
class Admission:
    """What came of adding a model.

    Attributes
    ----------
    model
        The model that now has the name.
    outcome
        ``added``, ``kept`` (unchanged), ``renewed`` (the source had changed, or
        was said to be read otherwise), or ``replaced`` (by another source).
    former
        For a renewed model that had been trained, what became of the weights
        that it had before.
    """

    model: Model
    outcome: Outcome
    former: FormerRecord | None = None


class Models(Mapping[str, "Model"]):
    """The registered models: ``models["digits"]`` or ``models.digits``.

    Safe to use from several threads: a name is added by one at a time, and
    whatever fails leaves the models as they were.
    """

    def __init__(self) -> None:
        self._models: dict[str, Model] = {}
        self._adding: set[str] = set()
        self._turns: WeakValueDictionary[str, CommandLock] = WeakValueDictionary()
        self._lock = threading.RLock()
        budget().models = lambda: [model.parking for model in self.present()]

    # -- a mapping -------------------------------------------------------------

    def __getitem__(self, name: str) -> Model:
        """Return the model of that name.

        Raises
        ------
        UnknownNameError
            When there is none; the nearest name is offered.
        """
        # One look at a dict is whole by itself.
        model = self._models.get(name)
        if model is not None:
            return model
        try:
            self._refuse(name)
        except UnknownNameError as error:
            trim_traceback(error)
            raise

    def __getattr__(self, name: str) -> Model:
        """Return the model of that name, as an attribute."""
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except UnknownNameError as error:
            # Not by the decorator, which would be one more Python call on the way to each model.
            trim_traceback(error)
            raise

    def _refuse(self, name: str) -> NoReturn:
        with self._lock:
            known = list(self._models)
        hint = did_you_mean(str(name), known) or "; %tf_model add NAME SOURCE adds one"
        msg = f"there is no model {name!r}{hint}"
        raise UnknownNameError(msg)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names, in the order in which the models were added."""
        with self._lock:
            return iter(list(self._models))

    def __len__(self) -> int:
        """Return how many models there are."""
        return len(self._models)

    def __dir__(self) -> list[str]:
        """Offer the models to Tab."""
        return [*super().__dir__(), *self]

    def __repr__(self) -> str:
        """List the models."""
        return f"<models: {', '.join(self) or 'none yet'}>"

    # -- changing it -------------------------------------------------------------

    @hide_own_frames
    def add(
        self,
        name: str,
        source: Any,
        *,
        signature: str | None = None,
        tags: str | Sequence[str] | None = None,
        inputs: TensorNames = None,
        outputs: TensorNames = None,
        device: str | None = None,
        replace: bool = False,
        lazy: bool = False,
        warm: bool = False,
        unsafe: bool = False,
        copy: bool = False,
        objects: Any = None,
        frozen: bool = False,
        executor: str | None = None,
        compile: bool = False,  # noqa: A002 - as the magic's --compile
        text: str | None = None,
    ) -> Model:
        """Register a model.

        Parameters
        ----------
        name
            A Python name that is no verb of ``%tf_model``.
        source
            A path to a SavedModel (or a folder of numbered versions of one),
            a ``.keras`` or ``.h5`` file, a frozen graph (``.pb``, ``.pbtxt``) or a v1
            checkpoint with its ``.meta``; or a live Keras model, ``tf.Module``,
            ``tf.function``, ``ConcreteFunction``, ``tf.Graph`` or ``GraphDef``.
        signature
            The default signature.
        tags
            The tag set of a SavedModel.
        inputs, outputs
            Ends to name or rename: ``{"x": "op:0"}`` or ``"x=op:0,y=op:1"``.
        device
            ``cpu``, ``gpu``, ``gpu:1`` or TensorFlow's full form.
        replace
            Whether another source may take the name over.
        lazy
            Load at first use.
        warm
            Run now, on zeros, and find out how it runs the quickest, so that the first
            call is a fast one.
        unsafe
            Let a file run Python, and touch files other than its own assets.
        copy
            Give a live object a graph of its own: fast calls, and weights that
            are independent of the object's (``Model.sync`` takes its present ones).
        objects
            The classes and functions of a Keras file that are not Keras's own, as
            a mapping by name or a list; by default those of ``__main__`` of those
            names.
        frozen
            Keep the constants of a frozen graph constants. The large ones are
            otherwise made variables, which a session holds once and not for each
            set of fetches.
        executor
            ``caller`` to run the operations in the thread that calls, ``pool`` to run
            them in TensorFlow's own; without, the first calls tell which is quicker.
        compile
            Have XLA make machine code of its calls, anew for each shape of input. The
            model's notes say how long that took.
        text
            What the source was called, if not its path or type.

        Returns
        -------
        Model
            A new one, or the present one where nothing has changed.

        Raises
        ------
        NameTakenError
            For a name that is impossible (`ImpossibleNameError`) or has another source.
        SourceError
            For a source that is missing, damaged, unsafe, or no model.
        """
        check_model_name(name)
        require_tensorflow()
        from tfmagic.formats.kinds import source_of

        options = Options.checked(
            signature=signature,
            tags=tags,
            inputs=inputs,
            outputs=outputs,
            device=device,
            unsafe=unsafe,
            copy=copy,
            objects=objects,
            frozen=frozen,
            executor=executor,
            compile=compile,
        )
        made = source_of(source, text)
        return self.admit(name, made, options, replace=replace, lazy=lazy, warm=warm).model

    @entry_point
    def admit(
        self,
        name: str,
        source: Source,
        options: Options,
        *,
        replace: bool = False,
        lazy: bool = False,
        warm: bool = False,
        keep: bool = False,
    ) -> Admission:
        """Register a model from its source, and say what came of it.

        The parameters and errors are those of `add`. Under a taken name the old
        model goes only once the new one stands; what a model that is renewed has
        learnt stays as ``NAME~1``, or with `keep` in the variables of the same
        name, shape and dtype.
        """
        check_model_name(name)
        if lazy and warm:
            msg = f"{name}: --lazy loads at first use, and --warm runs now: give one of the two"
            raise InputError(msg)
        from tfmagic.model.model import Model

        command_lock = self._lock_of(name)
        with command_lock.hold(), self._claimed(name):
            old = self._models.get(name)
            source.accept(name, options)
            fingerprint = interruptible(source.fingerprint)
            outcome = _outcome(name, old, source, fingerprint, options, replace=replace)
            if old is not None and outcome == "kept":
                if warm:
                    _settle(old)
                return Admission(old, outcome)
            model = Model(name, source, options, command_lock)
            model.lifecycle.fingerprint = fingerprint
            if not lazy:
                model.lifecycle.build()
                _run_ahead(model, warm=warm)
            going = [] if old is None else [old]
            former: FormerRecord | None = None
            aside: Model | None = None
            if old is not None and outcome == "renewed" and _may_lose(old, model):
                try:
                    # In a worker: what an interrupted run has left behind may be slow to read.
                    former, aside = workers().call(_former, old, model, keep=keep)
                except BaseException:
                    model.lifecycle.release()
                    raise
            with self._lock:
                self._models[name] = model
                if aside is not None:
                    going += [self._models[aside.name]] if aside.name in self._models else []
                    self._models[aside.name] = aside
            if outcome != "kept":
                events().note(outcome, name)
            with ExitStack() as stack:
                # Each goes, also when the person will not wait for the run of another.
                for one in going:
                    stack.callback(one.lifecycle.release, renewed=one is old)
            return Admission(model, outcome, former)

    @entry_point
    def drop(self, *names: str, all: bool = False) -> DropRecord:  # noqa: A002 - as the magic's --all
        """Drop models: calls end, native sessions close, and their memory goes back to the system.

        Parameters
        ----------
        *names
            Which.
        all
            Every model.

        Returns
        -------
        DropRecord
            The dropped models as they were, what was given back, and who still holds any of it.

        Raises
        ------
        UnknownNameError
            When one of the names is not there; then none is dropped.
        DropError
            When something of a model could not be let go of. All of them are gone then,
            too, and its ``record`` is what would have been returned.
        """
        from tfmagic.model.drop import Leaving

        failed: dict[str, str] = {}
        records: list[ModelRecord] = []
        with self._lock:
            asked = [self[name] for name in dict.fromkeys(self if all else names)]
        leaving = Leaving(asked)
        with ExitStack() as stack:
            # In one order, so that two who drop several do not wait for each other.
            for model in sorted(asked, key=lambda model: model.name):
                _hold_lock(stack, model)
            with self._lock:
                # Another may have dropped one meanwhile.
                models = [model for model in asked if self._models.get(model.name) is model]
                for model in models:
                    del self._models[model.name]
                    events().note("dropped", model.name)
            # Each goes, whatever another raises and also when the person will not wait for its run.
            for model in reversed(models):
                stack.callback(_noting, failed, model.name, model.lifecycle.release)
            for model in models:
                _noting(failed, model.name, partial(_keep_record, records, model))
        gone = [model.name for model in models]
        # Nothing here may refer to them while it is looked for who does.
        del asked, models, stack
        record = leaving.record(records)
        if failed:
            raise _not_clean(gone, failed, record)
        return record

    @property
    def memory_budget(self) -> str:
        """How much the models may take together: ``"1.5GB"``, ``"2GB,gpu:0=8GB"`` or ``"auto"``; ``""`` for no limit.

        Models that do not fit are parked, the least recently used first.
        """
        return budget().text

    @memory_budget.setter
    @hide_own_frames
    def memory_budget(self, text: str) -> None:
        budget().choose(text)

    # -- looking -----------------------------------------------------------------

    def present(self) -> list[Model]:
        """Return every model that is there at this moment, in the order in which they were added."""
        with self._lock:
            return list(self._models.values())

    def records(self) -> list[ModelRecord]:
        """Return every model as plain data, in the order in which they were added."""
        return [model.record() for model in self.present()]

    @hide_own_frames
    def inspect(self, path: Any) -> FileRecord:
        """Look at a file that could become a model, without loading it.

        Raises
        ------
        SourceError
            When it is missing, damaged, or no model.
        """
        require_tensorflow()
        from tfmagic.formats.kinds import inspect_path

        return inspect_path(path)

    def _lock_of(self, name: str) -> CommandLock:
        """Return the turn of whatever model has the name, now and later."""
        with self._lock:
            return self._turns.setdefault(name, CommandLock(name))

    @contextmanager
    def _claimed(self, name: str) -> Iterator[None]:
        with self._lock:
            if name in self._adding:
                msg = f"the name {name!r} is being added by this very command: choose another"
                raise NameTakenError(msg)
            self._adding.add(name)
        try:
            yield
        finally:
            with self._lock:
                self._adding.discard(name)


def _outcome(
    name: str, old: Model | None, source: Source, fingerprint: object, options: Options, *, replace: bool
) -> Outcome:
    """Return what adding a source under a name comes to, as `Admission` says it."""
    if old is None:
        return "added"
    if old.source.names_the_same(source):
        same = old.lifecycle.fingerprint == fingerprint and old.options == options and old.state != "failed"
        return "kept" if same and not old.lifecycle.is_outdated() else "renewed"
    if not replace:
        taken = old.source.text if old.source.kind in old.source.text else f"{old.source.text} ({old.source.kind})"
        msg = (
            f"the name {name!r} is taken by {taken}: choose another "
            "name, or say --replace (replace=True) to put this one in its place"
        )
        raise NameTakenError(msg)
    return "replaced"


def _hold_lock(stack: ExitStack, model: Model) -> None:
    """Take a model's turn, and end the cell that does not give it up in time."""
    for timeout_s in (_CELL_S, _END_S):
        # Who has it may wait for what this command has: that is no reason to keep a model that is to go.
        with suppress(ModelStateError):
            if stack.enter_context(model.lifecycle.command_lock.hold(timeout_s=timeout_s)):
                return
        model.lifecycle.cells.end()


def _noting(failed: dict[str, str], name: str, act: Callable[[], None]) -> None:
    """Do something with a model that goes, and note what it raises until all of them have gone."""
    try:
        act()
    except Exception as error:  # noqa: BLE001 - of the person's own object, too: it may not keep the other models
        # Not the error itself, whose traceback would hold the model.
        failed.setdefault(name, first_line(error))


def _keep_record(records: list[ModelRecord], model: Model) -> None:
    records.append(model.record())


def _not_clean(gone: Sequence[str], failed: Mapping[str, str], record: DropRecord) -> DropError:
    """Return the error that says what went wrong where models were dropped."""
    said = "; ".join(f"{name} ({reason})" for name, reason in failed.items())
    msg = (
        f"{', '.join(gone)}: dropped, but not all could be let go of cleanly: {said}; "
        "where memory stays taken, %tf_runtime memory shows it, and a restart of the kernel gives it back"
    )
    return DropError(msg, record)


def _may_lose(old: Model, new: Model) -> bool:
    """Return whether a model may have learnt something that would go when another takes its place."""
    from tfmagic.model.unsaved import is_unsaved

    if old.lifecycle.training.first_values is not None:
        return True
    # A live graph that is added again goes on with the values that it has.
    graph = None if old.lifecycle.backend is None else old.lifecycle.backend.graph
    is_the_same = new.lifecycle.backend is not None and new.lifecycle.backend.graph is graph
    return graph is not None and not is_the_same and is_unsaved(old)


def _former(old: Model, new: Model, *, keep: bool) -> tuple[FormerRecord | None, Model | None]:
    """Save what a model has learnt from going with it, and say what was done."""
    from tfmagic.model.former import carry_over, set_aside, trained

    learnt = trained(old)
    carried = carry_over(old, new) if keep else set()
    aside = set_aside(old) if learnt - carried else None
    if aside is None and not carried:
        return None, None
    return {"name": None if aside is None else aside.name, "carried": len(carried)}, aside


def _run_ahead(model: Model, *, warm: bool) -> None:
    """Run a model on zeros, with 1 for every free size, where it is to be compiled or warmed."""
    if not (warm or model.options.compile):
        return
    from tfmagic.model.running.warm_up import compile_ahead
    from tfmagic.model.running.warm_up import warm as run_warm

    try:
        if model.options.compile:
            compile_ahead(model.caller)
        if warm:
            run_warm(model.caller)
    except BaseException:
        model.lifecycle.release()
        raise


def _settle(model: Model) -> None:
    from tfmagic.model.running.warm_up import settle

    settle(model.caller)


def check_model_name(name: str) -> None:
    """Refuse a name that no model can have; the errors are those of `check_name`."""
    check_name(name, _ATTRIBUTES)


def the_models() -> Models:
    """Return the process's registry."""
    return once("models", Models)


_ATTRIBUTES = frozenset(name for name in dir(Models) if not name.startswith("_"))
