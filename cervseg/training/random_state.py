"""The state of torch's random generators: dropout and stochastic depth draw from them.

Data augmentation has its own generators, seeded by (seed, epoch, position); numpy's global generator is not
used anywhere.
"""

from __future__ import annotations

import torch

from cervseg.networks.checkpoint import RandomState


def random_state(device: torch.device) -> RandomState:
    """Return the state of the CPU's generator and, on CUDA and MPS, of the device's."""
    own = None if device.type == "cpu" else torch.get_device_module(device).get_rng_state(device)
    return RandomState(cpu=torch.get_rng_state(), device=own, device_type=device.type)


def set_random_state(state: RandomState, device: torch.device) -> None:
    """Restore the generators; the state of another type of device is left out."""
    torch.set_rng_state(state.cpu)
    if state.device is not None and state.device_type == device.type:
        torch.get_device_module(device).set_rng_state(state.device, device)
