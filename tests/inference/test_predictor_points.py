"""Points of an image through the predictor: into the network's frame, through its views, and back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from cervseg.core.geometry import WHOLE, Box, place
from cervseg.core.types import Augmentation, Configuration, DatasetDescription, Hyperparameters, NetworkSpec
from cervseg.inference.predictor import Predictor
from tests.checkpoints import described
from tests.shapes import disc_image

FRAME = (96, 128)
RADIUS_PX = 6.0  # in the frame


class MarksPoints(nn.Module):
    """Certain within RADIUS_PX of a point, on its label's plane, and certain of nothing elsewhere."""

    takes_points = True

    def __init__(self, num_labels: int = 1, *, strength: float = 10.0) -> None:
        super().__init__()
        self.num_labels, self.strength, self.seen, self.images = num_labels, strength, [], []

    def forward(self, image_BCHW: torch.Tensor, points: list[torch.Tensor]) -> torch.Tensor:
        self.seen.append(points[0].numpy())
        self.images.append(image_BCHW[0, 0].numpy())
        rows, columns = np.indices(FRAME)
        logits_BLHW = torch.full((1, self.num_labels, *FRAME), -self.strength)
        for x, y, plane in points[0].tolist():
            near = torch.from_numpy((rows - y) ** 2 + (columns - x) ** 2 <= RADIUS_PX**2)
            logits_BLHW[0, int(plane), near] = self.strength
        return logits_BLHW


def predictor_of(
    *networks: nn.Module,
    labels: dict[str, int] | None = None,
    resize: str = "pad",
    flips: float = 0.0,
    crop: Box = WHOLE,
) -> Predictor:
    """A predictor around networks of our own."""
    labels = labels or {"process": 1}
    description = DatasetDescription(
        name="D",
        channel_names=("xray",),
        labels={"background": 0, **labels},
        num_training=1,
        file_ending=".png",
    )
    configuration = Configuration(
        name="2d_vit",
        input_size=FRAME,
        resize=resize,
        crop=crop,
        normalization="unit",
        network={},
        loss="bce_dice",
        hyperparameters=Hyperparameters(epochs=1, batch_size=1, learning_rate=1e-3),
        augmentation=Augmentation(flip_horizontal=flips),
    )
    spec = NetworkSpec(name="stub", arguments={})
    model = described(spec, dataset=description, configuration=configuration)
    return Predictor(networks, model=model, device=torch.device("cpu"), precision="float32")


def centre(mask: np.ndarray) -> list[float]:
    """The centroid (x, y) of a mask."""
    return np.argwhere(mask).mean(0)[::-1].tolist()


@pytest.mark.parametrize("resize", ["pad", "stretch"])
@pytest.mark.parametrize("size", [(301, 233), (77, 141), (1501, 1203)])
@pytest.mark.parametrize("tta", [False, True])
def test_a_mark_appears_where_the_point_was(resize: str, size: tuple[int, int], tta: bool) -> None:
    """Odd images, padded or stretched, turned views too: the mask lies around the image's own point."""
    predictor = predictor_of(MarksPoints(), resize=resize)
    x, y = 0.6 * size[1], 0.3 * size[0]
    prediction = predictor.predict(np.zeros(size, np.uint8), points=np.array([[x, y]]), tta=tta)
    assert prediction.mask.shape == size
    assert centre(prediction.mask) == pytest.approx([x, y], abs=0.02 * max(size))
    to_network = place(image_size=size, network_size=FRAME, resize=resize).matrix_to_network
    area = np.pi * RADIUS_PX**2 / abs(np.linalg.det(to_network))
    assert prediction.mask.sum() == pytest.approx(area, rel=0.15)


def test_views_move_the_points_with_the_image() -> None:
    """Five views see five different points; each stays within the frame."""
    network = MarksPoints()
    predictor_of(network).predict(
        np.zeros((150, 200), np.uint8), points=np.array([[2.0, 3.0], [150.0, 80.0]]), tta=True
    )
    assert len({tuple(seen.ravel().round(3)) for seen in network.seen}) == 5
    for seen in network.seen:
        assert (seen[:, :2] >= 0).all()
        assert (seen[:, :2] <= (FRAME[1] - 1, FRAME[0] - 1)).all()


