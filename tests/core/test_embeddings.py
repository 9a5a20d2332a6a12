from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import attribution_core
from attribution_core import AttributionError, observe
from attribution_core.question.embeddings import embedded


class Reader(nn.Module):
    """Tokens, positions counted from the tokens, a padding mask, and a second input in the same table."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.tokens, self.positions = nn.Embedding(12, 6, padding_idx=0), nn.Embedding(12, 6)
        self.layer = nn.TransformerEncoderLayer(6, 2, 8, batch_first=True)
        self.out = nn.Linear(6, 3)

    def forward(self, ids: Tensor, other: Tensor, numbers: Tensor, scale: Tensor | None = None) -> Tensor:
        mask = ids == 0
        positions = torch.cumsum(~mask, 1) * ~mask
        hidden = self.layer(self.tokens(ids) + self.positions(positions), src_key_padding_mask=mask)
        hidden = hidden.masked_fill(mask[..., None], 0).sum(1) + self.tokens(other.long()).mean(1) + numbers
        return torch.relu(self.out(hidden if scale is None else hidden * scale[:, None])).cumsum(1)


def given() -> tuple[Reader, tuple[Tensor, Tensor, Tensor], Tensor]:
    ids = torch.tensor([[1, 2, 3, 4, 5], [7, 2, 9, 0, 0]])  # the first row equals its own positions
    other = torch.tensor([[3, 3, 4], [8, 1, 2]], dtype=torch.int32)
    return Reader().eval(), (ids, other, torch.randn(2, 6)), torch.tensor([0.5, 2.0])


CALLS: dict[str, dict[str, Any]] = {
    "Saliency": {}, "InputXGradient": {}, "IntegratedGradients": {"n_steps": 7}, "DeepLift": {}, "GuidedBackprop": {},
    "Deconvolution": {}, "FeatureAblation": {}, "Occlusion": {"sliding_window_shapes": ((1, 6), (2, 6), (6,))},
}  # fmt: skip


def test_the_output_is_exactly_the_same() -> None:
    model, inputs, scale = given()
    before = model(*inputs, scale)
    found = embedded(model, inputs, scale)
    assert torch.equal(found.module(*found.inputs, scale), before)
    assert [tuple(x.shape) for x in found.inputs] == [(2, 5, 6), (2, 3, 6), (2, 6)]
    assert torch.equal(found.inputs[0], model.tokens(inputs[0]))
    assert torch.equal(model(*inputs, scale), before)
    assert all(not module._forward_hooks and not module._forward_pre_hooks for module in model.modules())
    assert model.training == found.module.training


def test_the_ids_stay_for_everything_else_in_stacked_batches() -> None:
    model, inputs, scale = given()
    found = embedded(model, inputs, scale)
    stack = tuple(x.repeat(3, *[1] * (x.dim() - 1)) for x in found.inputs)
    expected = model(*inputs, scale).repeat(3, 1)
    torch.testing.assert_close(found.module(*stack, scale.repeat(3)), expected)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("bound", [None, 2])
def test_every_method(name: str, bound: int | None) -> None:
    model, inputs, scale = given()
    found = embedded(model, inputs, scale)
    with observe(max_batch=bound):
        whole = getattr(attribution_core, name)(found.module).attribute(
            found.inputs, target=[0, 1], additional_forward_args=scale, **CALLS[name]
        )
    assert [w.shape for w in whole] == [x.shape for x in found.inputs]
    for row in range(2):
        own = slice(row, row + 1)
        alone = embedded(model, tuple(x[own] for x in inputs), scale[own])
        single = getattr(attribution_core, name)(alone.module).attribute(
            alone.inputs, target=row, additional_forward_args=scale[own], **CALLS[name]
        )
        for mine, other in zip(single, whole, strict=True):
            torch.testing.assert_close(mine, other[own], rtol=1e-4, atol=1e-5)


def test_gradients_are_those_of_the_table_rows() -> None:
    """Each token used once: the gradient of its embedding is the gradient of its row in the table."""
    model, inputs, _ = given()
    ids = (torch.tensor([[1, 2, 5]]), torch.tensor([[7, 8]]), inputs[2][:1])
    found = embedded(model, ids)
    slopes = attribution_core.Saliency(found.module).attribute(found.inputs, target=2, abs=False)
    (table,) = torch.autograd.grad(model(*ids)[0, 2], model.tokens.weight)
    torch.testing.assert_close(slopes[0], table[ids[0]])
    torch.testing.assert_close(slopes[1], table[ids[1]])


def test_baseline_ids_and_completeness() -> None:
    model, inputs, scale = given()
    found = embedded(model, inputs, scale)
    baselines = found.embed_all((torch.full_like(inputs[0], 11), torch.zeros_like(inputs[1]), torch.zeros(2, 6)))
    assert torch.equal(baselines[0], model.tokens(torch.full_like(inputs[0], 11)))
    assert torch.equal(found.module.embed(0, inputs[0]), found.inputs[0])
    _, delta = attribution_core.IntegratedGradients(found.module).attribute(
        found.inputs, baselines, target=1, additional_forward_args=scale, n_steps=400, return_convergence_delta=True
    )
    assert delta.abs().max() < 0.05


@pytest.mark.parametrize("positions", [
    lambda ids: torch.arange(ids.shape[1]).expand_as(ids),
    lambda ids: torch.arange(ids.shape[1])[None] + torch.zeros_like(ids),
    lambda ids: torch.cumsum(torch.ones_like(ids), 1) - 1,
])  # fmt: skip
def test_positions_that_equal_the_ids_are_no_ids(positions: Any) -> None:
    table, place = nn.Embedding(9, 2), nn.Embedding(9, 3)
    ids = torch.arange(4).repeat(2, 1)
    found = embedded(lambda ids: torch.cat([place(positions(ids)), table(ids)], -1).sum((1, 2)), ids)
    assert found.inputs[0].shape == (2, 4, 2)


def test_ids_that_feed_two_tables_become_their_vectors_side_by_side() -> None:
    deep, wide = nn.Embedding(9, 3), nn.Embedding(9, 1)
    ids = torch.tensor([[4, 4, 1]])

    def model(ids: Tensor) -> Tensor:
        return deep(ids).sum((1, 2)) * wide(ids).sum((1, 2))

    found = embedded(model, ids)
    assert torch.equal(found.inputs[0], torch.cat([deep(ids), wide(ids)], -1))
    assert torch.equal(found.module(*found.inputs), model(ids))


def test_functional_lookups_count() -> None:
    table = torch.randn(5, 2)
    ids = torch.tensor([[0, 3]])
    for model in (
        lambda i: F.embedding(i, table).sum((1, 2)),
        lambda i: F.embedding(input=i, weight=table).sum((1, 2)),
    ):
        assert torch.equal(embedded(model, ids).inputs[0], table[ids])


def test_integers_that_no_embedding_looks_up_are_refused() -> None:
    table = nn.Embedding(5, 2)
    with pytest.raises(AttributionError, match=r"inputs\[1\] is torch.int64 of shape \(1, 2\), but no embedding"):
        embedded(lambda i, m: (table(i) * m[..., None]).sum((1, 2)), (torch.tensor([[1, 2]]), torch.tensor([[1, 0]])))


def test_wrong_embeddings_are_refused() -> None:
    table = nn.Embedding(5, 2)
    found = embedded(lambda i: table(i).sum((1, 2)), torch.tensor([[1, 2], [3, 4]]))
    for shape in ((3, 2, 2), (2, 3, 2), (1, 2, 2)):
        with pytest.raises(AttributionError, match="stacked batches"):
            found.module(torch.zeros(shape))


def test_another_order_of_lookups_is_refused() -> None:
    tables = [nn.Embedding(5, 2), nn.Embedding(5, 2)]
    calls = iter([0, 1])
    found = embedded(lambda i: tables[next(calls)](i).sum((1, 2)), torch.tensor([[1, 2]]))
    with pytest.raises(AttributionError, match="another order"):
        found.module(*found.inputs)


def test_a_model_that_refuses_other_ids_keeps_the_tables_that_it_looks_them_up_in() -> None:
    table, place = nn.Embedding(9, 2), nn.Embedding(9, 3)
    ids = torch.arange(4)[None]

    def model(x: Tensor) -> Tensor:
        if not torch.equal(x, ids):
            raise ValueError("these ids only")
        return torch.cat([place(torch.cumsum(torch.ones_like(x), 1) - 1), table(x)], -1).sum((1, 2))

    assert embedded(model, ids).inputs[0].shape == (1, 4, 2)


class Twice(nn.Module):
    """Looks the same ids up twice, and changes the first vectors, in place or not."""

    def __init__(self, inplace: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table, self.inplace = nn.Embedding(5, 3), inplace

    def forward(self, ids: Tensor) -> Tensor:
        first = self.table(ids)
        first = first.mul_(2) if self.inplace else first * 2
        return (first * self.table(ids)).sum((1, 2))


def test_vectors_that_are_changed_in_place_are_new_in_the_next_lookup() -> None:
    ids = torch.tensor([[1, 2]])
    found = [attribution_core.Saliency(Twice(inplace)).attribute(ids) for inplace in (False, True)]
    assert torch.equal(*found)


TABLE, BAG = nn.Embedding(40, 4), nn.EmbeddingBag(40, 3)
WEIGHTS = torch.randn(7, 3, generator=torch.Generator().manual_seed(1))


def shifted(ids: Tensor) -> Tensor:
    """As decoders of Bart and T5 get them."""
    right = ids.new_zeros(ids.shape)
    right[:, 1:] = ids[:, :-1].clone()
    right[:, 0] = 5
    return right.masked_fill_(right == -100, 1)


MOVES: dict[str, Any] = {
    "flipped": lambda ids: TABLE(ids.flip(1)),
    "rolled": lambda ids: TABLE(ids.roll(1, 1)),
    "shifted": lambda ids: TABLE(shifted(ids)),
    "written through a view": lambda ids: TABLE(torch.zeros(ids.shape, dtype=torch.int64).copy_(ids.flip(1))),
    "the first": lambda ids: TABLE(ids[:, 0])[:, None],
    "sliced": lambda ids: TABLE(ids[:, 1:3]),
    "padded": lambda ids: TABLE(F.pad(ids, (2, 1), value=3)),
    "time first": lambda ids: TABLE(ids.t()).transpose(0, 1),
    "in one row": lambda ids: TABLE(ids.t().reshape(-1)).reshape(ids.shape[1], len(ids), -1).transpose(0, 1),
    "joined": lambda ids: TABLE(torch.cat([ids.new_full((len(ids), 1), 2), ids, ids[:, :1]], 1)),
    "chosen": lambda ids: TABLE(torch.where(ids > 20, ids, torch.zeros_like(ids))),
    "masked": lambda ids: TABLE(ids * (ids > 20)),
    "bounded": lambda ids: TABLE(ids.clamp(min=0)),
    "gathered": lambda ids: TABLE(ids.gather(1, (ids > 20).sum(1, keepdim=True)).squeeze(1))[:, None],
    "by index": lambda ids: TABLE.weight[ids.flip(1)],
    "as 32 bits": lambda ids: TABLE(ids.flip(1).int()),
    "in a bag": lambda ids: BAG(ids)[:, None],
    "in a bag of the last": lambda ids: F.embedding_bag(ids[:, 2:], BAG.weight, mode="sum")[:, None],
}


def looks_up(move: Any) -> Any:
    """A model of the ids and of the ids moved, no two of which are added up alike."""

    def model(ids: Tensor) -> Tensor:
        vectors = move(ids)
        places = torch.arange(1, vectors.shape[1] + 1)[:, None]
        found = TABLE(ids).tanh().mean(1) @ WEIGHTS[:4]
        return found + (vectors * places).sin().sum(1) @ WEIGHTS[: vectors.shape[2]]

    return model


@pytest.mark.parametrize("name", MOVES)
def test_every_lookup_of_moved_ids_counts(name: str) -> None:
    """The gradient of an id's embedding is that of its rows in the tables, if no other id has them."""
    ids, model = torch.tensor([[31, 8, 22, 7], [4, 29, 30, 12]]), looks_up(MOVES[name])
    found = attribution_core.Saliency(model).attribute(ids, target=1, abs=False)
    used = [BAG.weight] * name.startswith("in a bag") + [TABLE.weight]
    slopes = torch.autograd.grad(model(ids)[:, 1].sum(), used)
    torch.testing.assert_close(found, torch.cat([slope[ids] for slope in slopes], -1))
    baseline = torch.tensor([[33, 1, 24, 3], [2, 27, 28, 15]])
    for method, options in (("DeepLift", {}), ("IntegratedGradients", {"n_steps": 40})):
        with observe(max_batch=3):
            sums, delta = getattr(attribution_core, method)(model).attribute(
                ids, baseline, target=2, return_convergence_delta=True, **options
            )
        change = (model(ids) - model(baseline))[:, 2].detach()
        torch.testing.assert_close(sums.sum((1, 2)), change, rtol=1e-3, atol=1e-3)
        assert delta.abs().max() < 1e-3


