"""A trained model as an object: arrays in, masks out, no files after loading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch
from torch import nn

from cervseg.core.errors import CheckpointError
from cervseg.core.folders import ModelFolder
from cervseg.core.geometry import Placement, about_centre, transform_points
from cervseg.core.types import Prediction, PreparedCase, SpacingMm
from cervseg.networks.checkpoint import ModelDescription, network_from_checkpoint, read_checkpoint
from cervseg.networks.device import choose_device, choose_precision
from cervseg.postprocessing.image_grid import to_image_grid
from cervseg.postprocessing.levels import read_levels
from cervseg.postprocessing.threshold import to_mask
from cervseg.preprocessing.prepare import prepare

# Test-time views, (degrees, scale, flipped): unchanged, rotated, scaled.
VIEWS = ((0.0, 1.0, False), (-4.0, 1.0, False), (4.0, 1.0, False), (0.0, 0.94, False), (0.0, 1.06, False))
# What the masks hold of a model whose labels are levels of one structure: its labels pixel by pixel, the
# structure as one label, or its parts named by level. Models of other labels always show their labels.
Show = Literal["labels", "structure", "levels"]
UNKNOWN_LEVEL = "level_unknown"
MIRRORED_VIEW = (0.0, 1.0, True)  # for networks that are trained with horizontal flips


class Predictor:
    """One or more trained networks of one model, whose probabilities are averaged.

    Args:
        networks: networks in evaluation mode, on ``device``.
        model: what the networks are, from their checkpoint.
        device: the device of the networks.
        precision: "float32", "bfloat16" or "float16" (autocast).
        show: what the masks hold, see :data:`Show`.
    """

    def __init__(
        self,
        networks: Sequence[nn.Module],
        *,
        model: ModelDescription,
        device: torch.device,
        precision: str,
        show: Show = "labels",
    ) -> None:
        self.show: Show = show if model.dataset.levels_of else "labels"
        self.networks, self.device, self.precision = tuple(networks), device, precision
        self.dataset, self.configuration = model.dataset, model.configuration
        self.variant, self.cache_long_side_px = model.variant, model.cache_long_side_px

    @classmethod
    def from_folder(
        cls,
        model: str | Path,
        *,
        folds: Sequence[str | int] | None = None,
        device: str | None = None,
        precision: str | None = None,
        show: Show = "labels",
    ) -> Predictor:
        """Load a model folder (``results/Dataset.../Trainer__plans__variant``).

        Args:
            model: the folder.
            folds: folds to average; by default all that have a checkpoint.
            device: "cpu", "cuda", "cuda:1", "mps"; by default the best available.
            precision: "float32", "bfloat16", "float16"; by default bfloat16 if the device supports it, else
                float32.
            show: what the masks hold, see :data:`Show`.

        Raises:
            CheckpointError: a checkpoint is missing or invalid.
        """
        files = checkpoint_files(Path(model), folds=folds)
        return cls.from_files(files, device=device, precision=precision, show=show)

    @classmethod
    def from_files(
        cls,
        files: Sequence[Path],
        *,
        device: str | None = None,
        precision: str | None = None,
        show: Show = "labels",
    ) -> Predictor:
        """Load checkpoint files of one model; see :meth:`from_folder`."""
        where = choose_device(device)
        precision = precision or choose_precision(where)
        networks, models = [], []
        for path in files:
            checkpoint = read_checkpoint(path)
            models.append(checkpoint.model)
            network = network_from_checkpoint(checkpoint)
            _round_weights(network, precision)
            networks.append(network.to(where, memory_format=torch.channels_last))  # type: ignore[call-overload]
        return cls(networks, model=models[-1], device=where, precision=precision, show=show)

    def predict(
        self,
        pixels: np.ndarray,
        spacing_mm: SpacingMm | None = None,
        *,
        tta: bool = False,
        points: np.ndarray | None = None,
    ) -> Prediction:
        """Segment one image.

        Args:
            pixels: H x W or C x H x W, uint8, uint16 or float32, as stored in the file.
            spacing_mm: (row, column) in mm, or None; copied to the result.
            tta: average over :attr:`views` (five or six times the computation).
            points: for a promptable model (``takes_points``), else None: N x 2 (x, y) in px of the image, or
                N x 3 (x, y, label value); N may be 0.

        Returns:
            The mask, H x W uint8 label values, and the probabilities, L x H x W float32 in [0, 1], both at
            the image's size. Auxiliary labels are in neither; a pixel whose most probable label is auxiliary
            is background, unless the structure or its levels are shown: those are found by their union.

        Raises:
            ValueError: wrong number of dimensions or channels; points missing, not taken, of wrong shape or
                outside the image.
        """
        return self.finish(self.infer(self.prepare(pixels, spacing_mm, points=points), tta=tta))

    @property
    def labels(self) -> dict[str, int]:
        """The labels in the masks, name -> value."""
        if self.show == "structure":
            return {self.dataset.levels_of: 1}
        if self.show == "levels":
            return {**self.dataset.foreground, UNKNOWN_LEVEL: len(self.dataset.foreground) + 1}
        return self.dataset.foreground

    @property
    def takes_points(self) -> bool:
        """Does the model need points for each image?"""
        return any(getattr(network, "takes_points", False) for network in self.networks)

    @property
    def views(self) -> tuple[tuple[float, float, bool], ...]:
        """The views of test-time augmentation: (rotation in degrees, scale, is flipped)."""
        return (*VIEWS, MIRRORED_VIEW) if self.configuration.augmentation.flip_horizontal else VIEWS

    def prepare(
        self,
        pixels: np.ndarray,
        spacing_mm: SpacingMm | None = None,
        *,
        points: np.ndarray | None = None,
    ) -> PreparedCase:
        """Bring an image and its points to the network's frame: step 1 of :meth:`predict`, on the CPU."""
        pixels = pixels[None] if pixels.ndim == 2 else pixels
        num_channels = len(self.dataset.channel_names)
        if pixels.ndim != 3 or pixels.shape[0] != num_channels:
            raise ValueError(f"expected H x W or {num_channels} x H x W, got {pixels.shape}")
        if self.takes_points != (points is not None):
            raise ValueError(f"this model {'needs' if self.takes_points else 'takes no'} points")
        case = prepare(
            pixels,
            configuration=self.configuration,
            variant=self.variant,
            cache_long_side_px=self.cache_long_side_px,
            spacing_mm=spacing_mm,
        )
        if points is None:
            return case
        return replace(case, points=_to_frame(points, case.placement, labels=self.dataset.foreground))

    def infer(self, case: PreparedCase, *, tta: bool = False) -> tuple[PreparedCase, np.ndarray]:
        """Compute probabilities L x h x w float32 in the network's frame: step 2, on the device.

        All labels have a plane, the auxiliary ones the last.
        """
        size = case.placement.network_size
        total: np.ndarray | None = None
        views = self.views if tta else VIEWS[:1]
        for rotation_deg, scale, is_flipped in views:
            image, points, matrix = case.image, case.points, None
            if (rotation_deg, scale, is_flipped) != VIEWS[0]:
                matrix = about_centre(
                    size=size,
                    rotation_deg=rotation_deg,
                    scale=scale,
                    shear_deg=0.0,
                    translation_px=(0.0, 0.0),
                    flip_horizontal=is_flipped,
                )
                image = _warp(case.image, matrix)
                points = None if points is None else _moved(points, matrix, size=size)
            probabilities = self._forward(image, points)
            if matrix is not None:
                probabilities = _warp(probabilities, np.linalg.inv(matrix))
            total = probabilities if total is None else total + probabilities
        assert total is not None
        return case, total / np.float32(len(views))

    def finish(self, inferred: tuple[PreparedCase, np.ndarray]) -> Prediction:
        """Resample probabilities to the image's size and threshold them: step 3, on the CPU."""
        case, probabilities = inferred
        if self.show != "labels":
            return self._finish_levels(case, probabilities[: len(self.dataset.foreground)])
        at_image_size = to_image_grid(probabilities, case.placement)
        np.clip(at_image_size, 0.0, 1.0, out=at_image_size)
        mask = to_mask(at_image_size, labels=self.dataset.trained, auxiliary=self.dataset.auxiliary)
        shown = at_image_size[: len(self.dataset.foreground)]
        return Prediction(mask=mask, probabilities=shown, spacing_mm=case.spacing_mm)

    def _finish_levels(self, case: PreparedCase, probabilities: np.ndarray) -> Prediction:
        """Name the parts of a structure; the mask shows their levels, or the structure alone."""
        reading = read_levels(probabilities, case.placement)
        if self.show == "structure":
            mask = ((reading.mask > 0) & ~reading.gaps).astype(np.uint8)
            planes = reading.union[None]
        else:
            mask, planes = reading.mask, to_image_grid(probabilities, case.placement)
        return Prediction(
            mask=mask,
            probabilities=np.clip(planes, 0.0, 1.0, out=planes),
            spacing_mm=case.spacing_mm,
            parts=reading.parts,
        )

    @torch.inference_mode()
    def _forward(self, image: np.ndarray, points: np.ndarray | None) -> np.ndarray:
        given = {} if points is None else {"points": [torch.from_numpy(points).float()]}
        image_BCHW = torch.from_numpy(image[None]).to(self.device, memory_format=torch.channels_last)
        total_BLHW = torch.zeros(())
        enabled = self.precision != "float32"
        dtype = getattr(torch, self.precision) if enabled else torch.bfloat16
        with torch.autocast(self.device.type, dtype=dtype, enabled=enabled):
            for index, network in enumerate(self.networks):
                one_BLHW = network(image_BCHW, **given).float().sigmoid()
                total_BLHW = one_BLHW if index == 0 else total_BLHW + one_BLHW
        mean_LHW: np.ndarray = (total_BLHW[0] / len(self.networks)).cpu().numpy()
        return mean_LHW


