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
    """The mean of a loss over all labels and the same loss over the union of the levels.

    Args:
        loss: a module (logits, target) -> weighted terms by name.
        num_levels: the first planes, which are levels; the other planes are auxiliary labels.
    """

    def __init__(self, loss: nn.Module, *, num_levels: int) -> None:
        super().__init__()
        self.loss, self.num_levels = loss, num_levels

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
        single = self.loss(logits_BLHW, target_BLHW)
        return {name: 0.5 * (single[name] + whole[name]) for name in single}
