import csv
import json
from pathlib import Path

from cervseg.core.jsonio import read_dataclass
from cervseg.tables.formats import as_csv, as_latex, as_markdown, write_tables
from cervseg.tables.table import Table

TABLE = Table(
    name="table_systems_original",
    title="Systems & images_1",
    note="95 % interval",
    columns=("Model", "Dice"),
    rows=(("U-Net", "0.9 ± 0.1"), ("U|Net, published", "0.8")),
    best=((0, 1),),
    published=(1,),
)


def test_markdown() -> None:
    """Bold, italics, and a bar in a name that does not break the table."""
    lines = as_markdown(TABLE).splitlines()
    assert lines[2:6] == [
        "| Model | Dice |",
        "| --- | --- |",
        "| U-Net | **0.9 ± 0.1** |",
        r"| *U\|Net, published* | *0.8* |",
    ]


def test_latex_is_escaped() -> None:
    """What means something to LaTeX is printed as it is."""
    text = as_latex(TABLE)
    assert r"\caption{Systems \& images\_1. 95 \% interval}" in text
    assert r"U-Net & \textbf{0.9 $\pm$ 0.1} \\" in text
    assert r"\textit{U|Net, published} & \textit{0.8} \\" in text
    assert r"\label{tab:systems-original}" in text


def test_files(tmp_path: Path) -> None:
    """Four formats; the JSON reads back as the same table."""
    write_tables([TABLE], tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"table_systems_original.csv", "table_systems_original.tex", "tables.md", "tables.json"}
    assert list(csv.reader(as_csv(TABLE).splitlines()))[1] == ["U-Net", "0.9 ± 0.1"]
    (tmp_path / "one.json").write_text(json.dumps(json.loads((tmp_path / "tables.json").read_text())[0]))
    assert read_dataclass(Table, tmp_path / "one.json") == TABLE
    assert "not a medical device" in (tmp_path / "tables.md").read_text()
