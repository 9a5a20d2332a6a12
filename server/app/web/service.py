"""Answers to the contract's requests, from the source, the index, the scanner and the jobs of one workspace."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import get_args

from torch import nn

from app.data.example import Example
from app.data.features import BaseFeature, Picture, Shown
from app.data.source import Source
from app.errors import InsightsError, raised_anew
from app.explain import jobs, methods
from app.explain.asked import prepared
from app.explain.explanation import Explanation, explain
from app.explain.jobs import Jobs
from app.explain.offers import Choice, price
from app.explain.question import Function, Question, Questions, identity
from app.index.predictions import PredictionIndex
from app.index.scan import AHEAD, Scanner
from app.model.layers import Anatomy
from app.model.outputs import Outputs
from app.model.schedule import Device
from app.model.subject import Subject
from app.schema import (
    AttributionRequest,
    FeatureInfo,
    Job,
    ModelLayers,
    ModelMethods,
    Order,
    Price,
    Sample,
    SampleFilter,
    SamplePage,
    SampleQuery,
    Summary,
    Task,
    Workspace,
)
from app.web import present
from app.web.encode import image_file
from app.web.errands import Errands
from app.web.gallery import Gallery
from app.web.looks import Looks, waited
from app.web.present import Answer

PATIENCE = 0.4  # seconds that a page waits for more samples; below that nobody notices, and a poll is saved
FIRST_LOOK = 2.0  # seconds for what the screen cannot do without: the first prediction, a sample that was linked to
STEP = 1.0  # seconds between signs of life of a caller in this process
TASKS = get_args(Task)
FEW = 16  # samples, of which the first good one tells what a model is made of
FALLBACK = "IntegratedGradients"  # works on most, where nothing is known yet


@dataclass(frozen=True, eq=False)
class Setup:
    """What a workspace is made of."""

    title: str
    models: Sequence[tuple[str, nn.Module]]
    features: list[BaseFeature]
    outputs: Outputs
    source: Source
    explains_label: bool
    default_method: str | None
    default_order: Order
    targets: Mapping[str, Function]


class InsightsService:
    """One workspace: everything here belongs to one visualizer and to nobody else."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._salt = secrets.token_hex(4)  # the same address never means another workspace's picture
        subjects = [Subject(name, model, setup.features, setup.outputs) for name, model in setup.models]
        self._devices = {device: Device(device) for device in {str(subject.device) for subject in subjects}}
        self._placed = [(subject, self._devices[str(subject.device)]) for subject in subjects]
        self._index = PredictionIndex()
        self._errands = Errands()
        self._gallery = Gallery(setup.source, setup.features, self._salt, self._errands)
        self._scanner = Scanner(setup.source, self._index, self._placed)
        self._jobs: Jobs[Answer] = Jobs()
        self._looks = Looks(self._placed, setup.default_method, self._scanner.learnt)
        self._questions = Questions(self._index, setup.explains_label, setup.targets)

    def workspace(self) -> Workspace:
        """What there is to explain, and how: whole once a sample has been predicted."""
        self._scanner.want(1)
        self._scanner.wait(1, FIRST_LOOK)
        choice, *_ = [self.usual(model, FIRST_LOOK)[0] for model in range(len(self._placed))]
        revision = self._scanner.progress.workspace  # first: what is learnt meanwhile makes it be asked for again
        setup, subjects = self._setup, [subject for subject, _ in self._placed]
        widths = [subject.width for subject in subjects if subject.width is not None]
        tasks = [subject.task for subject in subjects if subject.task is not None]
        return Workspace(
            revision=revision,
            title=setup.title,
            version=version("attribution-insights"),
            task=min(tasks, key=TASKS.index, default="classification"),
            classes=[setup.outputs.name(i) for i in range(max(setup.outputs.classes, *widths, 0))],
            named=len(setup.outputs.names),
            models=[present.model_info(subject) for subject in subjects],
            features=[FeatureInfo(name=f.name, kind=f.kind, baselines=f.baseline_names) for f in setup.features],
            methods=[method.info for method in methods.offered().values()],
            targets=list(setup.targets),
            default_method=choice.method,
            default_reason=choice.reason,
            default_order=setup.default_order,
            explains_label=setup.explains_label,
        )

    def layers(self, model: int) -> ModelLayers:
        """The modules of a model, with what came out of them for the first sample."""
        anatomy = self._anatomy(model, FIRST_LOOK)
        return ModelLayers(layers=anatomy.layers, suggested=anatomy.suggested)

    def methods(self, model: int) -> ModelMethods:
        """Which methods work on a model, and what they cost."""
        self._check_model(model)
        return ModelMethods(methods=self._looks.offers(model, self._first(FIRST_LOOK), FIRST_LOOK))

    def price(self, request: AttributionRequest) -> Price:
        """What a question costs, without answering it."""
        example, question = self._example(request.sample, FIRST_LOOK), self._question(request)
        anatomy, device = self._anatomy(request.model, FIRST_LOOK), self._placed[request.model][1]
        priced = device.background(lambda: price(prepared(question, example), anatomy))
        return waited(priced, FIRST_LOOK)

    def usual(self, model: int, patience: float | None) -> tuple[Choice, str | None]:
        """The method that is shown first, and the layer that it looks at in a model; what is known in that time."""
        self._check_model(model)
        try:
            return self._looks.usual(model, self._first(patience), patience)
        except Exception:  # a sample's own card says what is wrong with it
            return Choice(self._setup.default_method or FALLBACK), None

    def _first(self, patience: float | None) -> Example:
        """The first example that every model could predict, of those that are read first."""
        rows = self._index.predictions(list(range(FEW)))
        good = (sample for sample in rows if rows[sample] and not any(row.error for row in rows[sample]))
        return self._example(next(good, 0), patience)

    def _anatomy(self, model: int, patience: float) -> Anatomy:
        self._check_model(model)
        return self._looks.anatomy(model, self._first(patience), patience)

    def _question(self, request: AttributionRequest) -> Question:
        self._check_model(request.model)
        return self._questions.read(request, self._placed[request.model][0])

    def samples(self, query: SampleQuery) -> SamplePage:
        """A page of samples, after a moment's patience for a scan under way."""
        self._check_model(query.model)
        self._scanner.want(max(query.scan_to, query.limit))
        deadline = time.monotonic() + PATIENCE
        while True:
            progress = self._scanner.progress
            page = self._index.page(query, progress.scanned)
            left = deadline - time.monotonic()
            if len(page.samples) >= query.limit or not progress.scanning or left <= 0:
                break
            self._scanner.wait_for_news(progress.scanned, left)
        return SamplePage(
            samples=self._samples(page.samples), next_cursor=page.next_cursor, matched=page.matched, progress=progress
        )

    def sample(self, sample: int) -> Sample:
        """One sample, read now if it has not been."""
        self._check_read(sample)
        return self._samples([sample])[0]

    def _samples(self, numbers: list[int]) -> list[Sample]:
        rows, outputs = self._index.predictions(numbers), self._setup.outputs
        drawn = zip(numbers, self._gallery.inputs(numbers, FIRST_LOOK), strict=True)
        return [present.sample(n, inputs, rows[n], outputs) for n, inputs in drawn]

    def summary(self, query: SampleFilter) -> Summary:
        """Counts over what has been scanned."""
        self._check_model(query.model)
        self._scanner.want(query.scan_to)
        progress = self._scanner.progress
        return present.summary(self._index.counts(query, progress.scanned), self._setup.outputs, progress)

    def media(self, sample: int, feature: int) -> tuple[bytes, str]:
        """An input as an image file."""
        found = self.shown(sample, FIRST_LOOK)
        shown = found[feature] if feature < len(found) else None
        if not isinstance(shown, Picture):
            raise _not_found(f"input {feature} of sample {sample} is not an image")
        return image_file(shown)

    def explain(self, request: AttributionRequest, client: str, first: bool = False) -> Job:
        """The job that answers a question; a quick one is done already when this returns."""
        job = self._submit(request, client, first, FIRST_LOOK)
        job.finished.wait(PATIENCE / 2)
        return present.job(job, self._jobs.ahead(job))

    def _submit(
        self, request: AttributionRequest, client: str, first: bool, patience: float | None
    ) -> jobs.Job[Answer]:
        example = self._example(request.sample, patience)
        question = self._question(request)
        id = identity(request, question, self._salt)

        def work(job: jobs.Job[Answer]) -> Answer:
            found = explain(question, example, job.report, job.stops)
            return present.answer(id, request, found, self._setup.features)

        return self._jobs.submit(id, request.sample, work, self._placed[request.model][1], client, first)

    def answer(self, request: AttributionRequest, patience: float | None = None, first: bool = False) -> Explanation:
        """The explanation itself, for callers in this process; waits `patience` seconds (None: as long as it takes).

        Raises what made the explanation fail, `TimeoutError` when it is not there in time.
        """
        client = f"python {threading.get_ident()}"
        job = self._submit(request, client, first, patience)
        deadline = None if patience is None else time.monotonic() + patience
        try:
            while not job.finished.wait(STEP if deadline is None else min(STEP, max(0, deadline - time.monotonic()))):
                if deadline is not None and time.monotonic() >= deadline:
                    raise TimeoutError(f"no explanation of sample {request.sample} within {patience:g} s")
                job.seen_by(client)
        finally:
            job.leave(client)
        if job.error is not None:
            raise raised_anew(job.error)
        if job.result is None:
            raise InsightsError("the explanation was cancelled")
        return job.result.explanation

    def shown(self, sample: int, patience: float | None = None) -> list[Shown]:
        """What is drawn of a sample's inputs; waits `patience` seconds (None: as long as it takes)."""
        self._check_read(sample)
        return self._gallery.shown(sample, patience)

    @property
    def setup(self) -> Setup:
        """What the workspace is made of."""
        return self._setup

    def job(self, job: str, client: str, first: bool = False) -> Job:
        """How far an explanation is; from now on before others if `first`."""
        found = self._jobs.see(job, client, first)
        return present.job(found, self._jobs.ahead(found))

    def cancel(self, job: str, client: str) -> Job:
        """Note that a client no longer waits."""
        found = self._jobs.get(job)
        found.leave(client)
        return present.job(found, self._jobs.ahead(found))

    def map(self, job: str, feature: int, reduction: str) -> bytes:
        """A raw map of a finished explanation."""
        answer = self._jobs.get(job).result
        if answer is None or (feature, reduction) not in answer.maps:
            raise _not_found(f"explanation {job} has no map {reduction!r} for input {feature}")
        return answer.maps[feature, reduction]

    def _check_model(self, model: int) -> None:
        if model >= len(self._placed):
            raise _not_found(f"there is no model {model}: the workspace has {len(self._placed)}")

    def _example(self, sample: int, patience: float | None) -> Example:
        """A sample's data, read now if it has not been; waits `patience` seconds (None: as long as it takes)."""
        self._check_read(sample)
        read = partial(self._setup.source.example, sample)
        example: Example = self._errands.result(("data", sample), read, patience, f"sample {sample}")
        return example

    def _check_read(self, sample: int) -> None:
        """Have a sample read, if it has not been; refused where the data ends before it, or it is far ahead."""
        if sample < self._scanner.reach:
            self._scanner.want(sample + 1)
            self._scanner.wait(sample + 1, FIRST_LOOK)
        progress = self._scanner.progress
        if sample >= progress.scanned:
            end = progress.scanned if progress.exhausted else progress.size
            if end is not None and sample >= end:
                raise _not_found(f"there is no sample {sample}: the data has {end:,}, numbered from 0")
            raise InsightsError(
                f"there is no sample {sample} yet: {progress.scanned} have been read",
                hint=f"read further first; one request reads at most {AHEAD:,} ahead",
                status=404,
                type="Not found",
            )

    def close(self) -> None:
        """Stop reading and computing; free what is held."""
        self._jobs.close()
        for device in self._devices.values():
            device.close()
        self._scanner.close()
        self._errands.close()
        self._setup.source.close()
        self._gallery.close()
        self._index.close()


def _not_found(message: str) -> InsightsError:
    return InsightsError(message, status=404, type="Not found")
