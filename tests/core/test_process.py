"""One runtime a process, whatever is reloaded."""

from __future__ import annotations

import importlib
import re
import sys
import threading
from pathlib import Path

import tfmagic
from tfmagic.core.process import once
from tfmagic.runtime.session.kernel_session import KernelSession


def test_every_call_of_the_class_gives_the_same_session() -> None:
    assert KernelSession() is KernelSession()
    assert tfmagic.KernelSession() is tfmagic.session


def test_once_makes_an_object_a_single_time_under_contention() -> None:
    made: list[object] = []
    given: list[object] = []

    def make() -> object:
        made.append(object())
        return made[-1]

    start = threading.Barrier(8)

    def ask() -> None:
        start.wait()
        given.append(once("test_once_makes_an_object", make))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert all(one is made[0] for one in given)


def test_reload_of_every_module_keeps_the_session_and_the_models() -> None:
    session, models = tfmagic.session, tfmagic.models
    before = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "tfmagic"}
    contents = {name: dict(vars(module)) for name, module in before.items()}
    try:
        for name in sorted(before):
            importlib.reload(before[name])
        assert tfmagic.session is session
        assert tfmagic.KernelSession() is session
        assert tfmagic.models is models
    finally:
        # The other tests hold the classes of before.
        for name, module in before.items():
            vars(module).update(contents[name])


def test_modules_deleted_and_imported_anew_find_the_same_session() -> None:
    session, models = tfmagic.session, tfmagic.models
    before = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "tfmagic"}
    try:
        for name in before:
            del sys.modules[name]
        anew = importlib.import_module("tfmagic")
        assert anew is not tfmagic
        assert anew.session is session
        assert anew.KernelSession() is session
        assert anew.models is models
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "tfmagic"]:
            del sys.modules[name]
        sys.modules.update(before)


def test_each_key_that_is_looked_up_belongs_to_an_object_that_is_made_somewhere() -> None:
    texts = [path.read_text(encoding="utf-8") for path in Path(tfmagic.__file__).parent.rglob("*.py")]
    made = {key for text in texts for key in re.findall(r'\bonce\(\s*"([^"]+)"', text)}
    looked_up = {key for text in texts for key in re.findall(r'\bexisting\("([^"]+)"', text)}
    assert {"models", "native log"} <= looked_up <= made
