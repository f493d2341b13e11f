"""How many threads numpy may take: one.

The products of a face's fit are small, and OpenBLAS cuts them up for all cores nevertheless. Its
threads wait for one another without sleeping, so beside another busy process a fit takes many times
as long.
"""

from __future__ import annotations

import numpy  # noqa: F401 - a library that is not loaded yet cannot be told
from threadpoolctl import ThreadpoolController


def one_blas_thread() -> None:
    """Let OpenBLAS work in the thread that calls it; call once, when a command starts."""
    ThreadpoolController().select(internal_api="openblas").limit(limits=1)
