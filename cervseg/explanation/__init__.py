"""What a network looked at: attention rollout, the attention of one point, Grad-CAM (Fig. 8)."""
