"""The key points of the Cervical Spine X-ray Atlas."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from cervseg.convert.labelme import read_labelme
from cervseg.dataset.landmarks import Landmarks

# The corners of the vertebral bodies; left is anterior.
KEYPOINTS = (
    "C2 centroid",
    "C2 bottom left",
    "C2 bottom right",
    *(
        f"C{level} {place}"
        for level in range(3, 8)
        for place in ("top left", "top right", "bottom left", "bottom right")
    ),
)
_BY_PLAIN_NAME = {name.lower(): name for name in KEYPOINTS}


@dataclass(frozen=True, kw_only=True)
class Keypoints:
    """The key points of one image.

    Args:
        landmarks: those of the 23 that are marked, in the order of :data:`KEYPOINTS`.
        unknown: labels that are not among the 23.
        repeated: names that occur more than once; the first point counts.
    """

    landmarks: Landmarks
    unknown: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()


def read_keypoints(path: Path) -> Keypoints:
    """Read the key points of one JSON file by their labels, in any order and spelling.

    Raises:
        DatasetError: the file is not in LabelMe's format.
    """
    points: dict[str, tuple[float, float]] = {}
    unknown, repeated = [], []
    for label, place in read_labelme(path).points:
        name = _BY_PLAIN_NAME.get(" ".join(re.split(r"[\s_-]+", label.lower())).strip())
        if name is None:
            unknown.append(label)
        elif name in points:
            repeated.append(name)
        else:
            points[name] = place
    ordered = {name: points[name] for name in KEYPOINTS if name in points}
    landmarks = Landmarks(points=ordered, source="CSXA")
    return Keypoints(landmarks=landmarks, unknown=tuple(unknown), repeated=tuple(repeated))
