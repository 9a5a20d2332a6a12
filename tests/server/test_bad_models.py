"""Models that one would rather not meet: what a person reads on the card, and the model is as it was."""

# ruff: noqa: E501  # a row is a line

from __future__ import annotations

import asyncio
import sys
import threading
import warnings
from collections.abc import Callable
from concurrent import futures
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from app import AttributionVisualizer, InsightsError

from .cards import FINE, asked, card, randomness, read, state_of
from .conftest import Make, Net, batches, explained, get

Forward = Callable[[Net, Tensor], Any]


class Given(nn.Module):
    """A model that answers as `forward` says."""

    def __init__(self, forward: Forward) -> None:
        super().__init__()
        self.net = Net()
        self.answer = forward
        self.eval()

    def forward(self, x: Tensor) -> Any:
        return self.answer(self.net, x)


class Normed(nn.Module):
    """A net with batch norm, and dropout that does nothing in evaluation mode."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.head = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 3)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.head(nn.functional.dropout(self.norm(self.conv(x)), training=self.training).mean((2, 3)))


class Wordless(Exception):  # noqa: N818
    def __str__(self) -> str:
        raise RuntimeError("no words")


class Nameless(BaseException):
    def __repr__(self) -> str:
        raise RuntimeError("no name")


class Panic(BaseException):
    pass


def raising(error: Callable[[], BaseException], when: Callable[[], bool] = lambda: True) -> Callable[[], nn.Module]:
    def forward(net: Net, x: Tensor) -> Tensor:
        if when():
            raise error()
        return net(x)

    return lambda: Given(forward)


def giving(forward: Forward) -> Callable[[], nn.Module]:
    return lambda: Given(forward)


def endless(net: Net, x: Tensor) -> Any:
    return endless(net, x)


def every_second() -> nn.Module:
    calls = iter(range(1000))
    return raising(lambda: RuntimeError("not twice"), lambda: next(calls) % 2 == 1)()


def wider_each_time() -> nn.Module:
    widths = iter(range(2, 1000))
    return Given(lambda net, x: torch.zeros(len(x), next(widths)) + x.mean())


def quantised() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(Net(), {nn.Linear})


def old(make_it: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    """What torch calls deprecated, and people still use."""

    def made() -> nn.Module:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return make_it()

    return made


CALLED = "The model Given was called with float32 (1, 3, 8, 8)."
NET_CALLED = "The model Net was called with float32 (1, 3, 8, 8)."
GRADIENT = (
    "The score does not depend differentiably on the inputs. | "
    "Remove torch.no_grad() or detach() from the model, or use a perturbation method."
)
COUNT = "the first dimension of the output must count the examples"
NOTHING = (
    "look for inputs or weights that are not finite, a division by zero, a logarithm of zero; float16 overflows early"
)


def ends(what: str) -> str:
    return (
        f"this code raised {what}, which ends a program; here it ended this piece of work alone | "
        "raise an ordinary exception in its place"
    )


def unreadable(what: str) -> str:
    return (
        f"the model's output cannot be read as scores of classes: {what} | expected a tensor of real numbers, "
        "(batch, classes) or (batch,); wrap the model in a function or module that returns that"
    )


def unrun(
    part: str,
    error: str,
    hint: str = "Pass what the model takes: calling it alone gives the same error.",
    rows: int = 1,
) -> str:
    """How the engine says that torch could not run a model."""
    called = f"the model was called with a float32 tensor ({rows}, 3, 8, 8)"
    return f"{part} in the model could not be run; {called}: {error} | {hint}"


CONV = "Conv2d({}, 4, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))"
CHANNELS = (
    "Given groups=1, weight of size [4, 1, 3, 3], expected input[1, 3, 8, 8] to have 1 channels, but got 3 channels "
    "instead"
)


def of_type(name: str, said: str) -> tuple[str, str]:
    """What is read on the card, and of an explanation."""
    error = f"Input type (float) and bias type ({said}) should be the same"
    weights = f"Its weights are {name}: "
    return (
        f"{error} | {NET_CALLED} {weights}try input_transforms=[lambda x: x.to(torch.{name})].",
        unrun(CONV.format(3), error, f"{weights}pass inputs of that dtype."),
    )


@dataclass
class Row:
    """A model; what is read on its cards; and, where that differs, of an explanation by gradients and by occlusion."""

    name: str
    model: Callable[[], Any]
    card: str = FINE
    asked: str | None = None
    occluded: str | None = None


in_gradients = torch.is_grad_enabled
ROWS = [
    # it raises
    Row("raises", raising(lambda: RuntimeError("out of order")), f"out of order | {CALLED}"),
    Row("raises without a word", raising(ValueError), f"no further detail | {CALLED}"),
    Row("raises KeyError", raising(lambda: KeyError("logits")), f"'logits' | {CALLED}"),
    Row("raises StopIteration", raising(lambda: StopIteration("done")), f"done | {CALLED}"),
    Row("raises at every second call", every_second, FINE, f"not twice | {CALLED}"),
    Row("calls itself for ever", giving(endless), f"maximum recursion depth exceeded | {CALLED}", unrun("Given", "maximum recursion depth exceeded")),
    Row("raises 5 MB of text", raising(lambda: RuntimeError("x" * 5_000_000)), f"{'x' * 3900}… (4,996,100 characters more) | {CALLED}"),
    Row("raises what has no words", raising(Wordless), f"(Wordless does not say: its text cannot be made) | {CALLED}"),
    Row("raises half a character", raising(lambda: RuntimeError("bad \ud800")), f"bad � | {CALLED}"),
    Row("raises a future's CancelledError", raising(futures.CancelledError), f"no further detail | {CALLED}"),
    # it ends the program
    Row("calls sys.exit", giving(lambda net, x: sys.exit("bye")), ends("SystemExit('bye')")),
    Row("calls exit", giving(lambda net, x: exit()), ends("SystemExit(None)")),
    Row("raises KeyboardInterrupt", raising(KeyboardInterrupt), ends("KeyboardInterrupt()")),
    Row("raises asyncio.CancelledError", raising(asyncio.CancelledError), ends("CancelledError()")),
    Row("raises GeneratorExit", raising(GeneratorExit), ends("GeneratorExit()")),
    Row("raises an exception of its own kind", raising(Panic), ends("Panic()")),
    Row("raises what has no name", raising(Nameless), ends("Nameless")),
    Row("calls exit while explained", raising(SystemExit, in_gradients), FINE, ends("SystemExit()"), FINE),
    Row("KeyboardInterrupt while explained", raising(KeyboardInterrupt, in_gradients), FINE, ends("KeyboardInterrupt()"), FINE),
    Row("CancelledError while explained", raising(asyncio.CancelledError, in_gradients), FINE, ends("CancelledError()"), FINE),
    Row("its own exception while explained", raising(Panic, in_gradients), FINE, ends("Panic()"), FINE),
    # its answers are no numbers to rank
    Row("gives NaN", giving(lambda net, x: net(x) * torch.nan), f"the model Given predicts nothing: its best scores are nan, nan, nan | {NOTHING}", FINE),
    Row("gives infinity", giving(lambda net, x: net(x).abs() * torch.inf), f"the model Given predicts nothing: its best scores are inf, inf, inf | {NOTHING}", FINE),
    Row("gives NaN for one class", giving(lambda net, x: net(x) * torch.tensor([1, torch.nan, 1]))),
    Row("gives None", giving(lambda net, x: None), unreadable("None")),
    Row("gives a dict", giving(lambda net, x: {"scores": net(x)}), unreadable("a dict of 1")),
    Row("gives a dict with logits", giving(lambda net, x: {"logits": net(x)})),
    Row("gives logits that are None", giving(lambda net, x: {"logits": None}), unreadable("None")),
    Row("gives a list with a tensor", giving(lambda net, x: [net(x)])),
    Row("gives an empty list", giving(lambda net, x: []), unreadable("a list of 0")),
    Row("gives a list of lists", giving(lambda net, x: net(x).tolist()), unreadable("a list of 3")),
    Row("gives numpy", giving(lambda net, x: net(x).detach().numpy()), unreadable("numpy float32 (1, 3)")),
    Row("gives a string", giving(lambda net, x: "cat"), unreadable("a str")),
    Row("gives a number", giving(lambda net, x: 0.5), unreadable("a float")),
    Row("gives a scalar", giving(lambda net, x: net(x).sum()), unreadable("float32 ()")),
    Row("gives a picture", giving(lambda net, x: net.conv(x)), unreadable("float32 (1, 4, 8, 8)")),
    Row("gives no columns", giving(lambda net, x: net(x)[:, :0]), unreadable("float32 (1, 0)")),
    Row("gives complex numbers", giving(lambda net, x: torch.complex(net(x), net(x))), unreadable("complex64 (1, 3)")),
    Row("gives a tensor without memory", giving(lambda net, x: net(x).to("meta")), unreadable("meta float32 (1, 3)")),
    Row("gives no rows", giving(lambda net, x: net(x)[:0]), f"the model gave 0 outputs for a batch of 1 | {COUNT}", "The model gave 0 scores for 1 rows. | It must return one row for each example, or one number for the whole batch."),
    Row("gives only the first row", giving(lambda net, x: net(x)[:1])),
    Row("gives the mean of the batch", giving(lambda net, x: net(x).mean(0, keepdim=True))),
    Row("gives integers", giving(lambda net, x: (net(x) * 100).long()), FINE, GRADIENT, FINE),
    Row("gives booleans", giving(lambda net, x: net(x) > 0), FINE, GRADIENT, FINE),
    Row("gives detached scores", giving(lambda net, x: net(x).detach()), FINE, GRADIENT, FINE),
    Row("gives quantised scores", giving(lambda net, x: torch.quantize_per_tensor(net(x), 0.1, 0, torch.qint8)), FINE, GRADIENT, FINE),
    Row("works without gradients", giving(torch.no_grad()(lambda net, x: net(x))), FINE, GRADIENT, FINE),
    Row("works in inference mode", giving(torch.inference_mode()(lambda net, x: net(x))), FINE, GRADIENT, FINE),
    Row("gives a million scores", giving(lambda net, x: net(x).mean(1, keepdim=True) * torch.linspace(0, 1, 1_000_000))),
    Row("changes what it is given", giving(lambda net, x: net(x.mul_(2)))),
    # of another kind
    Row("in training mode", lambda: Normed().train()),
    Row("with batch norm in training mode", lambda: (net := Normed(), net.norm.train())[0]),
    Row("scripted", old(lambda: torch.jit.script(Net()))),
    Row("traced", old(lambda: torch.jit.trace(Net(), torch.rand(1, 3, 8, 8)))),
    Row("compiled", lambda: torch.compile(Net(), backend="eager")),
    Row("exported for a batch of one", lambda: torch.export.export(Net(), (torch.rand(1, 3, 8, 8),)).module(), FINE, FINE, unrun("GuardsFn()", "Guard failed: x.size()[0] == 1", rows=49)),
    Row("quantised", quantised),
    Row("in half precision", lambda: Net().half(), *of_type("float16", "c10::Half")),
    Row("in bfloat16", lambda: Net().bfloat16(), *of_type("bfloat16", "c10::BFloat16")),
    Row("in double precision", lambda: Net().double(), *of_type("float64", "double")),
    Row("frozen", lambda: Net().requires_grad_(False)),
    Row("in parallel", lambda: nn.DataParallel(Net())),
    Row("with gradients of its own", lambda: (net := Net(), net(torch.rand(1, 3, 8, 8)).sum().backward())[0]),
    Row("with weights that require no memory", lambda: Net().to("meta"), unreadable("meta float32 (1, 3)")),
    Row("for other channels", lambda: Net(channels=1), f"{CHANNELS} | {NET_CALLED}", unrun(CONV.format(1), CHANNELS)),
    Row("takes other arguments", giving(lambda net, x: net()), f"Net.forward() missing 1 required positional argument: 'x' | {CALLED}", unrun("Net", "Net.forward() missing 1 required positional argument: 'x'")),
]  # fmt: skip


def over(make: Make, model: Any, **changes: Any) -> AttributionVisualizer:
    return make(models=[model], dataset=batches(1, 4), score_func=None, **changes)


@pytest.mark.filterwarnings("ignore:.*deprecated")  # quantised tensors, by torch
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # by a compiled model
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_bad_model_is_told_and_left_as_it_was(make: Make, row: Row) -> None:
    model = row.model()
    before = state_of(model)
    visualizer = over(make, model)
    drawn = randomness()
    read(visualizer)
    by_gradients = row.card if row.asked is None else row.asked
    assert card(visualizer) == row.card
    assert asked(visualizer) == by_gradients
    assert asked(visualizer, method="Occlusion") == (by_gradients if row.occluded is None else row.occluded)
    assert get(visualizer, "/api/workspace")["models"][0]["device"]
    assert state_of(model) == before
    assert randomness() == drawn


def test_what_is_not_predicted_is_not_incorrect(make: Make) -> None:
    visualizer = over(make, Given(lambda net, x: net(x) * torch.nan))
    progress = read(visualizer)
    assert (progress["failed"], progress["unreadable"], progress["labelled"]) == (4, 0, 4)
    counts = get(visualizer, "/api/summary")
    assert (counts["correct"], counts["incorrect"], counts["unlabelled"]) == (0, 0, 0)
    assert get(visualizer, "/api/samples", outcome="incorrect")["matched"] == 0
    assert "not all finite" in " ".join(explained(visualizer)["attribution"]["warnings"])


def test_outputs_that_grow_are_refused_from_the_second_on(make: Make) -> None:
    visualizer = over(make, wider_each_time())
    read(visualizer)
    assert card(visualizer, 0) == FINE
    assert card(visualizer, 3).startswith("the model gave ")
    assert card(visualizer, 3).endswith(
        " outputs for an example, and 2 before | it must give the same ones for every example; a model with another "
        "head needs a new visualizer"
    )


def test_a_transposed_output_is_refused_also_where_the_batch_happens_to_fit(make: Make) -> None:
    visualizer = make(models=[Given(lambda net, x: net(x).T)], dataset=batches(4, 3), score_func=None)
    read(visualizer)
    assert {card(visualizer, n) for n in range(12)} == {f"the model gave 3 outputs for a batch of 1 | {COUNT}"}


def test_a_million_classes_are_a_page_of_a_few(make: Make) -> None:
    visualizer = over(make, Given(lambda net, x: net(x).mean(1, keepdim=True) * torch.linspace(0, 1, 1_000_000)))
    read(visualizer)
    client = visualizer.app.test_client()
    assert len(client.get("/api/samples").data) < 10_000
    assert len(get(visualizer, "/api/samples/0")["predictions"][0]["classes"]) <= 11


def test_a_model_shared_with_another_thread_answers_both_as_one_alone(make: Make) -> None:
    model, x = Net(), torch.rand(2, 3, 8, 8)
    with torch.no_grad():
        alone = model(x)
    visualizer = over(make, model)
    methods = ("Saliency", "GuidedBackprop", "DeepLift", "Occlusion")
    expected = [visualizer.attributions(0, method=method)[0] for method in methods]
    stop, wrong = threading.Event(), []

    def use() -> None:
        while not stop.is_set():
            with torch.no_grad():
                if not torch.equal(model(x), alone):
                    wrong.append(1)

    other = threading.Thread(target=use)
    other.start()
    try:
        again = [
            visualizer.attributions(1, method=method) and visualizer.attributions(0, method=method)[0]
            for method in methods
        ]
    finally:
        stop.set()
        other.join(5)
    assert not wrong
    assert all(map(torch.equal, again, expected))


@pytest.mark.parametrize(
    ("models", "says"),
    [
        (None, "models[0] cannot be called: None. give torch modules or functions of the inputs"),
        ([5], "models[0] cannot be called: an int. give torch modules or functions of the inputs"),
        ("resnet", "models cannot be read: a str. give torch modules or functions of the inputs"),
        ([Net(), Net], "models[1] cannot be called: the class Net. make one first: Net(...)"),
        (nn.ModuleList([Net()]), "models[0] cannot be called: a ModuleList. give list(models)"),
        (
            (net for net in [Net()]),
            "models[0] cannot be called: a generator. give torch modules or functions of the inputs",
        ),
        ([], "a visualizer needs at least one model and one feature"),
    ],
)
def test_what_is_no_model_is_refused_at_once(make: Make, models: Any, says: str) -> None:
    with pytest.raises(InsightsError) as caught:
        make(models=models)
    assert str(caught.value) == says


@pytest.mark.parametrize("classes", [["no", "yes"], None])
def test_a_softmax_of_one_logit_is_told(make: Make, classes: Any) -> None:
    model = nn.Sequential(Net(), nn.Linear(3, 1)).eval()
    visualizer = make(models=[model], classes=classes, score_func=lambda output: output.softmax(1))
    read(visualizer)
    assert card(visualizer) == (
        "score_func makes 1.0 of every output: a softmax over a single logit says nothing | give torch.sigmoid for two "
        "classes, or no score_func for a model that gives a number"
    )
