"""The face image: its colours, its displacement, and that warping by it moves a face."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from shared.eyes import EYES, IRISES
from shared.face_image import (
    APRON_START,
    FAR,
    MOUTH_DARK,
    MOUTH_WHITE,
    OVAL,
    SKULL,
    USUAL_IRIS,
    WHITE,
    FaceRenderer,
    FaceShape,
    eye_colour,
    mouth_colour,
    skin_of,
)
from shared.lips import OPENING
from shared.mouth import ACROSS, DOWN, inside
from shared.params import Camera, Params
from shared.procrustes import register
from shared.rasteriser import rasterise
from shared.sway import still
from tests.faces import NOSE, dot, drawn, face_model, neutral, person, posed

SIZE = 256
NOBODY = np.zeros(len(face_model().identity), np.float32)


@pytest.fixture(scope="module")
def renderer() -> FaceRenderer:
    return FaceRenderer(face_model(), SIZE)


def moved(params: Params, shift: tuple[float, float] = (0, 0), roll: float = 0) -> Params:
    camera = params.camera
    rotation = camera.rotation + np.array([0, 0, roll], np.float32)
    translation = camera.translation + np.array([*shift, 0], np.float32)
    return Params(params.expression, Camera(camera.log_scale, rotation, translation))


def face_mask(shape: FaceShape) -> np.ndarray:
    points = np.ascontiguousarray(shape.points[:468])
    _, mask = rasterise(points, face_model().triangles, np.ones((468, 1), np.float32), SIZE)
    return mask


def test_shapes_and_types(renderer: FaceRenderer) -> None:
    shape = renderer.pose(NOBODY, neutral())
    image = renderer.draw(shape, shape)
    assert shape.points.shape == (478 + 110 + 6 * 16 + 5 * 36, 3)
    assert image.nmfc.shape == (SIZE, SIZE, 3)
    assert image.displacement.shape == (SIZE, SIZE, 2)
    assert image.nmfc.dtype == image.displacement.dtype == np.float32


@pytest.mark.parametrize("seed", range(3))
def test_colours_lie_in_range_on_the_face_and_are_zero_beside_it(
    renderer: FaceRenderer, seed: int
) -> None:
    random = np.random.default_rng(seed)
    shape = renderer.pose(person(random), posed(random))
    nmfc = renderer.draw(shape, shape).nmfc
    mask = face_mask(shape)
    assert 0.05 < mask.mean() < 0.6
    skin = skin_of(nmfc)
    assert nmfc[skin].min() >= 0.05 - 1e-5
    assert skin.sum() > 0.9 * mask.sum()
    assert nmfc.max() <= 1 + 1e-5
    assert not nmfc[~mask].any()


def test_colours_are_the_mean_faces_coordinates(renderer: FaceRenderer) -> None:
    shape = renderer.pose(NOBODY, neutral())
    nmfc = renderer.draw(shape, shape).nmfc
    mean = face_model().mean
    expected = 0.05 + 0.95 * (mean - mean.min(axis=0)) / (mean.max(axis=0) - mean.min(axis=0))
    for vertex in (NOSE, 152, 10, 50, 280):  # nose, chin, forehead, cheeks
        column, row = (shape.points[vertex, :2] * SIZE).astype(int).clip(0, SIZE - 1)
        near = nmfc[row - 2 : row + 3, column - 2 : column + 3].reshape(-1, 3)
        assert np.abs(near - expected[vertex]).max(axis=1).min() < 0.05


def test_a_colour_stays_on_its_part_of_the_face_when_it_turns(renderer: FaceRenderer) -> None:
    still = renderer.pose(NOBODY, neutral())
    turned = renderer.pose(NOBODY, moved(neutral(), shift=(0.05, -0.02), roll=0.3))
    for vertex in (NOSE, 50, 280):
        found = []
        for shape in (still, turned):
            column, row = (shape.points[vertex, :2] * SIZE).astype(int)
            found.append(renderer.draw(shape, shape).nmfc[row, column])
        np.testing.assert_allclose(found[0], found[1], atol=0.03)


def test_a_still_face_is_not_displaced(renderer: FaceRenderer) -> None:
    random = np.random.default_rng(5)
    shape = renderer.pose(person(random), posed(random))
    assert not renderer.draw(shape, shape).displacement.any()


def gape(amount: float) -> Params:
    """Return a face whose mouth is opened by this share of its eye distance."""
    gap = (face_model().expression[:, 14] - face_model().expression[:, 13])[:, 1]
    expression = (gap * amount / (gap @ gap)).astype(np.float32)
    return Params(expression, neutral().camera)


def test_mouth_and_eyes_are_holes_that_move_with_the_head(renderer: FaceRenderer) -> None:
    shut, wide = (renderer.pose(NOBODY, gape(amount)) for amount in (0, 0.4))
    holes = []
    for shape in (shut, wide):
        skin = skin_of(renderer.draw(shape, shape).nmfc)
        holes.append(face_mask(shape) & ~skin)
    assert holes[1].sum() > holes[0].sum() + 50
    for opening in (OPENING, *EYES):
        outline = np.rint(wide.points[list(opening), :2] * SIZE - 0.5).astype(np.int32)
        inside = cv2.fillPoly(np.zeros((SIZE, SIZE), np.uint8), [outline], 1).astype(bool)
        assert (holes[1] & inside).any()
        holes[1] &= ~cv2.dilate(inside.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    assert not holes[1].any()  # nowhere else
    away = renderer.pose(NOBODY, moved(gape(0.4), shift=(0.06, 0)))
    column, row = (away.points[[13, 14], :2].mean(axis=0) * SIZE).astype(int)
    image = renderer.draw(away, wide)
    np.testing.assert_allclose(image.nmfc[row, column], mouth_colour(0.0), atol=1e-5)
    x, y = (away.points[IRISES[0][0], :2] * SIZE).astype(int)
    np.testing.assert_allclose(image.nmfc[y, x], eye_colour(USUAL_IRIS), atol=1e-5)
    x, y = (away.points[[33, 33, 159, 145], :2].mean(axis=0) * SIZE).astype(int)
    np.testing.assert_allclose(image.nmfc[y, x], [WHITE, 0, 0], atol=1e-5)
    np.testing.assert_allclose(image.displacement[row, column], [-0.06, 0], atol=1e-5)


def looking(amount: float) -> Params:
    """Return a face whose irises are moved to the right by this share of its eye distance."""
    basis = face_model().expression[..., 0]
    moves = np.mean(
        [basis[:, iris[0]] - basis[:, [eye[0], eye[8]]].mean(axis=1)
         for eye, iris in zip(EYES, IRISES, strict=True)], axis=0
    )  # fmt: skip
    return Params((moves * amount / (moves @ moves)).astype(np.float32), neutral().camera)


@pytest.mark.parametrize("amount", [-0.06, 0.06])
def test_irises_move_in_the_eyes(renderer: FaceRenderer, amount: float) -> None:
    straight = renderer.pose(NOBODY, looking(0))
    aside = renderer.pose(NOBODY, looking(amount))
    displacement = renderer.draw(aside, straight).displacement
    for eye, iris in zip(EYES, IRISES, strict=True):
        moved = (straight.points - aside.points)[iris[0], :2]
        corner = (straight.points - aside.points)[eye[0], :2]
        assert abs(moved[0] - corner[0]) * SIZE > 1
        column, row = (aside.points[iris[0], :2] * SIZE).astype(int)
        np.testing.assert_allclose(displacement[row, column], moved, atol=0.5 / SIZE)


def test_irises_show_through_the_lids_only(renderer: FaceRenderer) -> None:
    shape = renderer.pose(NOBODY, neutral())
    skin = skin_of(renderer.draw(shape, shape).nmfc)
    bare = FaceShape(shape.points.copy())
    for iris in IRISES:  # irises as large as the face
        centre = bare.points[iris[0]].copy()
        rest = [*iris[1:]]
        bare.points[rest] = centre + 20 * (bare.points[rest] - centre)
    start = APRON_START - 4 * len(EYES[0])
    bare.points[start:APRON_START, :2] = 0.5 + 20 * (bare.points[start:APRON_START, :2] - 0.5)
    np.testing.assert_array_equal(skin_of(renderer.draw(bare, bare).nmfc), skin)


def test_a_closed_upper_lid_covers_the_lower_one(renderer: FaceRenderer) -> None:
    straight = renderer.pose(NOBODY, looking(0))
    closed = FaceShape(straight.points.copy())
    rows = slice(1, 8), slice(9, 16)
    for eye in EYES:
        lower, upper = (list(eye[row]) for row in rows)
        width = abs(closed.points[eye[8], 0] - closed.points[eye[0], 0])
        closed.points[upper] = closed.points[lower[::-1]]
        closed.points[upper[2:5], 1] += 0.1 * width
    image = renderer.draw(closed, straight)
    for eye in EYES:
        edge = closed.points[eye[12], :2] * SIZE
        column, row = int(edge[0]), int(edge[1] - 1)
        assert row > closed.points[eye[4], 1] * SIZE - 0.5
        lifted = (straight.points - closed.points)[eye[12], 1]  # the upper lid was higher
        assert image.displacement[row, column, 1] < lifted / 2


def test_displacement_points_from_driving_to_reference(renderer: FaceRenderer) -> None:
    home = renderer.pose(NOBODY, neutral())
    driving = renderer.pose(NOBODY, moved(neutral(), shift=(0.06, -0.03)))
    displacement = renderer.draw(driving, home).displacement
    on_face = displacement[face_mask(driving)]
    np.testing.assert_allclose(on_face[:, 0], -0.06, atol=1e-5)
    np.testing.assert_allclose(on_face[:, 1], 0.03, atol=1e-5)


def test_the_apron_carries_motion_past_the_face_and_fades(renderer: FaceRenderer) -> None:
    home = renderer.pose(NOBODY, neutral())
    driving = renderer.pose(NOBODY, moved(neutral(), shift=(0.05, 0)))
    size = np.abs(renderer.draw(driving, home).displacement[..., 0])
    top = int(driving.points[OVAL[0], 1] * SIZE)
    column = int(driving.points[OVAL[0], 0] * SIZE)
    hair = size[top - 12, column]
    assert hair == pytest.approx(0.05, abs=0.005)  # moves with the head
    upwards = size[: top + 1, column][::-1]
    assert (np.diff(upwards) < 1e-4).all()  # never grows on the way out
    chin = int(driving.points[152, 1] * SIZE)
    assert size[-1, column] < size[chin, column]  # shoulders move less than the chin


@pytest.mark.parametrize("yaw", [-2.2, -1.5, -0.7, 0.7, 1.5, 2.2])
def test_the_apron_never_hides_the_face(renderer: FaceRenderer, yaw: float) -> None:
    still = neutral()
    rotation = np.array([0, yaw, 0], np.float32)
    camera = Camera(still.camera.log_scale, rotation, still.camera.translation)
    shape = renderer.pose(NOBODY, Params(still.expression, camera))
    points = np.ascontiguousarray(shape.points[:468])
    triangles = face_model().triangles
    skin = ~np.any([np.isin(triangles, ring).all(axis=1) for ring in EYES], axis=0)
    alone, mask = rasterise(points, triangles[skin], points[:, :2].copy(), SIZE)
    home = FaceShape(2 * shape.points)  # the displacement is then the position itself
    image = renderer.draw(shape, home)
    np.testing.assert_allclose(image.displacement[mask], alone[mask], atol=1e-5)


def test_far_from_a_small_head_nothing_moves(renderer: FaceRenderer) -> None:
    small = neutral(log_scale=-2.6)
    home = renderer.pose(NOBODY, small)
    driving = renderer.pose(NOBODY, moved(small, shift=(0.002, 0.001), roll=0.2))
    displacement = np.abs(renderer.draw(driving, home).displacement)
    for edge in (displacement[:4], displacement[-4:], displacement[:, :4], displacement[:, -4:]):
        assert edge.max() < 0.01 * displacement.max()


@pytest.mark.parametrize("seed", range(4))
def test_warping_a_picture_by_it_moves_the_face(renderer: FaceRenderer, seed: int) -> None:
    random = np.random.default_rng(seed)
    identity = person(random)
    reference, driving = posed(random, turn=0.1), posed(random, turn=0.1)
    home, there = renderer.pose(identity, reference), renderer.pose(identity, driving)
    displacement = renderer.draw(there, home).displacement
    rows, columns = np.indices((SIZE, SIZE), dtype=np.float32)
    warped = cv2.remap(
        drawn(identity, reference),
        columns + displacement[..., 0] * SIZE,
        rows + displacement[..., 1] * SIZE,
        cv2.INTER_LINEAR,
    )
    assert np.linalg.norm(there.points[NOSE, :2] - home.points[NOSE, :2]) * SIZE > 3
    assert np.linalg.norm(dot(warped) - there.points[NOSE, :2]) * SIZE < 1


def test_the_driving_mesh_is_left_alone(renderer: FaceRenderer) -> None:
    home, driving = renderer.pose(NOBODY, neutral()), renderer.pose(NOBODY, moved(neutral()))
    before = driving.points.copy()
    renderer.draw(driving, home)
    np.testing.assert_array_equal(driving.points, before)


def test_the_size_is_chosen_once() -> None:
    small = FaceRenderer(face_model(), 64)
    shape = small.pose(NOBODY, neutral())
    assert small.draw(shape, shape).nmfc.shape == (64, 64, 3)


def apron(shape: FaceShape) -> np.ndarray:
    return shape.points[APRON_START + len(OVAL) :]


def test_hair_stays_where_it_is_when_the_mouth_opens(renderer: FaceRenderer) -> None:
    shut, wide = (renderer.pose(NOBODY, gape(size)) for size in (0.0, 0.4))
    # The camera that holds the skull still while the fit's own centre and size change.
    skull = register(wide.points[list(SKULL)], shut.points[list(SKULL)])
    steady = skull.apply(wide.points)
    assert np.abs(steady - shut.points)[:468].max() > 0.02
    np.testing.assert_allclose(steady[APRON_START + len(OVAL) :], apron(shut), atol=2e-3)


def test_a_head_that_moves_far_takes_everything_along(renderer: FaceRenderer) -> None:
    home = renderer.pose(NOBODY, neutral())
    height = float(np.ptp(home.points[:468, 1]))
    for share, corner in ((0.1, 0.0), (1.2 * FAR, 1.2 * FAR)):
        driving = renderer.pose(NOBODY, moved(neutral(), shift=(share * height, 0)))
        corners = renderer.draw(driving, home).displacement[[0, 0, -1, -1], [0, -1, 0, -1]]
        assert (np.abs(corners[:, 1]) < 1e-5).all()
        if corner:
            np.testing.assert_allclose(corners[:, 0], -corner * height, atol=1e-5)
        else:
            assert (np.abs(corners[:, 0]) < 0.3 * share * height).all()


def test_a_turned_head_takes_its_hair_along_less_than_its_face(renderer: FaceRenderer) -> None:
    still = neutral()
    rotation = np.array([0, 0.3, 0], np.float32)
    camera = Camera(still.camera.log_scale, rotation, still.camera.translation)
    turned, straight = (
        renderer.pose(NOBODY, Params(still.expression, own)).points
        for own in (camera, still.camera)
    )
    along = (turned - straight)[:, 0] * np.sign(turned[NOSE, 0] - straight[NOSE, 0])
    forehead, hair = along[OVAL[0]], along[APRON_START + len(OVAL)]
    assert hair < forehead - 0.03


def test_a_sway_moves_what_is_beside_the_face_and_fades_towards_it(renderer: FaceRenderer) -> None:
    home, driving = renderer.pose(NOBODY, neutral()), renderer.pose(NOBODY, moved(neutral()))
    image = renderer.draw(driving, home)
    sway = still()
    sway[0] = 0.1
    added = image.swayed(sway) - image.displacement
    assert not added[..., 1].any()
    np.testing.assert_allclose(added[..., 0], 0.1 * image.beside, atol=1e-6)
    assert not image.beside[image.nmfc.max(axis=2) > 0].any()
    assert image.beside[0, 0] == image.beside[-1, -1] == 1
    assert 0.1 < np.mean((image.beside > 0.01) & (image.beside < 0.99)) < 0.6
    np.testing.assert_array_equal(image.swayed(still()), image.displacement)


def test_a_mouth_s_inside_has_the_light_that_is_told(renderer: FaceRenderer) -> None:
    wide = renderer.pose(NOBODY, gape(0.4))
    light = np.zeros((DOWN, ACROSS), np.float32)
    light[: DOWN // 2] = 0.8  # teeth above, darkness below
    image = renderer.draw(wide, wide, light)
    above, below = (
        image.nmfc[int(y * SIZE), int(x * SIZE)]
        for x, y, _ in (inside(wide.mouth)[place, ACROSS // 2] for place in (1, DOWN - 2))
    )
    np.testing.assert_allclose(above, mouth_colour(0.8), atol=0.02)
    np.testing.assert_allclose(below, mouth_colour(0.0), atol=0.02)
    dark = renderer.draw(wide, wide)
    np.testing.assert_array_equal(dark.displacement, image.displacement)
    skin = image.nmfc[..., 0] > 0
    np.testing.assert_array_equal(dark.nmfc[skin], image.nmfc[skin])


@pytest.mark.parametrize("light", [-5.0, 9.0])
def test_no_light_leaves_the_mouth_s_colours(light: float) -> None:
    assert mouth_colour(light)[2] == pytest.approx(np.clip(light, MOUTH_DARK, MOUTH_WHITE))
