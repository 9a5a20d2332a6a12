from __future__ import annotations

import functools
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import attribution_core
from attribution_core import AttributionError, AttributionWarning, Cancelled, observe
from attribution_core.errors import NotPerExample
from attribution_core.evaluation.chunks import in_chunks, rows_that_fit
from attribution_core.evaluation.observe import _observer, report

from . import registry
from .nets import Counting
from .registry import OF_ROWS, build, recipe

pytestmark = pytest.mark.filterwarnings("ignore:Lime's penalty")  # of nets whose scores differ by little
OWN: dict[str, dict[str, Any]] = {
    "Saliency": {},
    "InputXGradient": {},
    "IntegratedGradients": {"n_steps": 12, "return_convergence_delta": True},
    "DeepLift": {"return_convergence_delta": True},
    "GuidedBackprop": {},
    "Deconvolution": {},
    "FeatureAblation": {},
    "Occlusion": {"sliding_window_shapes": (2,)},
    "FeaturePermutation": {"seed": 1},
    "ShapleyValues": {},
    "ShapleyValueSampling": {"n_samples": 5, "seed": 1},
    "KernelShap": {"n_samples": 12, "seed": 1},
    "Lime": {"n_samples": 13, "seed": 1},
    "GradientShap": {"baselines": torch.eye(5)[:3].double(), "n_samples": 7, "stdevs": 0.5, "seed": 1},
    "DeepLiftShap": {"baselines": torch.eye(5)[:3].double(), "return_convergence_delta": True},
}
"""What is asked otherwise than the registry says."""
STEPS = {
    **dict.fromkeys(("Saliency", "InputXGradient", "DeepLift", "GuidedBackprop", "Deconvolution", "LRP"), 1),
    "NoiseTunnel": 5,
    "IntegratedGradients": 12,
    "FeatureAblation": 5,
    "Occlusion": 4,
    "FeaturePermutation": 5,
    "ShapleyValues": 32,
    "ShapleyValueSampling": 24,
    "KernelShap": 12,
    "Lime": 13,
    "GradientShap": 7,
    "DeepLiftShap": 3,
}


def call(name: str, **more: Any) -> dict[str, Any]:
    """Arguments for rows of five numbers."""
    return {**(OWN[name] if name in OWN else recipe(name).options(torch.ones(1, 5))), **more}


def flat(result: Any) -> Tensor:
    parts = result if isinstance(result, tuple) else (result,)
    return torch.cat([part.flatten() for part in parts])


def ask(name: str, model: Counting, x: Tensor, **more: Any) -> Tensor:
    return flat(build(name, model).attribute(x, **call(name, target=[0, 1, 2, 0], **more)))


@pytest.mark.parametrize("name", OF_ROWS)
@pytest.mark.parametrize("bound", [1, 3, 4, 9, 100])
def test_no_pass_is_larger_than_max_batch_and_results_are_the_same(name: str, bound: int) -> None:
    model, x, scale = Counting(), torch.randn(4, 5).double(), torch.tensor([1.0, 2, 3, 4]).double()
    expected = ask(name, model, x, additional_forward_args=scale)
    model.rows.clear()
    with observe(max_batch=bound):
        found = ask(name, model, x, additional_forward_args=scale)
    assert max(model.rows) <= bound
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", OF_ROWS)
def test_progress_counts_to_the_number_of_steps(name: str) -> None:
    seen: list[tuple[int, int]] = []
    with observe(progress=lambda done, total: seen.append((done, total)), max_batch=8):
        ask(name, Counting(), torch.randn(4, 5).double())
    steps = STEPS.get(name, seen[-1][1])
    assert seen[0] == (0, steps)
    assert seen[-1] == (steps, steps)
    assert seen == sorted(seen)
    if steps > 1:
        assert len(seen) == steps // 2 + steps % 2 + 1


@pytest.mark.parametrize("name", OF_ROWS)
def test_cancelling_stops_within_one_forward_pass(name: str) -> None:
    model, x = Counting(), torch.randn(4, 5).double()
    with observe(max_batch=4):
        ask(name, model, x)
        passes = len(model.rows)
        for asked in range(passes):
            model.rows.clear()
            before = torch.get_rng_state()
            with pytest.raises(Cancelled), observe(cancelled=lambda a=asked: len(model.rows) >= a):
                ask(name, model, x)
            assert len(model.rows) == asked
            assert torch.equal(before, torch.get_rng_state())
            assert all(parameter.grad is None for parameter in model.parameters())


