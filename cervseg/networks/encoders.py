"""Encoders that DeepLabV3+ and SegFormer support. Without torch, so that plans can check their names."""

from __future__ import annotations

RESNET_ENCODERS = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
MIT_ENCODERS = ("mit_b0", "mit_b1", "mit_b2", "mit_b3", "mit_b4", "mit_b5")
