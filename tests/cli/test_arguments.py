from __future__ import annotations

from pathlib import Path

import pytest

from cervseg.cli import arguments
from cervseg.cli.arguments import read_label_values, read_labels, read_settings, read_time
from cervseg.cli.command_parser import CommandParser
from cervseg.core.errors import CervsegError, DatasetError


def train_parser() -> CommandParser:
    """A dataset, a trainer and an option with a value."""
    parser = CommandParser(prog="cervseg_train")
    arguments.add_dataset(parser)
    arguments.add_trainer(parser)
    arguments.add_device(parser)
    return parser


@pytest.mark.parametrize(
    "argv",
    [
        "001 UNetTrainer",
        "001 --device cpu UNetTrainer",
        "-d 001 -tr UNetTrainer",
        "-d 001 UNetTrainer",
        "UNetTrainer -d 001",
        "-tr UNetTrainer 001",
        "001 UNetTrainer -d 001 -tr UNetTrainer",
    ],
)
def test_dataset_and_trainer_are_positional_or_options(argv: str) -> None:
    """All orders and spellings mean the same."""
    options = train_parser().parse_args(argv.split())
    assert (options.dataset, options.trainer) == ("001", "UNetTrainer")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ("1 -d 2", "error: two values for dataset: 2 and 1"),
        ("Dataset001_A -d Dataset001_B", "error: two values for dataset: Dataset001_B and Dataset001_A"),
        ("1 ATrainer -tr BTrainer", "error: two values for trainer: BTrainer and ATrainer"),
        ("-tr ATrainer", "error: no dataset given"),
        ("1 ATrainer more", "error: unrecognized arguments: more"),
    ],
)
def test_contradictions_are_two_lines(argv: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """error: and hint:, and exit code 2; no usage of thirty options."""
    with pytest.raises(SystemExit) as ended:
        train_parser().parse_args(argv.split())
    first, second = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2
    assert first == message
    assert second.startswith("hint: ")


def test_one_dataset_in_two_spellings_is_accepted() -> None:
    """1, 001 and the full name are the same dataset."""
    assert train_parser().parse_args(["1", "-d", "001"]).dataset == "1"
    assert train_parser().parse_args(["Dataset001_Neck", "-d", "1"]).dataset == "Dataset001_Neck"


@pytest.mark.parametrize("argv", ["1 2", "-d 1 2", "1 2 -d 1 2"])
def test_several_datasets(argv: str) -> None:
    """A list, in order."""
    parser = CommandParser()
    arguments.add_dataset(parser, several=True)
    assert parser.parse_args(argv.split()).dataset == ["1", "2"]


def test_several_datasets_that_contradict_each_other() -> None:
    """Different lists are an error."""
    parser = CommandParser()
    arguments.add_dataset(parser, several=True)
    with pytest.raises(SystemExit):
        parser.parse_args(["1", "2", "-d", "1", "3"])


@pytest.mark.parametrize("argv", ["make 7", "make -d 7", "make 7 -d 007"])
def test_a_new_dataset_in_a_sub_command(argv: str) -> None:
    """The number is required; the name has a default."""
    parser = CommandParser()
    command = parser.add_subparsers().add_parser("make", example="make 7")
    arguments.add_new_dataset(command, name="Phantom")
    options = parser.parse_args(argv.split())
    assert (int(options.dataset), options.name) == (7, "Phantom")
    with pytest.raises(SystemExit):
        parser.parse_args(["make"])


def test_a_dataset_that_may_be_missing() -> None:
    """The dataset is None if it is not needed; a number alone is a dataset."""
    parser = CommandParser()
    arguments.add_trainer(parser)
    arguments.add_dataset(parser, required=False)
    assert parser.parse_args([]).dataset is None
    assert parser.parse_args(["7"]).dataset == "7"
    assert parser.parse_args(["UNetTrainer", "-d", "7"]).trainer == "UNetTrainer"


def test_which_model() -> None:
    """-m, or dataset, trainer and variant; folds as texts."""
    parser = CommandParser()
    arguments.add_model(parser)
    arguments.add_folds(parser)
    options = parser.parse_args(
        ["-m", "model", "-d", "1", "-tr", "UNetTrainer", "--variant", "clahe", "-f", "0", "all"]
    )
    assert options.model == Path("model")
    assert (options.dataset, options.trainer, options.variant) == ("1", "UNetTrainer", "clahe")
    assert options.folds == ["0", "all"]
    assert parser.parse_args([]).folds is None


def test_nnunets_spellings() -> None:
    """-np, -device, --npz, -c and --c mean what they mean in nnU-Net."""
    parser = CommandParser()
    arguments.add_workers(parser)
    arguments.add_device(parser)
    arguments.add_probabilities(parser)
    arguments.add_continue(parser, "resume")
    options = parser.parse_args(["-np", "3", "-device", "cuda:1", "--npz", "-c"])
    assert (options.workers, options.device) == (3, "cuda:1")
    assert (options.save_probabilities, options.resume) == (True, True)
    options = parser.parse_args(["--c", "--save-probabilities", "--workers", "2", "--device", "cpu"])
    assert (options.workers, options.device) == (2, "cpu")
    assert (options.save_probabilities, options.resume) == (True, True)


def test_help_has_groups_in_one_order() -> None:
    """The groups are the same in every command; empty ones do not show."""
    parser = CommandParser(prog="cervseg_train", description="Train.", example="cervseg_train 1")
    for add in (arguments.add_root, arguments.add_device, arguments.add_settings, arguments.add_variant):
        add(parser)
    text = parser.format_help()
    places = [
        text.index(f"\n{title}:\n") for title in ("model", "training", "computing", "general", "example")
    ]
    assert places == sorted(places)
    assert "computing:" not in CommandParser(prog="x").format_help()


def test_descriptions_are_wrapped() -> None:
    """Descriptions are wrapped by paragraph."""
    text = CommandParser(prog="x", description="word " * 60 + "\n\nmore\nwords").format_help()
    assert max(map(len, text.splitlines())) <= 98
    assert "\n\nmore words\n" in text


def test_labels() -> None:
    """NAME=VALUE, where the name may hold an equals sign."""
    assert read_labels(["canine=1", "C2 = 2", "b=c=20"]) == {"canine": 1, "C2": 2, "b=c": 20}


@pytest.mark.parametrize(
    ("texts", "message", "hint"),
    [
        (["1=C2"], "'1=C2' is not NAME=VALUE", "Write C2=1."),
        (["2 = upper canine"], "is not NAME=VALUE", "Write upper canine=2."),
        (["canine"], "'canine' is not NAME=VALUE", "Write NAME=VALUE, as canine=1."),
        (["=1"], "is not NAME=VALUE", "Write NAME=VALUE, as canine=1."),
        (["a=0"], r"must be in \[1, 65535\]", ""),
        (["a=65536"], r"must be in \[1, 65535\]", ""),
        (["a=1", "a=2"], "label 'a' has two values: 1 and 2", ""),
        (["a=1", "b=1"], "value 1 has two labels: a and b", ""),
    ],
)
def test_labels_that_cannot_be_read(texts: list[str], message: str, hint: str) -> None:
    """A swapped name and value are answered with the right form."""
    with pytest.raises(DatasetError, match=message) as caught:
        read_labels(texts)
    assert caught.value.hint == hint
    assert caught.value.where == "--labels"


def test_values_that_share_a_label() -> None:
    """Several values of a mask may share a label."""
    assert read_label_values(["incisor=1", "incisor=2", "canine=3"]) == {
        1: "incisor",
        2: "incisor",
        3: "canine",
    }


def test_settings() -> None:
    """Names to texts; a value may hold an equals sign, and the last one wins."""
    assert read_settings(["epochs=5", "a=b=c", "epochs=6"]) == {"epochs": "6", "a": "b=c"}


@pytest.mark.parametrize("text", ["epochs", "epochs=", "=5"])
def test_settings_that_cannot_be_read(text: str) -> None:
    """The error shows an example."""
    with pytest.raises(CervsegError, match="is not NAME=VALUE") as caught:
        read_settings([text])
    assert "--set epochs=5" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "expected"), [("90s", 90), ("20m", 1200), ("1.5h", 5400), ("45", 45), ("1d", 86400)]
)
def test_times(text: str, expected: float) -> None:
    """Seconds, minutes, hours, days, or a plain number of seconds."""
    assert read_time(text) == expected


