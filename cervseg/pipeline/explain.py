"""From images to attention and Grad-CAM maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cervseg.core.errors import CervsegError
from cervseg.core.log import Log, quiet
from cervseg.core.paths import Workspace
from cervseg.core.progress import progress_bar
from cervseg.explanation.image import QUERY, TITLES, Explainer
from cervseg.figures.explanations import explanation_panel
from cervseg.figures.style import save_figure
from cervseg.imageio import read_channels
from cervseg.inference.find_model import find_model
from cervseg.inference.inputs import list_jobs
from cervseg.inference.predictor import Predictor, checkpoint_files
from cervseg.inference.prompts import read_prompts


def explain(
    images: str | Path,
    output: str | Path,
    *,
    model: str | Path | None = None,
    workspace: Workspace | None = None,
    methods: Sequence[str] | None = None,
    point: tuple[float, float] | None = None,
    label: str | None = None,
    folds: Sequence[str | int] | None = None,
    device: str | None = None,
    points: str | Path | None = None,
    prompts_from: str | Path | None = None,
    progress: bool = True,
    log: Log = quiet,
) -> list[tuple[Path, str]]:
    """Draw attention and Grad-CAM maps of a model on each image, as PNG and SVG.

    The network of the first fold is explained, in float32; the contour is its own mask.

    Args:
        images: a folder of images, or one image.
        output: folder for the pictures.
        model: a model folder; by default the one that the workspace trained last.
        workspace: by default ``$CERVSEG_ROOT``, else the current folder.
        methods: "rollout", "query", "gradcam"; by default all that the network supports.
        point: the query (x, y) in px of the image; by default in the middle structure.
        label: label that Grad-CAM explains; by default the first.
        folds: the first of them is explained; by default the first trained fold.
        device: "cpu", "cuda", "cuda:1", "mps"; by default the best available.
        points: a file of points; see :func:`cervseg.predict`.
        prompts_from: a folder of masks to take points from; see :func:`cervseg.predict`.
        progress: show a progress bar.
        log: called with each message.

    Returns:
        The images that failed, each with the reason.

    Raises:
        ImageError: there is no image.
        CheckpointError: the model cannot be loaded.
        CervsegError: the network has no attention, or needs points.
    """
    images, output = Path(images), Path(output)
    folder = find_model(workspace or Workspace.find(), model=None if model is None else Path(model))
    files = checkpoint_files(folder, folds=folds)[:1]
    predictor = Predictor.from_files(files, device=device, precision="float32")
    labels = predictor.dataset.foreground
    jobs = list_jobs(images, output, num_channels=len(predictor.dataset.channel_names))
    prompts = read_prompts(
        points=None if points is None else Path(points),
        masks=None if prompts_from is None else Path(prompts_from),
        labels=labels,
        ignored=predictor.dataset.auxiliary_values,
        wanted=predictor.takes_points,
        output=output,
    )
    explainer = Explainer.make(predictor.networks[0], labels=labels, what=methods, label=label)
    note = f"{folder.name}, {files[0].parent.name}."
    log(f"{note} {', '.join(explainer.what)} of {len(jobs)} image(s)")
    failed = []
    with progress_bar(total=len(jobs), label="explain", unit="image", show=progress) as bar:
        for job in jobs:
            try:
                image = read_channels(job.images)
                given = None if prompts is None else prompts(job, image.pixels.shape[1:])
                case = predictor.prepare(image.pixels, image.spacing_mm, points=given)
                mask = predictor.finish(predictor.infer(case)).mask
                found = explainer.explain(case, mask, point=point)
                marked = {} if found.point is None else {TITLES[QUERY]: found.point}
                figure = explanation_panel(image.pixels[0], mask, found.maps, points=marked, note=note)
                save_figure(figure, output / job.mask.stem)
            except (CervsegError, OSError, ValueError) as problem:
                failed.append((job.images[0], str(problem)))
            bar.update()
    return failed