def test_observers_nest_and_are_forgotten() -> None:
    outer: list[int] = []
    inner: list[int] = []
    with observe(progress=lambda d, t: outer.append(d), max_batch=3):
        with observe(progress=lambda d, t: inner.append(d)):
            report(1, 2)
            assert _observer.get().max_batch == 3
        report(2, 2)
    assert (outer, inner) == ([2], [1])
    assert _observer.get().progress is None
    with pytest.raises(ZeroDivisionError), observe(max_batch=1):
        raise ZeroDivisionError
    assert _observer.get().max_batch is None


def test_observers_belong_to_their_thread() -> None:
    seen: list[int | None] = []
    with observe(max_batch=5):
        thread = threading.Thread(target=lambda: seen.append(_observer.get().max_batch))
        thread.start()
        thread.join()
    assert seen == [None]


@pytest.mark.parametrize("bound", [0, -1, True])
def test_impossible_bounds_are_refused(bound: int) -> None:
    with pytest.raises(AttributionError, match="max_batch"), observe(max_batch=bound):
        pass


def chunks(total: int, compute: Callable[[int, int], Any], batch: int, rows: int) -> list[Any]:
    return list(in_chunks(total, compute, batch, rows))


def test_chunks_cover_every_step_once() -> None:
    assert chunks(7, lambda a, b: (a, b), batch=2, rows=6) == [(0, 3), (3, 6), (6, 7)]
    assert chunks(2, lambda a, b: (a, b), batch=9, rows=6) == [(0, 1), (1, 2)]
    assert chunks(0, lambda a, b: (a, b), batch=1, rows=6) == []


def test_chunks_are_about_as_large() -> None:
    assert chunks(50, lambda a, b: b - a, batch=4, rows=64) == [13, 13, 13, 11]
    assert chunks(5, lambda a, b: b - a, batch=1, rows=4) == [3, 2]


def test_memory_running_out_halves_the_chunk() -> None:
    def compute(start: int, stop: int) -> int:
        if stop - start > 2:
            raise torch.cuda.OutOfMemoryError
        return stop - start

    assert chunks(9, compute, batch=1, rows=9) == [2, 2, 2, 2, 1]
    with pytest.raises(torch.cuda.OutOfMemoryError):
        chunks(2, lambda a, b: compute(0, 9), batch=1, rows=1)


class Small(Counting):
    """A net whose memory holds few rows."""

    def forward(self, x: Tensor, scale: Tensor | None = None) -> Tensor:
        self.rows.append(len(x))
        if len(x) > 3:
            raise torch.cuda.OutOfMemoryError
        return self.body(x)


@pytest.mark.parametrize("name", OF_ROWS)
def test_memory_running_out_halves_single_passes_too(name: str) -> None:
    x = torch.randn(8, 5, generator=torch.Generator().manual_seed(0)).double()
    arguments = call(name, target=[0, 1, 2, 0] * 2)
    method = functools.partial(build, name)
    expected, model = flat(method(Counting()).attribute(x, **arguments)), Small()
    torch.testing.assert_close(flat(method(model).attribute(x, **arguments)), expected, rtol=1e-12, atol=1e-12)
    assert min(model.rows) == 2
    with pytest.raises(torch.cuda.OutOfMemoryError):
        method(lambda x: Small()(x.repeat(4, 1))).attribute(x, **arguments)


@pytest.mark.parametrize("name", OF_ROWS)
def test_the_same_seed_gives_the_same_bits_whatever_memory_is_free(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of other sizes would add up the same numbers in another order."""
    torch.manual_seed(0)
    net, x = nn.Sequential(nn.Linear(20_000, 4), nn.ReLU(), nn.Linear(4, 3)), torch.randn(2, 20_000)
    more: dict[str, Any] = {"Occlusion": {"sliding_window_shapes": (5000,), "strides": 5000}}.get(name, {})
    found = []
    for pages in (1 << 30, 1):
        monkeypatch.setattr("os.sysconf", lambda which, pages=pages: pages)
        monkeypatch.setattr(Path, "read_text", lambda self, pages=pages: f"MemAvailable: {pages} kB")
        found.append(flat(registry.ask(name, net, x, **more)))
    assert torch.equal(*found)


def test_what_a_failed_pass_has_allocated_is_free_before_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error's traceback holds the frames of the pass, and these its tensors."""
    held: list[weakref.ref[Tensor]] = []
    alive: list[bool] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: alive.append(held[-1]() is not None))

    def compute(start: int, stop: int) -> int:
        activations = torch.ones(3)
        circle: list[Any] = [activations]
        circle.append(circle)
        held.append(weakref.ref(activations))
        if stop - start > 1:
            raise torch.cuda.OutOfMemoryError
        return stop

    assert chunks(4, compute, batch=1, rows=4) == [1, 2, 3, 4]
    assert alive == [False, False]


