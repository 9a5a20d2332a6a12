"""Imports point left: a room uses itself and the rooms left of it, wherever in a file the import stands."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class House:
    """A package and its rooms from left to right; those that stand together, separated by commas, are strangers."""

    package: Path
    order: str

    @property
    def places(self) -> dict[str, int]:
        return {room: n for n, tier in enumerate(self.order.split(" ← ")) for room in tier.split(", ")}

    @property
    def files(self) -> dict[str, Path]:
        """Each file of Python by its module's name; a package goes by its own name."""
        home, paths = self.package.parent, self.package.rglob("*.py")
        named = {".".join(path.relative_to(home).with_suffix("").parts): path for path in paths}
        return {name.removesuffix(".__init__"): path for name, path in named.items()}

    def room(self, module: str) -> str:
        parts = module.split(".")
        return parts[1] if len(parts) > 1 else "__init__"

    def imports(self, module: str) -> set[str]:
        """The other files of this package that a file imports, also inside functions and for types."""
        files = self.files
        found = {resolved for name in imported(files[module]) if (resolved := _longest(name, files))}
        return found - {module}

    def violations(self) -> list[str]:
        """Imports that do not point left."""
        return [
            f"{module} imports {other}"
            for module in sorted(self.files)
            for other in sorted(self.imports(module))
            if not self._may(self.room(module), self.room(other))
        ]

    def circle(self) -> list[str]:
        """Files that import each other in a circle."""
        try:
            TopologicalSorter({module: self.imports(module) for module in self.files}).prepare()
        except CycleError as error:
            return list(error.args[1])
        return []

    def _may(self, room: str, other: str) -> bool:
        return room == other or self.places[other] < self.places[room]


ENGINE = House(
    ROOT / "attribution_core",
    "errors, types ← reading ← evaluation ← rules ← question ← incremental ← methods ← classes "
    "← cost, metrics, summary, visualization ← __init__",
)
APP = House(
    ROOT / "server" / "app",
    "numbers, paths, words ← schema ← errors ← data ← features, model ← index ← explain ← web ← notebook ← stop "
    "← visualizer ← __init__ ← demos ← example",
)
HOUSES = pytest.mark.parametrize("house", [ENGINE, APP], ids=["attribution_core", "app"])


def imported(path: Path) -> Iterator[str]:
    """Dotted names that a file imports anywhere."""
    yield from _names(ast.walk(ast.parse(path.read_text())))


def imported_at_once(path: Path) -> Iterator[str]:
    """Dotted names that are imported when the file is."""
    yield from _names(_run_at_once(ast.parse(path.read_text())))


def _names(nodes: Iterator[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where they point"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _run_at_once(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield from _run_at_once(child)


def _longest(name: str, files: dict[str, Path]) -> str | None:
    """The file that a dotted name is found in."""
    parts = name.split(".")
    return next((".".join(parts[:n]) for n in range(len(parts), 0, -1) if ".".join(parts[:n]) in files), None)


@HOUSES
def test_every_room_has_its_place(house: House) -> None:
    assert {house.room(module) for module in house.files} == set(house.places)


@HOUSES
def test_imports_point_left(house: House) -> None:
    assert house.violations() == []


@HOUSES
def test_no_files_import_each_other_in_a_circle(house: House) -> None:
    assert house.circle() == []


def test_the_engine_knows_neither_the_app_nor_anything_beyond_torch_and_numpy() -> None:
    """Anything else is imported in the function that needs it: what draws, matplotlib; what shows progress, tqdm."""
    basic = {*sys.stdlib_module_names, "attribution_core", "torch", "numpy"}
    for path in ENGINE.files.values():
        assert {name.split(".")[0] for name in imported_at_once(path)} <= basic, path
        assert {name.split(".")[0] for name in imported(path)} <= basic | {"matplotlib", "tqdm"}, path


@HOUSES
def test_contributors_read_the_rule_that_is_tested(house: House) -> None:
    assert house.order in " ".join((ROOT / "CONTRIBUTING.md").read_text().split())


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("from house.right import x", "house.left imports house.right.x"),
        ("import house.right.x", "house.left imports house.right.x"),
        ("def f():\n    from house.right.x import thing", "house.left imports house.right.x"),
        ("if TYPE_CHECKING:\n    from house.right.x import Thing", "house.left imports house.right.x"),
        ("from house.stranger import x", "house.left imports house.stranger"),
        ("from house import thing", "house.left imports house"),
    ],
)
def test_a_violation_is_noticed(tmp_path: Path, line: str, says: str) -> None:
    house = House(tmp_path / "house", "left, stranger ← right ← __init__")
    (house.package / "right").mkdir(parents=True)
    for name, text in {"__init__": "", "left": line, "stranger": "", "right/__init__": "", "right/x": ""}.items():
        (house.package / f"{name}.py").write_text(text)
    assert house.violations() == [says]
    (house.package / "right" / "x.py").write_text("import house.left")
    assert bool(house.circle()) is ("right" in says)
