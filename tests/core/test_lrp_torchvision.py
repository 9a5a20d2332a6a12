"""LRP through one small member of every torchvision classification family: conserved where theory says so."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torchvision import models
from torchvision.models.convnext import CNBlockConfig
from torchvision.models.efficientnet import FusedMBConvConfig, MBConvConfig
from torchvision.models.mobilenetv3 import InvertedResidualConfig
from torchvision.models.regnet import BlockParams
from torchvision.models.resnet import BasicBlock, Bottleneck
from torchvision.models.swin_transformer import PatchMergingV2, SwinTransformerBlockV2

from attribution_core import LRP

SWIN = {"patch_size": [2, 2], "embed_dim": 8, "depths": [2, 2], "num_heads": [2, 4], "window_size": [4, 4]}
CONVOLUTIONAL: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "alexnet": (lambda: models.AlexNet(10), 63),
    "convnext": (lambda: models.ConvNeXt([CNBlockConfig(8, 16, 1), CNBlockConfig(16, None, 1)], num_classes=10), 32),
    "densenet": (lambda: models.DenseNet(4, (2, 2), 8, num_classes=10), 32),
    "efficientnet": (
        lambda: models.EfficientNet(
            [MBConvConfig(4, 3, 1, 8, 8, 2), MBConvConfig(4, 5, 2, 8, 16, 1)], 0.0, num_classes=10
        ),
        32,
    ),
    "efficientnet v2": (
        lambda: models.EfficientNet(
            [FusedMBConvConfig(4, 3, 1, 8, 8, 2), MBConvConfig(4, 3, 2, 8, 16, 1)], 0.0, num_classes=10, last_channel=32
        ),
        32,
    ),
    "googlenet": (lambda: models.GoogLeNet(10, aux_logits=False, init_weights=False), 32),
    "inception": (lambda: models.Inception3(10, aux_logits=False, init_weights=False), 75),
    "mnasnet": (lambda: models.MNASNet(0.1, 10), 32),
    "mobilenet v2": (lambda: models.MobileNetV2(10, inverted_residual_setting=[[2, 8, 2, 2]]), 32),
    "mobilenet v3": (
        lambda: models.MobileNetV3(
            [
                InvertedResidualConfig(8, 3, 8, 8, True, "RE", 1, 1, 1.0),
                InvertedResidualConfig(8, 5, 16, 16, True, "HS", 2, 1, 1.0),
            ],
            32,
            10,
        ),
        32,
    ),
    "regnet": (lambda: models.RegNet(BlockParams([1, 1], [8, 16], [4, 8], [1, 1], [2, 2], 0.25), 10), 32),
    "resnet": (lambda: models.ResNet(BasicBlock, [1, 1, 1, 1], 10), 32),
    "resnext": (lambda: models.ResNet(Bottleneck, [1, 1, 1, 1], 10, groups=4, width_per_group=4), 32),
    "wide resnet": (lambda: models.ResNet(Bottleneck, [1, 1, 1, 1], 10, width_per_group=80), 32),
    "shufflenet": (lambda: models.ShuffleNetV2([2, 2, 2], [8, 8, 16, 32, 64], 10), 32),
    "squeezenet": (lambda: models.SqueezeNet("1_1", 10), 32),
    "vgg": (lambda: models.VGG(models.vgg.make_layers([8, "M", 512, "M"]), 10), 32),
    "vgg with norms": (lambda: models.VGG(models.vgg.make_layers([8, "M", 512, "M"], batch_norm=True), 10), 32),
}
ATTENDING: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "maxvit": (lambda: models.MaxVit((32, 32), 8, 4, [8, 16], [1, 1], 4, 0.0, num_classes=10), 32),
    "swin": (lambda: models.SwinTransformer(**SWIN, num_classes=10), 32),
    "swin v2": (
        lambda: models.SwinTransformer(
            **SWIN, num_classes=10, block=SwinTransformerBlockV2, downsample_layer=PatchMergingV2
        ),
        32,
    ),
    "vit": (lambda: models.VisionTransformer(32, 16, 2, 2, 8, 16, num_classes=10), 32),
}
ABSORBING = ("bias", "class_token", "pos_embedding")


def family(name: str) -> tuple[nn.Module, torch.Tensor]:
    """A member in evaluation mode, its norms fitted to noise, and without anything that absorbs relevance."""
    torch.manual_seed(0)
    make, size = (CONVOLUTIONAL | ATTENDING)[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, x = make(), torch.randn(4, 3, size, size)
    for path, parameter in model.named_parameters():
        if path.endswith(ABSORBING):
            parameter.data.zero_()
        elif path.startswith("head"):
            nn.init.normal_(parameter)
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        model(x)
    for norm in norms:
        norm.running_mean.zero_()  # type: ignore[union-attr]
    return model.double().eval(), x[:1].double()


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_convolutional_families_conserve_relevance(name: str) -> None:
    model, x = family(name)
    for composite in (None, "epsilon-gamma-box"):
        relevance, delta = LRP(model).attribute(x, 3, return_convergence_delta=True, composite=composite)
        score = model(x)[0, 3].item()
        assert relevance.isfinite().all()
        assert relevance.abs().max() > 0
        assert abs(delta.item()) < 1e-4 * max(abs(score), 1), (composite, score)


@pytest.mark.parametrize("name", ATTENDING)
def test_transformers_conserve_relevance_if_attention_is_constant(name: str) -> None:
    model, x = family(name)
    relevance, delta = LRP(model).attribute(x, 3, return_convergence_delta=True, composite="conservative-attention")
    assert relevance.abs().max() > 0
    assert abs(delta.item()) < 1e-4 * max(abs(model(x)[0, 3].item()), 1)
    assert LRP(model).attribute(x, 3).isfinite().all()


def test_every_family_is_here() -> None:
    known = {models.get_model_builder(name).__module__ for name in models.list_models(module=models)}
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tested = {type(make()).__module__ for make, _ in (CONVOLUTIONAL | ATTENDING).values()}
    assert known == {module.replace("models._", "models.") for module in tested}
