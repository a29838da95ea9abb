"""A folder of images and a folder of masks into a dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cervseg.convert.assembly import (
    ConversionReport,
    as_integers,
    check_same_size,
    check_target,
    failures,
    finish,
    new_dataset,
    nothing_converted,
)
from cervseg.convert.labelling import Labelling
from cervseg.convert.pairing import Pair, Pairing, images_alone, pair_folders
from cervseg.core.errors import DatasetError
from cervseg.core.types import SpacingMm
from cervseg.core.workers import map_cases
from cervseg.dataset.writer import DatasetWriter
from cervseg.imageio import read_image, read_mask


@dataclass(frozen=True, kw_only=True)
class _Done:
    """What the report needs to know of one image."""

    was_thresholded: bool
    was_rescaled: bool
    spacing_mm: SpacingMm | None
    spacing_source: str


@dataclass(frozen=True, kw_only=True)
class _ConvertPair:
    """The work on one pair, as a picklable call."""

    writer: DatasetWriter
    labelling: Labelling
    test: bool

    def __call__(self, pair: Pair) -> _Done:
        image = read_image(pair.image)
        pixels, was_rescaled = as_integers(image.pixels[0])
        mask, was_thresholded = None, False
        if pair.mask is not None:
            stored = read_mask(pair.mask)
            check_same_size(pixels, stored, where=pair.image, what=f"its mask {pair.mask.name}")
            try:
                mask, was_thresholded = self.labelling.apply(stored)
            except DatasetError as problem:
                raise DatasetError(problem.what, where=pair.mask, hint=problem.hint) from None
        self.writer.add_case(pair.id, channels=[pixels], mask=mask, test=self.test)
        return _Done(
            was_thresholded=was_thresholded,
            was_rescaled=was_rescaled,
            spacing_mm=image.spacing_mm,
            spacing_source=image.spacing_source,
        )


def convert_paired(
    *,
    images: Path,
    masks: Path,
    folder: Path,
    labels: Mapping[int, str] | None = None,
    label: str = "foreground",
    test_images: Path | None = None,
    test_masks: Path | None = None,
    channel_name: str = "xray",
    workers: int = 1,
    overwrite: bool = False,
    progress: bool = True,
) -> ConversionReport:
    """Make a dataset of images and masks in any mix of formats, paired by name.

    An image that cannot be used is named in the report, the others go on. Everything is written to a hidden
    folder beside ``folder`` and renamed at the end, so that a killed run leaves no partial dataset.

    Args:
        images, masks: folders; they may be the same one if masks end in _mask, _seg or the like.
        folder: the dataset's folder, .../raw_data/Dataset101_Name.
        labels: value in the masks -> label name, for masks of several values.
        label: the label's name where masks hold one: {0, 1}, {0, 255}, or soft edges (then cut at half).
        test_images, test_masks: held-out images, masks optional, into imagesTs and labelsTs.
        channel_name: what the images show, for dataset.json.
        overwrite: replace ``folder`` if it is there.

    Raises:
        DatasetError: a folder is missing, ``folder`` is there already, labels make no sense, or no image at
            all could be converted (with the reasons).
    """
    labelling = Labelling(names=labels or {}, label=label)
    check_target(folder, overwrite=overwrite)
    training = _pairing(images, masks)
    testing = None if test_images is None else _pairing(test_images, test_masks)
    with new_dataset(folder) as writer:
        return _convert(writer, labelling, training, testing, channel_name, workers, progress, folder)


def _convert(
    writer: DatasetWriter,
    labelling: Labelling,
    training: Pairing,
    testing: Pairing | None,
    channel_name: str,
    workers: int,
    progress: bool,
    folder: Path,
) -> ConversionReport:
    done: dict[str, _Done] = {}
    left_out, notes, numbers = [], [], []
    for test, pairing in ((False, training), (True, testing)):
        if pairing is None:
            numbers.append(0)
            continue
        work = _ConvertPair(writer=writer, labelling=labelling, test=test)
        title = "convert test images" if test else "convert"
        outcomes = map_cases(work, pairing.pairs, workers=workers, label=title, progress=progress)
        good = {o.item.id: o.result for o in outcomes if o.result is not None}
        left_out += failures(outcomes, [pair.image for pair in pairing.pairs])
        left_out += _without_partner(pairing)
        notes += _notes(pairing, list(good.values()), test=test)
        numbers.append(len(good))
        if both := done.keys() & good.keys():
            notes.append(f"{len(both)} test image(s) are called like a training image, such as {min(both)}")
        done = {**good, **done}
    if not numbers[0]:
        raise nothing_converted(left_out)
    return finish(
        writer,
        num_training=numbers[0],
        num_test=numbers[1],
        labels=labelling.labels,
        spacing_mm={case: image.spacing_mm for case, image in done.items() if image.spacing_mm is not None},
        channel_name=channel_name,
        left_out=left_out,
        notes=notes,
        folder=folder,
    )


def _pairing(images: Path, masks: Path | None) -> Pairing:
    for folder in (images, masks):
        if folder is not None and not folder.is_dir():
            raise DatasetError("no such folder", where=folder)
    pairing = images_alone(images) if masks is None else pair_folders(images, masks)
    if not pairing.pairs:
        raise DatasetError(
            f"none of the images has a mask of the same name in {masks}" if masks else "holds no images",
            where=images,
            hint="Images and masks are paired by their names without endings." if masks else "",
        )
    return pairing


def _without_partner(pairing: Pairing) -> list[str]:
    return [
        *(f"{path}: an image without mask" for path in pairing.images_without_mask),
        *(f"{path}: a mask without image" for path in pairing.masks_without_image),
        *(f"{path}: shares its name with another file" for path in pairing.doubled),
    ]


def _notes(pairing: Pairing, images: Sequence[_Done], *, test: bool) -> list[str]:
    sources = Counter(image.spacing_source for image in images if image.spacing_mm is not None)
    lines = [
        (pairing.num_renamed, "paired although their names end differently (_mask, _0000 and the like)"),
        (sum(image.was_thresholded for image in images), "with soft or noisy masks, cut at half"),
        (
            sum(image.was_rescaled for image in images),
            "with fractions or negative values, rescaled to 16 bits",
        ),
        *((number, f"with pixel spacing from {source}") for source, number in sorted(sources.items())),
    ]
    what = "test image(s)" if test else "image(s)"
    return [f"{number} {what} {text}" for number, text in lines if number]
