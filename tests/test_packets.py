"""What RTP packets cost, calculated by hand."""

from __future__ import annotations

import pytest

from benchmarks.packets import charge, packets, rates


@pytest.mark.parametrize(
    ("size", "count", "cost"),
    [(0, 1, 50), (1, 1, 51), (1200, 1, 1250), (1201, 2, 1301), (2400, 2, 2500), (2401, 3, 2551)],
)
def test_a_frame_is_charged_by_the_packet(size: int, count: int, cost: int) -> None:
    assert packets(size) == count
    assert charge(size) == cost


def test_a_clip_by_hand() -> None:
    # The I-frame: 3000 bytes in 3 packets, 150 bytes of headers. Then 5 frames at 25 a second
    # (0.2 s): 100 + 0 + 1300 + 60 + 40 = 1500 bytes in 6 packets, 300 bytes of headers.
    found = rates([3000, 100, 0, 1300, 60, 40], 25.0)
    assert found.reference_bytes == 3150
    assert found.payload_kbps == pytest.approx(1500 * 8 / 0.2 / 1000)
    assert found.wire_kbps == pytest.approx(1800 * 8 / 0.2 / 1000)


def test_headers_alone_cost_ten_kbps_at_25_frames_a_second() -> None:
    assert rates([5000] + [0] * 100, 25.0).wire_kbps == pytest.approx(10.0)
