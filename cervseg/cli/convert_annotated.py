"""cervseg_convert stylus, csxa, labelme and coco: their options and sources."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cervseg.cli.command_parser import CommandParser
from cervseg.cli.convert_options import (
    SubCommands,
    add_auxiliary,
    add_common,
    add_mask_labels,
    labelling,
    read_numbered_labels,
    read_renamed,
    sub_command,
)
from cervseg.core.errors import CervsegError

if TYPE_CHECKING:
    from cervseg.convert.conversion import ConversionReport
    from cervseg.convert.source import Source
    from cervseg.convert.stylus.traced import TracedImage
    from cervseg.convert.table import ImageTable


def add_stylus(commands: SubCommands[CommandParser]) -> None:
    """Add the sub-command for red tracings."""
    made = sub_command(
        commands,
        "stylus",
        _stylus_tracings,
        summary="images on which outlines were traced in red",
        description="Convert images on which outlines were traced in red, for instance on a tablet. "
        "Strokes are found by their hue, open ones are closed, and their inside becomes the mask. Pictures "
        "of all masks are written to preview/ in the dataset's folder, doubtful ones first: check them "
        "before you train.",
        example="cervseg_convert stylus --tracings traced --images images -d 103 --name Neck",
    )
    made.set_defaults(follow_up=_show_tracings)
    made.add_argument(
        "--tracings", type=Path, required=True, metavar="DIR", help="folder of the traced images"
    )
    made.add_argument(
        "--images",
        type=Path,
        metavar="DIR",
        help="folder of the same images without tracings, with the same names (without it the traced "
        "pictures are the images; use this for a trial only)",
    )
    made.add_argument("--test-tracings", type=Path, metavar="DIR", help="folder of traced test images")
    made.add_argument(
        "--test-images", type=Path, metavar="DIR", help="the same without tracings (default: --images)"
    )
    made.add_argument(
        "--label", metavar="NAME", default="spinous_process", help="what is traced (default: spinous_process)"
    )
    made.add_argument(
        "--edge",
        choices=("middle", "outer", "inner"),
        default="middle",
        help="where a mask ends: on the middle of the stroke (default), or on its outer or inner side",
    )
    made.add_argument("--no-preview", action="store_true", help="do not draw pictures of the masks")
    add_common(made)


def add_csxa(commands: SubCommands[CommandParser]) -> None:
    """Add the sub-command for the Cervical Spine X-ray Atlas."""
    made = sub_command(
        commands,
        "csxa",
        _csxa_atlas,
        summary="the Cervical Spine X-ray Atlas: images and key points",
        description="Convert the Cervical Spine X-ray Atlas: images with their 23 key points, which are kept "
        "in landmarks/. The atlas has no masks: images that have one in --masks are training cases, all "
        "others are test cases. Pixel sizes, sex and age come from a table whose columns you name.",
        example="cervseg_convert csxa --images datasets-PNG --keypoints datasets-JSON --masks masks -d 104 "
        "--name CSXA\n    --table atlas.csv --id-column No --spacing-column 'pixel size'",
    )
    made.add_argument("--images", type=Path, required=True, metavar="DIR", help="folder of images")
    made.add_argument(
        "--keypoints", type=Path, metavar="DIR", help="folder of the JSON files (default: --images)"
    )
    made.add_argument("--masks", type=Path, metavar="DIR", help="folder of masks, named like the images")
    made.add_argument("--test-masks", type=Path, metavar="DIR", help="folder of masks of test images")
    add_mask_labels(made, required=False)
    made.add_argument(
        "--table",
        "--spacing-table",
        dest="table",
        type=Path,
        metavar="FILE",
        help="a CSV file with one row per image",
    )
    made.add_argument("--id-column", metavar="NAME", help="column of the images' names or numbers")
    made.add_argument("--spacing-column", metavar="NAME", help="column of the pixel size in mm")
    made.add_argument("--sex-column", metavar="NAME", help="column of the patients' sex")
    made.add_argument("--age-column", metavar="NAME", help="column of their age in years")
    made.add_argument(
        "--name-pattern",
        metavar="REGEX",
        help=r"sex and age in the images' names: '\d{4}(?P<sex>\d)(?P<age>\d\d)'",
    )
    add_common(made)


def add_labelme(commands: SubCommands[CommandParser]) -> None:
    """Add the sub-command for LabelMe."""
    made = sub_command(
        commands,
        "labelme",
        _labelme_folder,
        summary="images annotated in LabelMe: one JSON file per image",
        description="Convert images annotated in LabelMe: polygons, rectangles, circles and masks. Where "
        "shapes overlap the later one wins; a shape with the label 'background' erases.",
        example="cervseg_convert labelme --annotations json --images images -d 105 --name Neck\n"
        "  cervseg_convert labelme --annotations json -d 106 --name Teeth\n"
        "    --labels incisor=1 canine=2 molar=3 --rename molar1=molar molar2=molar",
    )
    made.add_argument(
        "--annotations", type=Path, required=True, metavar="DIR", help="folder of the JSON files"
    )
    made.add_argument(
        "--images", type=Path, metavar="DIR", help="folder of images (default: as the JSON files state)"
    )
    made.add_argument("--test-annotations", type=Path, metavar="DIR", help="JSON files of test images")
    _add_drawn(made)


def add_coco(commands: SubCommands[CommandParser]) -> None:
    """Add the sub-command for COCO."""
    made = sub_command(
        commands,
        "coco",
        _coco_file,
        summary="images annotated in a tool that writes COCO's format: one JSON file",
        description="Convert images annotated in a tool that writes COCO's JSON: polygons or run lengths. "
        "Where areas overlap the later one wins.",
        example="cervseg_convert coco --annotations instances.json --images images -d 107 --name Neck",
    )
    made.add_argument("--annotations", type=Path, required=True, metavar="FILE", help="the JSON file")
    made.add_argument(
        "--images", type=Path, metavar="DIR", help="folder of images (default: that of the JSON file)"
    )
    made.add_argument("--test-annotations", type=Path, metavar="FILE", help="JSON file of test images")
    _add_drawn(made)


def _add_drawn(made: CommandParser) -> None:
    made.add_argument("--test-images", type=Path, metavar="DIR", help="folder of the test images")
    made.add_argument(
        "--labels",
        nargs="+",
        metavar="NAME[=VALUE]",
        help="labels to use, numbered in this order or by their values (default: all labels)",
    )
    made.add_argument(
        "--rename",
        nargs="+",
        metavar="ANNOTATED=NAME",
        help="rename labels, or join them under one name: molar1=molar molar2=molar",
    )
    add_auxiliary(made)
    add_common(made)


def _stylus_tracings(options: argparse.Namespace) -> Source[Any]:
    from cervseg.convert.stylus.source import StylusTracings

    if options.test_images is not None and options.test_tracings is None:
        raise CervsegError("--test-images needs --test-tracings")
    return StylusTracings(
        tracings=options.tracings,
        images=options.images,
        test_tracings=options.test_tracings,
        test_images=options.test_images,
        label=options.label,
        edge=options.edge,
    )


def _show_tracings(options: argparse.Namespace, report: ConversionReport[TracedImage]) -> None:
    """Draw the previews and list the doubtful images."""
    from cervseg.convert.stylus.source import traced_images

    images = traced_images(report.cases)
    if not options.no_preview:
        from cervseg.cli.tracing_sheets import write_sheets

        sheets = write_sheets(report.folder, images)
        more = f" and the {len(sheets) - 1} after it" if len(sheets) > 1 else ""
        print(f"check the masks: {sheets[0]}{more}")
    for image in images:
        if image.doubts:
            print(f"doubtful: {image.case}: {'; '.join(image.doubts)}")


def _csxa_atlas(options: argparse.Namespace) -> Source[Any]:
    from cervseg.convert.csxa import CsxaAtlas

    return CsxaAtlas(
        images=options.images,
        keypoints=options.keypoints,
        masks=options.masks,
        test_masks=options.test_masks,
        labelling=labelling(options, default="spinous_process"),
        table=_table(options),
        name_pattern=options.name_pattern,
    )


def _table(options: argparse.Namespace) -> ImageTable | None:
    from cervseg.convert.table import Columns, read_table

    wanted = (options.spacing_column, options.sex_column, options.age_column)
    if options.table is None:
        if any(wanted) or options.id_column:
            raise CervsegError("columns are named, but --table is missing")
        return None
    if options.id_column is None or not any(wanted):
        raise CervsegError(
            "--table needs --id-column and at least one other column",
            hint="Add, for instance, --id-column No --spacing-column 'pixel size'",
        )
    columns = Columns(
        id=options.id_column,
        spacing=options.spacing_column,
        sex=options.sex_column,
        age=options.age_column,
    )
    return read_table(options.table, columns)


def _labelme_folder(options: argparse.Namespace) -> Source[Any]:
    from cervseg.convert.labelme import LabelMeFolder

    return LabelMeFolder(**_drawn(options))


def _coco_file(options: argparse.Namespace) -> Source[Any]:
    from cervseg.convert.coco import CocoFile

    return CocoFile(**_drawn(options))


def _drawn(options: argparse.Namespace) -> dict[str, Any]:
    if options.test_images is not None and options.test_annotations is None:
        raise CervsegError("--test-images needs --test-annotations")
    return {
        "annotations": options.annotations,
        "images": options.images,
        "test_annotations": options.test_annotations,
        "test_images": options.test_images,
        "labels": read_numbered_labels(options.labels, auxiliary=options.auxiliary),
        "rename": read_renamed(options.rename),
        "auxiliary": tuple(options.auxiliary),
    }