@pytest.mark.parametrize("text", ["soon", "-3m", "0", "5 minutes"])
def test_times_that_cannot_be_read(text: str) -> None:
    """The error shows an example."""
    with pytest.raises(CervsegError, match="is not a time") as caught:
        read_time(text)
    assert "20m" in caught.value.hint


def test_time_limits_are_parsed() -> None:
    """The option is in seconds; its error is the same."""
    parser = CommandParser()
    arguments.add_max_time(parser, "limit")
    assert parser.parse_args(["--max-time", "2m"]).max_time == 120
    with pytest.raises(CervsegError, match="is not a time"):
        parser.parse_args(["--max-time", "soon"])


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["1", "-device", "cpu"], "unknown option -device\nhint: cervseg_test --help lists all options\n"),
        (["1", "-device=cpu"], "unknown option -device\nhint: cervseg_test --help lists all options\n"),
        (["1", "-images", "a"], "unknown option -images\nhint: Write --images.\n"),
    ],
)
def test_a_long_option_after_a_single_dash_is_unknown(
    argv: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is not read as a short option with a value, as ``-d evice`` or ``-i mages``."""
    parser = CommandParser(prog="cervseg_test")
    arguments.add_dataset(parser)
    arguments.add_images(parser, required=False)
    with pytest.raises(SystemExit) as caught:
        parser.parse_args(argv)
    assert caught.value.code == 2
    assert capsys.readouterr().err == f"error: {text}"


def test_values_that_are_joined_to_a_short_option() -> None:
    """A dataset and a folder; ``-device`` where a command has a device."""
    parser = CommandParser(prog="cervseg_test")
    arguments.add_dataset(parser)
    arguments.add_images(parser)
    arguments.add_device(parser)
    options = parser.parse_args(["-dDataset001_Neck", "-ifolder", "-device", "cpu"])
    assert (options.dataset, options.images, options.device) == ("Dataset001_Neck", Path("folder"), "cpu")
