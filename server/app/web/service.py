"""Answers to the contract's requests, from the source, the index, the scanner and the jobs of one workspace."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import get_args

from torch import nn

from app.data.features import BaseFeature, Picture, Shown
from app.data.source import Example, Source
from app.errors import InsightsError
from app.explain import jobs, methods
from app.explain.explanation import Explanation, Question, explain, identity
from app.explain.jobs import Jobs
from app.index.predictions import PredictionIndex
from app.index.scan import Scanner
from app.model.device import device_of
from app.model.outputs import Outputs
from app.model.worker import Worker
from app.schema import (
    AttributionRequest,
    FeatureInfo,
    Job,
    Order,
    Sample,
    SampleFilter,
    SamplePage,
    SampleQuery,
    Summary,
    Task,
    Workspace,
)
from app.web import present
from app.web.encode import image_file, reductions
from attribution_core.evaluation.observe import Cancelled

PATIENCE = 0.4
FIRST_LOOK = 2.0
STEP = 1.0
TASKS = get_args(Task)


@dataclass(frozen=True, eq=False)
class Setup:
    """What a workspace is made of."""

    title: str
    models: Sequence[tuple[str, nn.Module]]
    features: list[BaseFeature]
    outputs: Outputs
    source: Source
    explains_label: bool
    default_method: str
    default_order: Order


class InsightsService:
    """One workspace: everything here belongs to one visualizer and to nobody else."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._methods = methods.offered()
        self._salt = secrets.token_hex(4)  # the same address never means another workspace's picture
        places = [(model, str(device_of(model))) for _, model in setup.models]
        self._workers = {device: Worker(device) for _, device in places}
        self._placed = [(model, self._workers[device]) for model, device in places]
        self._index = PredictionIndex()
        self._scanner = Scanner(setup.source, self._index, self._placed, setup.features, setup.outputs)
        self._jobs: Jobs[present.Answer] = Jobs(Cancelled, lambda answer: answer[1].bytes)

    def workspace(self) -> Workspace:
        """What there is to explain, and how: whole once a sample has been predicted."""
        self._scanner.want(1)
        self._scanner.wait(1, FIRST_LOOK)
        revision = self._scanner.progress.workspace  # first: what is learnt meanwhile makes it be asked for again
        setup, outputs, tasks = self._setup, self._scanner.outputs, self._scanner.tasks
        return Workspace(
            revision=revision,
            title=setup.title,
            version=version("attribution-insights"),
            task=min(tasks.values(), key=TASKS.index, default="classification"),
            classes=[setup.outputs.name(i) for i in range(max(setup.outputs.classes, *outputs.values(), 0))],
            named=len(setup.outputs.names),
            models=[
                present.model_info(name, model, outputs.get(i), tasks.get(i))
                for i, (name, model) in enumerate(setup.models)
            ],
            features=[FeatureInfo(name=f.name, kind=f.kind, baselines=f.baseline_names) for f in setup.features],
            methods=[method.info for method in self._methods.values()],
            default_method=setup.default_method,
            default_order=setup.default_order,
            explains_label=setup.explains_label,
        )

    def samples(self, query: SampleQuery) -> SamplePage:
        """A page of samples, after a moment's patience for a scan under way."""
        self._check_model(query.model)
        self._scanner.want(max(query.scan_to or 0, query.limit))
        deadline = time.monotonic() + PATIENCE
        while True:
            progress = self._scanner.progress
            page = self._index.page(query)
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
        rows, setup = self._index.predictions(numbers), self._setup
        return [
            present.sample(n, self._attempt(n), rows[n], setup.features, setup.outputs, self._salt) for n in numbers
        ]

    def _attempt(self, sample: int) -> Example | Exception:
        try:
            return self._setup.source.example(sample)
        except Exception as error:
            return error

    def summary(self, query: SampleFilter) -> Summary:
        """Counts over what has been scanned."""
        self._check_model(query.model)
        self._scanner.want(query.scan_to or 0)
        progress = self._scanner.progress
        return present.summary(self._index.counts(query), self._setup.outputs, progress)

    def media(self, sample: int, feature: int) -> tuple[bytes, str]:
        """An input as an image file."""
        example = self._example(sample)
        features = self._setup.features
        shown = features[feature].show(example.inputs[feature]) if feature < len(features) else None
        if not isinstance(shown, Picture):
            raise _not_found(f"input {feature} of sample {sample} is not an image")
        return image_file(shown)

    def explain(self, request: AttributionRequest, client: str, first: bool = False) -> Job:
        """The job that answers a question; a quick one is done already when this returns."""
        job = self._submit(request, client, first)
        job.finished.wait(PATIENCE / 2)
        return present.job(job, self._jobs.ahead(job), self._setup.features)

    def _submit(self, request: AttributionRequest, client: str, first: bool) -> jobs.Job[present.Answer]:
        question, example, setup = self._question(request), self._example(request.sample), self._setup

        def work(job: jobs.Job[present.Answer]) -> present.Answer:
            return request, explain(question, example, setup.features, setup.outputs, job.report, lambda: job.stops)

        worker = self._placed[request.model][1]
        looked_at = request.sample if first else None
        return self._jobs.submit(identity(request, question, self._salt), work, worker, client, looked_at)

    def _question(self, request: AttributionRequest) -> Question:
        self._check_model(request.model)
        if request.method not in self._methods:
            raise InsightsError(
                f"there is no method {request.method!r}",
                hint=f"methods: {', '.join(self._methods)}",
                status=422,
            )
        method = self._methods[request.method]
        return Question(
            model=self._placed[request.model][0],
            method=method,
            arguments=method.check(request.arguments),
            target=self._target(request),
            baseline=request.baseline if method.uses_baseline else 0,
        )

    def _target(self, request: AttributionRequest) -> int:
        """The class asked for, or else the label where labels are explained, or else the predicted class."""
        if request.target is not None:
            return request.target
        self._example(request.sample)
        row = next(r for r in self._index.predictions([request.sample])[request.sample] if r.model == request.model)
        label = row.label if self._setup.explains_label else None
        target = label if label is not None else row.predicted
        return target if target is not None else (row.classes or [0])[0]

    def answer(self, request: AttributionRequest, patience: float | None = None, first: bool = False) -> Explanation:
        """The explanation itself, for callers in this process; waits `patience` seconds (None: as long as it takes).

        Raises what made the explanation fail, `TimeoutError` when it is not there in time.
        """
        client = f"python {threading.get_ident()}"
        job = self._submit(request, client, first)
        deadline = None if patience is None else time.monotonic() + patience
        try:
            while not job.finished.wait(STEP if deadline is None else min(STEP, max(0, deadline - time.monotonic()))):
                if deadline is not None and time.monotonic() >= deadline:
                    raise TimeoutError(f"no explanation of sample {request.sample} within {patience:g} s")
                job.seen_by(client)
        finally:
            job.leave(client)
        if job.error is not None:
            raise job.error
        if job.result is None:
            raise InsightsError("the explanation was cancelled")
        return job.result[1]

    def shown(self, sample: int) -> list[Shown]:
        """What is drawn of a sample's inputs."""
        example = self._example(sample)
        return [f.show(x) for f, x in zip(self._setup.features, example.inputs, strict=True)]

    @property
    def setup(self) -> Setup:
        """What the workspace is made of."""
        return self._setup

    def job(self, job: str, client: str) -> Job:
        """How far an explanation is."""
        found = self._jobs.get(job)
        found.seen_by(client)
        return present.job(found, self._jobs.ahead(found), self._setup.features)

    def cancel(self, job: str, client: str) -> Job:
        """Note that a client no longer waits."""
        found = self._jobs.get(job)
        found.leave(client)
        return present.job(found, self._jobs.ahead(found), self._setup.features)

    def map(self, job: str, feature: int, reduction: str) -> bytes:
        """A raw map of a finished explanation."""
        found = self._jobs.get(job)
        features = self._setup.features
        if found.result is None or feature >= len(features) or features[feature].kind != "image":
            raise _not_found(f"explanation {job} has no map for input {feature}")
        part = found.result[1].inputs[feature]
        if reduction not in reductions(len(part.values)):
            raise _not_found(f"explanation {job} has no map {reduction!r}")
        return present.encoded(part, reduction).data

    def _check_model(self, model: int) -> None:
        if model >= len(self._placed):
            raise _not_found(f"there is no model {model}: the workspace has {len(self._placed)}")

    def _example(self, sample: int) -> Example:
        """A sample's data, read now if it has not been."""
        self._check_read(sample)
        return self._setup.source.example(sample)

    def _check_read(self, sample: int) -> None:
        """Have a sample read, if it has not been; refused where the data ends before it."""
        self._scanner.want(sample + 1)
        self._scanner.wait(sample + 1, FIRST_LOOK)
        progress = self._scanner.progress
        if sample >= progress.scanned:
            raise _not_found(f"there is no sample {sample}, or not yet: {progress.scanned} have been read")

    def close(self) -> None:
        """Stop reading and computing; free what is held."""
        self._jobs.close()
        self._scanner.close()
        for worker in self._workers.values():
            worker.close()
        self._setup.source.close()


def _not_found(message: str) -> InsightsError:
    return InsightsError(message, status=404, type="Not found")
