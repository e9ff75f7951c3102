"""``models``: the registered models of this process, by name."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar
from weakref import WeakValueDictionary

from tfmagic.concurrency.command_lock import CommandLock
from tfmagic.concurrency.deferral import interruptible
from tfmagic.concurrency.entry_point import entry_point, hide_own_frames, trim_traceback
from tfmagic.concurrency.workers import workers
from tfmagic.core.events import events
from tfmagic.core.naming import PLACEHOLDER, check_name
from tfmagic.core.process import once
from tfmagic.errors import (
    DropError,
    InputError,
    ModelStateError,
    NameTakenError,
    NoCopyError,
    UnknownNameError,
    did_you_mean,
    first_line,
)
from tfmagic.execution.signature.options import Options, TensorNames
from tfmagic.model.admission import Admission, build_in_time, may_lose_training, outcome_of, run_ahead
from tfmagic.model.memory.budget import budget
from tfmagic.runtime.startup.importing import require_tensorflow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tfmagic.formats.common.source import FileRecord, Source
    from tfmagic.model.drop import DropRecord
    from tfmagic.model.model import Model
    from tfmagic.model.previous_version import PreviousVersionRecord
    from tfmagic.model.record import ModelRecord


# How long a drop waits for a cell in the model's room to end, and for a cancelled one.
_CELL_S = 5.0
_CANCELLED_S = 2.0

T = TypeVar("T")


class Models(Mapping[str, "Model"]):
    """The registered models: ``models["digits"]`` or ``models.digits``.

    Safe to use from several threads: one thread at a time can add a name, and a
    failure leaves the models as they were.
    """

    def __init__(self) -> None:
        self._models: dict[str, Model] = {}
        self._adding: set[str] = set()
        self._command_locks: WeakValueDictionary[str, CommandLock] = WeakValueDictionary()
        self._lock = threading.RLock()
        budget().models = lambda: [model.parking for model in self.present()]

    def __getitem__(self, name: str) -> Model:
        """Return the model of that name.

        Raises
        ------
        UnknownNameError
            When there is none; the nearest name is offered.
        """
        # Without the lock: looking up a key of a dict is atomic.
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

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        """Refuse to be copied or pickled: a process has one registry."""
        msg = "the registry cannot be copied or pickled: a process has one; models.records() gives its models as data"
        error = NoCopyError(msg)
        trim_traceback(error)
        raise error

    def _refuse(self, name: str) -> NoReturn:
        with self._lock:
            known = list(self._models)
        hint = did_you_mean(str(name), known) or "; %tf_model add NAME SOURCE adds one"
        if placeholder := PLACEHOLDER.fullmatch(str(name)):
            expression = placeholder[1] or placeholder[2]
            hint = (
                f": these lines put no value in for {name}; in Python, as in a loop, models[{expression}](X) runs a "
                f"model (from tfmagic import models), models.drop({expression}) and the like do the rest"
            )
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
        timeout: float | None = None,
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
            Inputs and outputs to name or rename: ``{"x": "op:0"}`` or ``"x=op:0,y=op:1"``.
        device
            ``cpu``, ``gpu``, ``gpu:1`` or TensorFlow's full form.
        replace
            Whether this source may take the name of another model.
        lazy
            Load at first use.
        warm
            Run the model on zeros now and choose the fastest executor, so that the first
            call is fast.
        unsafe
            Allow a file to run Python, and to use files other than its own assets.
        copy
            Copy a live object into a graph: calls are faster, and the weights are
            independent of the object's (``Model.sync`` takes its present ones).
        objects
            The custom classes and functions of a Keras file, as a mapping by name or
            a list; by default those of these names in ``__main__``.
        frozen
            Keep the constants of a frozen graph. Otherwise the large ones become
            variables, which a session holds once instead of once per set of fetches.
        executor
            ``caller`` to run the operations in the calling thread, ``pool`` to run them
            in TensorFlow's threads; by default the first calls find the faster one.
        compile
            Have XLA compile the model, once for each shape of input. The model's notes
            say how long that took.
        timeout
            Give up after this many seconds; what the model runs when it is loaded may never end.
        text
            A name for the source in messages; by default its path or type.

        Returns
        -------
        Model
            A new model, or the present one where nothing has changed.

        Raises
        ------
        RunTimeoutError
            When it is not loaded by the timeout; then nothing is registered.
        NameTakenError
            For a name that is impossible (`ImpossibleNameError`) or taken by another source.
        SourceError
            For a source that is missing, damaged, unsafe, or no model.
        """
        from tfmagic.formats.kinds import check_path, source_of

        check_model_name(name)
        check_path(source)
        require_tensorflow()
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
        return self.admit(
            name, source_of(source, text), options, replace=replace, lazy=lazy, warm=warm, timeout=timeout
        ).model

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
        timeout: float | None = None,
    ) -> Admission:
        """Register a model from its source; the parameters and errors are those of `add`.

        An old model of that name goes only once the new one is built. Its training
        stays as ``NAME~1``, or with `keep` in the new variables of the same name, shape
        and dtype.
        """
        check_model_name(name)
        if lazy and warm:
            msg = f"{name}: --lazy loads at first use, and --warm runs now: give one of the two"
            raise InputError(msg)
        from tfmagic.model.model import Model

        with self._lock:
            # A model and its successors share the lock of their name.
            command_lock = self._command_locks.setdefault(name, CommandLock(name))
        with command_lock.hold(), self._claimed(name):
            old = self._models.get(name)
            source.check_options(name, options)
            fingerprint = interruptible(source.fingerprint)
            outcome = outcome_of(name, old, source, fingerprint, options, replace=replace)
            if old is not None and outcome == "kept":
                if warm:
                    from tfmagic.model.running.warm_up import choose_executors

                    choose_executors(old.caller)
                return Admission(old, outcome)
            model = Model(name, source, options, command_lock)
            model.lifecycle.fingerprint = fingerprint
            record: PreviousVersionRecord | None = None
            previous: Model | None = None
            if not lazy:
                build_in_time(model, timeout)
            try:
                run_ahead(model, warm=warm, lazy=lazy)
                if old is not None and outcome == "renewed" and may_lose_training(old, model):
                    from tfmagic.model.previous_version import keep_training

                    # In a worker: after an interrupted run, reading the values may be slow.
                    record, previous = workers().call(keep_training, old, model, carry=keep)
            except BaseException:
                model.lifecycle.release()
                raise
            leaving = [] if old is None else [old]
            with self._lock:
                self._models[name] = model
                if previous is not None:
                    leaving += [self._models[previous.name]] if previous.name in self._models else []
                    self._models[previous.name] = previous
            if outcome != "kept":
                events().note(outcome, name)
            with ExitStack() as stack:
                # Release each, also when Ctrl-C ends the wait for the run of another.
                for leaver in leaving:
                    stack.callback(leaver.lifecycle.release, renewed=leaver is old)
            return Admission(model, outcome, record)

    @entry_point
    def drop(self, *names: str, all: bool = False) -> DropRecord:  # noqa: A002 - as the magic's --all
        """Drop models: calls end, native sessions close, and their memory goes back to the system.

        Parameters
        ----------
        *names
            The models.
        all
            Drop every model.

        Returns
        -------
        DropRecord
            The dropped models, the memory that was given back, and what still holds some of it.

        Raises
        ------
        UnknownNameError
            For an unknown name; then no model is dropped.
        DropError
            When a part of a model could not be released. All the models are gone then,
            too, and the error's ``record`` is what would have been returned.
        """
        from tfmagic.model.drop import Drop

        failed: dict[str, str] = {}
        with self._lock:
            named = [self[name] for name in dict.fromkeys(self if all else names)]
        drop = Drop(named)
        with ExitStack() as stack:
            # In one order, so that two threads that drop several models cannot block each other.
            for model in sorted(named, key=lambda model: model.name):
                _hold_lock(stack, model)
            with self._lock:
                # Another thread may have dropped one meanwhile.
                models = [model for model in named if self._models.get(model.name) is model]
                for model in models:
                    del self._models[model.name]
                    events().note("dropped", model.name)
            # Release each, whatever another raises, also when Ctrl-C ends the wait for its run.
            for model in reversed(models):
                stack.callback(_note_error, failed, model.name, model.lifecycle.release)
            present = [_note_error(failed, model.name, model.record) for model in models]
        dropped = ", ".join(model.name for model in models)
        # No reference to the models may stay while the drop looks for what holds them.
        del named, models, stack
        record = drop.record([record for record in present if record is not None])
        if failed:
            reasons = "; ".join(f"{name} ({reason})" for name, reason in failed.items())
            msg = (
                f"{dropped}: dropped, but not all could be let go of cleanly: {reasons}; "
                "where memory stays taken, %tf_runtime memory shows it, and a restart of the kernel gives it back"
            )
            raise DropError(msg, record)
        return record

    @property
    def memory_budget(self) -> str:
        """How much models may take together, as ``"1.5GB"``, ``"2GB,gpu:0=8GB"`` or ``"auto"``; ``""`` for no limit.

        Models that do not fit are parked, the least recently used first.
        """
        return budget().text

    @memory_budget.setter
    @hide_own_frames
    def memory_budget(self, text: str) -> None:
        budget().choose(text)

    def present(self) -> list[Model]:
        """Return the models in the order in which they were added."""
        with self._lock:
            return list(self._models.values())

    def records(self) -> list[ModelRecord]:
        """Return the models as plain data, in the order in which they were added."""
        return [model.record() for model in self.present()]

    @hide_own_frames
    def inspect(self, path: Any) -> FileRecord:
        """Describe a model file without loading it.

        Raises
        ------
        SourceError
            For a file that is missing, damaged, or no model.
        """
        from tfmagic.formats.kinds import check_path, inspect_path

        check_path(path)
        require_tensorflow()
        return inspect_path(path)

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


def _hold_lock(stack: ExitStack, model: Model) -> None:
    """Take a model's command lock, and end the cell that does not give it up in time."""
    for timeout_s in (_CELL_S, _CANCELLED_S):
        # A deadlock with the lock's holder is no reason to keep the model.
        with suppress(ModelStateError):
            if stack.enter_context(model.lifecycle.command_lock.hold(timeout_s=timeout_s)):
                return
        model.lifecycle.cells.end()


def _note_error(failed: dict[str, str], name: str, act: Callable[[], T]) -> T | None:
    """Return what `act` returns; an error is noted until all models have gone."""
    try:
        return act()
    except Exception as error:  # noqa: BLE001 - also from a person's object: it must not keep the other models
        # As text: the error's traceback would hold the model.
        failed.setdefault(name, first_line(error))
        return None


def check_model_name(name: str) -> None:
    """Refuse a name that no model can have; the errors are those of `check_name`."""
    check_name(name, _ATTRIBUTES)


def the_models() -> Models:
    """Return the process's registry."""
    return once("models", Models)


_ATTRIBUTES = frozenset(name for name in dir(Models) if not name.startswith("_"))
