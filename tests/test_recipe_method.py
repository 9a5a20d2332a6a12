"""The recipe for a method: it names every file, and a forgotten one makes a check fail.

The method is what a feature alone adds to nothing, v({i}) − v(∅).
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import attribution_core
from attribution_core import FeatureAblation
from attribution_core.methods.ablation import ablation

from .recipes import Steps, after, before, both, copy_to, failures, follow, named_in, replaced

NAME = "FeatureInclusion"
FUNCTION = '''

def inclusion(
    question: Question, inputs: Tensors, baselines: Tensors, features: Features, rows: int | None = None
) -> Tensors:
    """score(baseline with a feature of the input) − score(baseline), for every feature [covert2020]."""
    return tuple(-fall for fall in ablation(question, baselines, inputs, features, rows))
'''
ENTRY = 'Entry("by removing", MEASURED),\n'
IMPORT = "from attribution_core.methods.ablation import inclusion\n"
CITATION = """

@inproceedings{covert2020,
  author = {Ian C. Covert and Scott Lundberg and Su-In Lee},
  title = {Feature Removal Is a Unifying Principle for Model Explanation Methods},
  booktitle = {ML Retrospectives Workshop at NeurIPS},
  year = {2020},
  eprint = {2011.03623},
}
"""
REPLICA = """    "FeatureInclusion": ({}, lambda net, out, f, x, b: included(f, x, b)),
    "DeepLift": ({}, lambda"""
SLOW = """def included(f: Score, x: Tensor, b: Tensor) -> Tensor:
    found = torch.zeros_like(x)
    for place in range(x.numel()):
        alone = b.flatten().clone()
        alone[place] = x.flatten()[place]
        found.view(-1)[place] = f(alone.reshape(x.shape)).detach() - f(b).detach()
    return found


"""


REMOVING = "        method = of_groups(request, feature_mask, perturbations_per_eval)\n"
INCLUDING = """        rows = as_copies(perturbations_per_eval, request.batch)

        def method(question: Question, xs: Tensors, bases: Tensors) -> Tensors:
            return inclusion(question, xs, bases, request.groups(feature_mask, xs), rows)

"""


def where(thing: object) -> str:
    """The file of a class or function of the engine, from the root."""
    return str(Path(inspect.getfile(thing)).relative_to(Path(attribution_core.__file__).parents[1]))  # type: ignore[arg-type]


def like_ablation() -> str:
    """The class of ablation with another method, name, sentence and source."""
    text = replaced(REMOVING, INCLUDING)(inspect.getsource(FeatureAblation)).replace("FeatureAblation", NAME)
    sentence = "What the score gains when a feature alone replaces the baseline."
    text = re.sub(r'(class .*\n    """).*?"""', rf'\1{sentence}"""', text, count=1)
    return "\n\n" + text.replace("zeiler2014", "covert2020")


def method_steps() -> tuple[Steps, Steps]:
    """The method itself, and what must know of it."""
    function, shell = where(ablation), where(FeatureAblation)
    module = shell.removesuffix(".py").replace("/", ".")
    itself: Steps = {
        function: lambda text: text + FUNCTION,
        shell: both(
            lambda text: text.rstrip("\n") + "\n" + like_ablation(),
            lambda text: re.sub(r"(?=^from attribution_core\.methods)", IMPORT, text, count=1, flags=re.MULTILINE),
        ),
        "attribution_core/__init__.py": both(
            before(f"from {module} import (", f"from {module} import {NAME}\n"),
            after('    "FeatureAblation",\n', f'    "{NAME}",\n'),
        ),
    }
    others: Steps = {
        "attribution_core/references.bib": lambda text: text.rstrip() + CITATION,
        "attribution_core/README.md": before("| permutation |", f"| inclusion | {NAME} | – | – | – | as ablation |\n"),
        "tests/core/registry.py": after('    "FeatureAblation": grouped(), ', f'"{NAME}": grouped(), '),
        "tests/core/test_replicas.py": both(
            replaced('    "DeepLift": ({}, lambda', REPLICA),
            before("OF_INPUTS: dict", SLOW),
        ),
        "server/app/explain/catalogue.py": before(
            '    "LRP": Entry(', f'    "{NAME}": Entry("by removing", MEASURED),\n'
        ),
    }
    return itself, others


def test_the_recipe_for_a_method_names_every_file() -> None:
    itself, others = method_steps()
    named = named_in("Add an attribution method")
    for path in [*itself, *others]:
        assert any(path == name or (name.endswith("/") and path.startswith(name)) for name in named), path


def test_the_recipe_for_a_method_is_enough_and_what_is_forgotten_is_noticed(tmp_path: Path) -> None:
    root = copy_to(tmp_path, "attribution_core", "server", "tests/core", "tests/server", "tests/waiting.py",
                   "pyproject.toml", "CONTRIBUTING.md")  # fmt: skip
    itself, others = method_steps()
    lists = ["tests/core/test_contract.py", "tests/core/test_registry.py", "tests/server/test_offered.py"]
    follow(root, itself)
    forgotten = failures(root, f"{NAME} or method or class or argument", *lists)
    assert forgotten >= {
        "test_classes_are_final_described_and_cited",  # references.bib
        "test_the_table_of_methods_has_every_method_in_its_column",  # README.md
        "test_every_public_class_has_a_recipe_and_every_recipe_a_class",  # registry.py
        "test_every_class_is_compared_with_a_slow_replica",  # test_replicas.py
        "test_every_method_of_inputs_or_layers_is_offered_or_kept_back",  # catalogue.py
    }
    follow(root, others)
    asked = [f"tests/core/test_{name}.py" for name in ("replicas", "axioms", "every_method")]
    assert (
        failures(root, f"{NAME} or (not [ and (class or argument))", *lists, *asked, "tests/server/test_service.py")
        == set()
    )
