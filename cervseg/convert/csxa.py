"""The Cervical Spine X-ray Atlas (Ran et al. 2024): films and key points; masks are the user's."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
from cervseg.convert.labelme import read_labelme
from cervseg.convert.table import FilmTable
from cervseg.core.errors import DatasetError
from cervseg.core.workers import map_cases
from cervseg.dataset.attributes import CaseAttributes, write_attributes
from cervseg.dataset.landmarks import Landmarks, write_landmarks
from cervseg.dataset.writer import DatasetWriter
from cervseg.imageio import list_images, read_image, read_mask, stem_of

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
_ID = re.compile(r"\d{7}")
_MAX_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class _Film:
    """One film with what belongs to it."""

    id: str
    image: Path
    keypoints: Path | None
    mask: Path | None
    test: bool


@dataclass(frozen=True, kw_only=True)
class _Done:
    """What the report needs to know of one film."""

    id: str
    test: bool
    has_mask: bool
    landmarks: Landmarks | None
    unknown: tuple[str, ...]
    twice: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _ConvertFilm:
    """The work on one film, as a picklable call."""

    writer: DatasetWriter
    labelling: Labelling

    def __call__(self, film: _Film) -> _Done:
        pixels, _ = as_integers(read_image(film.image).pixels[0])
        mask = None
        if film.mask is not None:
            stored = read_mask(film.mask)
            check_same_size(pixels, stored, where=film.image, what=f"its mask {film.mask.name}")
            try:
                mask, _ = self.labelling.apply(stored)
            except DatasetError as problem:
                raise DatasetError(problem.what, where=film.mask, mend=problem.mend) from None
        done = _Done(
            id=film.id,
            test=film.test,
            has_mask=mask is not None,
            landmarks=None,
            unknown=(),
            twice=(),
        )
        if film.keypoints is not None:
            landmarks, unknown, twice = read_keypoints(film.keypoints)
            done = replace(done, landmarks=landmarks, unknown=unknown, twice=twice)
        self.writer.add_case(film.id, channels=[pixels], mask=mask, test=film.test)
        if done.landmarks is not None:
            write_landmarks(self.writer.folder, film.id, done.landmarks)
        return done


def read_keypoints(path: Path) -> tuple[Landmarks, tuple[str, ...], tuple[str, ...]]:
    """The key points of one JSON file, found by their labels, never by their order.

    Returns:
        Those of the 23 that are there (the first, where one is there twice); labels that are none of them;
        labels that are there twice.

    Raises:
        DatasetError: it is no such file.
    """
    points: dict[str, tuple[float, float]] = {}
    unknown, twice = [], []
    for label, place in read_labelme(path).points:
        name = _BY_PLAIN_NAME.get(" ".join(re.split(r"[\s_-]+", label.lower())).strip())
        if name is None:
            unknown.append(label)
        elif name in points:
            twice.append(name)
        else:
            points[name] = place
    ordered = {name: points[name] for name in KEYPOINTS if name in points}
    return Landmarks(points=ordered, source="CSXA"), tuple(unknown), tuple(twice)


def convert_csxa(
    *,
    images: Path,
    folder: Path,
    keypoints: Path | None = None,
    masks: Path | None = None,
    test_masks: Path | None = None,
    labels: Mapping[int, str] | None = None,
    label: str = "spinous_process",
    table: FilmTable | None = None,
    name_pattern: str | None = None,
    channel_name: str = "xray",
    workers: int = 1,
    overwrite: bool = False,
    progress: bool = True,
) -> ConversionReport:
    """Make a dataset of the atlas: one film a patient, ids are the seven digits of the files' names.

    Films with a mask in ``masks`` are for training, all others become imagesTs. Key points go to
    ``landmarks/<case>.json``, sex and age to ``cases.csv``.

    Args:
        images: folder of the films (datasets-PNG).
        keypoints: folder of the JSON files (datasets-JSON); by default ``images``.
        masks: folder of masks, named by the same digits. Without it there is nothing to train on.
        test_masks: masks of held-out films, into labelsTs.
        labels, label: what the masks' values mean, as in ``convert_paired``.
        table: pixel sizes, sex and age by film.
        name_pattern: a regular expression with groups called sex and age, where file names carry them.

    Raises:
        DatasetError: a folder is missing, ``folder`` is there already, or no film at all could be converted.
    """
    labelling = Labelling(names=labels or {}, label=label)
    check_target(folder, overwrite=overwrite)
    films, left_out = _list_films(images, keypoints or images, masks, test_masks)
    named = _from_names(films, name_pattern)
    with new_dataset(folder) as writer:
        work = _ConvertFilm(writer=writer, labelling=labelling)
        outcomes = map_cases(work, films, workers=workers, label="convert", progress=progress)
        left_out += failures(outcomes, [film.image for film in films])
        done = [outcome.result for outcome in outcomes if outcome.result is not None]
        if not done:
            raise nothing_converted(left_out)
        known = {film.id for film in done}
        attributes = {**named, **(table.attributes if table else {})}
        attributes = {case: item for case, item in attributes.items() if case in known}
        if any(item != CaseAttributes() for item in attributes.values()):
            write_attributes(writer.folder, attributes)
        spacing = {case: side for case, side in (table.spacing_mm if table else {}).items() if case in known}
        num_training = sum(not film.test for film in done)
        return finish(
            writer,
            num_training=num_training,
            num_test=len(done) - num_training,
            labels=labelling.labels,
            spacing_mm=spacing,
            channel_name=channel_name,
            left_out=left_out,
            notes=_notes(done, num_with_spacing=len(spacing), table=table),
            folder=folder,
        )


def _list_films(
    images: Path, keypoints: Path, masks: Path | None, test_masks: Path | None
) -> tuple[list[_Film], list[str]]:
    for folder in (images, keypoints, masks, test_masks):
        if folder is not None and not folder.is_dir():
            raise DatasetError("no such folder", where=folder)
    paths = list_images(images)
    if not paths:
        raise DatasetError("holds no films", where=images)
    left_out: list[str] = []
    films = _by_id(paths, left_out)
    points = _by_id(sorted(keypoints.glob("*.json")), left_out)
    training = _by_id([] if masks is None else list_images(masks), left_out)
    testing = _by_id([] if test_masks is None else list_images(test_masks), left_out)
    if both := sorted(training.keys() & testing.keys()):
        raise DatasetError(
            f"{len(both)} film(s) have a mask in both folders, such as {both[0]}",
            where="--test-masks",
            mend="A held-out film must not be trained on.",
        )
    for what, found in (("key points", points), ("a mask", training), ("a mask", testing)):
        left_out += [f"{path}: {what} without film" for key, path in found.items() if key not in films]
    listed = [
        _Film(
            id=key,
            image=path,
            keypoints=points.get(key),
            mask=training.get(key) or testing.get(key),
            test=key not in training,
        )
        for key, path in films.items()
    ]
    return listed, left_out


def _by_id(paths: Sequence[Path], left_out: list[str]) -> dict[str, Path]:
    """Files by the seven digits of their names, sorted; what has none or shares its digits is named."""
    found: dict[str, Path] = {}
    for path in paths:
        digits = _ID.match(stem_of(path))
        if digits is None:
            left_out.append(f"{path}: its name does not begin with seven digits")
        elif digits[0] in found:
            left_out.append(f"{path}: shares its digits with {found[digits[0]].name}")
        else:
            found[digits[0]] = path
    return dict(sorted(found.items()))


def _from_names(films: Sequence[_Film], pattern: str | None) -> dict[str, CaseAttributes]:
    """Sex and age out of file names."""
    if pattern is None:
        return {}
    try:
        expression = re.compile(pattern)
    except re.error as problem:
        raise DatasetError(f"is no regular expression ({problem})", where="--name-pattern") from None
    if not {"sex", "age"} & expression.groupindex.keys():
        raise DatasetError(
            "has no group called sex or age",
            where="--name-pattern",
            mend=r"Write, for instance, '\d{4}(?P<sex>\d)(?P<age>\d\d)'.",
        )
    found = {}
    for film in films:
        match = expression.match(stem_of(film.image))
        if match is not None:
            parts = match.groupdict()
            age = parts.get("age") or ""
            found[film.id] = CaseAttributes(
                sex=parts.get("sex"), age_years=float(age) if age.isdecimal() else None
            )
    return found


def _notes(done: Sequence[_Done], *, num_with_spacing: int, table: FilmTable | None) -> list[str]:
    notes = []
    if not any(not film.test for film in done):
        notes.append("there is nothing to train on: no masks were given, all films are in imagesTs")
    elif num := sum(not film.has_mask for film in done):
        notes.append(f"{num} film(s) without mask are in imagesTs")
    marked = [film.landmarks for film in done if film.landmarks is not None]
    if num := len(done) - len(marked):
        notes.append(f"{num} film(s) have no key points")
    lacking = Counter(name for item in marked for name in KEYPOINTS if name not in item.points)
    if lacking:
        num = sum(len(item.points) < len(KEYPOINTS) for item in marked)
        notes.append(f"{num} film(s) lack some of the {len(KEYPOINTS)} key points: {_most(lacking)}")
    for title, counts in (
        ("unknown labels of key points", Counter(name for film in done for name in film.unknown)),
        ("key points that are there twice (the first counts)", Counter(n for f in done for n in f.twice)),
    ):
        if counts:
            notes.append(f"{title}: {_most(counts)}")
    if table is not None and (table.spacing_mm or table.problems):
        notes.append(f"{num_with_spacing} of {len(done)} film(s) have a pixel size from the table")
        notes += [f"table: {line}" for line in table.problems[:_MAX_NAMED]]
        if len(table.problems) > _MAX_NAMED:
            notes.append(f"table: ... and {len(table.problems) - _MAX_NAMED} more such cells")
    return notes


def _most(counts: Counter[str]) -> str:
    listed = ", ".join(f"{name} ({number})" for name, number in counts.most_common(_MAX_NAMED))
    return listed + (f" and {len(counts) - _MAX_NAMED} more" if len(counts) > _MAX_NAMED else "")
