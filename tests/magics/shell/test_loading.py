"""``%load_ext tfmagic`` registers names; what they need is imported when they are first used."""

from __future__ import annotations

import os
import subprocess
import sys
from textwrap import dedent

from tfmagic.runtime.memory.policy import SETTINGS

MOST_MODULES = 40
SHELL = """
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
"""


def printed(program: str) -> list[str]:
    """Return what a fresh process with an IPython shell prints."""
    code = SHELL + dedent(program)
    # Without what a test before this one may have had the policy set in this process.
    environment = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    done = subprocess.run(  # noqa: S603 - the test's own code
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True, env=environment
    )
    return done.stdout.splitlines()


def test_loading_imports_few_modules_and_neither_numpy_nor_tensorflow() -> None:
    (modules,) = printed("""
        before = set(sys.modules)
        shell.run_cell("%load_ext tfmagic").raise_error()
        print(*sorted(set(sys.modules) - before))
        """)
    imported = modules.split()
    own = [name for name in imported if name.partition(".")[0] == "tfmagic"]
    assert 0 < len(own) < MOST_MODULES, own
    assert not {"numpy", "tensorflow", "psutil", "asyncio", "subprocess", "ssl"}.intersection(imported)


def test_cells_import_nothing_more_until_a_name_is_used() -> None:
    assert printed("""
        shell.run_cell("%load_ext tfmagic").raise_error()
        before = set(sys.modules)
        shell.run_cell("x = 1").raise_error()
        print([name for name in set(sys.modules) - before if name.startswith("tfmagic")])
        """) == ["[]"]


def test_help_of_each_magic_shows_all_of_its_options_though_its_command_is_not_imported_yet() -> None:
    texts = printed("""
        from IPython.core.oinspect import getdoc
        shell.run_cell("%load_ext tfmagic").raise_error()
        print("tfmagic.magics.commands" in sys.modules)
        for name in ("tf_model", "tf_run", "tf_runtime", "tf_panel"):
            print(repr(getdoc(shell.find_line_magic(name))))
        """)
    assert texts[0] == "False"
    for text, words in zip(texts[1:], ("--unsafe", "--batch-size", "placement", "--sidebar"), strict=True):
        assert words in text


def test_the_policy_is_in_force_before_tensorflow_is_imported() -> None:
    assert printed("""
        import os
        shell.run_cell("%load_ext tfmagic").raise_error()
        print(os.environ["TF_ONEDNN_USE_SYSTEM_ALLOCATOR"], "tensorflow" in sys.modules)
        """) == ["1 False"]


def test_settings_of_the_file_are_in_force_and_shown() -> None:
    assert printed("""
        import os
        shell.config.TfMagic.memory_policy = "pool"
        shell.config.TfMagic.trim_threshold = "1GB"
        shell.run_cell("%load_ext tfmagic").raise_error()
        print(os.environ.get("TF_ONEDNN_USE_SYSTEM_ALLOCATOR"))
        shell.run_cell("%reload_ext tfmagic").raise_error()
        for name in ("memory_policy", "trim_threshold", "native_log", "memory_budget"):
            shell.run_line_magic("config", f"TfMagic.{name}")
            print(getattr(next(one for one in shell.configurables if type(one).__name__ == "TfMagic"), name))
        """) == ["None", "pool", "1GB", "off", ""]
