"""The public face: signatures of Captum 0.9, documentation, and what an import brings along."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import captum.attr
import captum.metrics
import pytest

import attribution_core
from attribution_core import classes, metrics, visualization
from attribution_core.reading.help import ARGUMENTS

from .registry import NAMES

COMPOSED = ["LRP", "LayerLRP"]
"""Captum's signature and a `composite`."""
METHODS = [name for name in NAMES if hasattr(captum.attr, name) and name not in COMPOSED]
ROOT = Path(attribution_core.__file__).parent


def parameters(function: Any) -> list[inspect.Parameter]:
    return list(inspect.signature(function).parameters.values())


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("function", ["__init__", "attribute", "compute_convergence_delta", "has_convergence_delta"])
def test_names_order_and_defaults_are_captums(name: str, function: str) -> None:
    theirs = getattr(getattr(captum.attr, name), function, None)
    ours = getattr(getattr(attribution_core, name), function, None)
    assert (ours is None) == (theirs is None)
    if theirs is not None and ours is not None:
        shapes = [
            [(p.name, p.kind, None if inspect.isfunction(p.default) else p.default) for p in parameters(f)]
            for f in (ours, theirs)
        ]
        assert [p for p in shapes[0] if p[1] != inspect.Parameter.KEYWORD_ONLY] == shapes[1]  # ours may be added


OF_LANGUAGE_MODELS = {"LLMAttribution", "LLMAttributionResult", "LLMGradientAttribution", "RemoteLLMAttribution",
                      "RemoteLLMProvider", "VLLMProvider"}  # fmt: skip
"""Not here yet."""
ADDED: dict[str, set[str]] = {
    "FeaturePermutation": {"seed"}, "GradientShap": {"seed"}, "IntegratedGradients": {"tolerance"},
    "GuidedGradCam": {"layout"}, "LayerGradCam": {"layout"},
    "KernelShap": {"seed", "tolerance"}, "LRP": {"composite"}, "LayerFeaturePermutation": {"seed"},
    "LayerGradientShap": {"seed"}, "LayerLRP": {"composite"}, "Lime": {"seed"}, "LimeBase": {"seed"},
    "NeuronGradientShap": {"seed"}, "NoiseTunnel": {"seed"}, "ProductBaselines": {"seed"},
    "ShapleyValueSampling": {"seed", "tolerance", "estimator"}, "infidelity": {"seed"}, "sensitivity_max": {"seed"},
}  # fmt: skip
"""All that is taken beyond Captum's arguments, apart from `targets`, which is everywhere."""


def public() -> Iterator[tuple[str, Any, Any]]:
    """Name, Captum's and ours."""
    homes = [(captum.attr, attribution_core), (captum.metrics, metrics), (captum.attr.visualization, visualization)]
    for theirs, ours in homes:
        for name in dir(theirs):
            if name in ("StatValue", "visualization"):  # a type and a module
                continue
            if name in getattr(ours, "__all__", ()) or (theirs is captum.metrics and name[0].islower()):
                yield name, getattr(theirs, name), getattr(ours, name)


def test_every_name_of_captum_is_here() -> None:
    names = {name for name in dir(captum.attr) if not name.startswith("_")}
    assert names - set(attribution_core.__all__) == OF_LANGUAGE_MODELS
    assert {name for name in dir(captum.metrics) if not name.startswith("_")} <= set(dir(metrics))
    drawn = {name for name in dir(captum.attr.visualization) if name.startswith(("visualize_", "format_", "draw_"))}
    assert drawn <= set(visualization.__all__)


@pytest.mark.parametrize(("name", "theirs", "ours"), [*public()], ids=[name for name, _, _ in public()])
def test_what_is_taken_beyond_captums_arguments_is_on_the_list(name: str, theirs: Any, ours: Any) -> None:
    functions = ("__init__", "attribute", "interpolate", "update", "to_tensor", "to_model_input",
                 "format_attr", "generate_reference", "indices_to_embeddings")  # fmt: skip
    pairs = [(theirs, ours)]
    if inspect.isclass(theirs):
        pairs = [(getattr(theirs, f), getattr(ours, f)) for f in functions if hasattr(theirs, f)]
    if inspect.isclass(theirs) and issubclass(theirs, (Enum, tuple)):
        assert getattr(theirs, "_fields", [m.name for m in theirs]) == getattr(ours, "_fields", [m.name for m in ours])
        return
    added = set()
    for other, mine in pairs:
        wanted, found = inspect.signature(other).parameters, inspect.signature(mine).parameters
        assert [*wanted] == [parameter for parameter in found if parameter in wanted]
        added |= found.keys() - wanted.keys()
    assert added - {"targets"} == ADDED.get(name, set())


