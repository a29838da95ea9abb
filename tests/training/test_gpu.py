import pytest
import torch

from cervseg.core.types import NetworkSpec
from cervseg.losses.compound import build_loss
from cervseg.networks.base import build_network
from cervseg.training.precision import autocast

SIZES = {
    "embed_dim": 64,
    "depth": 2,
    "num_heads": 2,
    "out_chans": 32,
    "global_attn_indexes": (1,),
    "window_size": 4,
}


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_step_on_the_gpu_agrees_with_the_cpu(precision: str) -> None:
    """Loss and logits of CervSpineNet on CUDA equal the CPU's float32 within the precision's rounding."""
    shape = {"in_channels": 1, "num_labels": 1, "input_size": (128, 96)}
    torch.manual_seed(0)
    network = build_network(NetworkSpec(name="cervspinenet", arguments={**shape, **SIZES}))
    image, target = torch.randn(2, 1, 128, 96), (torch.rand(2, 1, 128, 96) > 0.9).float()
    loss = build_loss("cervspinenet")
    with torch.no_grad():
        expected = network(image)
    device = torch.device("cuda")
    network, loss = network.to(device), loss.to(device)
    with autocast(device, precision):
        logits = network(image.to(device))
    terms = loss(logits, target.to(device))
    torch.stack(list(terms.values())).sum().backward()
    tolerance = 1e-3 if precision == "float32" else 5e-2
    torch.testing.assert_close(logits.float().cpu(), expected, atol=tolerance, rtol=tolerance)
    assert all(parameter.grad is not None for parameter in network.parameters())
