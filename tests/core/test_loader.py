"""Feature ablation of a metric over a data loader."""

from __future__ import annotations

import captum.attr
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from attribution_core import AttributionError, Cancelled, FeatureAblation, Saliency, observe
from attribution_core.classes.loader import DataLoaderAttribution

pytestmark = pytest.mark.filterwarnings("ignore:The model is in training mode")

torch.manual_seed(0)
X, Y, LABELS = torch.randn(5, 3), torch.randn(5, 2, 2), torch.tensor([0, 1, 0, 1, 1])
W = torch.randn(3, 2)


def one(x):
    return torch.tanh(x @ W).sum(1)


def two(x, y):
    return one(x) * torch.sin(y).sum((1, 2))


def loader(*tensors):
    return DataLoader(TensorDataset(*tensors), batch_size=2)


def total(accumulated, output, batch):
    return output.sum() if accumulated is None else accumulated + output.sum()


def joined(accumulated, output, batch):
    return output if accumulated is None else torch.cat([accumulated, output])


def both(forward, *arguments, **options):
    ours = DataLoaderAttribution(FeatureAblation(forward)).attribute(*arguments, **options)
    theirs = captum.attr.DataLoaderAttribution(captum.attr.FeatureAblation(forward)).attribute(*arguments, **options)
    return ours, theirs


@pytest.mark.parametrize("shaped", [True, False])
@pytest.mark.parametrize(
    ("forward", "data", "options"),
    [
        (one, (X,), {}),
        (one, (X,), {"to_metric": torch.mean}),
        (one, (X,), {"reduce": total}),
        (one, (X,), {"reduce": total, "perturbations_per_pass": 2}),
        (one, (X,), {"reduce": total, "perturbations_per_pass": 100}),
        (one, (X,), {"reduce": joined}),
        (one, (X,), {"reduce": joined, "to_metric": lambda a: torch.stack([a.mean(), a.max()])}),
        (one, (X,), {"reduce": joined, "to_metric": lambda a: torch.outer(a, a)}),
        (one, (X,), {"reduce": total, "baselines": 1.0}),
        (one, (X,), {"reduce": total, "baselines": torch.ones(1, 3), "feature_mask": torch.tensor([[0, 0, 1]])}),
        (one, (X,), {"reduce": total, "feature_mask": torch.tensor([[5, 5, 2]])}),
        (two, (X, Y), {"reduce": total}),
        (two, (X, Y), {"reduce": total, "input_roles": (0, 1)}),
        (two, (X, Y), {"reduce": total, "input_roles": (1, 0)}),
        (two, (X, Y), {"reduce": total, "baselines": (1.0, torch.zeros(1, 2, 2))}),
        (two, (X, Y), {"reduce": total, "feature_mask": (torch.tensor([[0, 0, 1]]), torch.tensor([[[0, 1], [2, 2]]]))}),
        (two, (X, Y, LABELS), {"reduce": lambda a, o, b: total(a, o * b[2], b), "input_roles": (0, 0, 2)}),
    ],
)
def test_like_captum(forward, data, options, shaped):
    torch.testing.assert_close(*both(forward, loader(*data), return_input_shape=shaped, **options))


def test_against_the_whole_data_set():
    accuracy = []
    for feature in (None, 0, 1, 2):
        x = X.clone()
        if feature is not None:
            x[:, feature] = 0
        accuracy.append(((x @ W).argmax(1) == LABELS).float().mean())

    def count(accumulated, output, batch):
        right, seen = accumulated or (0, 0)
        return right + (output.argmax(1) == batch[1]).sum(), seen + len(output)

    found = DataLoaderAttribution(FeatureAblation(lambda x: x @ W)).attribute(
        loader(X, LABELS), (0, 2), reduce=count, to_metric=lambda a: a[0] / a[1]
    )
    torch.testing.assert_close(found[0][0], accuracy[0] - torch.stack(accuracy[1:]))


def test_batches_that_are_tensors_tuples_or_integers():
    method = DataLoaderAttribution(FeatureAblation(one))
    listed = method.attribute([[X[:2]], [X[2:]]], reduce=total)
    assert isinstance(listed, tuple)
    assert torch.equal(method.attribute([(X[:2],), (X[2:],)], reduce=total)[0], listed[0])
    assert torch.equal(method.attribute([X[:2], X[2:]], reduce=total), listed[0])
    whole = DataLoaderAttribution(FeatureAblation(lambda x: (x.float() @ W).sum(1)))
    assert whole.attribute([torch.tensor([[1, 2, 3]])]).shape == (1, 3)
    assert DataLoaderAttribution(FeatureAblation(lambda x: x * 2)).attribute([X[:, 0]], reduce=total).shape == (1,)
    counted = DataLoaderAttribution(FeatureAblation(lambda x: x > 0)).attribute([X], reduce=total)
    assert counted.tolist() == [[float((X[:, k] > 0).sum()) for k in range(3)]]


