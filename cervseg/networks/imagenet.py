"""ImageNet weights of encoders, loaded by segmentation_models_pytorch."""

from __future__ import annotations

from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
from segmentation_models_pytorch.encoders import encoders, get_encoder
from torch import nn

from cervseg.core.errors import CheckpointError, one_line

WEIGHTS_FILE = "model.safetensors"


def load_imagenet(encoder: nn.Module, *, name: str) -> str:
    """Load ImageNet weights into an encoder of three channels.

    The library downloads the weights once and keeps them in its own cache.

    Args:
        encoder: encoder built by the library with full depth, any output stride; changed in place.
        name: the library's name of the encoder, such as "resnet50" or "mit_b2".

    Returns:
        Name and revision of the weights.

    Raises:
        CheckpointError: the weights are not in the cache and cannot be downloaded, or are broken.
    """
    published = encoders[name]["pretrained_settings"]["imagenet"]
    repository, revision = published["repo_id"], published["revision"]
    try:
        _ask_once(repository, revision=revision)
        state = get_encoder(name, weights="imagenet").state_dict()
    except Exception as problem:  # raised by the system, the HTTP client or the file's parser
        raise CheckpointError(
            f"the ImageNet weights of {name} cannot be downloaded ({one_line(_cause(problem))})",
            where=repository,
            hint="Train once online to cache them, or train from scratch with --from-scratch",
        ) from problem
    encoder.load_state_dict(state)
    return f"ImageNet weights ({repository}, revision {revision[:8]})"


def _ask_once(repository: str, *, revision: str) -> None:
    """Fail at once if the server cannot be reached; the library would retry for half a minute."""
    if try_to_load_from_cache(repository, WEIGHTS_FILE, revision=revision) is None:
        get_hf_file_metadata(hf_hub_url(repository, WEIGHTS_FILE, revision=revision))


def _cause(problem: BaseException) -> BaseException:
    """Return the first exception of a chain."""
    while problem.__cause__ is not None:
        problem = problem.__cause__
    return problem
