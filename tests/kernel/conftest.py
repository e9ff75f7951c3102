"""A kernel for each test module, cleaned before each test; forked, unless the module says ``BY_ITSELF``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kernel.harness import Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def running_kernel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    by_itself = getattr(request.module, "BY_ITSELF", False)
    kernel = Kernel(tmp_path_factory.mktemp("kernel"), by_itself=by_itself)
    # TensorFlow's own objects out of the way of the garbage collector: it runs between any two tests.
    kernel.ok("%load_ext tfmagic\nimport gc, tensorflow\ngc.collect()\ngc.freeze()")
    yield kernel
    kernel.stop()


@pytest.fixture
def kernel(running_kernel: Kernel) -> Kernel:
    """A kernel that has loaded tfmagic and has no models and no names."""
    running_kernel.clean()
    return running_kernel
