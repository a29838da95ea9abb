"""Plan a dataset and preprocess its images."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from cervseg.core.errors import DatasetError, one_line
from cervseg.core.jsonio import write_json
from cervseg.core.log import Log, quiet
from cervseg.core.paths import Workspace
from cervseg.core.types import Case, Plan
from cervseg.core.workers import Outcome
from cervseg.dataset.description import list_cases, read_description
from cervseg.dataset.splits import make_folds, write_folds
from cervseg.dataset.verify import verify_dataset
from cervseg.planning.checks import checked_variants
from cervseg.planning.fingerprint import compute_fingerprint
from cervseg.planning.hardware import detect_hardware
from cervseg.planning.planfile import edited, read_plan, user_settings, write_plan
from cervseg.planning.planner import make_plan
from cervseg.planning.recommendation import recommend
from cervseg.planning.table import plan_table
from cervseg.preprocessing.cache import fill_cache
from cervseg.preprocessing.store import CaseStore

_logger = logging.getLogger(__name__)


def plan_and_preprocess(
    dataset: str | int,
    *,
    workspace: Workspace | None = None,
    preset: str = "default",
    settings: Mapping[str, str] | None = None,
    variants: Sequence[str] = ("original",),
    workers: int | None = None,
    replan: bool = False,
    verbose: bool = False,
    progress: bool = True,
    log: Log = quiet,
) -> Plan:
    """Verify a dataset, compute its fingerprint, plan for it and this machine, and preprocess its images.

    A plan that was edited in its file, or made with ``settings``, is kept unless ``replan``, another
    ``preset`` or new ``settings`` are given. An interrupted run is resumed.

    Args:
        dataset: 1, "001" or "Dataset001_Name".
        workspace: by default ``$CERVSEG_ROOT``, else the current folder.
        preset: "default", or "paper" for the published protocol.
        settings: name -> value, replace planned values: ``{"epochs": "5"}``.
        variants: dataset variants to prepare: "original", "clahe", "augmented".
        workers: number of processes; by default one per core.
        replan: discard an edited plan and plan again.
        verbose: log the reasons of every configuration.
        progress: show progress bars.
        log: called with each message.

    Returns:
        The plan, as written to ``plans/``.

    Raises:
        DatasetError: the dataset has errors; the message lists all of them.
        PlanError: a setting or variant is unknown, or a value is invalid.
    """
    workspace = workspace or Workspace.find()
    name = workspace.dataset_name(dataset)
    hardware = detect_hardware()
    workers = workers if workers is not None else hardware.num_cores
    _logger.info("machine: %s", hardware)
    description = read_description(workspace.raw(name))
    cases = list_cases(workspace.raw(name), description, split="Tr")
    for warning in verify_dataset(workspace.raw(name), description, workers=workers, progress=progress):
        log(f"warning: {warning}")

    plan = None if replan or settings else _kept_plan(workspace, name, preset=preset, log=log)
    if plan is not None:
        plan = replace(plan, variants=checked_variants(variants))
    else:
        fingerprint = compute_fingerprint(
            cases,
            labels=description.trained,
            auxiliary=description.auxiliary,
            workers=workers,
            progress=progress,
            spacing_mm=description.spacing_mm,
        )
        write_json(workspace.fingerprint_file(name), fingerprint)
        plan = make_plan(
            description=description,
            fingerprint=fingerprint,
            hardware=hardware,
            preset=preset,
            variants=variants,
            sam_checkpoint=_has_sam_checkpoint(),
            overrides=settings or {},
        )
        write_plan(workspace.plan_file(name), plan)
    log(plan_table(plan, plan.configurations if verbose else None))

    for variant in variants:
        outcomes = fill_cache(
            cases,
            store=CaseStore(folder=workspace.preprocessed(name) / variant),
            variant=variant,
            labels=description.trained,
            cache_long_side_px=plan.cache_long_side_px,
            spacing_mm=description.spacing_mm,
            workers=workers,
            progress=progress,
        )
        _raise_failures(outcomes)
    if not workspace.splits_file(name).is_file():
        write_folds(workspace.splits_file(name), make_folds(cases))
    log(f"{len(cases)} cases are preprocessed in {workspace.preprocessed(name)}")
    start = recommend(plan)
    log(f"recommended: {start.trainer} ({start.reason})")
    return plan


def _kept_plan(workspace: Workspace, name: str, *, preset: str, log: Log) -> Plan | None:
    """Return the existing plan if it has this preset and the user edited it or made it with settings."""
    path = workspace.plan_file(name)
    if not path.is_file():
        return None
    plan = read_plan(path)
    if preset != plan.preset or not (edited(plan) or user_settings(plan)):
        return None
    log(f"keep {path}: it was edited or made with --set (--replan discards it)")
    return plan


def _has_sam_checkpoint() -> bool:
    from cervseg.networks.published import SAM_VIT_B, default_folder  # torch comes with it

    return (default_folder() / SAM_VIT_B.filename).is_file()


def _raise_failures(outcomes: Sequence[Outcome[Case, bool]]) -> None:
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    if failed:
        lines = "\n".join(
            f"  {outcome.item.id}: {one_line(outcome.error)}" for outcome in failed[:20] if outcome.error
        )
        raise DatasetError(f"{len(failed)} case(s) could not be preprocessed:\n{lines}")