@pytest.mark.parametrize(("per_pass", "reads"), [(1, 5), (2, 3), (3, 3), (4, 2), (9, 2)])
def test_reads_progress_and_cancel(per_pass, reads):
    class Counted:
        times = 0

        def __iter__(self):
            self.times += 1
            return iter([X[:2], X[2:]])

    data, reports = Counted(), []
    method = DataLoaderAttribution(FeatureAblation(one))
    with observe(progress=lambda done, of: reports.append((done, of))):
        method.attribute(data, reduce=total, perturbations_per_pass=per_pass)
    assert data.times == reads
    assert reports[0] == (0, 4)
    assert reports[-1] == (4, 4)
    with pytest.raises(Cancelled), observe(cancelled=lambda: True):
        method.attribute(data, reduce=total)


def test_nothing_is_left_behind():
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout())
    data = DataLoader(TensorDataset(X), batch_size=5, shuffle=True)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    method = DataLoaderAttribution(FeatureAblation(net))
    next(iter(data))
    state = torch.random.get_rng_state()
    with pytest.raises(KeyError):
        method.attribute([X], reduce=lambda *_: {}["mine"])
    found = method.attribute([X], reduce=total)
    assert not found.requires_grad
    assert torch.equal(state, torch.random.get_rng_state())
    method.attribute(data, reduce=total)
    assert net.training
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in before.items())


def test_the_loader_that_shuffles_leaves_the_random_state():
    state = torch.random.get_rng_state()
    data = DataLoader(TensorDataset(X), batch_size=2, shuffle=True)
    shuffled = DataLoaderAttribution(FeatureAblation(one)).attribute(data, reduce=total)
    assert torch.equal(state, torch.random.get_rng_state())
    torch.testing.assert_close(shuffled, both(one, loader(X), reduce=total)[0])


def test_infinity_in_a_removed_feature_does_not_leak():
    x = X.clone()
    x[1, 0] = float("nan")
    found = DataLoaderAttribution(FeatureAblation(lambda x: x[:, 1:].sum(1))).attribute([x], reduce=total)
    torch.testing.assert_close(found, torch.stack([torch.tensor(0.0), *X[:, 1:].sum(0)])[None])


def test_names():
    method = DataLoaderAttribution(FeatureAblation(one))
    assert method.get_name() == "Data Loader Attribution"
    assert not method.has_convergence_delta()
    assert method.forward_func is one


def attempt(data, **options):
    return lambda: DataLoaderAttribution(FeatureAblation(one)).attribute(data, **{"reduce": total, **options})


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (lambda: DataLoaderAttribution(Saliency(one)), "Saliency"),
        (lambda: DataLoaderAttribution(3), "int"),
        (attempt(iter([X])), "not an iterator"),
        (attempt([]), "empty"),
        (attempt([{"x": X}]), "dict"),
        (attempt([["a"]]), "str"),
        (attempt([X], input_roles=(0, 1)), "1 elements"),
        (attempt([X], input_roles=(1,)), "at least one 0"),
        (attempt([X], input_roles=(3,)), "0 (attribute to it)"),
        (attempt([[X], [X, X]]), "2 elements"),
        (attempt([X, X[:, :2]]), "Features must be the same"),
        (attempt([X], perturbations_per_pass=0), "perturbations_per_pass=0"),
        (attempt([X], reduce=None, to_metric=3), "to_metric=3: expected a function"),
        (lambda: DataLoaderAttribution(FeatureAblation(torch.sum)).attribute([X]), "pass reduce"),
        (attempt([X], reduce=3), "reduce=3: expected a function"),
        (attempt([X], to_metric=lambda a: 3.0), "float, not a tensor"),
        (attempt([X], baselines=torch.ones(2, 3)), "baselines[0]"),
        (attempt([X], feature_mask=torch.zeros(2, 3)), "must be 1"),
        (attempt([X], feature_mask=torch.zeros(3)), "must be 1"),
        (attempt([X], feature_mask=torch.tensor([[-1, 0, 0]]), return_input_shape=False), "count from 0"),
        (attempt([X], baselines=(0, 0)), "2 entries"),
    ],
)
def test_refused(run, words):
    with pytest.raises(AttributionError) as error:
        run()
    assert words in str(error.value)
