import subprocess
import sys

import cv2
import pytest

from cervseg.figures.training import progress_figure

FULL = {"loss": 0.5, "val_dice": 0.8, "learning_rate": 1e-4, "seconds": 2.0}


@pytest.mark.parametrize(
    "rows",
    [
        [{"epoch": 0, **FULL, "terms": {"dice": 0.4, "ssim": 0.1}}],
        [{"epoch": e, **FULL, "val_loss": 0.4, "terms": {"dice": 0.5}} for e in range(40)],
        [{"epoch": 0, **FULL, "val_dice": None, "terms": {}}, {"epoch": 1, **FULL, "terms": {"new": 0.0}}],
        [{"epoch": 0, "loss": None, "val_dice": None, "learning_rate": 0.0, "seconds": None}],
    ],
    ids=["one epoch", "many", "gaps", "bare"],
)
def test_progress_figure_is_drawn(rows, tmp_path):
    """Any log gives a picture, also with gaps, and no other file."""
    progress_figure(rows, tmp_path / "progress.png")
    picture = cv2.imread(str(tmp_path / "progress.png"))
    assert picture.shape == (770, 1210, 3)
    assert picture.std() > 5
    assert len(list(tmp_path.iterdir())) == 1


def test_no_rows_no_figure(tmp_path):
    """An empty log draws nothing."""
    progress_figure([], tmp_path / "progress.png")
    assert not list(tmp_path.iterdir())


def test_matplotlib_is_imported_late_and_pyplot_never():
    """Importing the package loads no matplotlib; drawing needs no display and no global state."""
    code = (
        "import sys, pathlib, tempfile; from cervseg.figures.training import progress_figure as draw;"
        "assert 'matplotlib' not in sys.modules and 'torch' not in sys.modules;"
        "draw([dict(epoch=0, loss=1.0)], pathlib.Path(tempfile.mkdtemp()) / 'a.png');"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_prediction_loads_no_matplotlib():
    """Prediction, overlays included, needs OpenCV only."""
    code = "import sys, cervseg.pipeline.predict; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
