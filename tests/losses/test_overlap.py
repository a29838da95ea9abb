"""Overlap terms: by hand, against MONAI, by finite differences, and on empty targets."""

from __future__ import annotations

import pytest
import torch
from monai.losses import DiceLoss, TverskyLoss
from monai.utils.enums import LossReduction

from cervseg.losses.overlap import EPSILON, BinaryCrossEntropy, FocalTversky, SoftDice


def four_pixels():
    """Create p = (.9, .2, .6, .1) and y = (1, 0, 0, 1): TP = 1.0, FP = 0.8, FN = 1.0."""
    p = torch.tensor([[[[0.9, 0.2], [0.6, 0.1]]]], dtype=torch.float64)
    y = torch.tensor([[[[1.0, 0.0], [0.0, 1.0]]]], dtype=torch.float64)
    return p, y


def test_dice_by_hand():
    """Eq. 8 is 1 - (2 * 1.0 + 1) / (1.8 + 2 + 1)."""
    p, y = four_pixels()
    assert float(SoftDice()(p, y)) == pytest.approx(1 - 3.0 / 4.8)


def test_focal_tversky_by_hand():
    """Eq. 9-11 with T = (1.0 + 1) / (1.0 + 0.75 * 1.0 + 0.3 * 0.8 + 1)."""
    p, y = four_pixels()
    assert float(FocalTversky()(p, y)) == pytest.approx((1 - 2.0 / 2.99) ** 0.75)


def test_missing_costs_more_than_adding():
    """With alpha > beta, false negatives cost more than equally many false positives."""
    y = torch.zeros(1, 1, 20, 20)
    y[..., 5:15, 5:15] = 1
    missed, added = y.clone(), y.clone()
    missed[..., 5:7, 5:15] = 0
    added[..., 3:5, 5:15] = 1
    assert FocalTversky()(missed, y) > FocalTversky()(added, y)


def test_dice_equals_monai():
    """The loss equals MONAI's DiceLoss with the same epsilon."""
    torch.manual_seed(0)
    p, y = torch.rand(3, 2, 16, 12), (torch.rand(3, 2, 16, 12) > 0.7).float()
    expected = DiceLoss(smooth_nr=EPSILON, smooth_dr=EPSILON)(p, y)
    torch.testing.assert_close(SoftDice()(p, y), expected)


def test_focal_tversky_is_a_power_of_monais_tversky():
    """MONAI weights false positives by alpha and false negatives by beta, without an exponent."""
    torch.manual_seed(0)
    p, y = torch.rand(3, 2, 16, 12), (torch.rand(3, 2, 16, 12) > 0.7).float()
    tversky = TverskyLoss(
        alpha=0.3, beta=0.75, smooth_nr=EPSILON, smooth_dr=EPSILON, reduction=LossReduction.NONE
    )
    torch.testing.assert_close(FocalTversky()(p, y), tversky(p, y).pow(0.75).mean())


def test_bce_by_hand():
    """For y = 1 and p = 0.9 the loss is -log(0.9)."""
    logit = torch.logit(torch.tensor([[[[0.9]]]]))
    assert float(BinaryCrossEntropy()(logit, torch.ones(1, 1, 1, 1))) == pytest.approx(0.1053605, abs=1e-6)


@pytest.mark.parametrize("term", [SoftDice(), FocalTversky(), BinaryCrossEntropy()])
def test_gradient_by_finite_differences(term):
    """Autograd agrees with finite differences in float64."""
    torch.manual_seed(0)
    p = (0.1 + 0.8 * torch.rand(2, 2, 4, 5, dtype=torch.float64)).requires_grad_()
    y = (torch.rand(2, 2, 4, 5) > 0.5).double()
    assert torch.autograd.gradcheck(lambda given: term(given, y), p)


def test_perfect_prediction_has_a_finite_gradient():
    """(1 - T)^0.75 has an infinite slope at T = 1; the clamped loss does not."""
    y = torch.zeros(1, 1, 8, 8)
    y[..., 2:5, 2:5] = 1
    p = y.clone().requires_grad_()
    value = FocalTversky()(p, y)
    value.backward()
    assert float(value.detach()) < 1e-3
    assert p.grad.isfinite().all()


@pytest.mark.parametrize("term", [SoftDice(), FocalTversky()])
def test_empty_target(term):
    """For an empty target, an empty prediction costs 0 and the gradient reduces other predictions."""
    y = torch.zeros(1, 1, 8, 8)
    assert float(term(y, y)) == pytest.approx(0, abs=1e-4)
    p = torch.full_like(y, 0.5).requires_grad_()
    term(p, y).backward()
    assert (p.grad > 0).all()
