"""``%tf_runtime`` where TensorFlow is not imported yet."""

from __future__ import annotations

from factories import printed_from_start


def test_nothing_but_load_imports_tensorflow() -> None:
    lines = printed_from_start("""
        import sys
        from tfmagic.magics.commands.runtime import COMMANDS, run_line
        for verb in COMMANDS.keys() - {"load"}:
            shown = []
            view = run_line(verb, shown.append) or shown[0]
            print(verb, "tensorflow" in sys.modules, view.text().splitlines()[0] if verb == "reset" else "")
    """)
    assert all(line.split()[1] == "False" for line in lines), lines
    assert "reset False there was nothing to reset: TensorFlow is not imported yet" in lines
