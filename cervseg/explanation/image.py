"""Explanations of one image, at the image's size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn

from cervseg.core.errors import CervsegError
from cervseg.core.geometry import transform_points
from cervseg.core.types import PreparedCase
from cervseg.explanation.attention import read_attention
from cervseg.explanation.gradcam import grad_cam
from cervseg.explanation.query_map import query_map
from cervseg.explanation.rollout import rollout_map
from cervseg.networks.sam import ImageEncoder
from cervseg.postprocessing.image_grid import to_image_grid
from cervseg.preprocessing.centroids import find_components

ROLLOUT, QUERY, GRADCAM = "rollout", "query", "gradcam"
EXPLANATIONS = (ROLLOUT, QUERY, GRADCAM)
TITLES = {ROLLOUT: "attention rollout", QUERY: "attention of the query", GRADCAM: "Grad-CAM"}
NOTHING = ": nothing segmented"  # appended to the title of such an empty map


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Maps, title -> H x W float32 >= 0 at the image's size, and the query (x, y) in px of the image."""

    maps: Mapping[str, np.ndarray]
    point: tuple[float, float] | None


@dataclass(frozen=True, kw_only=True)
class Explainer:
    """Explains one network.

    Args:
        network: network in evaluation mode, float32.
        what: entries of :data:`EXPLANATIONS`, in the order of drawing.
        plane: plane of the label that Grad-CAM explains.
        value: value of the same label in masks.
    """

    network: nn.Module
    what: tuple[str, ...]
    plane: int
    value: int

    @classmethod
    def make(
        cls, network: nn.Module, *, labels: Mapping[str, int], what: Sequence[str] | None, label: str | None
    ) -> Explainer:
        """Choose the explanations of a network; by default all that it supports, and its first label.

        Raises:
            CervsegError: unknown label or explanation, or the network has no attention.
        """
        has_attention = any(isinstance(module, ImageEncoder) for module in network.modules())
        wanted = tuple(what or (EXPLANATIONS if has_attention else (GRADCAM,)))
        unknown = [name for name in wanted if name not in EXPLANATIONS]
        if unknown:
            raise CervsegError(
                f"unknown explanation {unknown[0]!r}", hint=f"available: {', '.join(EXPLANATIONS)}"
            )
        if not has_attention and set(wanted) - {GRADCAM}:
            raise CervsegError(
                "the network has no transformer encoder to read attention from", hint="use --what gradcam"
            )
        if label is not None and label not in labels:
            raise CervsegError(f"unknown label {label!r}", hint=f"available: {', '.join(labels)}")
        value = labels[label] if label is not None else min(labels.values())
        return cls(
            network=network.eval(), what=wanted, plane=sorted(labels.values()).index(value), value=value
        )

    def explain(
        self, case: PreparedCase, mask: np.ndarray, *, point: tuple[float, float] | None = None
    ) -> Explanation:
        """Explain one image.

        Args:
            case: the image in the network's frame.
            mask: the prediction, H x W label values at the image's size.
            point: the query (x, y) in px of the image; by default the centre of the middle component from top
                to bottom, in an empty mask the centre of the image.
        """
        _check_point(point, size=mask.shape)
        device = next(self.network.parameters()).device
        image_1CHW = torch.from_numpy(case.image[None]).to(device)
        given: dict[str, Any] = {}
        if case.points is not None:
            given["points"] = [torch.from_numpy(case.points).float()]
        maps: dict[str, np.ndarray] = {}
        attention = None
        if {ROLLOUT, QUERY} & set(self.what):
            attention = read_attention(self.network, image_1CHW, **given)
        point = point or _middle(mask == self.value)
        for name in self.what:
            title = TITLES[name]
            if name == GRADCAM:
                grad = grad_cam(self.network, image_1CHW, plane=self.plane, **given)
                title += "" if grad is not None else NOTHING
                found = np.zeros((1, 1), np.float32) if grad is None else grad
            elif name == ROLLOUT:
                assert attention is not None
                found = rollout_map(attention)
            else:
                assert attention is not None
                x, y = transform_points(np.array([point]), case.placement.matrix_to_network)[0]
                token = attention.token_at(x, y, frame=case.placement.network_size)
                found = query_map(attention, token)
            maps[title] = _at_image_size(found, case)
        return Explanation(maps=maps, point=point if QUERY in self.what else None)


def _check_point(point: tuple[float, float] | None, *, size: tuple[int, ...]) -> None:
    if point is None:
        return
    (x, y), (height, width) = point, size
    if not (-0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5):
        raise CervsegError(
            f"the point ({x:g}, {y:g}) is outside the image of {width} x {height} px",
            hint="give x and y in px from the top left of the image",
        )


def _at_image_size(grid: np.ndarray, case: PreparedCase) -> np.ndarray:
    height, width = case.placement.network_size
    frame = cv2.resize(grid.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    result: np.ndarray = np.maximum(to_image_grid(frame[None], case.placement)[0], 0)
    return result


def _middle(mask: np.ndarray) -> tuple[float, float]:
    """Return the centre of the middle component, from top to bottom."""
    centres = find_components(mask)[1]
    if not len(centres):
        return (mask.shape[1] - 1) / 2, (mask.shape[0] - 1) / 2
    ordered = sorted((float(y), float(x)) for x, y in np.asarray(centres)[:, :2])
    y, x = ordered[len(ordered) // 2]
    return x, y
