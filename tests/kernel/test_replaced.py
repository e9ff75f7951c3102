"""``pip`` replaces IPython while a kernel runs it: loading says so in one line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import IPython
import pytest

from kernel.harness import Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.kernel
SAYS = f"pip has replaced IPython {IPython.__version__} by 99.1.0 under this kernel: restart it, then %load_ext tfmagic"


@pytest.fixture
def replaced(tmp_path: Path) -> Iterator[Kernel]:
    """A kernel whose IPython is installed in a folder of its own, where another version takes its place."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "IPython").symlink_to(Path(IPython.__file__).parent)
    kernel = Kernel(tmp_path, by_itself=True, PYTHONPATH=f"{Path(__file__).parents[2]}:{site}")
    installed = site / "ipython-99.1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: ipython\nVersion: 99.1.0\n")
    yield kernel
    kernel.stop()


def test_what_still_loads_says_it(replaced: Kernel) -> None:
    assert replaced.ok("%load_ext tfmagic").stdout == f"tfmagic: {SAYS}\n"
    assert replaced.ok("%tf_model").text


def test_what_no_longer_loads_says_only_it(replaced: Kernel) -> None:
    # What a half-new IPython looks like.
    replaced.ok("import IPython.core.magic\ndel IPython.core.magic.needs_local_scope")
    assert replaced.refused("%load_ext tfmagic") == SAYS
