"""SSIM term: against MONAI, for one window by hand, by finite differences."""

from __future__ import annotations

import pytest
import torch
from monai.losses import SSIMLoss

from cervseg.losses.structure import C1, C2, StructuralSimilarity


def test_equals_monai():
    """Value and gradient equal those of MONAI's SSIMLoss."""
    torch.manual_seed(0)
    p = torch.rand(2, 2, 40, 33, requires_grad=True)
    y = (torch.rand(2, 2, 40, 33) > 0.6).float()
    actual = StructuralSimilarity()(p, y)
    (mine,) = torch.autograd.grad(actual, p)
    # MONAI averages over planes one by one, as we do over all at once.
    expected = SSIMLoss(spatial_dims=2, data_range=1.0)(p, y)
    (theirs,) = torch.autograd.grad(expected, p)
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(mine, theirs, atol=1e-7, rtol=1e-3)


def test_one_window_by_hand():
    """For a constant 11 x 11 p and a y of ones, only the luminance term contributes."""
    p, y = torch.full((1, 1, 11, 11), 0.5), torch.ones(1, 1, 11, 11)
    expected = 1 - (2 * 0.5 + C1) / (0.25 + 1 + C1) * (C2 / C2)
    assert float(StructuralSimilarity()(p, y)) == pytest.approx(expected, abs=1e-5)


def test_gradient_by_finite_differences():
    """Autograd agrees with finite differences in float64."""
    torch.manual_seed(0)
    p = torch.rand(1, 2, 12, 13, dtype=torch.float64, requires_grad=True)
    y = (torch.rand(1, 2, 12, 13) > 0.5).double()
    assert torch.autograd.gradcheck(lambda given: StructuralSimilarity()(given, y), p)


@pytest.mark.parametrize("filled", [0.0, 1.0])
def test_empty_and_full_masks(filled):
    """The loss is 0 for equal maps and has finite gradients for different ones."""
    y = torch.full((1, 1, 16, 16), filled)
    assert float(StructuralSimilarity()(y, y)) == pytest.approx(0, abs=1e-4)
    p = torch.full_like(y, 0.5).requires_grad_()
    StructuralSimilarity()(p, y).backward()
    assert p.grad.isfinite().all()


def test_maps_smaller_than_the_window_are_refused():
    """Maps smaller than the window are an error that gives the minimum size."""
    with pytest.raises(ValueError, match="11 x 11"):
        StructuralSimilarity()(torch.zeros(1, 1, 10, 20), torch.zeros(1, 1, 10, 20))
