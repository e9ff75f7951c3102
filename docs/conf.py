"""How the pages are built: every code cell is run, and whatever is not right is an error."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import tfmagic

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS))

project = "tfmagic"
author = "The tfmagic developers"
project_copyright = author
version = release = tfmagic.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.intersphinx", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "pictures"]
# A name of Python's own is looked up in a list that is kept here, so the pages build without a network. What leads
# nowhere is an error; `make links` asks Python's pages whether the places of the list are there.
intersphinx_mapping = {"python": ("https://docs.python.org/3/", str(DOCS / "inventories" / "python.inv"))}
nitpicky = True
# The types of inner rooms, which signatures name and no page describes. Records stand on the page of the snapshot, as
# headings.
INNER = (
    *("Cell", "Checkup", "Execution", "GraphDef", "LastSave", "Names", "Options", "Panel", "Signature", "Snapshot"),
    *("Source", "TensorNames", "_UnfinishedRun"),
)
nitpick_ignore_regex = [
    ("py:class", rf"(tfmagic\.[\w.]+\.)?(\w+Record|{'|'.join(INNER)})"),
    # Where only type checkers import it, autodoc does not know that it is pathlib's.
    ("py:class", "Path"),
]

# Each page runs in a kernel and a folder of its own. A cell that fails is a warning, which is an error
# to `make docs`, unless it is tagged as one that raises; what a reader sees below a cell is what it has just said.
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_show_tb = True
nb_execution_timeout = 300
# A stream that came in pieces is one text.
nb_merge_streams = True
os.environ["TFMAGIC_EXAMPLE_MODELS"] = str(DOCS.parent / "examples" / "models")
# Its own configuration of IPython, and not the person's; ipykernel warns that its channels are not encrypted, and they
# do not leave this machine.
KERNELS = Path(tempfile.mkdtemp(prefix="tfmagic-docs-"))
atexit.register(shutil.rmtree, KERNELS, ignore_errors=True)
(KERNELS / "profile_default").mkdir()
(KERNELS / "profile_default" / "ipython_kernel_config.py").write_text("c.IPKernelApp.log_level = 'ERROR'\n")
os.environ["IPYTHONDIR"] = str(KERNELS)
# The kernel of this environment, and in it `!python` is the same Python.
os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_google_docstring = False
napoleon_use_rtype = False

html_theme = "furo"
html_title = f"tfmagic {release}"
html_static_path = ["_static"]
html_css_files = ["tfmagic.css"]
html_copy_source = False
html_show_sphinx = False


def setup(app: Sphinx) -> None:
    """Have the reference pages filled from the code."""
    from generated import fill

    app.connect("source-read", fill)
