"""Image and mask files; each library is used in one module."""

from cervseg.imageio.channels import read_channels
from cervseg.imageio.image import read_image, read_mask
from cervseg.imageio.listing import RASTER_SUFFIXES, SUFFIXES, list_images, list_other_files, stem_of
from cervseg.imageio.raster import read_colors, write_gray, write_mask

__all__ = [
    "RASTER_SUFFIXES",
    "SUFFIXES",
    "list_images",
    "list_other_files",
    "read_channels",
    "read_colors",
    "read_image",
    "read_mask",
    "stem_of",
    "write_gray",
    "write_mask",
]
