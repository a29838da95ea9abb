import numpy as np
import pytest

from cervseg.core.types import Augmentation, Configuration, Hyperparameters
from cervseg.preprocessing.prepare import (
    label_coverage,
    make_frame,
    normalize,
    prepare,
    shrink,
    to_film,
    to_mask,
    warp_image,
    warp_target,
)
from tests.shapes import blob_film


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
@pytest.mark.parametrize("film_size", [(300, 190), (61, 97), (1200, 1000)])
def test_a_mask_survives_the_way_there_and_back(film_size: tuple[int, int], resize: str) -> None:
    """A large disc, brought into the network frame and back as probabilities, keeps its place and size."""
    pixels, mask = blob_film(film_size)
    frame = make_frame(
        pixels[None],
        configuration=configuration((128, 96), resize),
        image_size=film_size,
        coverage=label_coverage(mask, labels={"disc": 1}, size=film_size),
    )
    back = to_mask(to_film(warp_target(frame), frame.placement), labels={"disc": 1})
    dice = 2 * (back & mask).sum() / (back.sum() + mask.sum())
    assert back.shape == film_size
    assert dice > 0.97


def test_training_and_prediction_see_the_same_film() -> None:
    """The cached way (shrink, frame, warp, normalize) and `prepare` give bit-equal images."""
    pixels, _ = blob_film((900, 700))
    config = configuration((96, 64), norm="zscore")
    cached = shrink(pixels[None], long_side_px=512)
    frame = make_frame(cached, configuration=config, image_size=(900, 700))
    trained = normalize(warp_image(frame), "zscore")
    predicted = prepare(pixels[None], configuration=config, variant="original", cache_long_side_px=512)
    np.testing.assert_array_equal(predicted.image, trained)
    assert predicted.placement == frame.placement


def test_shrinking_averages_and_never_enlarges() -> None:
    """A checkerboard shrinks to its mean; a small film stays as it is."""
    board = (np.indices((64, 64)).sum(0) % 2 * 200).astype(np.uint8)[None]
    np.testing.assert_array_equal(shrink(board, long_side_px=32), np.full((1, 32, 32), 100))
    assert shrink(board, long_side_px=64) is board


def test_twelve_bit_films_use_their_range() -> None:
    """A 12-bit film in 16 bits fills [0, 1], not its first sixteenth."""
    pixels = np.linspace(0, 4095, 64 * 64).reshape(1, 64, 64).astype(np.uint16)
    case = prepare(pixels, configuration=configuration((64, 64)), variant="original", cache_long_side_px=1024)
    assert case.image.max() == pytest.approx(1.0)


def test_coverage_of_several_labels_in_their_order() -> None:
    """Planes come in the order of the values, each pixel counted once."""
    mask = np.array([[0, 1], [2, 2]], dtype=np.uint8)
    coverage = label_coverage(mask, labels={"b": 2, "a": 1}, size=(2, 2))
    np.testing.assert_array_equal(coverage, [[[0, 255], [0, 0]], [[0, 0], [255, 255]]])


def test_the_likeliest_label_wins() -> None:
    """Above the threshold the largest probability decides; below it there is background."""
    probabilities = np.array([[[0.6, 0.2, 0.9]], [[0.7, 0.4, 0.1]]], dtype=np.float32)
    np.testing.assert_array_equal(to_mask(probabilities, labels={"a": 1, "b": 3}), [[3, 0, 1]])
