"""Our side of the comparison: a real call's bytes, and the picture of every frame."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.call import run_call
from benchmarks.clips import DEMO_START_S
from benchmarks.material import Material, load
from benchmarks.neural import Rebuilder, call
from benchmarks.video import cut
from models.engine import Engine
from receiver.generator import Generator
from shared.latency import Latency
from shared.metrics import psnr
from shared.params import Frame
from tests.faces import face_model
from tests.interface import Tap, udp_ports

FRAMES = 12


@pytest.fixture(scope="module")
def passage(demo_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "passage.mp4"
    cut(demo_clip, DEMO_START_S, path, 1.0)
    return path


@pytest.fixture(scope="module")
def material(passage: Path) -> Material:
    return load(passage, face_model(), FRAMES)


@pytest.fixture(scope="module")
def rebuilder(material: Material) -> Rebuilder:
    return Rebuilder(material, Generator(Engine.load("lite"), face_model()), face_model())


def test_the_bytes_counted_are_those_on_the_interface(passage: Path, tmp_path: Path) -> None:
    ports: set[int] = set()
    with Tap() as tap:
        sender = run_call(
            passage, tmp_path, 4.0, tick=lambda: ports.update(udp_ports("sender")), loop=True
        ).sender
    assert ports
    captured = tap.between(ports)
    assert sender.wire_bytes > 20_000  # the photograph alone
    # What reaches the sender's port after its last look at its counters is not in them.
    assert captured == pytest.approx(sender.wire_bytes, rel=0.01)


def test_a_call_costs_what_its_report_says(material: Material) -> None:
    found = call(material, Latency.NORMAL, 3.0)
    assert 0 < found.payload_kbps < found.wire_kbps < 40
    assert found.photograph_bytes > 5_000
    # Headers, acknowledgements: more than the file, and not twice as much.
    assert found.photograph_bytes < found.reference_bytes < 2 * found.photograph_bytes
    assert 0 < found.sent_fps < 26


@pytest.mark.parametrize("latency", list(Latency))
def test_every_frame_has_its_own_picture(
    material: Material, rebuilder: Rebuilder, latency: Latency
) -> None:
    shown = rebuilder.rebuild(latency)
    assert len(shown) == len(material.pictures)
    # Nearer to the frame of its own number than another far from it is.
    far = int(np.argmin([psnr(picture, material.pictures[1]) for picture in material.pictures]))
    assert far > 1
    own = psnr(material.pictures[far], shown[far]) + psnr(material.pictures[1], shown[1])
    swapped = psnr(material.pictures[far], shown[1]) + psnr(material.pictures[1], shown[far])
    assert own > swapped


def test_a_setting_does_not_depend_on_the_one_before(rebuilder: Rebuilder) -> None:
    first = rebuilder.rebuild(Latency.NORMAL)
    rebuilder.rebuild(Latency.ECONOMY)
    for one, other in zip(first, rebuilder.rebuild(Latency.NORMAL), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_is_not_sent_shows_the_picture_before(material: Material) -> None:
    lacking = replace(material, frames=[f for f in material.frames if f.sequence not in (5, 6)])
    generator = Generator(Engine.load("lite"), face_model())
    shown = Rebuilder(lacking, generator, face_model()).rebuild(Latency.LOW)
    np.testing.assert_array_equal(shown[5], shown[4])
    np.testing.assert_array_equal(shown[6], shown[4])
    assert not np.array_equal(shown[7], shown[4])


def test_a_still_face_is_sent_hardly_at_all_and_judged_as_it_is_shown(material: Material) -> None:
    still = replace(
        material,
        frames=[Frame(f.sequence, f.captured_ms, material.origin) for f in material.frames],
    )
    generator = Generator(Engine.load("lite"), face_model())
    shown = Rebuilder(still, generator, face_model()).rebuild(Latency.NORMAL)
    np.testing.assert_array_equal(shown[-1], shown[4])


def test_the_baselines_are_the_reference_and_the_reference_moved(
    material: Material, rebuilder: Rebuilder
) -> None:
    copies, warps = rebuilder.copies(), rebuilder.warps()
    assert len(copies) == len(warps) == len(material.pictures)
    assert psnr(copies[0], material.pictures[0]) > 30  # the photograph, as WebP leaves it
    np.testing.assert_array_equal(copies[-1], copies[0])
    assert psnr(warps[0], copies[0]) > 30
    assert not np.array_equal(warps[-1], copies[-1])
