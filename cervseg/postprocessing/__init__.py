"""From probabilities in the network frame to a mask on the image's grid."""
