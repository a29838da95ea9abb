from cervseg.tables.terminal import WIDTH, aligned


def test_columns_are_aligned() -> None:
    """A table that fits is one block, without spaces at the ends of lines."""
    assert aligned(["", "Dice"], [["a", "0.9"], ["long", ""]]) == ["      Dice", "a     0.9", "long"]


def test_columns_that_do_not_fit_follow_in_a_block_with_the_keys() -> None:
    """Three columns of 40 characters: two beside the key, then the third with the key again."""
    cells = ["one", *(letter * 40 for letter in "abc")]
    assert aligned(["k", "A", "B", "C"], [cells]) == [
        "k    A" + " " * 41 + "B",
        f"one  {cells[1]}  {cells[2]}",
        "",
        "k    C",
        f"one  {cells[3]}",
    ]


def test_long_cells_are_wrapped() -> None:
    """No text is lost, and no line is wider than the terminal."""
    lines = aligned(["name", "remark"], [["x" * 250, "many words " * 30]])
    assert max(map(len, lines)) <= WIDTH
    assert "".join(lines).count("x") == 250
    assert " ".join(lines).split().count("words") == 30


def test_headings_are_wrapped_at_their_words() -> None:
    """A long heading does not make its column wide."""
    assert aligned(["", "Median difference"], [["a", "0.1"]]) == [
        "   Median",
        "   difference",
        "a  0.1",
    ]


def test_keys_are_repeated_and_shrink_first_where_they_are_widest() -> None:
    """Two keys: the long one is wrapped, the short one is not."""
    lines = aligned(["Metric", "Pair", "p"], [["HD95", "first system - " * 12, "0.01"]], num_keys=2)
    assert max(map(len, lines)) <= WIDTH
    assert lines[1].startswith("HD95")
    assert lines[1].endswith("0.01")


def test_a_table_without_rows() -> None:
    """Only the headings are left."""
    assert aligned(["a", "b"], []) == ["a  b"]
