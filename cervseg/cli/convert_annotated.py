"""cervseg_convert stylus, csxa, labelme and coco: their options and calls."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cervseg.cli.command_parser import CommandParser
from cervseg.cli.convert_options import (
    add_common,
    add_mask_labels,
    common,
    renamed,
    sub_command,
    value_names,
)
from cervseg.core.errors import CervsegError

if TYPE_CHECKING:
    from cervseg.convert.stylus import StylusReport

_Sources = argparse._SubParsersAction


def add_stylus(sources: _Sources[CommandParser]) -> None:
    """Red tracings."""
    made = sub_command(
        sources,
        "stylus",
        _convert_stylus,
        summary="images on which outlines were traced in red",
        description="Convert images on which outlines were traced in red, as on a tablet: strokes are found\n"
        "by their hue, open ones are closed, and their inside becomes the mask. Pictures of all masks are\n"
        "put in the dataset's folder preview/, the doubtful ones first: look at them before you train.",
        example="cervseg_convert stylus --tracings traced --images images -d 103 --name Neck",
    )
    made.add_argument(
        "--tracings", type=Path, required=True, metavar="DIR", help="folder of the traced images"
    )
    made.add_argument(
        "--images",
        type=Path,
        metavar="DIR",
        help="folder of the same images without tracings, of the same names (without it the traced pictures "
        "are the images, which is good for a trial only)",
    )
    made.add_argument("--test-tracings", type=Path, metavar="DIR", help="held-out images, traced")
    made.add_argument(
        "--test-images", type=Path, metavar="DIR", help="the same without tracings (default: --images)"
    )
    made.add_argument("--label", default="spinous_process", help="what is traced (default: spinous_process)")
    made.add_argument(
        "--edge",
        choices=("middle", "outer", "inner"),
        default="middle",
        help="where a mask ends: on the middle of the stroke (default), or on its outer or inner side",
    )
    made.add_argument("--no-preview", action="store_true", help="draw no pictures of the masks")
    add_common(made)


def add_csxa(sources: _Sources[CommandParser]) -> None:
    """The Cervical Spine X-ray Atlas."""
    made = sub_command(
        sources,
        "csxa",
        _convert_csxa,
        summary="the Cervical Spine X-ray Atlas: images and key points",
        description="Convert the Cervical Spine X-ray Atlas: images with their 23 key points, which are kept "
        "in landmarks/. The atlas has no masks: images that have one in --masks are for training, all others "
        "become imagesTs. Pixel sizes, sex and age come from a table whose columns you name.",
        example="cervseg_convert csxa --images datasets-PNG --keypoints datasets-JSON --masks masks -d 104 "
        "--name CSXA\n    --table atlas.csv --id-column No --spacing-column 'pixel size'",
    )
    made.add_argument("--images", type=Path, required=True, metavar="DIR", help="folder of images")
    made.add_argument(
        "--keypoints", type=Path, metavar="DIR", help="folder of the JSON files (default: as --images)"
    )
    made.add_argument("--masks", type=Path, metavar="DIR", help="folder of masks, named like the images")
    made.add_argument(
        "--test-masks", type=Path, metavar="DIR", help="masks of held-out images, into labelsTs"
    )
    add_mask_labels(made, required=False)
    made.add_argument(
        "--table",
        "--spacing-table",
        dest="table",
        type=Path,
        metavar="FILE",
        help="a CSV file, one row an image",
    )
    made.add_argument("--id-column", metavar="NAME", help="its column of the images' names or numbers")
    made.add_argument("--spacing-column", metavar="NAME", help="its column of mm a pixel")
    made.add_argument("--sex-column", metavar="NAME", help="its column of the patients' sex")
    made.add_argument("--age-column", metavar="NAME", help="its column of their age in years")
    made.add_argument(
        "--name-pattern",
        metavar="REGEX",
        help=r"sex and age in the images' names: '\d{4}(?P<sex>\d)(?P<age>\d\d)'",
    )
    add_common(made)


def add_labelme(sources: _Sources[CommandParser]) -> None:
    """LabelMe."""
    made = sub_command(
        sources,
        "labelme",
        _convert_polygons,
        summary="images annotated in LabelMe: one JSON file an image",
        description="Convert images annotated in LabelMe: polygons, rectangles, circles and masks. Where\n"
        "shapes overlap the later one wins; a shape with the label 'background' takes away again.",
        example="cervseg_convert labelme --annotations json --images images -d 105 --name Neck\n"
        "  cervseg_convert labelme --annotations json -d 106 --name Teeth\n"
        "    --labels incisor canine molar1=molar molar2=molar",
    )
    made.add_argument(
        "--annotations", type=Path, required=True, metavar="DIR", help="folder of the JSON files"
    )
    made.add_argument(
        "--images", type=Path, metavar="DIR", help="folder of images (default: as the JSON files state)"
    )
    made.add_argument("--test-annotations", type=Path, metavar="DIR", help="JSON files of held-out images")
    _add_drawn(made)


def add_coco(sources: _Sources[CommandParser]) -> None:
    """COCO."""
    made = sub_command(
        sources,
        "coco",
        _convert_polygons,
        summary="images annotated in a tool that writes COCO: one JSON file",
        description="Convert images annotated in a tool that writes COCO's JSON: polygons or run lengths.\n"
        "Where areas overlap the later one wins.",
        example="cervseg_convert coco --annotations instances.json --images images -d 107 --name Neck",
    )
    made.add_argument("--annotations", type=Path, required=True, metavar="FILE", help="the JSON file")
    made.add_argument(
        "--images", type=Path, metavar="DIR", help="folder of images (default: the JSON file's own)"
    )
    made.add_argument("--test-annotations", type=Path, metavar="FILE", help="JSON file of held-out images")
    _add_drawn(made)


def _add_drawn(made: CommandParser) -> None:
    made.add_argument("--test-images", type=Path, metavar="DIR", help="folder of the held-out images")
    made.add_argument(
        "--labels",
        nargs="+",
        metavar="NAME",
        help="labels to take, in the order of their numbers; ANNOTATED=NAME renames or joins (default: all)",
    )
    add_common(made)


def _convert_stylus(options: argparse.Namespace) -> object:
    from cervseg.convert.stylus import convert_stylus

    if options.test_images is not None and options.test_tracings is None:
        raise CervsegError("needs --test-tracings too", where="--test-images")
    report = convert_stylus(
        tracings=options.tracings,
        images=options.images,
        test_tracings=options.test_tracings,
        test_images=options.test_images,
        label=options.label,
        edge=options.edge,
        **common(options),
    )
    if not options.no_preview:
        _draw_previews(report)
    for image in report.doubtful:
        print(f"doubtful: {image.case}: {'; '.join(image.doubts)}")
    return report


def _draw_previews(report: StylusReport) -> None:
    from cervseg.cli.tracing_sheets import write_sheets

    sheets = write_sheets(report, report.folder / "preview")
    print(f"look at {sheets[0]}" + (f" and the {len(sheets) - 1} after it" if len(sheets) > 1 else ""))


def _convert_csxa(options: argparse.Namespace) -> object:
    from cervseg.convert.csxa import convert_csxa
    from cervseg.convert.table import Columns, read_table

    wanted = (options.spacing_column, options.sex_column, options.age_column)
    if options.table is None and (any(wanted) or options.id_column):
        raise CervsegError("columns are named, but no table", where="--table")
    table = None
    if options.table is not None:
        if options.id_column is None or not any(wanted):
            raise CervsegError(
                "needs --id-column and at least one other column", where="--table", hint="See --help."
            )
        columns = Columns(
            id=options.id_column,
            spacing=options.spacing_column,
            sex=options.sex_column,
            age=options.age_column,
        )
        table = read_table(options.table, columns)
    return convert_csxa(
        images=options.images,
        keypoints=options.keypoints,
        masks=options.masks,
        test_masks=options.test_masks,
        labels=value_names(options.labels),
        label=options.label or "spinous_process",
        table=table,
        name_pattern=options.name_pattern,
        **common(options),
    )


def _convert_polygons(options: argparse.Namespace) -> object:
    from cervseg.convert.polygons import convert_polygons

    if options.test_images is not None and options.test_annotations is None:
        raise CervsegError("needs --test-annotations too", where="--test-images")
    return convert_polygons(
        file_format=options.source,
        annotations=options.annotations,
        images=options.images,
        test_annotations=options.test_annotations,
        test_images=options.test_images,
        labels=renamed(options.labels),
        **common(options),
    )