@pytest.mark.parametrize("said, lookup", {
    "`mul` computes": lambda ids: TABLE((ids * 31 + ids.roll(1, 1)) % 40),
    "`add` computes": lambda ids: TABLE(ids + torch.tensor([0, 1, 2, 3])),
    "one_hot": lambda ids: F.one_hot(ids, 40).float(),
    "embedding_bag": lambda ids: BAG(ids.reshape(-1), torch.tensor([0, 4]))[:, None],
}.items())  # fmt: skip
def test_lookups_that_cannot_be_shared_among_ids_are_refused_by_name(said: str, lookup: Any) -> None:
    ids = torch.tensor([[31, 8, 22, 7], [4, 29, 30, 12]])
    with pytest.raises(AttributionError, match=said):
        attribution_core.Saliency(lambda x: TABLE(x).sum((1, 2)) + lookup(x).sum((1, 2))).attribute(ids)


def test_slices_of_a_batch_have_their_own_ids() -> None:
    ids = torch.tensor([[1, 2], [3, 4], [5, 6]])
    method = attribution_core.IntegratedGradients(lambda x: TABLE(x).prod(1) * (x == 4).sum(1, keepdim=True))
    whole = method.attribute(ids, target=1)
    with observe(max_batch=2):
        torch.testing.assert_close(method.attribute(ids, target=1), whole)


