from __future__ import annotations

import numpy as np
import pytest

from receiver.picture import MARK, Picture, with_mark
from receiver.sinks import Sinks
from shared.voice import OpusPacket
from tests.tones import packets


class Shelf:
    def __init__(self, breaks_at: int = -1) -> None:
        self.sequences: list[int] = []
        self.ends = 0
        self._breaks_at = breaks_at

    def show(self, picture: Picture) -> None:
        if picture.sequence == self._breaks_at:
            raise OSError("no space left")
        self.sequences.append(picture.sequence)

    def end_call(self) -> None:
        self.ends += 1


def test_a_sink_that_breaks_is_left_out_until_the_next_call(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken, good = Shelf(breaks_at=1), Shelf()
    sinks = Sinks([broken, good])
    image = with_mark(np.zeros((256, 256, 3), np.uint8))
    for n in range(3):
        sinks.show(Picture(n, n, None, image))
    sinks.end_call()
    sinks.show(Picture(5, 5, None, image))
    assert broken.sequences == [0, 5]
    assert good.sequences == [0, 1, 2, 5]
    assert (broken.ends, good.ends) == (1, 1)
    assert "Shelf stopped working: no space left" in caplog.text


class HearingShelf(Shelf):
    def __init__(self, breaks_at: int = -1) -> None:
        super().__init__(breaks_at)
        self.heard: list[float] = []
        self.expects = 0

    def expect_sound(self) -> None:
        self.expects += 1

    def hear(self, packet: OpusPacket, spoken_ms: float) -> None:
        self.heard.append(spoken_ms)


def test_sound_goes_to_those_who_hear_and_still_work() -> None:
    broken, good = HearingShelf(breaks_at=0), HearingShelf()
    sinks = Sinks([broken, Shelf(), good])
    sinks.expect_sound()
    (packet,) = packets(1)
    sinks.hear(packet, 60.0)
    sinks.show(Picture(0, 0, None, with_mark(np.zeros((256, 256, 3), np.uint8))))
    sinks.hear(packet, 120.0)
    assert (broken.expects, good.expects) == (1, 1)
    assert (broken.heard, good.heard) == ([60.0], [60.0, 120.0])


def test_the_mark_is_below_the_picture_and_covers_none_of_it() -> None:
    image = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    marked = with_mark(image)
    assert marked.shape == (288, 256, 3)
    np.testing.assert_array_equal(marked[:256], image)
    strip = marked[256:]
    lit = (strip > 120).any(axis=2)
    assert MARK == "Synthesised from one photograph"
    columns = np.flatnonzero(lit.any(axis=0))
    assert columns[0] >= 4  # centred, and nothing is cut off
    assert columns[-1] <= 251
    assert columns[-1] - columns[0] > 200
    assert 0.03 < lit.mean() < 0.4
