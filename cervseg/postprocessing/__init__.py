"""Postprocessing: from probabilities in the network frame to a mask on the image grid."""
