import functools

import cv2
import numpy as np
import pytest

from cervseg.convert.stylus.outline import inside_of
from cervseg.convert.stylus.redpen import cut_of, red_chroma
from cervseg.convert.stylus.strokes import draw_joints, join_ends, stroke_width
from cervseg.convert.stylus.tracing import read_tracing
from cervseg.phantom.radiograph import PhantomImage, make_phantom
from tests.convert.stylus.traced import Pen, through_jpeg, trace

RED = (255, 0, 0)
SIZES = (500, 700, 900)


@functools.cache
def phantom(seed: int, index: int) -> PhantomImage:
    return make_phantom(seed=seed, index=index, long_side_px=SIZES[index % 3], overlap=False)


def dice(first: np.ndarray, second: np.ndarray) -> float:
    return 2 * int((first & second).sum()) / max(1, int(first.sum()) + int(second.sum()))


def blank(size: tuple[int, int] = (300, 240)) -> np.ndarray:
    return np.random.default_rng(0).integers(40, 200, size).astype(np.uint8)


def ellipse_mask(size: tuple[int, int] = (300, 240)) -> np.ndarray:
    mask = np.zeros(size, np.uint8)
    cv2.ellipse(mask, (120, 150), (60, 25), 30, 0, 360, 1, -1)
    return mask


PENS = {
    "2 px": Pen(width_px=(2, 2)),
    "6 px": Pen(width_px=(6, 6)),
    "2 to 6 px": Pen(width_px=(2, 6)),
    "open": Pen(width_px=(2, 5), gap=0.05),
    "dashed": Pen(width_px=(3, 3), gap=0.08, num_gaps=3),
    "JPEG 95": Pen(width_px=(2, 6), jpeg=95),
    "JPEG 75": Pen(width_px=(2, 6), jpeg=75),
    "JPEG 75, 2 px": Pen(width_px=(2, 2), jpeg=75),
    "pink": Pen(width_px=(2, 4), colour_rgb=(230, 60, 90), jpeg=85),
}


@pytest.mark.parametrize("name", PENS)
def test_masks_come_back_from_tracings_of_phantoms(name: str) -> None:
    """C1 to C7 of three seeds and sizes: mean Dice at least 0.97 for every pen, and none below 0.95."""
    scores = []
    for seed in range(3):
        image = phantom(seed, seed)
        levels = list(image.level_masks.values())
        picture = trace(image.pixels, levels, PENS[name], rng=np.random.default_rng(seed))
        scores.append(dice(read_tracing(picture).mask, np.maximum.reduce(levels)))
    assert np.mean(scores) >= 0.97, scores
    assert min(scores) >= 0.95, scores


@pytest.mark.parametrize("width", [2, 3, 4, 5, 6])
def test_the_edge_is_the_middle_of_the_stroke(width: int) -> None:
    """The area does not depend on the pen; the outer and inner edges are half a width away."""
    mask = ellipse_mask()
    picture = trace(blank(), [mask], Pen(width_px=(width, width)), rng=np.random.default_rng(0))
    middle, outer, inner = (
        int(read_tracing(picture, edge=edge).mask.sum()) for edge in ("middle", "outer", "inner")
    )
    assert abs(middle / mask.sum() - 1) < 0.02
    assert inner < middle < outer
    assert (outer - inner) / cv2.arcLength(contour_of(mask), True) == pytest.approx(width, abs=0.7)


def contour_of(mask: np.ndarray) -> np.ndarray:
    return cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0][0]


def draw_letter(picture: np.ndarray) -> None:
    cv2.line(picture, (30, 30), (30, 54), RED, 3)
    cv2.ellipse(picture, (36, 36), (8, 6), 0, 0, 360, RED, 3)
    cv2.line(picture, (36, 42), (46, 54), RED, 3)


THINGS = {
    "letter R": draw_letter,
    "border": lambda picture: cv2.rectangle(picture, (0, 0), (479, 599), RED, 7),
    "frame": lambda picture: cv2.rectangle(picture, (12, 12), (467, 587), RED, 3),
    "bar": lambda picture: cv2.rectangle(picture, (0, 0), (8, 599), RED, -1),
    "black border": lambda picture: cv2.rectangle(picture, (0, 0), (479, 599), (0, 0, 0), 40),
    "line": lambda picture: cv2.line(picture, (30, 560), (300, 540), RED, 4),
    "arrow": lambda picture: cv2.arrowedLine(picture, (30, 560), (120, 460), RED, 4),
    "dot": lambda picture: cv2.circle(picture, (50, 550), 5, RED, -1),
    "small ring": lambda picture: cv2.circle(picture, (50, 550), 3, RED, 1),
}