def mean_without_padding(ids: Tensor) -> Tensor:
    """A mask and lengths are made of the ids."""
    mask = (ids != 1)[..., None]
    return (TABLE(ids) * mask).sum(1) / mask.sum(1).clamp(min=1)


@pytest.mark.parametrize("name", ["IntegratedGradients", "DeepLift"])
def test_the_delta_is_measured_on_the_ids(name: str) -> None:
    ids, padding, said = torch.tensor([[3, 4], [5, 6]]), torch.tensor([[3, 1], [5, 6]]), list[str]()
    method = getattr(attribution_core, name)(mean_without_padding)
    change = (mean_without_padding(ids) - mean_without_padding(padding))[:, 0].detach()
    with observe(warned=said.append):
        found, delta = method.attribute(ids, padding, target=0, return_convergence_delta=True)
    torch.testing.assert_close(delta, found.sum((1, 2)) - change)
    assert [message for message in said if "computes ne of the ids" in message]
    assert any("miss the change" in message for message in said)
    said.clear()
    with observe(warned=said.append):
        other, none = method.attribute(ids, TABLE(padding).detach(), target=0, return_convergence_delta=True)
    torch.testing.assert_close(other, found)
    assert none.abs().max() < 1e-5, "of baselines that are no ids the change is that of the embeddings"
    assert not any("miss" in message or "computes" in message for message in said)


def test_steps_are_doubled_until_the_embeddings_are_precise_whatever_a_mask_does() -> None:
    ids, said = torch.tensor([[3, 4], [5, 6]]), list[str]()
    method = attribution_core.IntegratedGradients(mean_without_padding)
    with observe(warned=said.append):
        found, delta = method.attribute(ids, 1, target=0, n_steps="auto", return_convergence_delta=True)
    change = (mean_without_padding(ids) - mean_without_padding(torch.ones_like(ids)))[:, 0].detach()
    torch.testing.assert_close(delta, found.sum((1, 2)) - change)
    assert not any("tolerance" in message for message in said)