@pytest.mark.parametrize(("flips", "num_views"), [(0.0, 5), (0.5, 6)])
def test_a_point_stays_on_what_it_marks_in_every_view(flips: float, num_views: int) -> None:
    """A bright disc far from the centre, and a point on it: both turn and grow alike, within half a px.

    A network that learnt from flipped images sees one mirrored view more.
    """
    network = MarksPoints()
    pixels, _ = disc_image((300, 400), [(350, 60, 1)], radius=20)
    prediction = predictor_of(network, flips=flips).predict(pixels, points=[[350, 60]], tta=True)
    assert centre(prediction.mask) == pytest.approx([350, 60], abs=2)
    assert len(network.seen) == num_views
    assert (min(seen[0, 0] for seen in network.seen) < FRAME[1] / 2) == bool(flips)
    for seen, image in zip(network.seen, network.images, strict=True):
        assert seen[0, :2].tolist() == pytest.approx(centre(image > 0.5), abs=0.5)


def test_several_labels_by_value() -> None:
    """A point's label value, not its plane, is what a user gives; planes follow the order of the values."""
    network = MarksPoints(2)
    predictor = predictor_of(network, labels={"high": 7, "low": 3})
    prediction = predictor.predict(np.zeros(FRAME, np.uint8), points=[[20, 30, 7], [90, 60, 3]])
    assert network.seen[0][:, 2].tolist() == [1, 0]
    assert (int(prediction.mask[30, 20]), int(prediction.mask[60, 90])) == (7, 3)
    assert set(np.unique(prediction.mask)) == {0, 3, 7}
    with pytest.raises(ValueError, match=r"\[3, 7\]"):
        predictor.predict(np.zeros(FRAME, np.uint8), points=[[20, 30]])
    with pytest.raises(ValueError, match=r"\[3, 7\]"):
        predictor.predict(np.zeros(FRAME, np.uint8), points=[[20, 30, 1]])


def test_several_networks_are_averaged() -> None:
    """Every network gets the points; one that is surer of its mark than the other of nothing wins."""
    image, points = np.zeros(FRAME, np.uint8), [[20, 30]]
    sure = predictor_of(MarksPoints(), MarksPoints()).predict(image, points=points)
    unsure = predictor_of(MarksPoints(), MarksPoints(strength=0.0)).predict(image, points=points)
    assert sure.probabilities.max() == pytest.approx(1.0, abs=1e-4)
    assert unsure.probabilities.max() == pytest.approx(0.75, abs=1e-4)


@pytest.mark.parametrize("given", [[], np.zeros((0, 2)), np.zeros((0, 3))])
def test_no_point_at_all_is_an_empty_mask(given: object) -> None:
    """An image with nothing to segment is one that has been looked at."""
    prediction = predictor_of(MarksPoints()).predict(np.zeros(FRAME, np.uint8), points=given)
    assert not prediction.mask.any()


@pytest.mark.parametrize("point", [(-0.6, 5), (128, 5), (5, 95.6), (float("nan"), 5)])
def test_points_outside_of_the_image_are_refused(point: tuple[float, float]) -> None:
    """An image of 128 x 96 px ends half a pixel beyond its last pixel's centre."""
    predictor = predictor_of(MarksPoints())
    predictor.predict(np.zeros(FRAME, np.uint8), points=[[-0.5, -0.5], [127.5, 95.5]])
    with pytest.raises(ValueError, match="outside the image of 128 x 96 px"):
        predictor.predict(np.zeros(FRAME, np.uint8), points=[[5, 5], point])


def test_points_where_they_are_wanted_and_nowhere_else() -> None:
    """Leaving them out, giving them to another network, and arrays of another shape."""
    image = np.zeros(FRAME, np.uint8)
    with pytest.raises(ValueError, match="needs points"):
        predictor_of(MarksPoints()).predict(image)
    with pytest.raises(ValueError, match="takes no points"):
        predictor_of(nn.Conv2d(1, 1, 1)).predict(image, points=[[1, 2]])
    for wrong in ([1, 2], [[1]], np.zeros((1, 1, 2))):
        with pytest.raises(ValueError, match="label value"):
            predictor_of(MarksPoints()).predict(image, points=wrong)


def test_a_point_beyond_the_crop_is_refused() -> None:
    """The network never sees what is there; a point inside the crop appears where it was."""
    predictor = predictor_of(MarksPoints(), resize="stretch", crop=(0.0, 0.5, 1.0, 1.0))
    image = np.zeros((200, 300), np.uint8)
    prediction = predictor.predict(image, points=np.array([[220.0, 90.0]]))
    assert centre(prediction.mask) == pytest.approx([220, 90], abs=1)
    with pytest.raises(ValueError, match=r"the point \(100, 90\) is outside the part of the image"):
        predictor.predict(image, points=np.array([[220.0, 90.0], [100.0, 90.0]]))
