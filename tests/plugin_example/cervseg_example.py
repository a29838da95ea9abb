from torch import nn

from cervseg.core.types import NetworkSpec
from cervseg.training.trainer import Trainer


class TinyNet(nn.Module):
    def __init__(self, *, in_channels, num_labels, input_size, width):
        super().__init__()
        layers = [nn.Conv2d(in_channels, width, 3, padding=1)]
        for reach in (2, 4, 8):
            layers += [nn.BatchNorm2d(width), nn.ReLU()]
            layers += [nn.Conv2d(width, width, 3, padding=reach, dilation=reach)]
        self.layers = nn.Sequential(*layers, nn.ReLU(), nn.Conv2d(width, num_labels, 1))

    def forward(self, image_BCHW):
        return self.layers(image_BCHW)


class TinyTrainer(Trainer):
    """Four convolutions of growing dilation, in the frame of the U-Net."""

    configuration = "2d_cnn"
    settings = {"learning_rate": "1e-2"}

    def network_spec(self, plan):
        return NetworkSpec(name="tiny_net", arguments={**self.shape_arguments(plan), "width": 16})
