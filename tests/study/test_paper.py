import pytest

from cervseg.core.errors import PluginError
from cervseg.core.registry import TRAINERS, available
from cervseg.study.paper import ABLATIONS, GROUPS, PUBLISHED, TITLES, title_of, trainers_of


def test_groups_are_expanded_in_order_and_once() -> None:
    """The five systems first; CervSpineNet, which is in every group, once."""
    found = trainers_of(["systems", "losses"])
    assert found[:5] == GROUPS["systems"]
    assert found.count("CervSpineNetTrainer") == 1
    assert len(found) == 9


def test_every_trainer_of_the_paper_is_installed_titled_and_published() -> None:
    """Every name in the tables is an installed trainer."""
    names = trainers_of(["paper"])
    assert len(names) == 12
    assert set(names) <= set(available(TRAINERS))
    assert set(names) == set(TITLES) == set(PUBLISHED["original"])
    assert set(PUBLISHED["clahe"]) == set(PUBLISHED["augmented"]) == set(names) - ABLATIONS


def test_published_means_are_the_papers() -> None:
    """A few values of Tables 1 to 5, copied by hand."""
    assert PUBLISHED["original"]["CervSpineNetTrainer"]["Dice"] == 0.9315
    assert PUBLISHED["clahe"]["CervSpineNetTrainer"]["HD95"] == 2.6561
    assert PUBLISHED["augmented"]["SAMTrainer"]["VS"] == 0.8435
    assert PUBLISHED["original"]["PureCNNBasicTrainer"]["HD95"] == 33.9749
    assert PUBLISHED["original"]["CervSpineNetDiceSSIMTrainer"]["SSIM"] == 0.9832


def test_unknown_name_gets_suggestions() -> None:
    """The hint names similar trainers and all groups."""
    with pytest.raises(PluginError, match=r"CervSpineNetTrainer.*groups: systems"):
        trainers_of(["CervSpinNetTrainer"])


def test_title_names_oracle_points() -> None:
    """The title of a trainer tells that its points come from the reference; a plug-in has a title too."""
    assert title_of("SAMTrainer", oracle_points=True) == "SAM (oracle points)"
    assert title_of("MyTrainer") == "My"
