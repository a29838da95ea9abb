"""Explanations of a network: attention rollout, the attention of one point, Grad-CAM (Fig. 8)."""
