"""From images to masks: predict, and load_model for arrays."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cervseg.core.errors import CervsegError
from cervseg.core.folders import ModelFolder, PredictionFolder
from cervseg.core.jsonio import from_json, read_json
from cervseg.core.log import Log, quiet
from cervseg.core.paths import Workspace
from cervseg.core.types import DatasetDescription, Fingerprint, Prediction
from cervseg.dataset.writer import write_description
from cervseg.figures.overlays import write_overlay
from cervseg.inference.find_model import find_model
from cervseg.inference.inputs import list_jobs, skipped_files
from cervseg.inference.predictor import Predictor, Show, checkpoint_files
from cervseg.inference.prompts import read_prompts
from cervseg.inference.run_record import RunRecord
from cervseg.inference.stream import StreamOptions, StreamReport, predict_stream

_logger = logging.getLogger(__name__)


def predict(
    images: str | Path,
    output: str | Path,
    *,
    model: str | Path | None = None,
    workspace: Workspace | None = None,
    folds: Sequence[str | int] | None = None,
    device: str | None = None,
    precision: str | None = None,
    tta: bool = False,
    save_probabilities: bool = False,
    overlay: bool = False,
    levels: bool = False,
    points: str | Path | None = None,
    prompts_from: str | Path | None = None,
    resume: bool = False,
    progress: bool = True,
    log: Log = quiet,
) -> StreamReport:
    """Segment an image or a folder of images.

    Repeat an interrupted call to resume it: masks that exist are complete and are skipped. The output folder
    also gets prediction.json (model and options) and dataset.json (names of the labels).

    Args:
        images: a folder of images, or one image.
        output: folder for the masks: label values, with the sizes and names of the images.
        model: a model folder; by default the one that the workspace trained last.
        workspace: by default ``$CERVSEG_ROOT``, else the current folder.
        folds: folds to average; by default all that are trained.
        device: "cpu", "cuda", "cuda:1", "mps"; by default the best available.
        precision: "float32", "bfloat16", "float16"; by default the fastest of the device.
        tta: average five or six rotated, scaled and flipped views.
        save_probabilities: write ``<image>.npz`` beside each mask: L x H x W float16 in [0, 1].
        overlay: draw each mask over its image, into ``overlays/``.
        levels: name the levels of a structure, for a model that was trained on them, such as the shipped one:
            C1 to C7 of the spinous processes instead of one label.
        points: a file with points, for a promptable model (SAM).
        prompts_from: a folder of masks whose components give the points.
        resume: keep every existing mask, also of other models and options.
        progress: show a progress bar.
        log: called with each message.

    Returns:
        Masks that were written, masks that are empty, images that failed, and warnings about images that are
        unlike the training images.

    Raises:
        ImageError: there is no image.
        CheckpointError: the model cannot be loaded.
        CervsegError: the model needs points and there are none, or they cannot be read.
    """
    images, output = Path(images), Path(output)
    folder = find_model(workspace or Workspace.find(), model=None if model is None else Path(model))
    files = checkpoint_files(folder, folds=folds)
    start = time.monotonic()
    show: Show = "levels" if levels else "structure"
    predictor = Predictor.from_files(files, device=device, precision=precision, show=show)
    if levels and predictor.show != "levels":
        raise CervsegError("this model was not trained on levels", where=folder, hint="Leave out --levels.")
    _logger.info("loaded %s in %.1f s", ", ".join(map(str, files)), time.monotonic() - start)
    jobs = list_jobs(images, output, num_channels=len(predictor.dataset.channel_names))
    prompts = read_prompts(
        points=None if points is None else Path(points),
        masks=None if prompts_from is None else Path(prompts_from),
        labels=predictor.dataset.foreground,
        ignored=predictor.dataset.auxiliary_values,
        wanted=predictor.takes_points,
        output=output,
    )
    record = RunRecord.make(
        files,
        tta=tta,
        precision=predictor.precision,
        device=str(predictor.device),
        save_probabilities=save_probabilities,
        prompts=None if prompts is None else prompts.source,
        levels=levels,
    )
    finished = {job.mask for job in jobs} & record.finished_masks(output, any_run=resume)
    jobs = [job for job in jobs if job.mask not in finished]
    log(f"{len(files)} network(s), {predictor.precision} on {predictor.device}, {len(jobs)} image(s)")
    if prompts is not None:
        log(f"prompts: {prompts.source.sentence}")
    if finished:
        log(f"{len(finished)} finished image(s) are skipped")

    def draw(pixels: np.ndarray, prediction: Prediction, mask: Path) -> None:
        names = {value: label for label, value in predictor.labels.items()}
        write_overlay(target.overlays / f"{mask.stem}.png", pixels, prediction.mask, names=names)

    target = PredictionFolder(output)
    stream = StreamOptions(
        tta=tta,
        probabilities=save_probabilities,
        draw=draw if overlay else None,
        prompts=prompts,
        training=_training_fingerprint(ModelFolder(folder)),
    )
    _describe_labels(target, predictor)
    record.begin(output)
    report = predict_stream(predictor, jobs, options=stream, progress=progress)
    report.skipped = skipped_files(images)
    _logger.info("predicted %d image(s), %.2f s per image", len(report.written), report.image_s or 0.0)
    record.end(output, failed=[reason for _, reason in report.failed], image_s=report.image_s)
    return report


def _training_fingerprint(model: ModelFolder) -> Fingerprint | None:
    """Read the fingerprint in the model's plan; None without a readable plan: then no image is compared."""
    try:
        content = read_json(model.plan)
        return from_json(Fingerprint, content["fingerprint"]) if isinstance(content, dict) else None
    except (CervsegError, KeyError):
        return None


def _describe_labels(target: PredictionFolder, predictor: Predictor) -> None:
    """Write the names of channels and labels beside the masks; a dataset.json of another origin is kept."""
    if target.dataset.exists() and not target.record.exists():
        return
    description = DatasetDescription(
        name=predictor.dataset.name,
        channel_names=predictor.dataset.channel_names,
        labels={"background": 0, **predictor.labels},
        num_training=0,
        file_ending=".png",
    )
    write_description(target.dataset, description)


def load_model(
    model: str | Path | ModelFolder | None = None,
    *,
    workspace: Workspace | None = None,
    folds: Sequence[str | int] | None = None,
    device: str | None = None,
    precision: str | None = None,
    levels: bool = False,
) -> Predictor:
    """Load a trained model as an object that segments arrays.

    Args:
        model: a model folder; by default the one that the workspace trained last.
        workspace: by default ``$CERVSEG_ROOT``, else the current folder.
        folds: folds to average; by default all that are trained.
        device: "cpu", "cuda", "cuda:1", "mps"; by default the best available.
        precision: "float32", "bfloat16", "float16"; by default the fastest of the device.
        levels: name the levels of a structure, as in :func:`predict`.

    Raises:
        CheckpointError: the model is missing or cannot be loaded.
    """
    path = model.path if isinstance(model, ModelFolder) else model
    folder = find_model(workspace or Workspace.find(), model=None if path is None else Path(path))
    show: Show = "levels" if levels else "structure"
    return Predictor.from_folder(folder, folds=folds, device=device, precision=precision, show=show)