def test_token_ids_count_as_what_they_stand_for() -> None:
    assert rows_that_fit((torch.zeros(2, 64, dtype=torch.long),)) == rows_that_fit((torch.zeros(2, 64, 64),))


def test_other_errors_are_not_retried() -> None:
    tries = []
    with pytest.raises(RuntimeError, match="mat1"):
        chunks(4, lambda a, b: tries.append(a) or (_ for _ in ()).throw(RuntimeError("mat1")), batch=1, rows=4)
    assert tries == [0]


def test_outputs_that_do_not_grow_are_taken_one_at_a_time() -> None:
    def compute(start: int, stop: int) -> int:
        if stop - start > 1:
            raise NotPerExample("one")
        return start

    assert chunks(3, compute, batch=1, rows=3) == [0, 1, 2]


@pytest.mark.parametrize("forward", [lambda x: x.square().mean(), lambda x: x.square().mean()[None]])
@pytest.mark.parametrize("batch", [1, 3])
def test_one_number_for_the_batch_is_detected(forward: Callable[[Tensor], Tensor], batch: int) -> None:
    x = torch.randn(batch, 4).double()
    torch.testing.assert_close(attribution_core.IntegratedGradients(forward).attribute(x), x.square() / x.numel())
    expected = x.square().sum(0, keepdim=True) / x.numel()
    torch.testing.assert_close(attribution_core.FeatureAblation(forward).attribute(x), expected)
    with observe(max_batch=2):
        if batch > 2:
            with pytest.raises(AttributionError, match="1 scores for 2 rows"):
                attribution_core.FeatureAblation(forward).attribute(x)


def test_defaults_bound_rows() -> None:
    assert rows_that_fit((torch.empty(2, 3, 224, 224),)) == 6
    assert rows_that_fit((torch.empty(2, 30),)) == 1024
    assert rows_that_fit((torch.empty(2, 30),), asked=7) == 7
    with observe(max_batch=5):
        assert rows_that_fit((torch.empty(2, 30),), asked=7) == 5


def test_progress_bar(capsys: pytest.CaptureFixture[str]) -> None:
    seen = []
    with observe(progress=lambda done, total: seen.append(done)):
        attribution_core.FeatureAblation(lambda x: x.sum(1)).attribute(torch.ones(1, 3), show_progress=True)
    assert "Feature Ablation" in capsys.readouterr().err
    assert seen == [0, 3]


def test_progress_bar_without_tqdm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tqdm.auto", None)
    with pytest.raises(AttributionError, match="pip install tqdm"):
        attribution_core.FeatureAblation(lambda x: x.sum(1)).attribute(torch.ones(1, 3), show_progress=True)


def unused(x: Tensor, y: Tensor) -> Tensor:
    return x.sum(1)


WARNS: dict[str, Callable[[], object]] = {
    "an unused input": lambda: attribution_core.Saliency(unused).attribute((torch.ones(1, 2), torch.ones(1, 2))),
    "a tolerance missed": lambda: attribution_core.IntegratedGradients(lambda x: (1e4 * x).sin().sum(1)).attribute(
        torch.rand(1, 2), tolerance=1e-9
    ),
    "a penalty that left nothing": lambda: attribution_core.Lime(lambda x: 1e-3 * x.sum(1)).attribute(
        torch.ones(1, 3), n_samples=8
    ),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("case", WARNS)
def test_warnings_go_to_the_observer_and_not_to_the_process(case: str) -> None:
    said: list[str] = []
    with observe(warned=said.append):
        WARNS[case]()
    assert len(said) == 1


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("case", WARNS)
def test_warnings_name_the_callers_line(case: str) -> None:
    with pytest.warns(AttributionWarning) as caught:
        WARNS[case]()
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.filterwarnings("default")
def test_warnings_of_another_thread_are_its_own() -> None:
    said: list[str] = []
    with pytest.warns(AttributionWarning, match="does not depend"), observe(warned=said.append):
        thread = threading.Thread(target=WARNS["an unused input"])
        thread.start()
        thread.join()
    assert said == []
