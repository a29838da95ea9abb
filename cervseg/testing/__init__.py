"""Contract checks of trainers and networks, for authors of plug-ins.

Call ``check_trainer(MyTrainer)`` or ``check_network(MyNet)`` in a test. They run on a CPU in seconds,
download nothing, and raise :class:`BrokenPromiseError` at the first check that fails.
"""

from cervseg.testing.images import tiny_dataset
from cervseg.testing.network import BrokenPromiseError, check_network
from cervseg.testing.trainer import PROMISES, Trial, check_trainer

__all__ = ["PROMISES", "BrokenPromiseError", "Trial", "check_network", "check_trainer", "tiny_dataset"]
