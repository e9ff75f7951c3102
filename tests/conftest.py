"""What every test has: a quiet TensorFlow, and nothing left over from the test before."""

from __future__ import annotations

import gc
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# JSON Schema's check of addresses, which nothing here asks for: it takes more than a second to compile its grammar.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # so that its import fails
# What a shell starts in the background ignores Ctrl-C, and so would these tests.
signal.signal(signal.SIGINT, signal.default_int_handler)

_MUCH_MB = 100
_BROWSERS = 2
CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Have ``--dist loadfile`` run the tests of a browser in two workers, with a JupyterLab and a Chromium in each.

    Two of them keep two cores busy; with four, a page could wait a minute for what takes a second.
    """
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class FewBrowsers(LoadFileScheduling):
        browsers: ClassVar[dict[str, int]] = {}

        def _split_scope(self, nodeid: str) -> str:
            """Return the name of the work that a test is part of, which is done by one worker."""
            file = nodeid.split("::", 1)[0]
            if not file.startswith("tests/browser/"):
                return file
            return f"browser {self.browsers.setdefault(file, len(self.browsers)) % _BROWSERS}"

    return FewBrowsers(config, log)


@pytest.fixture(scope="session")
def looked_through_mb() -> list[float]:
    """Keep how large the worker was when all of its garbage was last looked through."""
    return [0.0]


@pytest.fixture(autouse=True, scope="module")
def _no_other_files_garbage(request: pytest.FixtureRequest, looked_through_mb: list[float]) -> None:
    """Have garbage collected among what this file makes: every drop does so, and workers live long and hold much."""
    # What other files' fixtures have left in cycles; to look through all of it takes half a second.
    resident_mb = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    if request.node.get_closest_marker("slow") and resident_mb > looked_through_mb[-1] + _MUCH_MB:
        gc.unfreeze()
        gc.collect()
        looked_through_mb.append(resident_mb)
    gc.freeze()


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """Drop all models and close the session, where the test has used them."""
    before = switches()
    yield
    assert switches() == before, "the test has switched TensorFlow's behaviour for those after it"
    kept = vars(sys.modules.get("_tfmagic_process", object))
    if "models" in kept:
        kept["models"].drop(all=True)
    if "session" in kept:
        kept["session"].close()
    gc.collect()
    gc.freeze()


def switches() -> dict[str, bool]:
    """Return how TensorFlow behaves in this process; it has not been imported: as it comes."""
    stock = {"eager": True, "control flow v2": True, "resource variables": True}
    if (tf := sys.modules.get("tensorflow")) is None:
        return stock
    v1 = tf.compat.v1
    now = (tf.executing_eagerly(), v1.control_flow_v2_enabled(), v1.resource_variables_enabled())
    return dict(zip(stock, now, strict=True))


@pytest.fixture
def parks_here(tmp_path: Path) -> Iterator[None]:
    """Have models parked in a folder of the test's own."""
    from tfmagic import models
    from tfmagic.runtime.state.spill_directory import park_directory

    park_directory().choose(str(tmp_path / "parked"))
    yield
    models.drop(all=True)
    park_directory().choose("")


@pytest.fixture
def savedmodels() -> Path:
    """Models that this project did not write, beside the checkout."""
    folder = CHECKOUT.parent / "shared" / "savedmodels"
    if not folder.is_dir():
        pytest.skip(f"there is no {folder}: these models are not part of the project")
    return folder
