import pytest

from cervseg.core.types import Augmentation, Configuration, Hyperparameters
from cervseg.postprocessing.image_grid import to_image_grid
from cervseg.postprocessing.threshold import to_mask
from cervseg.preprocessing.prepare import label_coverage, make_frame, warp_target
from tests.shapes import blob_image


def configuration(size: tuple[int, int] = (96, 64), resize: str = "pad", norm: str = "unit") -> Configuration:
    return Configuration(
        name="test",
        input_size=size,
        resize=resize,
        normalization=norm,
        network={},
        loss="bce",
        hyperparameters=Hyperparameters(epochs=1, batch_size=1, learning_rate=1e-3),
        augmentation=Augmentation(),
    )


@pytest.mark.parametrize("resize", ["pad", "stretch"])
@pytest.mark.parametrize("image_size", [(300, 190), (61, 97), (1200, 1000)])
def test_round_trip_keeps_a_mask(image_size: tuple[int, int], resize: str) -> None:
    """A large disc keeps its position and size in the network frame and back on the image grid."""
    pixels, mask = blob_image(image_size)
    frame = make_frame(
        pixels[None],
        configuration=configuration((128, 96), resize),
        image_size=image_size,
        coverage=label_coverage(mask, labels={"disc": 1}, size=image_size),
    )
    back = to_mask(to_image_grid(warp_target(frame), frame.placement), labels={"disc": 1})
    dice = 2 * (back & mask).sum() / (back.sum() + mask.sum())
    assert back.shape == image_size
    assert dice > 0.97
