import pytest

from cervseg.networks.checkpoint import Progress
from cervseg.training.bar import TrainingBar
from cervseg.training.stopping import Clock


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err.strip().split("\r")[-1].strip()


def test_a_bar_counts_batches(capsys: pytest.CaptureFixture[str]) -> None:
    """Three of four batches done, one of them by an earlier call: fold, epoch, loss, Dice and share."""
    progress = Progress(epoch=0, batch=1)
    bar = TrainingBar(
        fold="0", epochs=2, num_batches=2, progress=progress, clock=Clock(already_s=9.0, limit_s=None)
    )
    with bar:
        bar.update(progress, loss=0.5)
        bar.update(Progress(epoch=1, dice=0.912), loss=0.1234)
    line = last_line(capsys)
    assert line.startswith("train fold 0 | epoch 2/2 | loss 0.123 | val Dice 0.91 | 75% | 00:0")
    assert line.endswith("left")


def test_a_bar_counts_the_time_of_its_call(capsys: pytest.CaptureFixture[str]) -> None:
    """With a limit it shows the time of this call and the limit, not a share of 500 epochs."""
    bar = TrainingBar(
        fold="all",
        epochs=500,
        num_batches=2,
        progress=Progress(),
        clock=Clock(already_s=900.0, limit_s=1200.0),
    )
    with bar:
        bar.update(Progress(), loss=0.5)
    line = last_line(capsys)
    assert line.startswith("train fold all | epoch 1/500 | loss 0.500 | 00:0")
    assert line.endswith("of 20:00")
