from types import SimpleNamespace

import pytest
import torch

from app.errors import InsightsError, describe
from app.model.outputs import Outputs, columns


def named(*names: str) -> dict[int, str]:
    return dict(enumerate(names))


LOGITS = torch.tensor([[1.0, 2.0, 0.5], [0.0, -1.0, 3.0]])


@pytest.mark.parametrize("output", [LOGITS, {"logits": LOGITS}, SimpleNamespace(logits=LOGITS), (LOGITS, "aux")])
def test_columns_reads_every_usual_output(output: object) -> None:
    assert torch.equal(columns(output), LOGITS)


def test_columns_gives_a_vector_its_column() -> None:
    assert columns(torch.tensor([1.0, 2.0])).shape == (2, 1)


@pytest.mark.parametrize("output", [torch.zeros(2, 3, 4, 4), "text", None])
def test_columns_refuses_what_is_no_score(output: object) -> None:
    with pytest.raises(InsightsError, match="cannot be read as scores"):
        columns(output)


def test_classification_scores_are_those_of_score_func() -> None:
    task, scores = Outputs(named("a", "b", "c"), lambda o: o.softmax(1)).read(LOGITS)
    assert task == "classification"
    assert torch.allclose(scores, LOGITS.softmax(1))


def test_a_score_func_that_gives_another_number_of_scores_is_refused() -> None:
    with pytest.raises(InsightsError, match=r"makes scores of shape \(2, 1\) of outputs of shape \(2, 3\)"):
        Outputs(named("a", "b", "c"), lambda o: o.softmax(1).max(1).values).read(LOGITS)


def test_a_score_func_that_fails_says_what_it_was_given() -> None:
    with pytest.raises(AttributeError) as caught:
        Outputs(named("a", "b", "c"), lambda o: o.probabilities).read((LOGITS,))
    assert describe(caught.value).hint == "score_func was given a tuple of 1."


def test_without_score_func_the_outputs_are_the_scores() -> None:
    assert torch.equal(Outputs(named("a", "b", "c"), None).read(LOGITS)[1], LOGITS)


def test_one_logit_for_two_classes_with_score_func_is_a_probability() -> None:
    task, scores = Outputs(named("no", "yes"), torch.sigmoid).read(torch.tensor([[0.0], [2.0]]))
    assert task == "binary"
    assert torch.allclose(scores.sum(1), torch.ones(2))
    assert scores[1, 1] > 0.5 > scores[1, 0]


def test_one_logit_without_score_func_decides_at_zero() -> None:
    _, scores = Outputs(named("no", "yes"), None).read(torch.tensor([-0.1, 0.1]))
    assert scores.argmax(1).tolist() == [0, 1]


def test_target_of_the_first_of_two_classes_is_minus_the_logit() -> None:
    outputs = Outputs(named("no", "yes"), None)
    logit = torch.tensor([[3.0]])
    assert outputs.target(1)(logit).item() == 3
    assert outputs.target(0)(logit).item() == -3


def test_target_out_of_range_names_the_valid_ones() -> None:
    with pytest.raises(InsightsError, match="valid classes are 0 to 2"):
        Outputs(named("a", "b", "c"), None).target(7)(LOGITS)


def test_one_output_without_two_names_is_a_number() -> None:
    assert Outputs(named("price"), None).read(torch.tensor([[4.5]]))[0] == "regression"


def test_classes_beyond_the_names_have_names_too() -> None:
    assert Outputs(named("a"), None).name(4) == "class 4"
