"""Comparison of an image with the training images of a model.

The limits are wide, so that ordinary images of the same kind pass. Phantoms of other seeds have a similarity
of at least 0.3 to a mean phantom; panoramic dental radiographs and inverted phantoms have less than 0.
"""

from __future__ import annotations

import math

import numpy as np

from cervseg.core.types import Appearance, Distribution, Fingerprint, RawImage
from cervseg.preprocessing.appearance import similarity, thumbnail

_SIZE_FACTOR = 3.0
_ASPECT_FACTOR = 1.5
_LOWEST_SIMILARITY = 0.15
_SIMILARITY_MARGIN = 0.2
_SAMPLES_PER_SIDE = 256


def differences(image: RawImage, training: Fingerprint) -> tuple[str, ...]:
    """List how an image differs from the training images; empty for an image that looks like them.

    Args:
        image: the image, as read from its file.
        training: fingerprint of the training set; without ``appearance`` (version 0.1) colours and layout are
            not compared.

    Returns:
        Phrases such as "the image is in colour, the training images are grey".
    """
    found = [_size(image, training), _aspect(image, training.aspect), _grey_values(image, training)]
    if training.appearance is not None:
        found += [_colour(image, training.appearance), _layout(image, training.appearance)]
    return tuple(text for text in found if text)


def _size(image: RawImage, training: Fingerprint) -> str:
    height, width = image.pixels.shape[1:]
    sides = ((height, training.height_px), (width, training.width_px))
    if all(_is_near(side, known, factor=_SIZE_FACTOR) for side, known in sides):
        return ""
    return (
        f"the image has {width} x {height} px, the training images "
        f"{_range(training.width_px, digits=0)} x {_range(training.height_px, digits=0)} px"
    )


def _aspect(image: RawImage, training: Distribution) -> str:
    height, width = image.pixels.shape[1:]
    if _is_near(height / width, training, factor=_ASPECT_FACTOR):
        return ""
    return f"height / width is {height / width:.2f}, in training {_range(training, digits=2)}"


def _grey_values(image: RawImage, training: Fingerprint) -> str:
    # Units differ between bit depths, so only images of the training set's depth are compared.
    if image.pixels.dtype != np.uint8 or training.bit_depth != 8:
        return ""
    height, width = image.pixels.shape[1:]
    steps = 1 + height // _SAMPLES_PER_SIDE, 1 + width // _SAMPLES_PER_SIDE
    median = float(np.median(image.pixels[0, :: steps[0], :: steps[1]]))
    low, high = training.intensity_percentile_0_5, training.intensity_percentile_99_5
    if low <= median <= high:
        return ""
    return f"the median grey value is {median:g}, 99 % of the training pixels are in {low:g} to {high:g}"


def _colour(image: RawImage, training: Appearance) -> str:
    is_new = image.is_colour and training.num_colour == 0
    return "the image is in colour, the training images are grey" if is_new else ""


def _layout(image: RawImage, training: Appearance) -> str:
    found = similarity(thumbnail(image.pixels), np.reshape(training.thumbnail, (-1, _side(training))))
    if found >= min(_LOWEST_SIMILARITY, training.similarity.minimum - _SIMILARITY_MARGIN):
        return ""
    return (
        "bright and dark areas are elsewhere than in the training images (correlation "
        f"{found:.2f}, in training {_range(training.similarity, digits=2)}): "
        "another body part, inverted or rotated?"
    )


def _side(training: Appearance) -> int:
    return math.isqrt(len(training.thumbnail))


def _is_near(value: float, known: Distribution, *, factor: float) -> bool:
    return known.minimum / factor <= value <= known.maximum * factor


def _range(known: Distribution, *, digits: int) -> str:
    low, high = f"{known.minimum:.{digits}f}", f"{known.maximum:.{digits}f}"
    return low if low == high else f"{low} to {high}"
