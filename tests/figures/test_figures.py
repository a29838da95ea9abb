"""The figures of a study, checked through matplotlib's objects."""

import math
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from cervseg.core.errors import DatasetError
from cervseg.core.scores import CaseScore, Summary
from cervseg.figures.annotation_time import ManualTime, read_manual_times, time_figure
from cervseg.figures.cases import Frame, ShownCase, frames_of, typical_cases
from cervseg.figures.cost import SystemCost, cost_figure
from cervseg.figures.distributions import distribution_figure
from cervseg.figures.error_maps import error_maps
from cervseg.figures.explanations import explanation_panel
from cervseg.figures.qualitative import EXTRA_RGB, HIT_RGB, MISSED_RGB, qualitative_panel
from cervseg.figures.style import COLOURS, panel_titles, save_figure
from cervseg.figures.training import training_curves

NOTE = "The images are phantoms."


def drawn(figure: Figure) -> Figure:
    figure.canvas.draw()
    return figure


def foot(figure: Figure) -> str:
    return figure.get_supxlabel().replace("\n", " ")


def assert_texts_inside(figure: Figure) -> None:
    """No label is cut by the edge of the figure."""
    width, height = figure.canvas.get_width_height()
    for axis in figure.axes:
        box = axis.get_tightbbox()
        assert box is not None
        assert box.x0 >= -1
        assert box.y0 >= -1
        assert box.x1 <= width + 1
        assert box.y1 <= height + 1


def assert_marks_inside(axis: Axes, points: np.ndarray, radius_pt: float) -> None:
    """Every mark is whole: its center is at least its radius away from the sides of the axes."""
    radius = radius_pt * axis.figure.dpi / 72
    places = axis.transData.transform(points)
    box = axis.get_window_extent()
    assert places[:, 0].min() - radius >= box.x0
    assert places[:, 0].max() + radius <= box.x1
    assert places[:, 1].min() - radius >= box.y0
    assert places[:, 1].max() + radius <= box.y1


def summary_of(dice: dict[str, float | None]) -> Summary:
    scores = tuple(CaseScore(case=case, metrics={"bone": {"Dice": value}}) for case, value in dice.items())
    return Summary(
        labels={"bone": 1},
        scores=scores,
        foreground_mean={},
        mean={},
        std={},
        undefined={},
        missed={},
        invented={},
    )


def shown_case(case: str, *, shape: tuple[int, int] = (120, 90), probabilities: bool = True) -> ShownCase:
    """A reference of 20 x 20 pixels; the prediction is shifted by 5 columns."""
    reference, prediction = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    reference[40:60, 30:50] = 1
    prediction[40:60, 35:55] = 1
    return ShownCase(
        case=case,
        image=np.tile(np.arange(shape[1], dtype=np.uint8), (shape[0], 1)),
        reference=reference,
        predictions={"U-Net": prediction},
        metrics={"U-Net": {"Dice": 0.75, "HD95": 5.0}},
        probabilities={"U-Net": prediction[None].astype(np.float16)} if probabilities else {},
        remark="best",
    )


def test_distribution() -> None:
    """A panel per variant, only the systems of the variant, a color per system, marks inside the axes."""
    values = [0.0, 0.5, 1.0, None]
    scores = {"original": {"A": values, "B": values}, "augmented": {"B": values}}
    figure = drawn(distribution_figure(scores, metric="Dice", note=NOTE))
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["A  original", "B  augmented"]
    assert [label.get_text() for label in figure.axes[1].get_xticklabels()] == ["B\nn = 3, 1 u"]
    assert figure.axes[0].get_ylabel() == "Dice"
    points = [line for line in figure.axes[0].lines if line.get_linestyle() == "None"]
    assert [line.get_markerfacecolor() for line in points] == list(COLOURS[:2])
    assert figure.axes[1].lines[-1].get_markerfacecolor() == COLOURS[1]
    for line in points:
        assert_marks_inside(figure.axes[0], np.asarray(line.get_xydata()), line.get_markersize() / 2)
    assert foot(figure).endswith(f"{NOTE} Research software, not a medical device.")
    assert_texts_inside(figure)


def test_distribution_of_one_variant() -> None:
    """A single panel has no letter; the label of a long metric name is whole."""
    figure = drawn(distribution_figure({"original": {"A": [3.0]}}, metric="HD95_missed_as_diagonal"))
    assert figure.axes[0].get_title(loc="left") == "original"
    assert figure.axes[0].get_ylabel() == "HD95_missed_as_diagonal (px)"
    assert_texts_inside(figure)


