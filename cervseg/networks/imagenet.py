"""ImageNet weights for an encoder, through segmentation_models_pytorch's own loader."""

from __future__ import annotations

from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
from segmentation_models_pytorch.encoders import encoders, get_encoder
from torch import nn

from cervseg.core.errors import CheckpointError, one_line

WEIGHTS_FILE = "model.safetensors"


def load_imagenet(encoder: nn.Module, *, name: str) -> str:
    """Fill a three-channel ``encoder`` with its ImageNet weights; returns which these are.

    The library fetches them once and keeps them in its own cache.

    Args:
        encoder: built by the library, full depth; any output stride.
        name: the library's name of it, such as "resnet50" or "mit_b2".

    Raises:
        CheckpointError: they are not in the cache, and their server cannot be reached.
    """
    published = encoders[name]["pretrained_settings"]["imagenet"]
    repository, revision = published["repo_id"], published["revision"]
    try:
        _ask_once(repository, revision=revision)
        state = get_encoder(name, weights="imagenet").state_dict()
    except Exception as problem:  # of the system, the HTTP client, the server's or the file's format
        raise CheckpointError(
            f"the ImageNet weights of {name} cannot be fetched ({one_line(_cause(problem))})",
            where=repository,
            hint="Train once online, they are kept; or start from random weights with --from-scratch.",
        ) from problem
    encoder.load_state_dict(state)
    return f"ImageNet weights ({repository}, revision {revision[:8]})"


def _ask_once(repository: str, *, revision: str) -> None:
    """Fail at once where there is no server: the library would ask again for half a minute."""
    if try_to_load_from_cache(repository, WEIGHTS_FILE, revision=revision) is None:
        get_hf_file_metadata(hf_hub_url(repository, WEIGHTS_FILE, revision=revision))


def _cause(problem: BaseException) -> BaseException:
    """The exception that came first."""
    while problem.__cause__ is not None:
        problem = problem.__cause__
    return problem
