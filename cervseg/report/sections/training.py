"""How each fold was trained."""

from __future__ import annotations

from cervseg.core.errors import CervsegError
from cervseg.core.folders import FoldFolder
from cervseg.core.jsonio import read_dataclass
from cervseg.report.blocks import Block, Plot, Section, TableBlock
from cervseg.report.content import ModelContent
from cervseg.tables.table import Table
from cervseg.training.engine import FitResult
from cervseg.training.logbook import Logbook

_COLUMNS = ("fold", "epochs", "best epoch", "minutes", "state")


def training_section(content: ModelContent) -> Section:
    """Show epochs, time and state of each fold, and its curves."""
    planned = content.configuration.hyperparameters.epochs
    rows = tuple(_row(fold, planned) for fold in content.folds)
    table = Table(name="", title="", note="", columns=_COLUMNS, rows=rows)
    blocks: list[Block] = [TableBlock(table=table)]
    for fold in content.folds:
        if fold.progress_figure.is_file():
            caption = f"{fold.name}: loss, validation Dice, share of each loss term, learning rate"
            blocks.append(Plot(path=fold.progress_figure, caption=caption))
    return Section(heading="Training", blocks=tuple(blocks))


def epochs_text(fold: FoldFolder, planned: int) -> str:
    """Describe how many epochs a fold has run: "13 of 100 epochs, stopped by the time limit".

    Args:
        fold: the fold.
        planned: epochs of its configuration.
    """
    _, epochs, _, _, state = _row(fold, planned)
    return f"{epochs} epochs, {state}"


def _row(fold: FoldFolder, planned: int) -> tuple[str, ...]:
    try:
        result = read_dataclass(FitResult, fold.finished)
    except CervsegError:
        done = len(Logbook(path=fold.log).rows())
        return (fold.name, f"{done} of {planned}", "-", "-", "not finished")
    planned = planned if result.max_epochs is None else result.max_epochs
    # Files of cervseg 0.1 do not tell; there, only the time limit ended a training early.
    is_cut = result.stopped_by_time or (result.max_epochs is None and result.epochs < planned)
    return (
        fold.name,
        f"{result.epochs} of {planned}",
        str(result.best_epoch + 1),
        f"{result.elapsed_s / 60:.1f}",
        "stopped by the time limit" if is_cut else "finished",
    )
