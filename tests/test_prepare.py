"""Tracking clips and photographs into one file, on a few frames of a real clip."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from models import prepare
from models.prepare import POINT_SCALE, Tracked, clip_frames, encode, encode_mask, frame_times
from models.tracked import TrackedClips
from shared.aligner import Aligner
from shared.crop import Crop
from shared.errors import BadInputError
from shared.person import PersonFinder
from shared.tracker import Image, Tracker
from shared.voice import RATE
from tests.faces import face_model
from tests.tones import tone

FRAMES = 9
IMAGES = 3
TONE_FROM = 5  # frames before it are silent


@pytest.fixture(scope="module")
def clip(demo_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "face.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        audio = container.add_stream("aac", rate=RATE)
        audio.layout = "mono"
        silence = np.zeros(TONE_FROM * RATE // 25, np.int16)
        sound = np.concatenate([silence, tone(RATE // 5)])
        for begin in range(0, len(sound), 1024):
            heard = av.AudioFrame.from_ndarray(sound[None, begin : begin + 1024], "s16", "mono")
            heard.sample_rate, heard.pts = RATE, begin
            container.mux(audio.encode(heard))
        container.mux(audio.encode(None))
        for image in islice(clip_frames(demo_clip), FRAMES):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def finder() -> Iterator[PersonFinder]:
    with PersonFinder() as finder:
        yield finder


@pytest.fixture(scope="module")
def tracked(clip: Path, finder: PersonFinder) -> Tracked:
    return prepare.track_clip(clip, IMAGES, finder, face_model())


def test_frames_are_rgb_and_counted(clip: Path, demo_clip: Path) -> None:
    frames = list(clip_frames(clip))
    assert len(frames) == FRAMES
    assert frame_times(clip) == pytest.approx([i / 25 for i in range(FRAMES)], abs=1e-3)
    assert all(frame.shape == (360, 640, 3) and frame.dtype == np.uint8 for frame in frames)
    original = next(clip_frames(demo_clip))
    assert np.abs(frames[0].astype(int) - original).mean() < 4


def test_every_frame_has_points_and_some_have_pictures(tracked: Tracked) -> None:
    assert tracked.name == "face"
    assert len(tracked.points) == FRAMES
    assert tracked.times == [*range(FRAMES)]
    assert list(tracked.images) == list(tracked.people) == [0, 3, 6]


def test_each_picture_has_the_sound_before_it(tracked: Tracked) -> None:
    loudest = {row: int(sound.max()) for row, sound in tracked.sounds.items()}
    assert list(loudest) == [0, 3, 6]
    assert loudest[0] == 0
    assert loudest[3] < 100 < loudest[6]


def test_the_person_is_found_in_each_picture(tracked: Tracked, finder: PersonFinder) -> None:
    for row, blob in tracked.images.items():
        picture = cv2.imdecode(np.frombuffer(blob, np.uint8), cv2.IMREAD_COLOR_RGB)
        kept = cv2.imdecode(np.frombuffer(tracked.people[row], np.uint8), cv2.IMREAD_GRAYSCALE)
        found = cv2.resize(finder.find(np.asarray(picture, np.uint8)), (128, 128))
        assert np.abs(np.asarray(kept, int) - found).mean() < 4


def test_points_lie_in_their_picture(tracked: Tracked, clip: Path) -> None:
    frame = next(clip_frames(clip))
    with Tracker() as tracker:
        points = tracker.track(frame)
    assert points is not None
    crop = Crop.around(points, frame.shape[1], frame.shape[0])
    np.testing.assert_allclose(tracked.points[0], crop.to_units(points), atol=2e-3)
    kept = cv2.imdecode(np.frombuffer(tracked.images[0], np.uint8), cv2.IMREAD_COLOR_RGB)
    assert np.abs(np.asarray(kept, int) - crop.cut(frame)).mean() < 3


def test_points_are_aligned_with_the_first_picture(tracked: Tracked, clip: Path) -> None:
    frames = list(clip_frames(clip))
    with Tracker() as tracker:
        points = [tracker.track(frame) for frame in frames]
    assert points[0] is not None
    assert points[-1] is not None
    crop = Crop.around(points[0], frames[0].shape[1], frames[0].shape[0])
    aligner = Aligner.on(crop.cut(frames[0]), crop.to_units(points[0]), face_model())
    plain = crop.to_units(points[-1])
    aligned = aligner.correct(crop.cut(frames[-1]), plain)
    assert np.abs(aligned - plain).max() > 1e-3
    np.testing.assert_allclose(tracked.points[-1], aligned, atol=1e-5)


def test_a_frame_without_a_face_is_left_out(
    clip: Path, finder: PersonFinder, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = list(clip_frames(clip))
    frames[0] = frames[4] = np.full_like(frames[0], 100)
    monkeypatch.setattr(prepare, "clip_frames", lambda _: iter(frames))
    tracked = prepare.track_clip(clip, FRAMES, finder, face_model())
    assert tracked.times == [1, 2, 3, 5, 6, 7, 8]
    assert len(tracked.points) == len(tracked.images) == 7


def photograph(path: Path, image: Image) -> Path:
    cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return path


def test_photographs_are_tracked_or_left_empty(
    clip: Path, finder: PersonFinder, tmp_path: Path
) -> None:
    frame = next(clip_frames(clip))
    note = tmp_path / "note.jpg"
    note.write_text("no picture")
    with Tracker() as tracker:
        found = prepare.track_photo(photograph(tmp_path / "face.jpg", frame), tracker, finder)
        wall = photograph(tmp_path / "wall.jpg", np.full_like(frame, 90))
        assert (found.name, found.times) == ("face", [0])
        assert list(found.images) == list(found.people) == [0]
        assert found.sounds == {}
        assert prepare.track_photo(wall, tracker, finder).points == []
        assert prepare.track_photo(note, tracker, finder).points == []


def test_pictures_are_jpegs_in_rgb() -> None:
    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 0] = 200
    data = encode(red)
    assert data.startswith(b"\xff\xd8")
    back = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert np.abs(np.asarray(back, int) - red).max() < 4


def test_masks_are_kept_at_half_size_in_16_levels() -> None:
    mask = np.zeros((256, 256), np.uint8)
    mask[:, 101:] = 255
    mask[:, 99:101] = 100
    small = cv2.imdecode(np.frombuffer(encode_mask(mask), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert np.asarray(small).shape == (128, 128)
    assert np.asarray(small)[0, 48:52].tolist() == [0, 51, 170, 255]  # 50 and 178, in 17ths
    still_whole = np.full((256, 256), 255, np.uint8)
    assert (cv2.imdecode(np.frombuffer(encode_mask(still_whole), np.uint8), 0) == 255).all()


def test_what_is_saved_is_read_back(tracked: Tracked, tmp_path: Path) -> None:
    still = Tracked(
        "still", tracked.points[4:5], [0], {0: tracked.images[3]}, {0: tracked.people[3]}
    )
    prepare.save(tmp_path / "saved.npz", [tracked, still])
    clips = TrackedClips.load(tmp_path / "saved.npz")
    assert clips.names == ["face", "still"]
    assert clips.image_rows.tolist() == [0, 3, 6, FRAMES]
    np.testing.assert_allclose(clips.sound(2), tracked.sounds[6] / 255, atol=1e-6)
    assert not clips.sound(3).any()
    points = np.stack([*tracked.points, *still.points])
    np.testing.assert_allclose(clips.points, points, atol=0.51 / POINT_SCALE)
    for index, blob in enumerate([*tracked.images.values(), *still.images.values()]):
        kept = cv2.imdecode(np.frombuffer(blob, np.uint8), cv2.IMREAD_COLOR_RGB)
        np.testing.assert_array_equal(clips.image(index), kept)
    for index, blob in enumerate([*tracked.people.values(), *still.people.values()]):
        small = cv2.imdecode(np.frombuffer(blob, np.uint8), cv2.IMREAD_GRAYSCALE)
        person = clips.person(index)
        assert person.shape == (256, 256)
        assert np.abs(cv2.resize(person, (128, 128)).astype(int) - np.asarray(small)).mean() < 1


def test_points_beyond_16_bits_are_bounded(tmp_path: Path) -> None:
    far = np.full((478, 3), 5, np.float32)
    prepare.save(tmp_path / "far.npz", [Tracked("far", [far, -far], [0, 1], {0: b"-"}, {0: b"-"})])
    points = TrackedClips.load(tmp_path / "far.npz").points
    assert points[0].max() == pytest.approx(2, abs=1e-3)
    assert points[1].min() == pytest.approx(-2, abs=1e-3)


def test_the_command_writes_both_files(clip: Path, tmp_path: Path) -> None:
    for name in ("train", "val"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "one.mp4").write_bytes(clip.read_bytes())
    (tmp_path / "photos").mkdir()
    photograph(tmp_path / "photos" / "face.jpg", next(islice(clip_frames(clip), 5, None)))
    photograph(tmp_path / "photos" / "wall.jpg", np.full((64, 64, 3), 90, np.uint8))
    prepare.main(tmp_path, tmp_path / "out", images=4)
    train = TrackedClips.load(tmp_path / "out" / "tracked-train.npz")
    val = TrackedClips.load(tmp_path / "out" / "tracked-val.npz")
    assert train.names == ["one", "face"]
    assert val.names == ["one"]
    assert len(train.points) == FRAMES + 1
    assert len(val.image_rows) == 4
    assert all(val.person(index).mean() > 100 for index in range(4))  # the head fills its crop


def test_a_folder_without_clips_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="name the data folder"):
        prepare.main(tmp_path, tmp_path / "out")


def test_the_detail_is_measured_since_the_first_frame(tracked: Tracked, tmp_path: Path) -> None:
    sways, mouths, irises = zip(*(detail.parts for detail in tracked.details), strict=True)
    assert len(sways) == FRAMES
    assert not sways[0].any()
    assert 0 < np.abs(sways[-1]).max() < 0.05
    assert mouths[0].any()  # mouth and irises need no frame before it
    assert irises[0].all()
    prepare.save(tmp_path / "tracked.npz", [tracked])
    read = TrackedClips.load(tmp_path / "tracked.npz")
    np.testing.assert_allclose(read.sways, sways, atol=1e-4)
    np.testing.assert_allclose(read.mouths, mouths, atol=1e-2)
    np.testing.assert_allclose(read.irises, irises, atol=1e-2)
