"""Text-guided SegFormer (paper, 2.5.4): a MiT encoder from ImageNet, modulated by a text embedding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import nn

from cervseg.core.types import NetworkSpec, Plan
from cervseg.networks.imagenet import load_imagenet
from cervseg.networks.segformer import TextSegFormer
from cervseg.networks.text import DEFAULT_PROMPTS, MINILM, embed_text, text_dim
from cervseg.training.trainer import Trainer


class TextSegFormerTrainer(Trainer):
    """Trains SegFormer with the planned MiT (published: at 512 x 512, encoder size not stated).

    ``text_encoder`` and ``prompts`` of the plan define the text embedding, see
    :func:`cervseg.networks.text.embed_text`. The paper uses MedCLIP; its embedding can be a .npy file.
    """

    configuration: ClassVar[str] = "2d_segformer"

    def network_spec(self, plan: Plan) -> NetworkSpec:
        """Return SegFormer with the plan's encoder and width and the length of the text embedding."""
        sizes = dict(self.configured(plan).network)
        sizes.pop("prompts", None)
        sizes["text_dim"] = text_dim(sizes.pop("text_encoder", MINILM))
        return NetworkSpec(name="text_segformer", arguments={**self.shape_arguments(plan), **sizes})

    def start(self, network: nn.Module, plan: Plan, *, pretrained: bool) -> Mapping[str, str | None]:
        """ImageNet weights for the encoder, and the text embedding, which is frozen.

        Args:
            network: SegFormer.
            plan: as the trainer sees it.
            pretrained: False for a random encoder; the text embedding is always computed.

        Raises:
            CheckpointError: the weights cannot be downloaded, or the text embedding cannot be read.
            PlanError: there is no prompt.
        """
        assert isinstance(network, TextSegFormer)
        sizes = self.configured(plan).network
        text = embed_text(sizes.get("text_encoder", MINILM), sizes.get("prompts", DEFAULT_PROMPTS))
        network.set_text(text.vector_D)
        encoder = load_imagenet(network.encoder, name=sizes["encoder"]) if pretrained else None
        return {"encoder": encoder, "text": text.source}
