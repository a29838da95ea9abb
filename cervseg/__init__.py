"""cervseg: self-configuring segmentation of cervical spinous processes on lateral radiographs.

Research software, not a medical device. Start reading at :mod:`cervseg.pipeline`.
"""

__version__ = "0.1.0"
