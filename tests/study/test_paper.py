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
    """Nobody in the tables is a name that cannot be trained."""
    names = trainers_of(["paper"])
    assert len(names) == 12
    assert set(names) <= set(available(TRAINERS))
    assert set(names) == set(TITLES) == set(PUBLISHED["original"])
    assert set(PUBLISHED["clahe"]) == set(PUBLISHED["augmented"]) == set(names) - ABLATIONS


def test_published_means_are_the_papers() -> None:
    """A few cells of Tables 1 to 5, by eye."""
    assert PUBLISHED["original"]["CervSpineNetTrainer"]["Dice"] == 0.9315
    assert PUBLISHED["clahe"]["CervSpineNetTrainer"]["HD95"] == 2.6561
    assert PUBLISHED["augmented"]["SAMTrainer"]["VS"] == 0.8435
    assert PUBLISHED["original"]["PureCNNBasicTrainer"]["HD95"] == 33.9749
    assert PUBLISHED["original"]["CervSpineNetDiceSSIMTrainer"]["SSIM"] == 0.9832


def test_a_wrong_name_gets_the_nearest_and_the_groups() -> None:
    """Trainers and groups may both have been meant."""
    with pytest.raises(PluginError, match=r"CervSpineNetTrainer.*Groups: systems"):
        trainers_of(["CervSpinNetTrainer"])


def test_oracle_points_are_said() -> None:
    """Also of a plug-in that nobody here knows."""
    assert title_of("SAMTrainer", oracle=True) == "SAM (oracle points)"
    assert title_of("MyTrainer") == "My"
