"""What in the notebook keeps a dropped model's memory is found, by the name that a person knows."""

from __future__ import annotations

import functools
import gc
import sys
import weakref
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from factories import printed_from_start, scale_graph, variable_graph

from tfmagic.model.memory import holders as holders_module
from tfmagic.model.memory import reachability
from tfmagic.model.memory.holders import holders

if TYPE_CHECKING:
    from collections.abc import Callable

    from tfmagic.model.memory.holders import HolderRecord


class Net:
    """Stands for what is dropped."""


@pytest.fixture(scope="module")
def net() -> Any:
    made = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(3)])
    made.compile("adam", "mse")
    made.history = made.fit(np.zeros((2, 2)), np.zeros((2, 3)), verbose=0)
    return made


@pytest.fixture(autouse=True)
def _all_the_time_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reachability, "_MOST_S", 60.0)


@pytest.fixture(autouse=True)
def _no_last_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("last_value", "last_exc", "last_traceback"):
        monkeypatch.delattr(sys, name, raising=False)


def kept(net: Any) -> list[Any]:
    """Return what a dropped Keras model leaves: itself and its variables."""
    return [net, *(variable.value for variable in net.variables)]


def of(name: str, kind: str, release: str) -> HolderRecord:
    return {"name": name, "kind": kind, "release": release}


def names(records: list[HolderRecord]) -> list[str]:
    return [record["name"] for record in records]


KERAS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "model": ("a Keras model", lambda net: net),
    "layer": ("a Keras layer", lambda net: net.layers[0]),
    "optimizer": ("a Keras optimizer", lambda net: net.optimizer),
    "history": ("a Keras callback", lambda net: net.history),
    "variable": ("a Keras variable", lambda net: net.variables[0]),
    "tf.Variable": ("a tf.Variable", lambda net: net.variables[0].value),
    "tf.function": ("a tf.function", lambda net: tf.function(lambda x: 2 * net(x))),
    "method": ("a method", lambda net: net.predict),
    "partial": ("a partial", lambda net: functools.partial(print, net)),
    "closure": ("a function", lambda net: lambda: net),
    "default": ("a function", lambda net: lambda x=net: x),
    "object": ("a SimpleNamespace", lambda net: __import__("types").SimpleNamespace(net=net)),
    "object array": ("a ndarray", lambda net: np.array([None, net], object)),
    "view of an object array": ("a ndarray", lambda net: np.array([net, None], object)[1:]),
    "frame": ("a DataFrame", lambda net: pd.DataFrame({"a": [1, 2], "b": [net, None]})),
    "set": ("a set", lambda net: {net}),
    "generator": ("a generator", lambda net: (net for _ in range(2))),
    "tf.data": (
        "a tf.data iterator",
        lambda net: iter(tf.data.Dataset.range(2).map(lambda x: net.variables[0].value + tf.cast(x, tf.float32))),
    ),
}


@pytest.mark.parametrize("what", KERAS)
def test_whatever_leads_to_a_keras_model_is_named(net: Any, what: str) -> None:
    kind, make = KERAS[what]
    assert holders(kept(net), {"a": 1, "it": make(net)}) == [of("it", kind, "del it")]


def test_whatever_leads_to_a_graph_is_named() -> None:
    graph, x, y = scale_graph(2.0)
    _, elsewhere, _ = scale_graph(3.0)
    with graph.as_default():
        variable = tf.compat.v1.get_variable("w", initializer=1.0)
        iterator = tf.compat.v1.data.make_one_shot_iterator(tf.compat.v1.data.Dataset.range(3))
    namespace = {
        "elsewhere": elsewhere,
        "eager": tf.constant(1.0),
        "graph": graph,
        "x": x,
        "op": y.op,
        "w": variable,
        "iterator": iterator,
        "sess": tf.compat.v1.Session(graph=graph),
    }
    assert [(record["name"], record["kind"]) for record in holders([graph], namespace)] == [
        ("graph", "a tf.Graph"),
        ("x", "a tf.Tensor"),
        ("op", "a tf.Operation"),
        ("w", "a tf.Variable"),
        ("iterator", "an Iterator"),
        ("sess", "a Session"),
    ]


def test_a_functional_model_is_called_a_model() -> None:
    x = keras.Input((2,))
    net = keras.Model(x, keras.layers.Dense(3)(x))
    assert holders([net], {"net": net}) == [of("net", "a Keras model", "del net")]


