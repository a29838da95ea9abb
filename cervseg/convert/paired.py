"""A folder of images and a folder of masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cervseg.convert.labelling import Labelling
from cervseg.convert.pairing import Pairing, images_alone, pair_folders
from cervseg.convert.source import CaseContent, ConvertedCase, Listing, Source, SourceCase, check_folders
from cervseg.core.errors import DatasetError
from cervseg.imageio import read_image


@dataclass(frozen=True, kw_only=True)
class PairedCase(SourceCase[bool]):
    """An image and its mask, if it has one; its fact: whether the mask was thresholded."""

    mask: Path | None
    labelling: Labelling

    def read(self) -> CaseContent[bool]:
        """Read both; see :meth:`SourceCase.read`."""
        image = read_image(self.path)
        if self.mask is None:
            return CaseContent(image=image, mask=None, facts=False)
        mask, was_thresholded = self.labelling.read(self.mask, image=image)
        return CaseContent(image=image, mask=mask, facts=was_thresholded)


@dataclass(frozen=True, kw_only=True)
class PairedFolders(Source[bool]):
    """Images and masks of any mix of formats, paired by name.

    Args:
        images: folder of images.
        masks: folder of masks; it may be ``images`` if the masks' names end in _mask, _seg or the like.
        labelling: what the values in the masks mean.
        test_images: folder of held-out images.
        test_masks: folder of their masks, if they have any.
    """

    images: Path
    masks: Path
    labelling: Labelling = field(default_factory=Labelling)
    test_images: Path | None = None
    test_masks: Path | None = None

    def list_cases(self) -> Listing[bool]:
        """Pair the files; see :meth:`Source.list_cases`."""
        parts = [(False, _pairing(self.images, self.masks))]
        if self.test_images is not None:
            parts.append((True, _pairing(self.test_images, self.test_masks)))
        num_renamed = sum(pairing.num_renamed for _, pairing in parts)
        note = (
            f"{num_renamed} image(s) paired although their names end differently (_mask, _0000 and the like)"
        )
        return Listing(
            cases=tuple(
                PairedCase(
                    id=pair.id, path=pair.image, is_test=is_test, mask=pair.mask, labelling=self.labelling
                )
                for is_test, pairing in parts
                for pair in pairing.pairs
            ),
            labels=self.labelling.labels,
            auxiliary=self.labelling.auxiliary,
            left_out=tuple(line for _, pairing in parts for line in _without_partner(pairing)),
            notes=(note,) if num_renamed else (),
        )

    def notes(self, cases: Sequence[ConvertedCase[bool]]) -> list[str]:
        """Count the masks that were thresholded."""
        num_thresholded = sum(case.facts for case in cases)
        note = f"{num_thresholded} image(s) with soft or noisy masks, thresholded at half"
        return [note] if num_thresholded else []


def _pairing(images: Path, masks: Path | None) -> Pairing:
    check_folders(images, masks)
    pairing = images_alone(images) if masks is None else pair_folders(images, masks)
    if not pairing.pairs:
        raise DatasetError(
            f"no image has a mask of the same name in {masks}" if masks else "no images in this folder",
            where=images,
            hint="Images and masks are paired by name: a.png with a.png, a_mask.png or a.nii.gz"
            if masks
            else "",
        )
    return pairing


def _without_partner(pairing: Pairing) -> list[str]:
    return [
        *(f"image without a mask: {path}" for path in pairing.images_without_mask),
        *(f"mask without an image: {path}" for path in pairing.masks_without_image),
        *(f"shares its name with another file: {path}" for path in pairing.doubled),
    ]
