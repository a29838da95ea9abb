"""The progress bar of a training."""

from __future__ import annotations

from types import TracebackType

from tqdm import tqdm

from cervseg.core.progress import progress_bar
from cervseg.networks.checkpoint import Progress
from cervseg.training.stopping import Clock

_STEPS = "{desc} | {percentage:.0f}% | {elapsed}, {remaining} left"


class TrainingBar:
    """``train fold 0 | epoch 12/100 | loss 0.123 | val Dice 0.91 | 12% | 01:02, 07:31 left``.

    It counts batches, or, where the time is limited, the seconds of this call. The estimate of the time left
    follows the mean speed since the call began, validation included.

    Args:
        fold: a number or "all".
        epochs: planned, all calls together.
        num_batches: of one epoch.
        progress: where this call begins.
        clock: of the training.
    """

    def __init__(self, *, fold: str, epochs: int, num_batches: int, progress: Progress, clock: Clock) -> None:
        self._name, self._epochs, self._clock = f"train fold {fold}", epochs, clock
        total, unit, layout = float(epochs * num_batches), "batch", _STEPS
        done = progress.epoch * num_batches + progress.batch
        if clock.limit_s is not None:
            total, unit, layout, done = clock.limit_s, "s", _time_layout(clock.limit_s), 0
        self._bar = progress_bar(
            total=total, label=self._name, unit=unit, log=True, done=done, layout=layout, smoothing=0
        )

    def __enter__(self) -> TrainingBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def update(self, progress: Progress, *, loss: float) -> None:
        """Count one batch of the epoch ``progress.epoch``.

        Args:
            progress: with the best Dice so far.
            loss: of the batch.
        """
        parts = [self._name, f"epoch {progress.epoch + 1}/{self._epochs}", f"loss {loss:.3f}"]
        if progress.dice is not None:
            parts.append(f"val Dice {progress.dice:.2f}")
        self._bar.set_description_str(" | ".join(parts), refresh=False)
        limit_s = self._clock.limit_s
        self._bar.update(1 if limit_s is None else min(self._clock.call_s, limit_s) - self._bar.n)


def _time_layout(limit_s: float) -> str:
    return f"{{desc}} | {{elapsed}} of {tqdm.format_interval(limit_s)}"
