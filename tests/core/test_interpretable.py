"""Embeddings taken out of a model, and inputs made of text."""

from __future__ import annotations

import itertools
import random
import warnings

import captum.attr
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import attribution_core
from attribution_core import AttributionError, IntegratedGradients
from attribution_core.classes.interpretable import (
    InterpretableEmbeddingBase,
    InterpretableInput,
    ProductBaselines,
    TextTemplateInput,
    TextTokenInput,
    TokenReferenceBase,
    configure_interpretable_embedding_layer,
    remove_interpretable_embedding_layer,
)

IDS = torch.tensor([[1, 2, 4], [0, 3, 3]])


class Deep(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5, 2)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5, 4)
        self.deep = Deep()
        self.blocks = nn.ModuleList([nn.Embedding(3, 2)])
        self.head = nn.Linear(4, 2)

    def forward(self, ids):
        return self.head(torch.tanh(self.embedding(ids)).sum(1))


def structure(net):
    return [(name, id(module), module.training) for name, module in net.named_modules()], list(net.state_dict())


@pytest.mark.parametrize("name", ["embedding", "deep.embedding", "blocks.0", "deep"])
@pytest.mark.parametrize("training", [False, True])
def test_put_back_exactly(name, training):
    net = Net().train(training)
    before = structure(net)
    layer = configure_interpretable_embedding_layer(net, name)
    assert net.get_submodule(name) is layer
    assert layer.training is training
    remove_interpretable_embedding_layer(net, layer)
    remove_interpretable_embedding_layer(net, layer)
    assert structure(net) == before


def test_put_back_after_an_error():
    net = Net()
    before = structure(net)
    with pytest.raises(KeyError), configure_interpretable_embedding_layer(net) as layer:
        assert net.embedding is layer
        raise KeyError
    assert structure(net) == before


