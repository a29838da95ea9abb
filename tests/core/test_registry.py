import subprocess
import sys
from importlib.metadata import EntryPoint, version

import pytest

from cervseg.core import registry
from cervseg.core.errors import PluginError
from cervseg.core.registry import NETWORKS, TRAINERS, available, find, load, register, source_of


def test_the_built_in_plug_ins_use_the_same_door() -> None:
    """CervSpineNet and its baseline are found like the plug-ins of other packages."""
    assert {"CervSpineNetTrainer", "UNetTrainer"} <= set(available(TRAINERS))
    assert {"cervspinenet", "unet"} <= set(available(NETWORKS))


def test_a_wrong_name_suggests_the_nearest() -> None:
    """A misspelt name is answered with the right one."""
    with pytest.raises(PluginError, match="CervSpineNetTrainer"):
        load(TRAINERS, "CervSpinNetTrainer")


def test_listing_imports_no_torch() -> None:
    """Plug-ins are listed without importing them."""
    code = "import sys, cervseg.core.registry as r; r.available(r.TRAINERS); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_where_a_plug_in_is_from() -> None:
    """A package with its version; a module where no package is known."""
    assert source_of(find(TRAINERS, "UNetTrainer")) == f"cervseg {version('cervseg')}"
    assert source_of(EntryPoint(name="T", value="my_module:T", group=TRAINERS)) == "my_module"


def test_registered_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registered class is listed and loaded like that of a package; a name is used only once."""
    monkeypatch.setattr(registry, "_registered", {TRAINERS: {}, NETWORKS: {}})
    register(NETWORKS, "my_net", Mine)
    assert load(NETWORKS, "my_net") is Mine
    assert available(NETWORKS)["my_net"].value == f"{__name__}:Mine"
    register(NETWORKS, "my_net", Mine)
    with pytest.raises(PluginError, match="'unet' is taken"):
        register(NETWORKS, "unet", Mine)


def test_an_unknown_network_says_where_it_may_be_from() -> None:
    """The name often comes from a checkpoint, of a plug-in that is not installed or of a file."""
    with pytest.raises(PluginError, match="install the plug-in that it is from, or give its --trainer-file"):
        load(NETWORKS, "my_net")


class Mine:
    """A registered name can stand for any object."""


def test_a_name_like_none_lists_the_command() -> None:
    """Without a similar name the hint is the command that lists the trainers."""
    with pytest.raises(PluginError) as caught:
        find(TRAINERS, "xyz")
    assert caught.value.hint == "cervseg_trainers lists all trainers."