@pytest.mark.parametrize("name", COMPOSED)
def test_lrp_takes_a_composite_besides_captums_arguments(name: str) -> None:
    for function in ("__init__", "attribute", "compute_convergence_delta", "has_convergence_delta"):
        theirs, ours = (
            [(p.name, p.kind, p.default) for p in inspect.signature(getattr(cls, function)).parameters.values()]
            for cls in (getattr(captum.attr, name), getattr(attribution_core, name))
        )
        assert [p for p in ours if p[0] not in ("composite", "targets")] == theirs


@pytest.mark.parametrize("name", NAMES)
def test_classes_are_final_described_and_cited(name: str) -> None:
    cls = getattr(attribution_core, name)
    assert cls.__final__
    summary = (inspect.getdoc(cls) or "").splitlines()
    assert len(summary) == 1 and summary[0].endswith(".")
    assert f"{{{cls.citation}," in (ROOT / "references.bib").read_text()


def test_every_argument_is_described_once_and_none_in_vain() -> None:
    names = {parameter for function in documented() for parameter in inspect.signature(function).parameters}
    assert names - {"self"} == set(ARGUMENTS)


def documented() -> list[Any]:
    """What users call with arguments: constructors and methods of all classes, and metrics."""
    classes = [getattr(attribution_core, name) for name in NAMES]
    functions = ("__init__", "attribute", "compute_convergence_delta")
    found = [getattr(cls, function) for cls in classes for function in functions if hasattr(cls, function)]
    return [*dict.fromkeys(found), metrics.infidelity, metrics.sensitivity_max]


@pytest.mark.parametrize("function", documented(), ids=lambda function: function.__qualname__)
def test_help_tells_every_argument_with_its_shape_and_meaning(function: Any) -> None:
    lines = [line.strip() for line in (inspect.getdoc(function) or "").splitlines()]
    for name in inspect.signature(function).parameters:
        if name != "self":
            argument = ARGUMENTS[name]
            assert argument.shape and argument.meaning.endswith(".")
            assert any(line.startswith(f"{name} (") for line in lines), name
            told = " ".join(lines)
            assert f"{name} ({argument.shape}): {argument.meaning}" in told


def test_citations_in_docstrings_exist() -> None:
    known = (ROOT / "references.bib").read_text()
    cited = {key for path in ROOT.rglob("*.py") for key in re.findall(r"\[([a-z]+\d{4})\]", path.read_text())}
    assert cited
    assert {key for key in cited if f"{{{key}," not in known} == set()


def test_import_brings_torch_and_numpy_only() -> None:
    code = (
        "import sys, torch, numpy; before = set(sys.modules)\n"
        "import attribution_core, attribution_core.question.embeddings\n"
        "new = {m.split('.')[0] for m in set(sys.modules) - before}\n"
        "torchs = {'torch', 'sympy', 'mpmath'}\n"  # some versions of torch bring the last two with its hooks
        "print(sorted(new - set(sys.stdlib_module_names) - torchs - {'numpy', 'attribution_core'}))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT.parent)
    assert found.stdout.strip() == "[]"


def test_every_class_that_attributes_is_public() -> None:
    for module in pkgutil.iter_modules(classes.__path__, classes.__name__ + "."):
        for name, cls in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(cls, attribution_core.Attribution) and getattr(cls, "__final__", False):
                assert name in attribution_core.__all__


def test_everything_public_is_documented() -> None:
    for name in attribution_core.__all__:
        assert inspect.getdoc(getattr(attribution_core, name)), name


def test_the_table_of_methods_has_every_method_in_its_column() -> None:
    rows = [line.split("|")[2:5] for line in (ROOT / "README.md").read_text().splitlines() if line.count("|") == 7]
    columns = [set(re.findall(r"[A-Z]\w+", " ".join(column))) for column in zip(*rows[2:], strict=True)]
    found: list[set[str]] = [set(), set(), set()]
    for name in NAMES:
        found[1 if name.startswith(("Layer", "Internal")) else 2 if name.startswith("Neuron") else 0].add(name)
    assert columns == found
