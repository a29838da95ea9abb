"""How a folder of masks was predicted."""

from __future__ import annotations

from cervseg.report.blocks import Block, Facts, Paragraph, Section
from cervseg.report.content import PredictionContent


def prediction_run_section(content: PredictionContent) -> Section:
    """Show the model, its options, and the images that failed."""
    run = content.run
    facts = {
        "model": run.model,
        "networks": str(len(run.checkpoints)),
        "precision": f"{run.precision} on {run.device or 'an unknown device'}",
        "test-time augmentation": "yes" if run.tta else "no",
        "seconds per image": "not measured" if run.image_s is None else f"{run.image_s:.2f}",
        "finished": "yes" if run.finished else "no: the run was interrupted",
    }
    blocks: list[Block] = [Facts(facts=facts)]
    if run.prompts:
        blocks.append(Paragraph(text=f"Prompts: {run.prompts}.", is_warning=True))
    blocks += [Paragraph(text=f"Failed: {reason}", is_warning=True) for reason in run.failed]
    return Section(heading="Prediction", blocks=tuple(blocks))
