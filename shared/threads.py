"""How many threads numpy may take: one.

The products of a face's fit are small, and OpenBLAS cuts them up for all cores nevertheless. Its
threads wait for one another without sleeping, so beside another busy process a fit of 4 ms takes
150.
"""

from __future__ import annotations

import numpy  # noqa: F401 - a library that is not loaded yet cannot be told
from threadpoolctl import ThreadpoolController


def one_blas_thread() -> None:
    """Let OpenBLAS work in the thread that calls it; call once, when a command starts."""
    ThreadpoolController().select(internal_api="openblas").limit(limits=1)