@pytest.mark.parametrize("collected", [True, False])
def test_what_is_far_down_in_much_data_is_found(collected: bool) -> None:  # noqa: FBT001 - a case
    net = Net()
    many: list[Any] = [(one, one) for one in range(50_000)]
    if collected:
        gc.collect()
    many[31_234] = (1, [net])
    array = np.arange(5_000).astype(object)
    array[4_321] = net
    assert names(holders([net], {"many": many, "array": array, "part": array[:3]})) == ["many", "array", "part"]
    assert holders([Net()], {"many": many, "array": array, "part": array[:3]}) == []


def test_what_holds_nothing_of_it_is_not_named(net: Any) -> None:
    graph, variable = variable_graph(1.0)
    other = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(3)])
    other.compile("adam", "mse")
    other.fit(np.zeros((2, 2)), np.zeros((2, 3)), verbose=0)
    values = weakref.WeakValueDictionary({"net": net})
    namespace = {
        "weak": weakref.ref(net),
        "values": values,
        "proxy": weakref.proxy(net),
        "weights": net.get_weights(),
        "answer": net(np.zeros((1, 2))),
        "other": other,
        "graph": graph,
        "variable": variable,
        "function": holders,
        "module": sys.modules[__name__],
        "kind": type(net),
    }
    assert holders(kept(net), namespace) == []


def test_every_name_that_holds_is_named_in_the_notebooks_order() -> None:
    net = Net()
    namespace = {"b": [1, net], "a": net, "none": [1], "nets": {"a": net, 2: 3}, "same": net}
    assert holders([net], namespace) == [
        of("b[1]", "a Net", "b[1] = None"),
        of("a", "a Net", "del a"),
        of("nets['a']", "a Net", "del nets['a']"),
        of("same", "a Net", "del same"),
    ]


def test_a_path_is_said_where_it_is_short_and_the_only_one() -> None:
    net = Net()
    namespace = {
        "two": {"x": [net]},
        "three": {"x": [{"y": net}]},
        "both": [net, net],
        "fixed": (1, net),
        "inside": {"pair": (1, net)},
        "key": {net: 1},
        "long": {"a name of more than twenty letters": net},
    }
    records = holders([net], namespace)
    assert [(record["name"], record["release"]) for record in records] == [
        ("two['x'][0]", "two['x'][0] = None"),
        ("three", "del three"),
        ("both", "del both"),
        ("fixed[1]", "del fixed"),
        ("inside['pair'][1]", "del inside['pair']"),
        ("key", "del key"),
        ("long", "del long"),
    ]


def test_what_is_said_lets_go_also_where_a_container_has_two_names() -> None:
    namespace: dict[str, Any] = {"nets": [Net(), 1], "again": None, "table": {"a": Net(), "b": 2}}
    namespace |= {"again": namespace["nets"], "once_more": namespace["table"]}
    targets = [weakref.ref(namespace["nets"][0]), weakref.ref(namespace["table"]["a"])]
    for record in holders([one() for one in targets], namespace):
        exec(record["release"], namespace)  # noqa: S102 - this is what a person does with it
    assert [one() for one in targets] == [None, None]
    assert (namespace["again"], namespace["once_more"]) == ([None, 1], {"b": 2})


def test_nothing_of_the_persons_is_called() -> None:
    class Loud(type):
        def __hash__(cls) -> int:
            raise AssertionError

        def __getattribute__(cls, name: str) -> Any:
            raise AssertionError(name)

        def __eq__(cls, other: object) -> bool:
            raise AssertionError

    class Hostile(metaclass=Loud):
        def __getattribute__(self, name: str) -> Any:
            raise AssertionError(name)

        def __len__(self) -> int:
            raise AssertionError

        def __eq__(self, other: object) -> bool:
            raise AssertionError

        __getattr__ = __getattribute__
        __hash__ = __len__
        __repr__ = __bool__ = __iter__ = __len__  # type: ignore[assignment]

    class Listed(list[Any]):
        def __iter__(self) -> Any:
            raise AssertionError

        __len__ = __getitem__ = __bool__ = __iter__  # type: ignore[assignment]

    net, hostile = Net(), object.__new__(Hostile)
    object.__getattribute__(hostile, "__dict__")["net"] = net
    listed = Listed()
    list.append(listed, net)
    assert names(holders([net], {"hostile": hostile, "listed": listed})) == ["hostile", "listed[0]"]
    assert holders([Net()], {"hostile": hostile, "listed": listed}) == []


