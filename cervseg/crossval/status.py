"""The state of a fold: untrained, interrupted, stopped by time or complete."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from cervseg.core.folders import FoldFolder
from cervseg.core.jsonio import read_dataclass
from cervseg.training.engine import FitResult
from cervseg.training.logbook import Logbook


class FoldState(Enum):
    """How far a fold is; the last two are validated."""

    UNTRAINED = "untrained"
    INTERRUPTED = "interrupted"
    STOPPED_BY_TIME = "stopped by time"
    COMPLETE = "complete"


@dataclass(frozen=True, kw_only=True)
class FoldStatus:
    """The state of one fold.

    Args:
        fold: a number or "all".
        state: how far it is.
        epochs: completed epochs.
        max_epochs: planned epochs; None where they are not recorded.
    """

    fold: str
    state: FoldState
    epochs: int = 0
    max_epochs: int | None = None

    @property
    def is_finished(self) -> bool:
        """Whether the fold is trained and validated, in full or until its time was over."""
        return self.state in (FoldState.STOPPED_BY_TIME, FoldState.COMPLETE)

    def __str__(self) -> str:
        of = "" if self.max_epochs is None else f" of {self.max_epochs}"
        if self.state is FoldState.COMPLETE:
            return f"fold {self.fold}: complete, {self.epochs} epochs"
        if self.state is FoldState.STOPPED_BY_TIME:
            return f"fold {self.fold}: stopped by time at epoch {self.epochs}{of}"
        if self.state is FoldState.INTERRUPTED:
            return f"fold {self.fold}: interrupted after epoch {self.epochs}{of}"
        return f"fold {self.fold}: untrained"

    @property
    def hint(self) -> str:
        """How to train the fold further; empty where the same command does."""
        if self.state is FoldState.COMPLETE:
            return "train further with -c and more epochs, or retrain with --restart"
        if self.state is FoldState.STOPPED_BY_TIME:
            return "continue with -c, or retrain with --restart"
        return ""


def fold_status(folder: FoldFolder, *, max_epochs: int | None = None) -> FoldStatus:
    """Read the state of a fold from its folder.

    Args:
        folder: of the fold; it need not exist.
        max_epochs: epochs planned now, for a fold that is not finished.
    """
    if folder.finished.is_file():
        result = read_dataclass(FitResult, folder.finished)
        state = FoldState.STOPPED_BY_TIME if result.stopped_by_time else FoldState.COMPLETE
        return FoldStatus(fold=folder.fold, state=state, epochs=result.epochs, max_epochs=result.max_epochs)
    if folder.latest.is_file():
        rows = Logbook(path=folder.log).rows()
        epochs = rows[-1]["epoch"] + 1 if rows else 0
        return FoldStatus(fold=folder.fold, state=FoldState.INTERRUPTED, epochs=epochs, max_epochs=max_epochs)
    return FoldStatus(fold=folder.fold, state=FoldState.UNTRAINED, max_epochs=max_epochs)