def test_attributions_like_captum():
    net = Net().eval()
    with configure_interpretable_embedding_layer(net) as layer:
        embedded = layer.indices_to_embeddings(IDS)
        torch.testing.assert_close(net(embedded), Net.forward(net, layer.indices_to_embeddings(IDS)))
        ours = IntegratedGradients(net).attribute(embedded, target=1)
    logits = net(IDS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Captum says that it changes the model
        layer = captum.attr.configure_interpretable_embedding_layer(net)
    embedded = layer.indices_to_embeddings(IDS)
    torch.testing.assert_close(net(embedded), logits)
    theirs = captum.attr.IntegratedGradients(net).attribute(embedded, target=1)
    captum.attr.remove_interpretable_embedding_layer(net, layer)
    torch.testing.assert_close(ours, theirs.to(ours))


def test_the_layer():
    layer = configure_interpretable_embedding_layer(Net())
    value = torch.ones(1, 3, 4)
    assert layer(value, 3) is value
    assert layer(x=value) is value
    assert (layer.num_embeddings, layer.embedding_dim, layer.full_name) == (5, 4, "embedding")
    assert isinstance(layer, InterpretableEmbeddingBase)
    with pytest.raises(AttributionError, match="without arguments"):
        layer()


@pytest.mark.parametrize("name", ["nope", "deep.nope", "", "head.weight"])
def test_unknown_layer(name):
    net = Net()
    before = structure(net)
    with pytest.raises(AttributionError, match=r"embedding, deep\.embedding, blocks\.0"):
        configure_interpretable_embedding_layer(net, name)
    assert structure(net) == before


def test_refused_layers():
    net, other = Net(), Net()
    before = structure(other)
    layer = configure_interpretable_embedding_layer(net)
    for name in ("embedding", "embedding.embedding"):
        with pytest.raises(AttributionError, match="already"):
            configure_interpretable_embedding_layer(net, name)
    with pytest.raises(AttributionError, match="not replaced"):
        remove_interpretable_embedding_layer(other, layer)
    with pytest.raises(AttributionError, match="Linear"):
        remove_interpretable_embedding_layer(net, net.head)
    assert structure(other) == before


def test_reference():
    found = TokenReferenceBase(3).generate_reference(4, "cpu")
    theirs = captum.attr.TokenReferenceBase(3).generate_reference(4, torch.device("cpu"))
    assert torch.equal(found, theirs)
    assert found.dtype == theirs.dtype
    assert TokenReferenceBase().generate_reference(0, torch.device("cpu")).dtype == torch.long
    with pytest.raises(AttributionError, match="-1"):
        TokenReferenceBase().generate_reference(-1, "cpu")


LIST = ("{} feels {} {}", ["He", "so", "sad"])
DICT = ("{x} feels {y} {z}", {"x": "He", "y": "so", "z": "sad"})


@pytest.mark.parametrize(
    ("values", "baselines", "mask"),
    [
        (LIST, None, None),
        (LIST, ["It", "not", "ok"], None),
        (LIST, ["It", "not", "ok"], [5, 2, 5]),
        (LIST, lambda: ["It", "not", "ok"], [0, 0, 0]),
        ((lambda a, b, c: f"{a}|{b}|{c}", LIST[1]), None, None),
        (DICT, None, None),
        (DICT, {"z": "Z", "y": "Y", "x": "X"}, {"z": 0, "x": 0, "y": 1}),
        ((lambda z, y, x: f"{x}|{y}|{z}", DICT[1]), None, {"z": 1, "x": 2, "y": 3}),
    ],
)
def test_template_like_captum(values, baselines, mask):
    ours, theirs = (kind(*values, baselines, mask) for kind in (TextTemplateInput, captum.attr.TextTemplateInput))
    features = ours.n_itp_features
    torch.testing.assert_close(ours.to_tensor(), theirs.to_tensor())
    assert ours.to_model_input() == theirs.to_model_input()
    for number in range(2**features):
        present = torch.tensor([[number >> k & 1 for k in range(features)]])
        assert ours.to_model_input(present) == theirs.to_model_input(present)
    weights = torch.arange(float(features))[None]
    torch.testing.assert_close(ours.format_attr(weights), theirs.format_attr(weights))
    assert isinstance(ours, InterpretableInput)


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda: TextTemplateInput("{}", "ab"), "str"),
        (lambda: TextTemplateInput("{} {}", ["a"]), "asks for more"),
        (lambda: TextTemplateInput("{b}", {"a": "x"}), "asks for more"),
        (lambda: TextTemplateInput(*LIST, ["a"]), "Pass a list of 3"),
        (lambda: TextTemplateInput(*LIST, mask=[1]), "Pass a list of 3"),
        (lambda: TextTemplateInput(*LIST, {"a": "b"}), "Pass a list"),
        (lambda: TextTemplateInput(*DICT, mask=[1, 2, 3]), "Pass a dict"),
        (lambda: TextTemplateInput(*DICT, {"x": "X"}), "Pass a dict"),
        (lambda: TextTemplateInput(*LIST, lambda: ["a"]).to_model_input(torch.zeros(1, 3)), "for 3 values"),
        (lambda: TextTemplateInput(*LIST).to_model_input(torch.zeros(1, 2)), "(1, 3)"),
        (lambda: TextTemplateInput(*LIST).to_model_input(torch.zeros(2, 3)), "(1, 3)"),
        (lambda: TextTemplateInput(*LIST).format_attr(torch.zeros(1, 2)), "(…, 3)"),
        (lambda: TextTokenInput("a", Tokenizer(), skip_tokens=[1, "a"]), "mixes"),
        (lambda: TextTokenInput("a", Tokenizer(), baselines="nope"), "nope"),
        (lambda: TextTokenInput("a b", Tokenizer()).to_model_input(torch.ones(1, 2)), "(1, 3)"),
        (lambda: TextTokenInput("a b", type("T", (), {"encode": lambda *_, **__: [1]})()), "list"),
        (lambda: ProductBaselines(3), "int"),
        (lambda: ProductBaselines([[]]), "at least one"),
        (lambda: ProductBaselines([3]), "at least one"),
        (lambda: ProductBaselines({("y", "z"): [(1, 2, 3)]}), "Give 2 values"),
        (lambda: ProductBaselines({("y", "z"): [3]}), "Give 2 values"),
    ],
)
def test_refused(attempt, words):
    with pytest.raises(AttributionError) as error:
        attempt()
    assert words in str(error.value)


class Tokenizer:
    names = ("<unk>", "<s>", "a", "b", "c")

    def encode(self, text, return_tensors=None):
        ids = [1, *map(self.convert_tokens_to_ids, text.split())]
        return torch.tensor([ids]) if return_tensors == "pt" else ids

    def convert_ids_to_tokens(self, ids):
        return [self.names[int(number)] for number in ids]

    def convert_tokens_to_ids(self, tokens):
        if isinstance(tokens, str):
            return self.names.index(tokens) if tokens in self.names else None
        return [self.convert_tokens_to_ids(token) for token in tokens]


@pytest.mark.parametrize("baselines", [0, 4, "c"])
@pytest.mark.parametrize("skip", [None, [], ["<s>", "b"], [1, 3], ["<s>", "a", "b", "c"]])
def test_tokens_like_captum(baselines, skip):
    ours, theirs = (
        kind("a b c a", Tokenizer(), baselines, skip) for kind in (TextTokenInput, captum.attr.TextTokenInput)
    )
    for name in ("values", "n_itp_features", "skip_tokens", "baselines"):
        assert getattr(ours, name) == getattr(theirs, name)
    for name in ("inp_tensor", "itp_tensor", "itp_mask"):
        assert (getattr(theirs, name) is None) == (getattr(ours, name) is None)
        if getattr(theirs, name) is not None:
            assert torch.equal(getattr(ours, name), getattr(theirs, name))
    torch.testing.assert_close(ours.to_tensor(), theirs.to_tensor())
    assert torch.equal(ours.to_model_input(), theirs.to_model_input())
    features = ours.n_itp_features
    for number in range(2**features):
        present = torch.tensor([[float(number >> k & 1) for k in range(features)]]).reshape(1, features)
        assert torch.equal(ours.to_model_input(present), theirs.to_model_input(present))
    weights = torch.arange(float(features))[None]
    assert torch.equal(ours.format_attr(weights), theirs.format_attr(weights))


