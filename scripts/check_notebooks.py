"""See that notebooks are kept without outputs: ``python scripts/check_notebooks.py NOTEBOOK...``."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(paths: list[str]) -> int:
    """Name each notebook that has outputs, and how to take them out."""
    found = [path for path in paths if has_outputs(Path(path))]
    for path in found:
        print(f"tfmagic: {path} has outputs: jupyter nbconvert --clear-output --inplace {path}", file=sys.stderr)
    return 1 if found else 0


def has_outputs(path: Path) -> bool:
    """Return whether a cell has outputs, or the number of a run."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
