"""List of the installed trainers."""

from __future__ import annotations

from cervseg.core.paths import Workspace
from cervseg.core.registry import TRAINERS, available, find
from cervseg.planning.planfile import read_plan
from cervseg.trainers.catalogue import TrainerCard, describe_trainers, published_plan


def list_trainers(
    name: str | None = None, *, workspace: Workspace | None = None, dataset: str | int | None = None
) -> list[TrainerCard]:
    """Describe one trainer or all: network, number of parameters, input size, loss and initial weights.

    Args:
        name: name of a trainer; by default all are described.
        workspace: the workspace; by default ``$CERVSEG_ROOT``, else the current folder.
        dataset: number or name of a dataset whose plan sets the sizes; by default the published sizes.

    Raises:
        PluginError: the trainer is unknown.
        PlanError: the dataset has no plan.
    """
    names = [find(TRAINERS, name).name] if name is not None else list(available(TRAINERS))
    if dataset is None:
        return describe_trainers(names, published_plan())
    workspace = workspace or Workspace.find()
    return describe_trainers(names, read_plan(workspace.plan_file(workspace.dataset_name(dataset))))
