"""The trainers that are installed."""

from __future__ import annotations

from cervseg.core.paths import Workspace
from cervseg.core.registry import TRAINERS, available, find
from cervseg.planning.planfile import read_plan
from cervseg.trainers.catalogue import TrainerCard, describe_trainers, published_plan


def list_trainers(
    name: str | None = None, *, workspace: Workspace | None = None, dataset: str | int | None = None
) -> list[TrainerCard]:
    """Describe one trainer or all: network, parameters, input, loss, initial weights.

    Args:
        name: of one trainer; by default all.
        workspace: by default ``$CERVSEG_ROOT``, else the current folder.
        dataset: describe them as the plan of this dataset has them; by default at the published sizes.

    Raises:
        PluginError: there is no trainer of that name.
        PlanError: the dataset has no plan.
    """
    names = [find(TRAINERS, name).name] if name is not None else list(available(TRAINERS))
    if dataset is None:
        return describe_trainers(names, published_plan())
    workspace = workspace or Workspace.find()
    return describe_trainers(names, read_plan(workspace.plan_file(workspace.dataset_name(dataset))))
