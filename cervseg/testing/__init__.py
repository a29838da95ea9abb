"""For authors of plug-ins: does a trainer, or a network, keep what the rest of cervseg counts on?

``check_trainer(MyTrainer)`` and ``check_network(MyNet)`` in a test of yours are all it takes. They run on a
processor in seconds, fetch nothing, and raise :class:`BrokenPromiseError` at the first broken promise.
"""

from cervseg.testing.images import tiny_dataset
from cervseg.testing.network import BrokenPromiseError, check_network
from cervseg.testing.trainer import PROMISES, Trial, check_trainer

__all__ = ["PROMISES", "BrokenPromiseError", "Trial", "check_network", "check_trainer", "tiny_dataset"]
