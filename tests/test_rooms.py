"""Two calls at once in one receiver: real senders, the real generator, a room each."""

from __future__ import annotations

import re
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from benchmarks.call import READY_TIMEOUT_S, Call, ReceiverReport, SenderReport
from benchmarks.child import Child
from benchmarks.comparison import Comparison, compare
from benchmarks.video import cut

SHORT_S, LONG_S = 3.0, 9.0
ROOMS = (1, 2)


def has_said(child: Child, words: str) -> bool:
    return re.search(words, child.output()) is not None


@pytest.fixture(scope="module")
def clips(demo_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """What the two callers show: the same woman at different times."""
    made = [tmp_path_factory.mktemp("clips") / f"{room}.mp4" for room in ROOMS]
    for clip, start_s in zip(made, (10.0, 2.0), strict=True):
        cut(demo_clip, start_s, clip, LONG_S)
    return made


@pytest.fixture(scope="module")
def calls(clips: list[Path], tmp_path_factory: pytest.TempPathFactory) -> list[Call]:
    """Two calls of one receiver; the first is over long before the second."""
    folder = tmp_path_factory.mktemp("rooms")
    serve = ["--port", "0", "--calls", "2", "--once"]
    serve += ["--out", str(folder / "call.mkv"), "--report", str(folder / "call.json")]
    with ExitStack() as stack:
        receiver = stack.enter_context(Child("receiver", serve, folder / "receiver.log"))
        receiver.wait_until(partial(has_said, receiver, "All rooms at"), READY_TIMEOUT_S)
        senders = []
        for url, clip, seconds in zip(
            re.findall(r"Call with: sender (\S+)", receiver.output()),
            clips,
            (SHORT_S, LONG_S),
            strict=True,
        ):
            report = folder / f"sender-{len(senders)}.json"
            send = [url, "--source", str(clip), "--seconds", str(seconds), "--report", str(report)]
            sender = Child("sender", send, folder / f"sender-{len(senders)}.log")
            senders.append(stack.enter_context(sender))
        for sender in senders:
            sender.wait(90)
        receiver.wait(30)  # by itself, once the second call is over too
    return [
        Call(
            folder / f"call-room{room}.mkv",
            ReceiverReport.model_validate_json((folder / f"call-room{room}.json").read_text()),
            SenderReport.model_validate_json((folder / f"sender-{room - 1}.json").read_text()),
        )
        for room in ROOMS
    ]


@pytest.fixture(scope="module")
def comparisons(clips: list[Path], calls: list[Call]) -> list[Comparison]:
    return [compare(clip, call) for clip, call in zip(clips, calls, strict=True)]


@pytest.mark.timeout(240)  # three processes load their libraries at once
def test_both_are_seen_moving_as_they_moved(comparisons: list[Comparison]) -> None:
    for one in comparisons:
        assert one.mean(lambda score: score.psnr) > one.mean(lambda score: score.copy_psnr)
        first, last = (one.shown[number].astype(int) for number in (min(one.shown), max(one.shown)))
        assert np.abs(first[:256] - last[:256]).mean() > 1.0


def test_one_who_leaves_does_not_disturb_the_other(calls: list[Call]) -> None:
    left, stayed = (call.receiver.frames for call in calls)
    after = [frame for frame in stayed if frame.shown_ms > left[-1].shown_ms + 500]
    assert left[-1].captured_ms - left[0].captured_ms < 1000 * (SHORT_S + 1)
    assert len(after) > 20
    assert calls[1].receiver.frames_shown >= 0.2 * calls[1].sender.frames_sent
    gaps = np.diff([frame.shown_ms for frame in after])
    assert gaps.max() < 3000