def test_the_last_traceback_is_named_once_with_what_lets_go_of_it() -> None:
    def fails() -> None:
        net = Net()
        found.append(weakref.ref(net))
        raise ValueError(net.__class__)

    found: list[Any] = []
    try:
        fails()
    except ValueError as error:
        sys.last_value, sys.last_traceback = error, error.__traceback__
        if sys.version_info >= (3, 12):
            sys.last_exc = error
    (record,) = holders([found[0]()], {"a": 1})
    assert (record["name"], record["kind"]) == ("the last traceback", "a ValueError")
    exec(record["release"], {})  # noqa: S102 - this is what a person does with it
    assert found[0]() is None


def test_the_last_traceback_that_ipython_keeps_is_searched() -> None:
    net = Net()
    shell = SimpleNamespace(InteractiveTB=SimpleNamespace(tb=[net]))
    record = of("the last traceback", "a list", "get_ipython().InteractiveTB.tb = None")
    assert holders([net], {}, shell=shell) == [record]
    shell.InteractiveTB.tb = None
    assert holders([net], {}, shell=shell) == []


def test_what_was_too_much_to_look_through_is_said_and_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reachability, "_MOST_OBJECTS", 2_000)
    monkeypatch.setattr(holders_module, "_FIRST_SEARCH", 500)
    net = Net()
    large = [[[one]] for one in range(3_000)]
    assert holders([net], {"large": large, "net": net}) == [of("large", "", ""), of("net", "a Net", "del net")]
    monkeypatch.setattr(reachability, "_MOST_S", -1.0)
    assert holders([net], {"large": large, "x": 1}) == [of("large", "", "")]


def test_a_notebook_full_of_data_is_not_looked_through_item_by_item(net: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reachability, "_MOST_OBJECTS", 20_000)
    namespace: dict[str, Any] = {}
    for number in range(50):
        namespace[f"frame{number}"] = pd.DataFrame(np.zeros((1000, 5)))
        namespace[f"array{number}"] = np.zeros((1000, 10))
        namespace[f"list{number}"] = list(range(number, 100_000))
        namespace[f"text{number}"] = "text"
    assert holders(kept(net), namespace) == []


# A shell of IPython's as a notebook has it; `alive` says whether the model still is, after a drop's collection.
IN_IPYTHON = """
import gc
from IPython.testing.globalipapp import start_ipython
ip = start_ipython()
from tfmagic.model.memory.holders import holders
ip.run_cell("class Net: pass\\nimport weakref", store_history=True)

def cells(*texts):
    for text in texts:
        ip.run_cell(text, store_history=True, silent=False)

def found():
    net = ip.user_ns["weak"]()
    return [] if net is None else holders([net], ip.user_ns, shell=ip)

def say():
    print("SAID", [(one["name"], one["release"]) for one in found()])

def type_it():
    for one in found():
        cells(one["release"])
    cells("1 + 1;")
    gc.collect()
    print("SAID", ip.user_ns["weak"]() is not None)
"""


def in_ipython(code: str) -> list[str]:
    return [line[5:] for line in printed_from_start(IN_IPYTHON + code) if line.startswith("SAID ")]


@pytest.mark.slow
def test_what_was_displayed_is_named_once_and_let_go_by_what_is_said() -> None:
    assert in_ipython("""
cells("net = Net(); weak = weakref.ref(net)", "net", "del net", "ip = get_ipython()")
say()
type_it()
cells("42", "after = _")
print("SAID", ip.user_ns["after"])
""") == ["[('Out[3]', '%xdel _3')]", "False", "42"]


@pytest.mark.slow
def test_a_variable_that_was_displayed_is_let_go_with_its_display() -> None:
    assert in_ipython("""
cells("net = Net(); weak = weakref.ref(net); nets = [net]", "net", "nets")
say()
type_it()
""") == ["[('Out[3]', '%xdel net'), ('Out[4]', '%xdel nets'), ('net', '%xdel net'), ('nets', '%xdel nets')]", "False"]


@pytest.mark.slow
def test_what_ipython_keeps_after_its_names_were_deleted_is_named_and_let_go() -> None:
    assert in_ipython("""
cells("net = Net(); weak = weakref.ref(net)", "net", "del net, Out[3], _3, _")
say()
type_it()
cells("42", "after = _")
print("SAID", ip.user_ns["after"])
""") == [
        repr([("_", "%reset -f out\n%xdel -n _\n%xdel -n __\n%xdel -n ___")]),
        "False",
        "42",
    ]


@pytest.mark.slow
def test_what_an_error_left_in_ipython_is_let_go_by_what_is_said() -> None:
    assert in_ipython("""
import sys
cells("def f():\\n    global weak\\n    net = Net(); weak = weakref.ref(net)\\n    1 / 0", "f()")
print("SAID", [one["name"] for one in found()])
type_it()
""") == ["['the last traceback']", "False"]
