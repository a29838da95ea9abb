"""The union of levels: its probability, and a loss that forgives the wrong level more than a miss."""

from __future__ import annotations

import torch

from cervseg.losses.compound import build_loss
from cervseg.losses.levels import LevelsLoss, union_logit


def test_the_union_is_the_complement_of_none() -> None:
    """sigmoid(union) = 1 - prod(1 - p), also where the logits are extreme; gradients are finite."""
    logits = torch.randn(2, 7, 5, 4, dtype=torch.float64) * 3
    expected = 1 - (1 - logits.sigmoid()).prod(dim=1, keepdim=True)
    assert torch.allclose(union_logit(logits).sigmoid(), expected, atol=1e-12)
    extreme = torch.tensor([-200.0, 0.0, 200.0]).view(1, 1, 1, 3).expand(1, 7, 1, 3).clone().requires_grad_()
    union = union_logit(extreme)
    union.sum().backward()
    assert union.isfinite().all()
    assert extreme.grad is not None
    assert extreme.grad.isfinite().all()


def test_one_level_is_its_own_union() -> None:
    """With one level the loss is the given one: there is no choice of level."""
    logits, target = torch.randn(2, 1, 8, 8), (torch.rand(2, 1, 8, 8) > 0.5).float()
    plain = build_loss("bce_dice")
    terms = LevelsLoss(plain, num_levels=1)(logits, target)
    assert terms.pop("level") == 0
    for name, value in terms.items():
        torch.testing.assert_close(value, plain(logits, target)[name])


def test_a_wrong_level_costs_less_than_a_miss() -> None:
    """C6 called C5 costs less than C6 called nothing; an auxiliary label is not part of the union."""
    target = torch.zeros(1, 3, 8, 8)
    target[:, 1, 2:6, 2:6] = 1
    loss = LevelsLoss(build_loss("bce_dice"), num_levels=2, level_weight=0.0)

    def cost(plane: int | None) -> float:
        logits = torch.full((1, 3, 8, 8), -6.0)
        if plane is not None:
            logits[:, plane, 2:6, 2:6] = 6.0
        return float(torch.stack(list(loss(logits, target).values())).sum())

    assert cost(1) < cost(0)
    single = build_loss("bce_dice")
    missed = torch.full((1, 3, 8, 8), -6.0)
    wrong = missed.clone()
    wrong[:, 0, 2:6, 2:6] = 6.0
    extra = cost(0) - 0.5 * float(torch.stack(list(single(wrong, target).values())).sum())
    lost = cost(None) - 0.5 * float(torch.stack(list(single(missed, target).values())).sum())
    assert extra < 0.05 < lost  # the union's part of the cost
    assert cost(2) > cost(0)


def test_undecided_levels_cost() -> None:
    """Two equal levels satisfy the union, but cost log 2 in the term "level"."""
    target = torch.zeros(1, 2, 8, 8)
    target[:, 1, 2:6, 2:6] = 1
    loss = LevelsLoss(build_loss("bce_dice"), num_levels=2, level_weight=1.0)
    undecided = torch.where(target.amax(1, keepdim=True) > 0, 2.0, -6.0).expand(1, 2, 8, 8)
    torch.testing.assert_close(loss(undecided, target)["level"], torch.tensor(2.0).log())
    assert loss(torch.where(target > 0, 6.0, -6.0), target)["level"] < 1e-4
    assert loss(undecided, torch.zeros_like(target))["level"] == 0