def test_panel_titles() -> None:
    """Letters only for several panels."""
    assert panel_titles(["x"]) == ["x"]
    assert panel_titles(["x", "y"]) == ["A  x", "B  y"]


def test_cost() -> None:
    """A mark per system at its time and Dice; even the mark of a large network is whole."""
    costs = [
        SystemCost(system="small", dice=0.9, image_s=0.01, num_parameters=10_000),
        SystemCost(system="large", dice=0.95, image_s=8.0, num_parameters=90_000_000),
    ]
    figure = drawn(cost_figure(costs, note=NOTE))
    axis = figure.axes[0]
    marks = axis.collections
    assert [tuple(mark.get_offsets()[0]) for mark in marks] == [(0.01, 0.9), (8.0, 0.95)]
    assert [to_hex(mark.get_facecolor()[0]) for mark in marks] == list(COLOURS[:2])
    for mark in marks:
        radius = math.sqrt(float(mark.get_sizes()[0]) / math.pi)
        assert_marks_inside(axis, np.asarray(mark.get_offsets()), radius)
    legend = axis.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["small (0.01 M)", "large (90 M)"]


def test_time() -> None:
    """A bar per rater and system; a second panel only if the times of masks are known."""
    times = [
        ManualTime(rater="R1", case="a", annotation_s=100.0, mask_s=50.0),
        ManualTime(rater="R1", case="b", annotation_s=200.0, mask_s=None),
    ]
    figure = drawn(time_figure(times, {"ViT-B encoder + basic decoder": 1.5}))
    assert [axis.get_title(loc="left") for axis in figure.axes] == [
        "A  annotation\nfastest model: 99.0 % less",
        "B  annotation and mask\nfastest model: 99.0 % less",
    ]
    assert [bar.get_height() for bar in figure.axes[0].patches] == [150.0, 1.5]
    assert [bar.get_height() for bar in figure.axes[1].patches] == [150.0, 1.5]
    assert figure.axes[0].get_yscale() == "log"
    assert_texts_inside(figure)
    alone = time_figure([times[1]], {})
    assert [axis.get_title(loc="left") for axis in alone.axes] == ["annotation"]


def test_read_manual_times(tmp_path: Path) -> None:
    """Times are read from CSV; a missing column and an invalid time are errors."""
    path = tmp_path / "times.csv"
    path.write_text("rater,case,annotation_s,mask_s\nR1,a,10,\n")
    assert read_manual_times(path) == [ManualTime(rater="R1", case="a", annotation_s=10.0, mask_s=None)]
    path.write_text("rater,case,annotation_s\nR1,a,-1\n")
    with pytest.raises(DatasetError, match=r"'-1' is not a time in seconds: .*line 2"):
        read_manual_times(path)
    path.write_text("rater,seconds\nR1,1\n")
    with pytest.raises(DatasetError, match="no annotation times"):
        read_manual_times(path)


def test_qualitative_panel() -> None:
    """Image, reference and systems; correct, extra and missed pixels have their colors; panels align."""
    cases = [shown_case("a"), shown_case("b", shape=(300, 90))]
    figure = drawn(qualitative_panel(cases, note=NOTE))
    axes = np.array(figure.axes).reshape(2, 3)
    assert [axis.get_title() for axis in axes[0]] == ["image", "reference", "U-Net"]
    assert axes[0, 0].get_ylabel() == "best\na"
    assert axes[0, 2].get_xlabel() == "Dice 0.7500"
    colors = axes[0, 2].images[0].get_array().reshape(-1, 3).astype(int)
    for color, opacity in ((EXTRA_RGB, 0.9), (MISSED_RGB, 0.9), (HIT_RGB, 0.5)):
        greys = (colors - opacity * np.array(color)) / (1 - opacity)
        assert (np.ptp(greys, axis=1) < 11).any()
    tops = {round(axis.get_window_extent().y1) for axis in axes[0]}
    assert len(tops) == 1


