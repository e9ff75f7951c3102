"""A bar that shows how far a run in batches has come."""

from __future__ import annotations

import warnings
from typing import Any


def progress(total: int, name: str) -> Any:
    """Return a tqdm bar of rows: a widget in a notebook that has ipywidgets, else a line on stderr.

    Parameters
    ----------
    total
        How many rows there are.
    name
        What stands before the bar.
    """
    with warnings.catch_warnings():
        # Without ipywidgets tqdm says so at each import; a line of text does as well.
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm
    return tqdm(total=total, desc=name, unit=" rows")