def _round_weights(network: nn.Module, precision: str) -> None:
    """Round the weights of plain layers once, to the values that autocast would use for every image."""
    if precision != "float32":
        for module in network.modules():
            if type(module) in (nn.Conv2d, nn.ConvTranspose2d, nn.Linear):
                module.to(getattr(torch, precision))


def checkpoint_files(model: Path, *, folds: Sequence[str | int] | None = None) -> list[Path]:
    """List the checkpoints of a model folder, one per fold.

    Args:
        model: the folder.
        folds: folds by number or "all"; by default every fold that has a checkpoint.

    Raises:
        CheckpointError: the folder or one of the folds has none.
    """
    folder = ModelFolder(model)
    found = folder.trained_folds() if folds is None else [folder.fold(fold) for fold in folds]
    files = [fold.weights for fold in found]
    missing = [path for path in files if not path.is_file()]
    if not files or missing:
        raise CheckpointError(
            "no trained fold" if not files else f"no {missing[0].name} in {missing[0].parent.name}",
            where=model,
            hint="train it with cervseg_train, or select trained folds with -f",
        )
    return files


def _to_frame(points: np.ndarray, placement: Placement, *, labels: Mapping[str, int]) -> np.ndarray:
    """Transform points (x, y[, label value]) in px of an image to N x 3 (x, y, plane) of its frame."""
    given, values = np.asarray(points, dtype=np.float64), sorted(labels.values())
    if given.size == 0:
        given = given.reshape(0, 3)
    if given.ndim == 2 and given.shape[1] == 2 and len(values) == 1:
        given = np.insert(given, 2, values[0], axis=1)
    if given.ndim != 2 or given.shape[1] != 3 or not np.isin(given[:, 2], values).all():
        raise ValueError(f"points must be (x, y) or (x, y, label value) with a label value of {values}")
    height, width = placement.image_size
    # Pixel centres are integers, so the image extends half a pixel beyond the outer centres.
    inside = ((given[:, :2] >= -0.5) & (given[:, :2] <= (width - 0.5, height - 0.5))).all(axis=1)
    if not inside.all():
        x, y = given[~inside][0, :2]
        raise ValueError(f"the point ({x:g}, {y:g}) is outside the image of {width} x {height} px")
    in_frame = transform_points(given[:, :2], placement.matrix_to_network)
    frame_height, frame_width = placement.network_size
    seen = ((in_frame >= -0.5) & (in_frame <= (frame_width - 0.5, frame_height - 0.5))).all(axis=1)
    if not seen.all():
        x, y = given[~seen][0, :2]
        raise ValueError(f"the point ({x:g}, {y:g}) is outside the part of the image that the model sees")
    return np.column_stack([in_frame, np.searchsorted(values, given[:, 2])])


def _moved(points: np.ndarray, matrix: np.ndarray, *, size: tuple[int, int]) -> np.ndarray:
    """Transform N x 3 points (x, y, label plane) to a view of the frame; points outside are clipped to it."""
    moved = np.clip(transform_points(points[:, :2], matrix), 0, (size[1] - 1, size[0] - 1))
    return np.column_stack([moved, points[:, 2]])


def _warp(planes: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    size = (planes.shape[2], planes.shape[1])
    return np.stack(
        [cv2.warpAffine(plane, matrix[:2], size, borderMode=cv2.BORDER_REPLICATE) for plane in planes]
    )