@pytest.mark.parametrize("probabilities", [True, False])
def test_error_maps(probabilities: bool) -> None:
    """Only wrong pixels are colored; the scale tells what is drawn; panels of unlike cases align."""
    cases = [
        shown_case("a", probabilities=probabilities),
        shown_case("b", shape=(60, 400), probabilities=probabilities),
    ]
    figure = drawn(error_maps(cases, "U-Net", note=NOTE))
    first, second, scale = figure.axes
    error = first.images[1]
    opacity = np.asarray(error.get_alpha())
    assert ((np.asarray(error.get_array()) > 0) == (opacity > 0)).all()
    assert 150 <= (opacity > 0).sum() <= 200  # two stripes of 20 x 5 pixels; distances are 0 on the outline
    expected = "|probability - reference|" if probabilities else "wrong pixel: px to the reference's outline"
    assert scale.get_ylabel() == expected
    assert first.get_title() == "best a"
    assert first.get_xlabel() == "Dice 0.7500, HD95 (px) 5.00"
    assert first.get_window_extent().bounds[3] == pytest.approx(
        second.get_window_extent().bounds[3], rel=0.02
    )


def test_frames_share_a_ratio() -> None:
    """Frames have one aspect ratio and hold every structure; pixels outside the image are filled."""
    cases = [shown_case("a"), shown_case("b", shape=(400, 300))]
    frames, ratio = frames_of(cases)
    assert [frame.height / frame.width for frame in frames] == pytest.approx([ratio, ratio], rel=0.05)
    for case, frame in zip(cases, frames):
        assert frame.crop(case.reference).sum() == case.reference.sum()
    corner = Frame(top=-2, left=-1, height=4, width=3).crop(np.ones((9, 9)), fill=7)
    assert corner.tolist() == [[7, 7, 7], [7, 7, 7], [7, 1, 1], [7, 1, 1]]


def test_explanation_panel() -> None:
    """The image, then each map from its median to its maximum; the point is in its map only."""
    image, mask = np.zeros((50, 40), np.uint8), np.zeros((50, 40), np.uint8)
    mask[10:20, 10:20] = 1
    heat = np.linspace(0, 1, 2000).reshape(50, 40)
    figure = drawn(
        explanation_panel(
            image, mask, {"rollout": heat, "query": heat}, points={"query": (5.0, 7.0)}, note=NOTE
        )
    )
    panels = figure.axes[:3]
    assert [axis.get_title() for axis in panels] == ["image and mask", "rollout", "query"]
    assert [len(axis.lines) for axis in panels] == [0, 0, 2]
    assert panels[2].lines[0].get_xydata().tolist() == [[5.0, 7.0]]
    shown = np.asarray(panels[1].images[1].get_array())
    assert shown.min() == 0
    assert shown.max() == 1
    assert (shown == 0).mean() == pytest.approx(0.5, abs=0.01)
    assert len({round(axis.get_window_extent().y1) for axis in panels}) == 1


def test_training_curves() -> None:
    """Marks at zero and at the last epoch are whole; the best epoch has a star."""
    rows = [
        {
            "epoch": e,
            "loss": 1.0,
            "val_dice": 0.1 * e,
            "learning_rate": 1e-3 * (1 - e / 3),
            "terms": {"a": 1.0, "b": 0.0},
        }
        for e in range(4)
    ]
    figure = drawn(training_curves(rows))
    loss, dice, terms, rate = figure.axes
    for axis in (loss, dice, terms, rate):
        for line in axis.lines:
            if line.get_marker() in ("o", "*"):
                assert_marks_inside(axis, np.asarray(line.get_xydata()), line.get_markersize() / 2)
    star = next(line for line in dice.lines if line.get_marker() == "*")
    assert star.get_xydata().tolist() == [[4.0, pytest.approx(0.3)]]
    assert dice.get_title() == "validation Dice (network frame), best 0.3000 in epoch 4"


def test_save_figure(tmp_path: Path) -> None:
    """PNG of 180 mm at 220 dpi, and SVG with text as text; nothing else is left."""
    written = save_figure(distribution_figure({"original": {"A": [0.5]}}, note=NOTE), tmp_path / "figure")
    assert [path.name for path in written] == ["figure.png", "figure.svg"]
    assert sorted(tmp_path.iterdir()) == sorted(written)
    picture = cv2.imread(str(written[0]))
    assert picture is not None
    assert picture.shape[1] == int(180 / 25.4 * 220)
    texts = [
        element.text for element in ElementTree.parse(written[1]).iter("{http://www.w3.org/2000/svg}text")
    ]
    assert "Dice" in texts


def test_typical_cases() -> None:
    """Best, median and worst by Dice; cases without a Dice are left out; one case is shown once."""
    summary = summary_of({"a": 0.5, "b": 0.9, "c": 0.1, "d": None})
    assert typical_cases(summary) == {"best": "b", "median": "a", "worst": "c"}
    assert typical_cases(summary_of({"a": 0.5})) == {"best": "a"}
    assert typical_cases(summary_of({"d": None})) == {}
