"""Numpy's threads."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import numpy
from threadpoolctl import threadpool_info
from shared.threads import one_blas_thread
one_blas_thread()
found = [part["num_threads"] for part in threadpool_info() if part["internal_api"] == "openblas"]
sys.exit(0 if found and set(found) == {1} else f"threads of OpenBLAS: {found}")
"""


def test_openblas_works_in_the_calling_thread() -> None:
    # A process of its own: the limit is the whole process's.
    done = subprocess.run(
        [sys.executable, "-c", "import sys" + SCRIPT], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
