"""An engine for several callers: who shares a launch, who waits for whom, what an error ends.

The work of `Held` ends when the test says so; the pictures of the last tests are real.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest

from models.engine import DISPLACEMENT, FACE, FACES, LAYERS, Engine, Floats, Reference
from models.engine.on_onnxruntime import load_cpu
from models.engine.sample import Sample, read_sample
from models.engine.shared_engine import SharedEngine
from models.engine.weights import find_weights
from tests.test_runner import BATCH, HostDevice, made

WAIT_S = 30
Work = list[int] | str


class Held(Engine):
    """An engine that tells what it begins, whose frames or whose photograph, and waits for `end`.

    All arrays of a caller hold the caller's number.
    """

    name = "held"

    def __init__(self, batch: int, lanes: int = 1) -> None:
        self.batch, self.lanes = batch, lanes
        self.threads: set[int] = set()
        self.sounds: Floats | None = None
        self._begun: queue.Queue[Work] = queue.Queue()
        self._may_end: queue.Queue[Exception | None] = queue.Queue()

    def begun(self) -> Work:
        return self._begun.get(timeout=WAIT_S)

    def end(self, error: Exception | None = None) -> None:
        self._may_end.put(error)

    def _work(self, what: Work) -> None:
        self.threads.add(threading.get_ident())
        self._begun.put(what)
        if (error := self._may_end.get(timeout=WAIT_S)) is not None:
            raise error

    def encode(self, layers: Floats, face: Floats) -> Reference:
        self._work(f"photograph {int(face.flat[0])}")
        return Reference(layers, {})

    def generate(
        self,
        reference: Reference,
        faces: Floats,
        displacement: Floats,
        audio: Floats | None = None,
    ) -> Floats:
        raise AssertionError("frames go through generate_batch")

    def generate_batch(
        self,
        references: Sequence[Reference],
        faces: Floats,
        displacements: Floats,
        audio: Floats | None = None,
    ) -> Floats:
        callers = [int(one.flat[0]) for one in faces]
        assert [int(one.layers.flat[0]) for one in references] == callers
        assert [int(one.flat[0]) for one in displacements] == callers
        self.sounds = audio
        self._work(callers)
        return faces[:, :3].copy()


def full(shape: tuple[int, ...], number: int) -> Floats:
    return np.full(shape, number, np.float32)


def frame(shared: SharedEngine, caller: int, audio: Floats | None = None) -> Future[Floats]:
    reference = Reference(full(LAYERS, caller), {})
    return shared.generate(reference, full(FACES, caller), full(DISPLACEMENT, caller), audio)


def photograph(shared: SharedEngine, caller: int) -> Future[Reference]:
    return shared.encode(full(LAYERS, caller), full(FACE, caller))


def picture_of(future: Future[Floats]) -> int:
    """Return whose picture came."""
    picture = future.result(WAIT_S)
    assert picture.shape == (1, 3, 256, 256)
    assert picture.min() == picture.max()
    return int(picture.flat[0])


@contextlib.contextmanager
def sharing(batch: int, lanes: int = 1) -> Iterator[tuple[Held, SharedEngine]]:
    held = Held(batch, lanes)
    shared = SharedEngine(held)
    try:
        yield held, shared
    finally:
        for _ in range(20):  # whatever a failed test left under way
            held.end()
        shared.close()


def test_an_idle_engine_runs_a_frame_at_once_and_who_comes_meanwhile_shares_the_next() -> None:
    with sharing(batch=8) as (held, shared):
        first = frame(shared, 0)
        assert held.begun() == [0]  # nobody was waited for
        others = [frame(shared, caller) for caller in (3, 1, 2)]
        held.end()
        assert held.begun() == [3, 1, 2]
        held.end()
        assert [picture_of(one) for one in (first, *others)] == [0, 3, 1, 2]
        assert len(held.threads) == 1
        assert held.threads != {threading.get_ident()}


def test_an_engine_with_lanes_runs_as_many_launches_at_the_same_time() -> None:
    with sharing(batch=1, lanes=2) as (held, shared):
        first = [frame(shared, caller) for caller in (0, 1)]
        assert sorted([held.begun(), held.begun()], key=str) == [[0], [1]]  # neither has ended
        third = frame(shared, 2)
        held.end()
        assert held.begun() == [2]
        held.end()
        held.end()
        assert [picture_of(one) for one in (*first, third)] == [0, 1, 2]
        assert len(held.threads) == 2


def test_with_more_callers_than_places_all_are_served_in_the_order_they_came() -> None:
    callers, batch = 5, 2
    most_launches = 3  # callers over batch, rounded up: its own among them
    with sharing(batch) as (held, shared):
        asked, served = [0], [0]
        waiting, begun_before = {0: frame(shared, 0)}, {0: 0}
        launch, number = held.begun(), 1
        for caller in range(1, callers):
            asked.append(caller)
            waiting[caller], begun_before[caller] = frame(shared, caller), number
        for _ in range(4 * callers):
            held.end()
            for caller in launch:
                assert picture_of(waiting[int(caller)]) == int(caller)
            coming, launch = launch, held.begun()
            number += 1
            for caller in map(int, launch):
                served.append(caller)
                assert number - begun_before[caller] <= most_launches
            for caller in map(int, coming):  # each asks anew as soon as it has its picture
                asked.append(caller)
                waiting[caller], begun_before[caller] = frame(shared, caller), number
        assert served == asked[: len(served)]


def test_photographs_and_launches_take_turns() -> None:
    with sharing(batch=4) as (held, shared):
        under_way = frame(shared, 0)
        assert held.begun() == [0]
        photographs = [photograph(shared, caller) for caller in (1, 2)]
        frames = [frame(shared, caller) for caller in (3, 4)]
        order: list[Work] = []
        for _ in range(3):
            held.end()
            order.append(held.begun())
        assert order == ["photograph 1", [3, 4], "photograph 2"]
        held.end()
        assert picture_of(under_way) == 0
        assert [picture_of(one) for one in frames] == [3, 4]
        for one, caller in zip(photographs, (1, 2), strict=True):
            assert one.result(WAIT_S).layers.flat[0] == caller


def test_an_error_reaches_those_of_its_launch_and_nobody_else() -> None:
    with sharing(batch=2) as (held, shared):
        frames = [frame(shared, 0)]
        assert held.begun() == [0]
        frames += [frame(shared, caller) for caller in (1, 2, 3)]
        held.end()
        assert held.begun() == [1, 2]
        held.end(MemoryError("no room on the GPU"))
        assert held.begun() == [3]
        held.end()
        assert [picture_of(frames[caller]) for caller in (0, 3)] == [0, 3]
        for caller in (1, 2):
            with pytest.raises(MemoryError, match="no room on the GPU"):
                frames[caller].result(WAIT_S)
        refused = photograph(shared, 4)
        assert held.begun() == "photograph 4"
        held.end(ValueError("no face"))
        with pytest.raises(ValueError, match="no face"):
            refused.result(WAIT_S)
        again = frame(shared, 5)
        held.begun()
        held.end()
        assert picture_of(again) == 5


def test_closing_finishes_what_is_under_way_and_refuses_the_rest() -> None:
    with sharing(batch=1) as (held, shared):
        under_way = frame(shared, 0)
        held.begun()
        waiting = [frame(shared, 1), photograph(shared, 2)]
        with ThreadPoolExecutor(1) as threads:
            closing = threads.submit(shared.close)
            for one in waiting:
                with pytest.raises(RuntimeError, match="the receiver is stopping"):
                    one.result(WAIT_S)
            held.end()
            closing.result(WAIT_S)
        assert picture_of(under_way) == 0
        with pytest.raises(RuntimeError, match="the receiver is stopping"):
            frame(shared, 1)
        assert "engine" not in {thread.name for thread in threading.enumerate()}


def test_who_has_no_sound_is_silent_beside_one_who_has() -> None:
    with sharing(batch=3) as (held, shared):
        frames = [frame(shared, 0)]
        held.begun()
        assert held.sounds is None
        sound = np.linspace(0, 1, 300, dtype=np.float32)
        frames += [frame(shared, 1), frame(shared, 2, sound), frame(shared, 3)]
        held.end()
        held.begun()
        assert held.sounds is not None
        np.testing.assert_array_equal(held.sounds, np.stack([0 * sound, sound, 0 * sound]))
        held.end()
        assert [picture_of(one) for one in frames] == [0, 1, 2, 3]


def test_clients_draw_into_arrays_of_their_own() -> None:
    with sharing(batch=2) as (_, shared):
        clients = [shared.client(), shared.client()]
        given = [client.inputs() for client in clients for _ in range(4)]
        for number, one in enumerate(given):
            for other in given[number + 1 :]:
                assert not any(np.shares_memory(*pair) for pair in zip(one, other, strict=True))
        assert clients[0].name == "held"


def pictures_of_callers(engine: Engine, sample: Sample) -> None:
    """Check that callers at the same time get the pictures that each gets alone.

    Each calls twice, with another photograph, so that photographs come while others' frames run.
    """
    photographs = [
        (sample.layers, -sample.layers),
        (-sample.layers, sample.layers[..., ::-1].copy()),
        (sample.layers[..., ::-1].copy(), sample.layers),
    ]

    def call(client: Engine, own: Sequence[Floats]) -> list[Floats]:
        pictures = []
        for layers in own:
            reference = client.encode(layers, sample.face)
            for face, to in zip(sample.faces, sample.displacements, strict=True):
                faces, displacement = client.inputs()
                faces[:], displacement[:] = face, to
                pictures.append(client.generate(reference, faces, displacement))
        return pictures

    alone = [call(engine, own) for own in photographs]
    shared = SharedEngine(engine)
    start = threading.Barrier(len(photographs))

    def call_together(own: Sequence[Floats]) -> list[Floats]:
        start.wait(WAIT_S)
        return call(shared.client(), own)

    with ThreadPoolExecutor(len(photographs)) as threads:
        together = list(threads.map(call_together, photographs))
    shared.close()
    np.testing.assert_allclose(together, alone, atol=1e-4)
    assert np.abs(alone[0][0] - alone[1][0]).max() > 0.1


def test_the_pictures_are_those_of_single_calls_in_onnx_runtime() -> None:
    engine = load_cpu(find_weights("lite"))
    assert engine.batch == 1
    pictures_of_callers(engine, read_sample(frames=3))


def test_the_pictures_are_those_of_single_calls_in_torch() -> None:
    pytest.importorskip("torch")
    engine = Engine.load(engine="torch", batch=2)
    assert engine.batch == 2
    pictures_of_callers(engine, read_sample(frames=1))


def test_the_pictures_are_those_of_single_calls_where_a_launch_has_fixed_rows() -> None:
    engine = made(find_weights("lite"), HostDevice())
    assert engine.batch == BATCH
    pictures_of_callers(engine, read_sample(frames=2))
