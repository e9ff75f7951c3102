"""A model that is a live object: it is called eagerly, and shares its weights with the object."""

from __future__ import annotations

import time
import weakref
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.concurrency.deferral import InterruptTarget, defer_interrupts, interruptible
from tfmagic.concurrency.runs import Runs
from tfmagic.core.naming import unique
from tfmagic.errors import SourceError, did_you_mean, first_line
from tfmagic.execution.backends.backend import Backend, GraphOfRun
from tfmagic.execution.room.variables import Weights, variable_record, weighed
from tfmagic.runtime.tensorflow.private import Cancellation
from tfmagic.runtime.tensorflow.tf1_switches import eager_execution
from tfmagic.runtime.tracing.eager_profile import profiled
from tfmagic.runtime.tracing.step_stats import RunProfile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from tfmagic.concurrency.runs import Run
    from tfmagic.execution.backends.backend import Feeds, Fetches
    from tfmagic.execution.room.room import Room
    from tfmagic.execution.signature.signature import Signature


class UntraceableError(SourceError):
    """A live object that cannot be traced as a function."""


class EagerBackend(Backend):
    """How a live object runs. The object is kept, and never emptied.

    `calls` has, for each signature, a function of tensors by the object's own input names;
    `variables` returns the object's present variables.

    Attributes
    ----------
    saveable : object or None
        What ``tf.saved_model.save`` can write as it is; None where the variables have to be gathered.
    keras_writer_of_copy : callable or None
        For a Keras model, takes a copy in a graph and its variables, and gives the copy's `Backend.keras_writer`.
    last_inputs : dict
        By signature, dtype and shape of each input of the last call; only where the signature leaves them open.
    """

    mode = "eager"
    # Nobody knows whether the person's object may be called by two threads at once.
    concurrent = False
    source_is_in_memory = True
    saveable: Any = None
    keras_writer_of_copy: Callable[[Any, Mapping[str, Any]], Callable[[Path], list[str]]] | None = None

    def __init__(
        self,
        room: Room,
        live: Any,
        signatures: Mapping[str, Signature],
        calls: Mapping[str, Callable[[dict[str, Any]], Any]],
        variables: Callable[[], Sequence[Any]],
    ) -> None:
        super().__init__(room, signatures, Runs(self))
        self.live = live
        self._calls = dict(calls)
        self._variables = variables
        self._optimizer_at_build: weakref.ref[Any] | None = None
        self.last_inputs: dict[str, dict[str, tuple[str, tuple[int | None, ...] | None]]] = {}

    @property
    def name(self) -> str:
        """What to call it in a message."""
        return f"model {self.room.label!r}"

    @property
    def advice(self) -> str:
        """What to type while a call that was interrupted has not ended."""
        return f"%tf_model stop {self.room.label} waits for it"

    def cancel(self) -> bool:
        """Have the calls under way end at their next operation; the object's weights are as they stand."""
        for run in list(self.runs.under_way):
            run.stopped = True
            if run.end is not None:
                run.end()
        return True

    def weights(self) -> Weights:
        """Return the sizes of the object's variables."""
        variables = self._readable_variables()
        if variables is None:
            return Weights(0, None, 0)
        return weighed(
            variable_record(name, variable.dtype, variable.shape, _device_of(variable))
            for name, variable in variables.items()
        )

    def memory_owners(self) -> list[Any]:
        """Return the object and its variables."""
        return [self.live, *(self._readable_variables() or {}).values()]

    def _readable_variables(self) -> dict[str, Any] | None:
        try:
            return self.named_variables()
        except Exception:  # noqa: BLE001 - the person's object, or one whose variables are gone: no list or drop may fail for it
            return None

    def note_optimizer(self) -> None:
        """Note the optimizer that the object has when it is built."""
        optimizer = getattr(self.live, "optimizer", None)
        self._optimizer_at_build = None if optimizer is None else weakref.ref(optimizer)

    def has_another_optimizer(self) -> bool:
        """Return whether the object was compiled since it was built, so that its cell would not make its optimizer."""
        optimizer = getattr(self.live, "optimizer", None)
        at_build = None if self._optimizer_at_build is None else self._optimizer_at_build()
        return optimizer is not None and optimizer is not at_build

    def open(self) -> None:
        """Do nothing: the object is there."""

    def values(self, names: Iterable[str] | None = None) -> Iterator[tuple[str, np.ndarray]]:
        """Yield name and present value of each of the object's variables; all if `names` is None."""
        for name, variable in self.named_variables().items():
            if names is None or name in names:
                with eager_execution():
                    value = variable.numpy()
                yield name, value

    def trained_values(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the values of all variables."""
        return self.values()

    def assign(self, values: Iterable[tuple[str, np.ndarray]]) -> None:
        """Assign values to the object's variables."""
        named = self.named_variables()
        for name, value in values:
            with eager_execution():
                named[name].assign(value)

    def named_variables(self) -> dict[str, Any]:
        """Return the object's variables by name. Keras variables go by their path; equal names get a number."""
        variables = list(self._variables())
        names = unique(_name_of(variable) for variable in variables)
        return dict(zip(names, variables, strict=True))

    def fetch(self, signature: Signature, name: str) -> str:
        """Return the object's own name of an output; a `SourceError` if the signature has outputs, but not this one."""
        output = signature.output(name)
        if output is not None:
            return output.tensor or name
        if signature.outputs:
            hint = did_you_mean(name, [spec.name for spec in signature.outputs])
            msg = f"{self.room.label} has no output {name!r}{hint}; a live object has no other tensors to fetch"
            raise SourceError(msg)
        return name

    def with_optional_inputs(self, signature: Signature, names: Iterable[str]) -> Signature:
        """Return the signature unchanged: an object has no other inputs."""
        del names
        return signature

    def required_inputs(self, signature: Signature, tensors: Sequence[str]) -> frozenset[str]:
        """Return the inputs without which the object cannot be called, whatever is fetched."""
        del tensors
        return frozenset(spec.name for spec in signature.required)

    @defer_interrupts
    def call(self, signature: Signature, feeds: Feeds, fetches: Fetches) -> dict[str, Any]:
        """Call the object; without `fetches` all outputs are returned, under the names that the result itself has."""
        with self.runs.counted() as run, eager_execution(), self.placed():
            inputs = {spec.tensor or spec.name: tf.nest.map_structure(_tensor, fed) for spec, fed in feeds}
            result = self._cancellable(run, partial(self.call_object, signature.name, inputs))
            outputs = named_outputs(result, [spec.tensor for spec in signature.outputs])
        if any(spec.dtype is None for spec, _ in feeds):
            self.last_inputs[signature.name] = {
                name: (value.dtype.name, tuple(value.shape))
                for name, value in inputs.items()
                if hasattr(value, "shape")
            }
        arrays = {name: value.numpy() if hasattr(value, "numpy") else value for name, value in outputs.items()}
        if not fetches:
            return arrays
        unknown = next((own for _, own in fetches if own not in arrays), None)
        if unknown is not None:
            msg = f"{self.room.label} gave no output {unknown!r}{did_you_mean(unknown, arrays)}"
            raise SourceError(msg)
        return {name: arrays[own] for name, own in fetches}

    def profiled_call(self, signature: Signature, feeds: Feeds, fetches: Fetches) -> tuple[dict[str, Any], RunProfile]:
        """Call the object as `call` does, under TensorFlow's profiler."""
        with profiled() as executions:
            began = time.perf_counter()
            outputs = self.call(signature, feeds, fetches)
            wall_s = time.perf_counter() - began
        return outputs, RunProfile(wall_s, executions)

    def choose_executor(self, batches: object, fetches: object) -> None:
        """Do nothing: no calls of an object are prepared."""

    @contextmanager
    def graph_of_run(self, signature: Signature, zeros: Callable[[], Mapping[str, Any]]) -> Iterator[GraphOfRun]:
        """Yield the graph of the object traced as a new function; the object itself is not called.

        An `UntraceableError` if the object cannot be traced.
        """
        inputs = {spec.tensor or spec.name: tf.constant(zeros()[spec.name]) for spec in signature.required}
        with eager_execution(), self.runs.counted(), self.placed():
            function = tf.function(lambda tensors: self.call_object(signature.name, tensors), autograph=False)
            try:
                traced = function.get_concrete_function(inputs)
            except Exception as error:
                raise UntraceableError(first_line(error)) from error
            # Without the variables that the function captures.
            own = len(traced.inputs) - len(traced.captured_inputs)
            feeds = [tensor.name for tensor in traced.inputs[:own]]
            yield GraphOfRun(traced.graph, feeds, call=partial(function, inputs))

    def call_object(self, signature: str, inputs: dict[str, Any]) -> Any:
        """Call the object with tensors by its own input names, and return its result unchanged."""
        return self._calls[signature](inputs)

    def _cancellable(self, run: Run, call: Callable[[], Any]) -> Any:
        """Make a call that an interrupt or ``stop --now`` ends soon, also in the middle of an operation."""
        target, cancellation = InterruptTarget(), Cancellation()

        def end() -> None:
            cancellation.cancel()
            # For what runs in Python, and when the present operation has ended.
            target.interrupt()

        run.end = end
        try:
            with cancellation.block(), nullcontext() if run.scope is None else run.scope.on_cancel(end):
                return target.run(interruptible, call)
        except BaseException as error:
            self.runs.require(run, error)
            if run.scope is not None and run.scope.cancelled:
                # Nobody waits: TensorFlow's error is that of the cancellation, not of the object.
                raise run.scope.reason() from error
            raise

    def close(self) -> None:
        """Let go of the object, and end its calls; others who refer to the object keep it."""
        self.cancel()
        self.live = None
        self._calls.clear()
        self._variables = tuple
        super().close()

    def placed(self) -> Any:
        """Return a context for the device that was asked for."""
        return nullcontext() if self.room.device is None else tf.device(self.room.device)


def named_outputs(result: Any, names: Sequence[str | None]) -> dict[str, Any]:
    """Return the outputs of a call by name, for a tensor, a mapping or a sequence, also nested ones.

    `names` are those of the signature, in order. A sequence or a single tensor gets them if their number fits.
    """
    if isinstance(result, dict):
        flat: dict[str, Any] = {}
        for key, value in result.items():
            nested = isinstance(value, (dict, list, tuple))
            parts = named_outputs(value, ()) if nested else {"": value}
            flat.update({f"{key}_{part}" if part else str(key): inner for part, inner in parts.items()})
        return flat
    if hasattr(result, "_asdict"):
        return named_outputs(result._asdict(), names)
    if isinstance(result, (list, tuple)):
        values = tf.nest.flatten(result)
        if len(names) == len(values) and all(names):
            return dict(zip((str(name) for name in names), values, strict=True))
        return {f"output_{index}": value for index, value in enumerate(values)}
    return {str(names[0]) if len(names) == 1 and names[0] else "output": result}


def _name_of(variable: Any) -> str:
    return str(getattr(variable, "path", None) or variable.name).split(":")[0]


def _device_of(variable: Any) -> str:
    # One of Keras's has it from the variable of TensorFlow's that is in it.
    inner = variable if hasattr(variable, "device") else getattr(variable, "value", None)
    return str(getattr(inner, "device", ""))


def _tensor(value: Any) -> Any:
    # Sparse and ragged tensors go to the object as they are.
    return value if tf.is_tensor(value) else tf.constant(value)
