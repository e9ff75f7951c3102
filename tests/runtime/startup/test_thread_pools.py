"""The numbers of threads that TensorFlow is told."""

from __future__ import annotations

import pytest

from tfmagic.errors import SettingError
from tfmagic.runtime.startup.thread_pools import ThreadCounts


@pytest.mark.parametrize("threads", [-1, 1025, 2**31, 10**12])
def test_what_is_no_number_of_threads_is_refused_and_changes_nothing(threads: int) -> None:
    counts = ThreadCounts()
    with pytest.raises(SettingError, match=rf"a number of threads up to 1024, or 0 .*, got {threads}$"):
        counts.choose("inter_op_threads", threads)
    assert counts.requested["inter_op_threads"] == 0
