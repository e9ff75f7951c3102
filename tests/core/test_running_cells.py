"""A kernel is busy from the beginning of its first cell to the end of its last one."""

from __future__ import annotations

import threading
import time

from tfmagic.core.running_cells import RunningCells


def test_the_end_of_a_cell_within_a_cell_is_not_the_end_of_that() -> None:
    busy = RunningCells()
    before_s = time.time()
    busy.begin()
    began_s = busy.since_s
    assert began_s is not None
    assert before_s <= began_s <= time.time()
    busy.begin()
    busy.end()
    assert busy.since_s == began_s
    busy.end()
    assert busy.since_s is None


def test_the_end_of_a_subshells_cell_is_not_the_end_of_the_kernels() -> None:
    busy = RunningCells()
    busy.begin()
    began_s = busy.since_s

    def cell() -> None:
        busy.begin()
        busy.end()

    subshell = threading.Thread(target=cell)
    subshell.start()
    subshell.join()
    assert busy.since_s == began_s


def test_an_end_without_a_beginning_is_none() -> None:
    busy = RunningCells()
    busy.end()
    assert busy.since_s is None
