"""The recipe for a view: it names every file, and the compilers name what was forgotten.

The view is a series of numbers over time, drawn as a line.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from .recipes import ROOT, Steps, after, before, both, copy_to, follow, named_in, ran, replaced

SHOWN = '''@dataclass(frozen=True)
class Series:
    """A number at each step of time, one for each attribution."""

    values: list[float]

    @property
    def names(self) -> list[str]:
        """What each attribution belongs to."""
        return [f"step {i}" for i in range(len(self.values))]


'''
FEATURE = '''class SeriesFeature(BaseFeature):
    """A series (T,) or (1, T)."""

    kind: FeatureKind = "series"

    def show(self, data: Tensor) -> Series:
        """The numbers in order."""
        return Series(data.detach().double().reshape(-1).tolist())

    def reduce(self, attribution: Tensor) -> npt.NDArray[np.float32]:
        """The attribution of each step (T,)."""
        return super().reduce(attribution).reshape(-1)


'''
WIRE = '''class SeriesInput(Wire):
    """A series to draw as a line."""

    kind: Literal["series"] = "series"
    name: str
    values: list[float | None]


'''
WIRE_ATTRIBUTION = '''class SeriesAttribution(Wire):
    """Attribution of each step of a series."""

    kind: Literal["series"] = "series"
    name: str
    contribution: Contribution
    weights: list[float | None]


'''
SHOWN_ON_THE_WIRE = """        case Series(values=values):
            return SeriesInput(name=name, values=finites(values))
"""
ATTRIBUTED = """        case "series":
            return SeriesAttribution(name=name, contribution=part.contribution, weights=finites(part.values))
"""
CASE = """    case 'series':
      return <SeriesView input={input} attribution={ofKind(attribution, 'series')} />;
"""
FAKE = """  if (kind === 'series') return { kind, name, values: COLUMNS.map(() => round(10 * random())) };
"""
FAKE_WEIGHTS = """      if (kind === 'series') return { kind, name, contribution, weights: input.values.map(weigh) };
"""
VIEW = """import type { SeriesAttribution, SeriesInput } from '../../api/schema';
import { useBound } from '../../state/bound';
import { largest } from './weights';

/** A line, and below it a bar for each step. */
export function SeriesView({ input, attribution }: { input: SeriesInput; attribution: SeriesAttribution | undefined }) {
  const bound = useBound('series', largest(attribution?.weights ?? [])) || 1;
  const line = input.values.map((value, i) => `${i},${10 - (value ?? 0)}`).join(' ');
  return (
    <svg role="img" aria-label={`Attribution of ${input.name}`} viewBox={`0 -10 ${input.values.length} 30`}>
      <polyline points={line} fill="none" stroke="currentColor" />
      {attribution?.weights.map((weight, i) => (
        <rect key={i} x={i} width={1} y={15} height={(5 * Math.abs(weight ?? 0)) / bound} />
      ))}
    </svg>
  );
}
"""
TRY = """
import torch
from app import AttributionVisualizer, Batch
from app.features import SeriesFeature
from app.notebook.snapshot import as_html
from app.notebook.view import Cell, NotebookView

torch.manual_seed(0)
net, load = torch.nn.Linear(9, 2), SeriesFeature("Load")
data = [Batch(torch.randn(3, 1, 9))]
visualizer = AttributionVisualizer(lambda x: net(x.flatten(1)), ["falls", "rises"], [load], data)
client = visualizer.app.test_client()
sample = client.get("/api/samples?limit=1").json["samples"][0]
assert sample["error"] is None and sample["inputs"][0]["kind"] == "series", sample
for arguments, different in (({"patch": 1}, 9), ({"patch": 3}, 3)):
    question = {"sample": 0, "method": "FeatureAblation", "arguments": arguments}
    job = client.post("/api/attributions", json=question).json
    while job["state"] in ("queued", "running"):
        job = client.get(f"/api/attributions/{job['id']}").json
    weights = job["attribution"]["inputs"][0]["weights"]
    assert (len(weights), len(set(weights))) == (9, different), job
