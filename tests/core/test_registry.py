import subprocess
import sys

import pytest

from cervseg.core.errors import PluginError
from cervseg.core.registry import NETWORKS, TRAINERS, available, load


def test_the_built_in_plug_ins_use_the_same_door() -> None:
    """CervSpineNet and its baseline are found as anybody's plug-ins are."""
    assert {"CervSpineNetTrainer", "UNetTrainer"} <= set(available(TRAINERS))
    assert {"cervspinenet", "unet"} <= set(available(NETWORKS))


def test_a_wrong_name_suggests_the_nearest() -> None:
    """A slip of the pen is answered with the right name."""
    with pytest.raises(PluginError, match="CervSpineNetTrainer"):
        load(TRAINERS, "CervSpinNetTrainer")


def test_listing_imports_no_torch() -> None:
    """Plug-ins are listed without importing them."""
    code = "import sys, cervseg.core.registry as r; r.available(r.TRAINERS); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
