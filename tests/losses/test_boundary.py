"""Distance maps against SciPy, Eq. 12, and scale, gradient and edge cases of the surrogate."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt

from cervseg.losses.boundary import HausdorffSurrogate, boundary_distance, distance_maps, hausdorff_dt


def ellipses(side, *, shift=0.0):
    """Draw six ellipses in an image of ``side`` px, 1 x 1 x side x side; ``shift`` is a share of the side."""
    mask, scale = np.zeros((side, side), np.uint8), 16 * side
    for level in range(6):
        centre = (round((0.6 + shift) * scale), round((0.15 + 0.13 * level) * scale))
        axes = (round(0.07 * scale), round(0.02 * scale))
        cv2.ellipse(mask, centre, axes, 20, 0, 360, 1, -1, cv2.LINE_8, 4)
    return torch.from_numpy(mask)[None, None].float()


def brute_force(mask):
    """Compute the distance to the nearest boundary pixel plus half a pixel."""
    padded = np.pad(mask, 1, mode="edge")
    middle = padded[1:-1, 1:-1]
    beside = np.zeros(mask.shape, bool)
    for neighbour in (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]):
        beside |= neighbour != middle
    return distance_transform_edt(~beside) + 0.5


@pytest.mark.parametrize("seed", range(3))
def test_distance_equals_scipy(seed):
    """Distances equal SciPy's exact Euclidean distances on random and on smooth masks."""
    rng = np.random.default_rng(seed)
    noisy = (rng.random((37, 53)) > 0.9).astype(np.uint8)
    smooth = (cv2.GaussianBlur(rng.random((120, 90)), (0, 0), 6) > 0.5).astype(np.uint8)
    for mask in (noisy, smooth):
        np.testing.assert_allclose(boundary_distance(mask), brute_force(mask), atol=1e-3)


def test_distance_by_hand():
    """Distances to a step between columns 1 and 2 of four equal those by hand."""
    mask = np.array([[0, 0, 1, 1]] * 3, np.uint8)
    np.testing.assert_allclose(boundary_distance(mask), [[1.5, 0.5, 0.5, 1.5]] * 3)


def test_distance_without_boundary_is_the_diagonal():
    """For empty and full masks, all distances equal the diagonal."""
    for mask in (np.zeros((3, 4), np.uint8), np.ones((3, 4), np.uint8)):
        np.testing.assert_allclose(boundary_distance(mask), 5.0)


def test_equation_12_by_hand():
    """For steps two columns apart, |D_p - D_y| averages as by hand; for equal masks it is 0."""
    y = torch.tensor([[0.0, 0, 0, 1, 1, 1]]).repeat(4, 1)[None, None]
    p = torch.tensor([[0.2, 0.7, 0.9, 0.9, 0.6, 0.8]]).repeat(4, 1)[None, None]
    d_y = np.array([2.5, 1.5, 0.5, 0.5, 1.5, 2.5])
    d_p = np.array([0.5, 0.5, 1.5, 2.5, 3.5, 4.5])
    assert float(hausdorff_dt(p, y)) == pytest.approx(np.abs(d_p - d_y).mean())
    assert float(hausdorff_dt(y, y)) == 0
    assert not hausdorff_dt(p.requires_grad_(), y).requires_grad


def test_surrogate_by_hand():
    """mean((p - y)^2 (D_p + D_y)) in units of the side equals the value by hand."""
    y = torch.tensor([[0.0, 0, 1, 1]]).repeat(4, 1)[None, None]
    p = torch.tensor([[0.0, 0.8, 1, 1]]).repeat(4, 1)[None, None]
    field = np.array([1.5, 0.5, 0.5, 1.5]) + np.array([0.5, 0.5, 1.5, 2.5])
    expected = (np.array([0, 0.8, 0, 0]) ** 2 * field).mean() / (0.25 * 4)
    assert float(HausdorffSurrogate(unit=0.25, reach=10.0)(p, y)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("error", [0.01, 0.1])
def test_the_same_shape_scores_the_same_at_512_and_1024(error):
    """Shifts by 1 % and 10 % of the side cost the same at both sizes, within 5 %."""
    values = []
    for side in (512, 1024):
        y = ellipses(side)
        p = 0.05 + 0.9 * ellipses(side, shift=error)
        values.append(float(HausdorffSurrogate()(p, y)))
    assert values[0] > 0
    assert values[1] == pytest.approx(values[0], rel=0.05)


def test_far_errors_cost_more_than_near_ones():
    """Equally many wrong pixels cost more far from the target than next to it."""
    y = torch.zeros(1, 1, 200, 200)
    y[..., 90:100, 80:120] = 1
    near, far = y.clone(), y.clone()
    near[..., 100:102, 90:96] = 1
    far[..., 20:22, 90:96] = 1
    assert HausdorffSurrogate()(far, y) > HausdorffSurrogate()(near, y)


def test_gradient_by_finite_differences():
    """Autograd agrees with finite differences that do not cross the threshold."""
    torch.manual_seed(0)
    y = (torch.rand(1, 2, 6, 7) > 0.5).double()
    p = torch.where(torch.rand(1, 2, 6, 7) > 0.5, 0.8, 0.2).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda given: HausdorffSurrogate(unit=0.1, reach=0.5)(given, y), p)


@pytest.mark.parametrize("filled", [0.0, 1.0])
def test_empty_and_full_masks(filled):
    """The loss is finite, 0 for a correct prediction, and its gradient reduces the error."""
    y = torch.full((1, 1, 16, 16), filled)
    assert float(HausdorffSurrogate()(y, y)) == 0
    p = torch.full_like(y, 0.5)
    p[..., 4:8, 4:8] = 0.9 - 0.8 * filled
    p.requires_grad_()
    value = HausdorffSurrogate()(p, y)
    value.backward()
    assert math.isfinite(float(value.detach()))
    assert ((p.grad > 0) if filled == 0 else (p.grad < 0)).all()
    assert hausdorff_dt(p, y).isfinite()


def test_maps_keep_the_shape_of_planes():
    """Each plane has its own distance map."""
    planes = torch.zeros(2, 3, 8, 8, dtype=torch.bool)
    planes[1, 2, 2:5, 2:5] = True
    maps = distance_maps(planes)
    assert maps.shape == planes.shape
    np.testing.assert_allclose(maps[1, 2].numpy(), boundary_distance(planes[1, 2].numpy().astype(np.uint8)))
    assert float(distance_maps(planes, limit_px=2.0).max()) == 2.0