@pytest.mark.parametrize("name", THINGS)
@pytest.mark.parametrize("quality", [None, 80])
def test_other_red_things_become_no_masks(name: str, quality: int | None) -> None:
    """Other objects in a screen capture hardly change the mask."""
    mask = ellipse_mask((600, 480))
    picture = trace(blank((600, 480)) // 3 + 60, [mask], Pen(), rng=np.random.default_rng(0))
    plain = read_tracing(picture)
    THINGS[name](picture)
    found = read_tracing(picture if quality is None else through_jpeg(picture, quality))
    assert len(found.areas_px) == 1
    assert dice(found.mask, plain.mask) > 0.98


def test_a_stroke_that_encloses_nothing_is_counted() -> None:
    """A line, and an outline with more than a third missing, give no mask."""
    picture = trace(blank(), [ellipse_mask()], Pen(gap=0.55), rng=np.random.default_rng(0))
    found = read_tracing(picture)
    assert (found.num_open, found.areas_px, int(found.mask.max())) == (1, (), 0)


def test_gaps_are_closed_and_measured() -> None:
    """An outline with a tenth missing is closed; the gap has about that length."""
    mask = ellipse_mask()
    picture = trace(blank(), [mask], Pen(gap=0.1), rng=np.random.default_rng(4))
    found = read_tracing(picture)
    assert dice(found.mask, mask) > 0.95
    assert found.gaps_px[0] == pytest.approx(0.1 * cv2.arcLength(contour_of(mask), True), rel=0.35)


def test_what_the_border_cuts_is_closed_along_it() -> None:
    """Half an ellipse at the image's lower border."""
    mask = ellipse_mask()[:155]
    picture = trace(blank(), [ellipse_mask()], Pen(), rng=np.random.default_rng(0))[:155]
    found = read_tracing(picture)
    assert dice(found.mask, mask) > 0.95
    assert found.touches_border


def test_tracings_that_touch_are_filled_and_pockets_are_told() -> None:
    """Four touching circles enclose an area between them: it is filled and counted."""
    masks = []
    for x, y in ((90, 100), (150, 100), (90, 160), (150, 160)):
        masks.append(np.zeros((300, 240), np.uint8))
        cv2.circle(masks[-1], (x, y), 29, 1, -1)
    picture = trace(blank(), masks, Pen(width_px=(4, 4)), rng=np.random.default_rng(0))
    found = read_tracing(picture)
    assert found.num_between == 1
    assert dice(found.mask, np.maximum.reduce(masks)) > 0.93


def test_nothing_red() -> None:
    """A grey image, also after JPEG, and one with a green tracing."""
    grey = cv2.cvtColor(blank(), cv2.COLOR_GRAY2RGB)
    green = trace(blank(), [ellipse_mask()], Pen(colour_rgb=(0, 255, 0)), rng=np.random.default_rng(0))
    for picture in (grey, through_jpeg(grey, 75), green):
        found = read_tracing(picture)
        assert (found.areas_px, found.num_open, found.num_other) == ((), 0, 0)


def test_chroma_is_the_pens_share_of_a_pixel() -> None:
    """Half red over any grey has half the chroma; hues outside the bands have none."""
    greys = np.array([0, 60, 128, 255])
    mixed = np.stack([(greys + 255) // 2, greys // 2, greys // 2], axis=-1).astype(np.uint8)[np.newaxis]
    np.testing.assert_allclose(red_chroma(mixed)[0], 128, atol=1)
    others = np.array([[[0, 255, 0], [0, 0, 255], [255, 255, 0], [255, 0, 255]]], np.uint8)
    assert not red_chroma(others).any()
    assert cut_of(red_chroma(others)) is None


def test_ends_join_by_hand() -> None:
    """A square ring with a gap of 6 px in one side: one joint across it; a straight line gets none."""
    ring = np.zeros((80, 80), np.uint8)
    ring[19:62, 19:62] = 1
    ring[22:59, 22:59] = 0
    ring[19:22, 37:43] = 0
    labels = ring.astype(np.int32)
    width = stroke_width(ring > 0)
    assert width == pytest.approx(3, abs=0.5)
    (joint,) = join_ends(labels, width_px=width)
    assert {round(joint.start[1]), round(joint.end[1])} == {20}
    assert joint.gap_px == pytest.approx(6, abs=3)
    line = np.zeros((80, 80), np.int32)
    line[40:43, 10:70] = 1
    assert join_ends(line, width_px=3) == []


def test_the_only_end_of_a_picture_is_joined() -> None:
    """Two rings merge where one is open, so the gap has one end: the joint closes the ring there."""
    strokes = np.zeros((90, 60), np.uint8)
    for top in (10, 45):
        strokes[top : top + 30, 10:50] = 1
        strokes[top + 3 : top + 27, 13:47] = 0
    strokes[40:45, 10:13] = 1
    assert join_ends(strokes.astype(np.int32), width_px=3) == []
    strokes[45:48, 13:18] = 0
    (joint,) = join_ends(strokes.astype(np.int32), width_px=3)
    assert joint.start == pytest.approx((20, 46), abs=3)
    drawn = draw_joints(strokes > 0, [joint], width_px=3)
    assert inside_of(drawn, edge="inner")[60, 30]
    assert not inside_of(strokes > 0, edge="inner")[60, 30]


def test_inside_by_hand() -> None:
    """A ring of 9 px around a hole of 11 x 11: half of the ring belongs to the inside."""
    strokes = np.zeros((41, 41), bool)
    strokes[6:35, 6:35] = True
    strokes[15:26, 15:26] = False
    rows = np.flatnonzero(inside_of(strokes, edge="middle")[20])
    assert (rows[0], rows[-1]) == (11, 29)
    assert inside_of(strokes, edge="outer").sum() == 29 * 29
    assert inside_of(strokes, edge="inner").sum() == 11 * 11