def test_a_model_input_shares_no_memory():
    tokens = TextTokenInput("a b", Tokenizer())
    tokens.to_model_input().zero_()
    assert tokens.to_model_input().tolist() == [[1, 2, 3]]


def test_product_baselines():
    state = random.getstate()
    lists = ProductBaselines([["A", "AA"], ["B", "BB", "BBB"]], seed=0)
    drawn = {tuple(lists()) for _ in range(200)}
    assert drawn == {(a, b) for a in ("A", "AA") for b in ("B", "BB", "BBB")}
    groups = ProductBaselines({"x": [1, 2], ("y", "z"): [(3, 4), (5, 6)]})
    assert {tuple(groups.sample().items()) for _ in range(200)} == {
        (("x", x), ("y", y), ("z", y + 1)) for x in (1, 2) for y in (3, 5)
    }
    assert random.getstate() == state
    first, again = (ProductBaselines([list(range(9))] * 5, seed=1) for _ in range(2))
    assert [first() for _ in range(4)] == [again() for _ in range(4)]
    assert ProductBaselines([])() == []
    text = TextTemplateInput(*LIST, ProductBaselines([["It"], ["not", "very"], ["ok"]]))
    assert {text.to_model_input(torch.zeros(1, 3)) for _ in range(50)} == {"It feels not ok", "It feels very ok"}


PIXELS = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
SEGMENTS = torch.tensor([[7] * 6, *[[0, 0, 0, 2, 2, 2]] * 3], dtype=torch.int32)


@pytest.mark.parametrize(
    "masks", [{}, {"mask": SEGMENTS}, {"mask_list": [SEGMENTS == 0, SEGMENTS >= 2]}, {"baseline": (1, 2, 3)}]
)
def test_segments_of_images_are_captums(masks):
    image = Image.fromarray(PIXELS)
    theirs, ours = (engine.ImageMaskInput(image, **masks) for engine in (captum.attr, attribution_core))
    assert torch.equal(ours.to_tensor(), theirs.to_tensor())
    assert ours.to_model_input() is image
    count = ours.to_tensor().shape[1]
    attributions = torch.arange(1.0, count + 1)[None]
    for present in itertools.product([0, 1], repeat=count):
        found, expected = (np.asarray(each.to_model_input(torch.tensor([present]))) for each in (ours, theirs))
        np.testing.assert_array_equal(found, expected)
    assert torch.equal(ours.format_attr(attributions), theirs.format_attr(attributions))
    assert torch.equal(ours.format_pixel_attr(attributions), theirs.format_pixel_attr(attributions))
    assert all(map(torch.equal, ours.get_mask_list(), theirs.get_mask_list()))
    np.testing.assert_array_equal(np.asarray(image), PIXELS)


def test_segments_of_grey_and_transparent_images_and_what_the_model_takes():
    for mode in ("L", "RGBA"):
        image = Image.fromarray(PIXELS).convert(mode)
        made = attribution_core.ImageMaskInput(image, SEGMENTS, baseline=(9, 8, 7), processor_fn=np.asarray)
        assert made.to_model_input().shape == np.asarray(image).shape
        assert made.to_model_input(torch.tensor([[1, 1, 0]]))[0].tolist() == [[9, 8, 7]] * 6


def test_masks_that_do_not_fit_the_image():
    image = Image.fromarray(PIXELS)
    for wrong in ({"mask": SEGMENTS[:2]}, {"mask": "x"}, {"mask_list": []}, {"mask_list": [SEGMENTS.T]}):
        with pytest.raises(AttributionError, match="mask"):
            attribution_core.ImageMaskInput(image, **wrong)


def test_a_picture_of_the_segments():
    made = attribution_core.ImageMaskInput(Image.fromarray(PIXELS), SEGMENTS)
    figure, axis = made.plot_mask_overlay(border_width=2)
    assert len(axis.images) == 4
    assert [text.get_text() for text in axis.texts] == ["0", "1", "2"]
    plt.close(figure)


def test_the_names_of_captum_are_all_here():
    missing = {name for name in captum.attr.__all__ if not hasattr(attribution_core, name)}
    assert all("LLM" in name for name in missing)
