"""A loss over levels and over their union: which level it is matters less than whether it is one."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

_SMALLEST = 1e-6  # lower limit of S: the logarithm of 0 has no gradient


def union_logit(logits_BLHW: torch.Tensor) -> torch.Tensor:
    """Compute the logit of "any of these labels" from the logits of independent labels.

    P = 1 - prod(1 - p_l) = 1 - exp(-S) with S = sum softplus(z_l), so its logit is log(exp(S) - 1).

    Args:
        logits_BLHW: float, any range.

    Returns:
        B x 1 x H x W, of the same dtype.
    """
    total_BHW = functional.softplus(logits_BLHW).sum(dim=1, keepdim=True).clamp_min(_SMALLEST)
    return total_BHW + torch.log(-torch.expm1(-total_BHW))


class LevelsLoss(nn.Module):
    """The mean of a loss over all labels and the same over the union of the levels, plus a term "level".

    The union alone is satisfied by seven levels of .3 each. The term "level" asks which level it is: the
    cross-entropy of the softmax over the levels, mean over the pixels of the structure.

    Args:
        loss: a module (logits, target) -> weighted terms by name.
        num_levels: the first planes, which are levels; the other planes are auxiliary labels.
        level_weight: weight of the term "level".
    """

    def __init__(self, loss: nn.Module, *, num_levels: int, level_weight: float = 0.25) -> None:
        super().__init__()
        self.loss, self.num_levels, self.level_weight = loss, num_levels, level_weight

    def forward(self, logits_BLHW: torch.Tensor, target_BLHW: torch.Tensor) -> dict[str, torch.Tensor]:
        """Compute the weighted terms, as the given loss does.

        Args:
            logits_BLHW: float, any range.
            target_BLHW: float {0, 1}, the same shape.
        """
        levels_BLHW = logits_BLHW[:, : self.num_levels].float()
        union_B1HW = target_BLHW[:, : self.num_levels].amax(dim=1, keepdim=True)
        with torch.autocast(logits_BLHW.device.type, enabled=False):
            whole = self.loss(union_logit(levels_BLHW), union_B1HW)
            which = _level_cross_entropy(levels_BLHW, target_BLHW[:, : self.num_levels], union_B1HW)
        single = self.loss(logits_BLHW, target_BLHW)
        terms = {name: 0.5 * (single[name] + whole[name]) for name in single}
        return {**terms, "level": self.level_weight * which}


def _level_cross_entropy(
    logits_BLHW: torch.Tensor, target_BLHW: torch.Tensor, union_B1HW: torch.Tensor
) -> torch.Tensor:
    """Cross-entropy over the levels, mean over the pixels of the structure; 0 without such pixels."""
    inside = union_B1HW[:, 0] > 0
    if not bool(inside.any()):
        return logits_BLHW.sum() * 0.0
    logits_PL = logits_BLHW.movedim(1, -1)[inside]
    return functional.cross_entropy(logits_PL, target_BLHW.argmax(dim=1)[inside])
