import pytest
import torch

from cervseg.networks.attention import attend, relative_positions

HEIGHT, WIDTH, HEAD_DIM = 3, 5, 8


def given(dtype: torch.dtype = torch.float32) -> tuple[list[torch.Tensor], dict[str, torch.Tensor]]:
    """Create q, k, v of 2 x 2 heads and the positions of both axes."""
    torch.manual_seed(1)
    heads = [torch.randn(2, 2, HEIGHT * WIDTH, HEAD_DIM, dtype=dtype) for _ in range(3)]
    axes = (("position_h", HEIGHT), ("position_w", WIDTH))
    return heads, {
        name: relative_positions(torch.randn(2 * side - 1, HEAD_DIM, dtype=dtype), side)
        for name, side in axes
    }


def written_out(heads: list[torch.Tensor], positions: dict[str, torch.Tensor]) -> torch.Tensor:
    """Evaluate the formula query by query and key by key."""
    q, k, v = heads
    row, column = positions.values()
    score = q @ k.transpose(-1, -2) / HEAD_DIM**0.5
    bias = [
        [
            q[..., i, :] @ (row[i // WIDTH, j // WIDTH] + column[i % WIDTH, j % WIDTH])
            for j in range(HEIGHT * WIDTH)
        ]
        for i in range(HEIGHT * WIDTH)
    ]
    score = score + torch.stack([torch.stack(line, dim=-1) for line in bias], dim=-2)
    return score.softmax(-1) @ v


@pytest.fixture(params=["whole", "parts", "one by one"])
def parts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compute all heads and queries at once, seven queries of three heads, or one query of one head."""
    rows, size = {"whole": (256, 2**22), "parts": (7, 3 * 7 * 15 * 8), "one by one": (1, 1)}[request.param]
    monkeypatch.setattr("cervseg.networks.attention.QUERIES_AT_ONCE", rows)
    monkeypatch.setattr("cervseg.networks.attention.SCORE_BYTES", size)


@pytest.mark.usefixtures("parts")
def test_attention_is_the_formula() -> None:
    """Attention equals the formula for any part size, with and without gradients."""
    heads, positions = given()
    expected = written_out(heads, positions)
    torch.testing.assert_close(attend(*heads, **positions), expected)
    heads[0].requires_grad_()
    torch.testing.assert_close(attend(*heads, **positions).detach(), expected)


@pytest.mark.usefixtures("parts")
def test_gradients_are_the_formulas() -> None:
    """Gradients of queries, keys, values and positions equal autograd through the formula."""
    slope = torch.randn(2, 2, HEIGHT * WIDTH, HEAD_DIM, dtype=torch.float64)
    found = []
    for way in (lambda heads, positions: attend(*heads, **positions), written_out):
        heads, positions = given(torch.float64)
        leaves = [leaf.requires_grad_() for leaf in (*heads, *positions.values())]
        found.append(torch.autograd.grad(way(heads, positions), leaves, slope))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_scores_are_not_kept() -> None:
    """The memory saved for the backward pass is linear in the number of tokens."""
    side, kept = 24, []
    heads = [torch.randn(1, 1, side * side, HEAD_DIM, requires_grad=True) for _ in range(3)]
    position = relative_positions(torch.randn(2 * side - 1, HEAD_DIM), side)
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x.numel()) or x, lambda x: x):
        attend(*heads, position_h=position, position_w=position)
    assert max(kept) < side**4 / 4
