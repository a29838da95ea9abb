import numpy as np
import torch
from torch import nn

from cervseg.explain.gradcam import grad_cam


class TwoFeatures(nn.Module):
    """Coarse features: the mean of each 8 x 8 patch, and its negative; the logit is 3 times the first."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(1, 2, 8, stride=8, bias=False)
        self.down.weight.data = torch.stack([torch.ones(1, 8, 8), -torch.ones(1, 8, 8)]) / 64
        self.out = nn.Conv2d(2, 1, 1, bias=False)
        self.out.weight.data = torch.tensor([3.0, 0.0]).view(1, 2, 1, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return nn.functional.interpolate(self.out(self.down(image)), scale_factor=8.0)


class Deep(TwoFeatures):
    """The same, with the coarse convolution last among its size."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        features = self.down(image)
        return nn.functional.interpolate(
            (features * torch.tensor([3.0, 0.0]).view(1, 2, 1, 1)).sum(1, keepdim=True), scale_factor=8.0
        )


def test_by_hand() -> None:
    """The score is the mean logit over k bright patches, so each has the gradient 3 / k in feature 0.

    The weight of feature 0 is that gradient's mean over the 16 places, 3 / k * k / 16 = 3 / 16; of feature 1
    it is 0. The map is 3 / 16 times feature 0, which is 1 in bright patches and 0 elsewhere.
    """
    image = torch.zeros(1, 1, 32, 32)
    image[0, 0, 8:16, 16:32] = 1
    found = grad_cam(Deep(), image)
    expected = np.zeros((4, 4))
    expected[1, 2:] = 3 / 16
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_what_lowers_the_logit_is_not_shown() -> None:
    """A map is never negative, also where nothing is predicted."""
    image = -torch.ones(1, 1, 32, 32)
    image[0, 0, :8] = 0.5
    found = grad_cam(Deep(), image, inside_HW=np.ones((32, 32), bool))
    assert found.min() == 0
    assert found[0].min() > 0
