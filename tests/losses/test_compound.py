"""Weighted sums of loss terms: Eq. 14, precision, names, edge cases."""

from __future__ import annotations

import pytest
import torch

from cervseg.core.errors import PlanError
from cervseg.losses.boundary import HausdorffSurrogate
from cervseg.losses.compound import LOSSES, CompoundLoss, build_loss
from cervseg.losses.overlap import FocalTversky, SoftDice
from cervseg.losses.structure import StructuralSimilarity


def batch():
    """Create logits and a target, 2 x 1 x 24 x 20."""
    torch.manual_seed(0)
    target = torch.zeros(2, 1, 24, 20)
    target[0, 0, 5:12, 6:14] = 1
    return torch.randn(2, 1, 24, 20), target


def test_equation_14():
    """The loss is 0.5 Dice + 0.3 focal Tversky + 0.1 Hausdorff + 0.1 SSIM."""
    logits, target = batch()
    p = logits.sigmoid()
    expected = {
        "dice": 0.5 * SoftDice()(p, target),
        "focal_tversky": 0.3 * FocalTversky()(p, target),
        "hausdorff": 0.1 * HausdorffSurrogate()(p, target),
        "ssim": 0.1 * StructuralSimilarity()(p, target),
    }
    actual = build_loss("cervspinenet")(logits, target)
    assert list(actual) == list(expected)
    for name, value in expected.items():
        torch.testing.assert_close(actual[name], value)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("filled", [None, 0.0, 1.0])
def test_every_loss_is_finite_with_finite_gradients(name, filled):
    """Values and gradients are finite on mixed, empty and full targets, also for extreme logits."""
    logits, target = batch()
    if filled is not None:
        target = torch.full_like(target, filled)
    for scale in (1.0, 100.0):
        given = (scale * logits).requires_grad_()
        terms = build_loss(name)(given, target)
        assert set(terms) == set(LOSSES[name])
        torch.stack(list(terms.values())).sum().backward()
        assert all(value.isfinite() and value.ndim == 0 for value in terms.values())
        assert given.grad.isfinite().all()


def test_float32_under_autocast():
    """Logits of reduced precision are converted to float32 before sums."""
    logits, target = batch()
    exact = build_loss("cervspinenet")(logits.bfloat16().float(), target)
    with torch.autocast("cpu", torch.bfloat16):
        actual = build_loss("cervspinenet")(logits.bfloat16(), target)
    for name, value in actual.items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, exact[name])


def test_gradient_of_the_sum_by_finite_differences():
    """Autograd of Eq. 14 agrees with finite differences in float64, away from the threshold."""
    torch.manual_seed(0)
    target = (torch.rand(1, 1, 12, 12) > 0.5).double()
    logits = torch.where(torch.rand(1, 1, 12, 12) > 0.5, 1.0, -1.5).double().requires_grad_()
    loss = build_loss("cervspinenet")
    assert torch.autograd.gradcheck(
        lambda given: torch.stack(list(loss(given, target).values())).sum(), logits
    )


def test_wrong_names_and_shapes():
    """Unknown losses and terms are errors that list the valid names; different shapes are an error."""
    with pytest.raises(PlanError, match=r"(?s)unknown loss 'dise'.*cervspinenet"):
        build_loss("dise")
    with pytest.raises(PlanError, match=r"(?s)unknown loss term 'iou'.*hausdorff"):
        CompoundLoss({"iou": 1.0})
    with pytest.raises(PlanError, match="without terms"):
        CompoundLoss({})
    with pytest.raises(ValueError, match="differ"):
        build_loss("bce")(torch.zeros(1, 1, 4, 4), torch.zeros(1, 2, 4, 4))