seen = NotebookView(visualizer.app, visualizer.service, Cell("", "", displays=False), 400)._first(60)
assert "step 8" in as_html(seen, [load], "caption")
visualizer.close()
"""


def view_steps() -> tuple[Steps, Steps]:
    """The feature and its wire shapes, and what must know of them."""
    itself: Steps = {
        "server/app/data/features.py": both(
            before("Shown = Picture |", SHOWN),
            replaced("Shown = Picture | Words | Numbers | None", "Shown = Picture | Words | Numbers | Series | None"),
            before("class EmptyFeature(", FEATURE),
        ),
        "server/app/schema/base.py": replaced('"general", "empty"]', '"general", "series", "empty"]'),
        "server/app/schema/samples.py": both(
            before("class EmptyInput(", WIRE),
            replaced("GeneralInput | EmptyInput", "GeneralInput | SeriesInput | EmptyInput"),
        ),
        "server/app/schema/attributions.py": both(
            before("class EmptyAttribution(", WIRE_ATTRIBUTION),
            replaced(
                "GeneralAttribution | EmptyAttribution", "GeneralAttribution | SeriesAttribution | EmptyAttribution"
            ),
        ),
        "server/app/schema/__init__.py": both(
            after("    JobState,\n", "    SeriesAttribution,\n"),
            after("    SamplePath,\n    SampleQuery,\n", "    SeriesInput,\n"),
            after('    "Selection",\n', '    "SeriesAttribution",\n    "SeriesInput",\n'),
        ),
    }
    others: Steps = {
        "server/app/data/features.py": after(
            '            return "general"\n', '        case Series():\n            return "series"\n'
        ),
        "server/app/web/present.py": both(
            before("        case None:\n            return EmptyInput(", SHOWN_ON_THE_WIRE),
            before('        case "empty":\n', ATTRIBUTED),
            after("    SampleInput,\n", "    SeriesAttribution,\n    SeriesInput,\n"),
            replaced("Shown, Words", "Series, Shown, Words"),
        ),
        "server/app/features.py": both(
            after("    Picture,\n", "    Series,\n    SeriesFeature,\n"),
            after('    "Picture",\n', '    "Series",\n    "SeriesFeature",\n'),
        ),
        "frontend/src/views/feature/SeriesView.tsx": lambda text: VIEW,
        "frontend/src/views/feature/FeatureView.tsx": both(
            before("    case 'empty':", CASE),
            after("import { ImageView } from './ImageView';\n", "import { SeriesView } from './SeriesView';\n"),
        ),
        "frontend/src/api/fakeScenarios.ts": both(
            before("  return { kind, name };\n", FAKE),
            before("      return { kind, name, contribution };\n", FAKE_WEIGHTS),
        ),
    }
    return itself, others


MADE = ["frontend/src/api/openapi.json", "frontend/src/api/schema.ts"]
"""By the command that CONTRIBUTING.md says."""
TOLD = ["server/app/schema/__init__.py", "server/app/schema/base.py", "server/app/schema/samples.py",
        "server/app/schema/attributions.py", "server/app/data/features.py", "server/app/explain/explanation.py",
        "server/app/web/present.py", "server/app/notebook/snapshot.py"]  # fmt: skip
"""What mypy is asked about; of the rest it need not know."""
BLIND = ["--config-file=", "--follow-imports=skip", "--ignore-missing-imports", "--cache-dir=.mypy"]
needs_npm = pytest.mark.skipif(
    not (ROOT / "frontend/node_modules/.bin/tsc").exists(), reason="needs `npm ci` in frontend"
)


def files_with_errors(said: str) -> set[str]:
    return set(re.findall(r"^(\S+?)[:(]\d+.*error", said, re.MULTILINE))


def test_the_recipe_for_a_view_names_every_file() -> None:
    itself, others = view_steps()
    named = named_in("Add a view for a kind of feature")
    for path in [*itself, *others, *MADE]:
        assert any(path == name or (name.endswith("/") and path.startswith(name)) for name in named), path


def test_mypy_names_what_must_know_of_a_new_view_and_the_rest_works(tmp_path: Path) -> None:
    root = copy_to(tmp_path, "attribution_core", "server")
    itself, others = view_steps()
    mypy = [sys.executable, "-m", "mypy", *BLIND, *TOLD]
    assert files_with_errors(ran(root, *mypy)) == set()
    follow(root, itself)
    assert files_with_errors(ran(root, *mypy)) == {"server/app/data/features.py", "server/app/web/present.py"}
    follow(root, {path: edit for path, edit in others.items() if path.startswith("server/")})
    assert files_with_errors(ran(root, *mypy)) == set()
    assert ran(root, sys.executable, "-c", TRY + "print('fine')") == "fine\n"


@needs_npm
def test_the_compiler_names_what_must_know_of_a_new_view(tmp_path: Path) -> None:
    root = copy_to(tmp_path, "attribution_core", "server", "frontend/src", "frontend/package.json",
                   "frontend/tsconfig.json", "frontend/vite.config.ts")  # fmt: skip
    (root / "frontend/node_modules").symlink_to(ROOT / "frontend/node_modules")
    itself, others = view_steps()
    follow(root, itself)
    follow(root, {path: edit for path, edit in others.items() if path.startswith("server/")})
    (root / MADE[0]).write_text(ran(root, sys.executable, "-m", "app.web.openapi"))
    assert "Series" in (root / MADE[0]).read_text()
    ran(root / "frontend", "npm", "run", "generate")
    tsc = ["node_modules/.bin/tsc", "--noEmit", "--incremental", "--tsBuildInfoFile", "told.json"]
    told = {"src/views/feature/FeatureView.tsx", "src/api/fakeScenarios.ts"}
    assert files_with_errors(ran(root / "frontend", *tsc)) == told
    follow(root, {path: edit for path, edit in others.items() if path.startswith("frontend/")})
    assert ran(root / "frontend", *tsc) == ""
