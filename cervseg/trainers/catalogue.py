"""The installed trainers, each described with a plan."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import EntryPoint
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from cervseg.core.errors import PlanError, PluginError, one_line
from cervseg.core.registry import TRAINERS, find, load, source_of
from cervseg.core.types import (
    Configuration,
    DatasetDescription,
    Distribution,
    Fingerprint,
    Hardware,
    LabelFingerprint,
    NetworkSpec,
    Plan,
)
from cervseg.networks.base import build_network, num_parameters
from cervseg.planning.planner import make_plan
from cervseg.planning.settings import configure
from cervseg.training.trainer import Trainer

IMAGE_PX = (1200, 1000)  # height and width of the images of an invented dataset
LARGE_GPU = Hardware(
    num_cores=16,
    ram_gib=64.0,
    accelerator="cuda",
    accelerator_name="GPU",
    accelerator_memory_gib=80.0,
    bfloat16=True,
)


@dataclass(frozen=True, kw_only=True)
class TrainerCard:
    """The description of one trainer.

    Args:
        name: that it is registered under.
        source: the package that it comes from, with its version.
        error: why it cannot be used, in one line; the other fields are empty then.
        documentation: its docstring.
        configuration: that it trains with, its own settings included.
        settings: of the trainer, in place of the plan's.
        network: the name of its network.
        arguments: of that network, without channels, labels and input size.
        num_parameters: of the network, frozen ones included.
        loss: the name of a recipe, or a description of the trainer's own loss.
        starts_from: a description of its initial weights.
    """

    name: str
    source: str
    error: str = ""
    documentation: str = ""
    configuration: Configuration | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    network: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    num_parameters: int = 0
    loss: str = ""
    starts_from: str = ""


def describe_trainers(names: Sequence[str], plan: Plan) -> list[TrainerCard]:
    """Describe registered trainers; the description of one that fails has its error.

    Args:
        names: of the trainers.
        plan: to describe them with.
    """
    cards = []
    for name in names:
        point = find(TRAINERS, name)
        try:
            cards.append(_describe(point, plan))
        except Exception as problem:  # a plug-in may fail in any way; it must not hide the others
            cards.append(TrainerCard(name=name, source=source_of(point), error=one_line(problem)))
    return cards


def set_up(
    trainer: str | type[Trainer], plan: Plan, *, settings: Mapping[str, str] = MappingProxyType({})
) -> tuple[Trainer, Plan]:
    """Create a trainer and apply its settings, then ``settings``, to its configuration of the plan.

    Args:
        trainer: the class, or the name that it is registered under.
        plan: of the dataset.
        settings: name -> value, as for ``--set``.

    Returns:
        The trainer and the plan as it sees it.

    Raises:
        PluginError: the trainer is missing, cannot be imported or is not a Trainer.
        PlanError: the plan lacks its configuration, or a setting is unknown or invalid.
    """
    made = load(TRAINERS, trainer) if isinstance(trainer, str) else trainer
    if not (isinstance(made, type) and issubclass(made, Trainer)):
        raise PluginError("not a Trainer", where=made, hint="It must subclass cervseg's Trainer")
    name = made.configuration
    if name not in plan.configurations:
        raise PlanError(
            f"the plan has no configuration {name!r}, which {made.__name__} needs",
            hint=f"It has {', '.join(plan.configurations)}; cervseg_plan_and_preprocess --replan plans all",
        )
    configuration = configure(plan.configurations[name], {**made.settings, **settings})
    return made(), replace(plan, configurations={**plan.configurations, name: configuration})


def published_plan() -> Plan:
    """Return a plan with the published sizes: the preset "paper" for invented images on a large GPU."""
    description = DatasetDescription(
        name="Dataset001_Invented",
        channel_names=("xray",),
        labels={"background": 0, "spinous_process": 1},
        num_training=400,
        file_ending=".png",
    )
    return make_plan(
        description=description,
        fingerprint=invented_fingerprint(description),
        hardware=LARGE_GPU,
        preset="paper",
        sam_checkpoint=True,
    )


def invented_fingerprint(description: DatasetDescription) -> Fingerprint:
    """Return the fingerprint of 8-bit images of one size with a labelled area of 2 %."""
    height, width = IMAGE_PX
    label = LabelFingerprint(
        num_cases=description.num_training,
        area_fraction=_always(0.02),
        num_components=_always(6),
        component_area_px=_always(0.02 / 6 * height * width),
        thickness_px=_always(height / 30),
    )
    return Fingerprint(
        num_cases=description.num_training,
        num_channels=len(description.channel_names),
        height_px=_always(height),
        width_px=_always(width),
        aspect=_always(height / width),
        spacing_mm=None,
        num_with_spacing=0,
        bit_depth=8,
        intensity=_always(90),
        intensity_percentile_0_5=0.0,
        intensity_percentile_99_5=255.0,
        labels=dict.fromkeys(description.trained, label),
        num_empty_masks=0,
    )


def _describe(point: EntryPoint, plan: Plan) -> TrainerCard:
    trainer, plan = set_up(point.name, plan)
    configuration, spec = trainer.configured(plan), trainer.network_spec(plan)
    return TrainerCard(
        name=point.name,
        source=source_of(point),
        documentation=inspect.getdoc(type(trainer)) or "",
        configuration=configuration,
        settings=trainer.settings,
        network=spec.name,
        arguments={
            name: value for name, value in spec.arguments.items() if name not in trainer.shape_arguments(plan)
        },
        num_parameters=num_parameters(_outline(spec)),
        loss=_in_words(trainer, "loss") or configuration.loss,
        starts_from=_first_weights(trainer, plan),
    )


def _outline(spec: NetworkSpec) -> nn.Module:
    """Build a network without memory for its weights, where its library supports that."""
    try:
        with torch.device("meta"):
            return build_network(spec)
    except PluginError:  # some read a weight while they build
        return build_network(spec)


def _first_weights(trainer: Trainer, plan: Plan) -> str:
    published = trainer.pretrained(plan)
    if published is not None:
        return f"{published.filename} if downloaded, else random weights"
    return _in_words(trainer, "start") or "random weights"


def _in_words(trainer: Trainer, hook: str) -> str:
    """Return the first line of the docstring of a trainer's own hook; empty for the base class's."""
    own = getattr(type(trainer), hook)
    if own is getattr(Trainer, hook):
        return ""
    return (inspect.getdoc(own) or f"its own {hook}()").splitlines()[0].rstrip(".")


def _always(value: float) -> Distribution:
    return Distribution(minimum=value, median=value, mean=value, maximum=value, standard_deviation=0.0)
