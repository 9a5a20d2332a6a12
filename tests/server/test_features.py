import pytest
import torch

from app.data.features import BaseFeature, EmptyFeature, GeneralFeature, ImageFeature, TextFeature
from app.errors import InsightsError, describe


@pytest.mark.parametrize(
    ("channels", "note"),
    [
        (1, None),
        (2, "the mean of 2 channels"),
        (3, None),
        (4, "the first 3 of 4 channels"),
        (13, "the mean of 13 channels"),
    ],
)
def test_images_of_any_channels_are_shown(channels: int, note: str | None) -> None:
    picture = ImageFeature("x").show(torch.rand(channels, 5, 7))
    assert picture.pixels.shape == (5, 7, 3)
    assert picture.note == note


def test_an_image_in_zero_to_one_is_shown_as_it_is() -> None:
    picture = ImageFeature("x").show(torch.full((3, 2, 2), 0.5))
    assert (picture.pixels == 128).all()


def test_bytes_are_shown_as_they_are() -> None:
    assert (ImageFeature("x").show(torch.full((3, 2, 2), 100, dtype=torch.uint8)).pixels == 100).all()


def test_other_ranges_are_stretched_and_said() -> None:
    picture = ImageFeature("x").show(torch.tensor([[[-2.0, 2.0]]]))
    assert picture.pixels[0, :, 0].tolist() == [0, 255]
    assert picture.note == "stretched from [-2, 2]"


def test_nan_in_an_image_is_shown_black() -> None:
    picture = ImageFeature("x").show(torch.tensor([[[float("nan"), 1.0]]]))
    assert picture.pixels[0, :, 0].tolist() == [0, 255]


def test_visualization_transform_receives_a_batch_of_one() -> None:
    seen = []
    ImageFeature("x", visualization_transform=lambda x: seen.append(x.shape) or x).show(torch.rand(3, 4, 4))
    assert seen == [(1, 3, 4, 4)]


def test_a_vector_is_not_an_image() -> None:
    with pytest.raises(InsightsError, match=r"its data is float32 \(7,\)"):
        ImageFeature("x").show(torch.rand(7))


def test_input_transforms_run_in_order_on_one_example() -> None:
    feature = ImageFeature("x", None, [lambda x: x + 1, lambda x: x * 2])
    assert feature.transform(torch.zeros(1, 2, 2)).unique().tolist() == [2]


def test_baselines_receive_the_transformed_input() -> None:
    feature = ImageFeature("x", [lambda x: x * 0, lambda x: x * 3], lambda x: x + 1)
    transformed = feature.transform(torch.zeros(1, 2, 2))
    assert [b.unique().tolist() for b in feature.baselines(transformed)] == [[0], [3]]


def test_without_baseline_transforms_the_baseline_is_zero() -> None:
    assert not ImageFeature("x").baselines(torch.ones(1, 2, 2))[0].any()


def test_a_baseline_of_another_shape_is_refused() -> None:
    with pytest.raises(InsightsError, match="same shape"):
        ImageFeature("x", [lambda x: x[0]]).baselines(torch.ones(3, 2, 2))


def test_baselines_are_named_after_their_functions() -> None:
    def black_image(x: torch.Tensor) -> torch.Tensor:
        return x * 0

    assert ImageFeature("x", [black_image, lambda x: x]).baseline_names == ["black image", "baseline 2"]


def test_text_shows_the_words_and_sums_over_the_embedding() -> None:
    words = ["so", "good"]
    feature = TextFeature("t", None, None, lambda ids: [words[i] for i in ids.squeeze(0)])
    assert feature.show(torch.tensor([0, 1])).tokens == words
    assert feature.reduce(torch.tensor([[1.0, 2.0], [-1.0, 0.5]])).tolist() == [3.0, -0.5]


def test_a_visualization_transform_that_fails_says_what_it_was_given() -> None:
    with pytest.raises(AttributeError) as caught:
        TextFeature("t", None, None, lambda ids: ids.words).show(torch.tensor([0, 1]))
    said = "The visualization_transform of feature 't' was given int64 (1, 2)."
    assert describe(caught.value).hint == said


def test_text_without_words_shows_the_ids() -> None:
    assert TextFeature("t").show(torch.tensor([5, 9])).tokens == ["5", "9"]


def test_embedded_text_without_words_shows_the_positions() -> None:
    assert TextFeature("t").show(torch.rand(3, 8)).tokens == ["0", "1", "2"]


def test_numbers_without_a_name_are_counted_on() -> None:
    shown = GeneralFeature("row", ["age"]).show(torch.tensor([30.0, 2.0]))
    assert shown.categories == ["age", "value 1"]
    assert shown.values == [30.0, 2.0]


def test_an_empty_feature_shows_nothing() -> None:
    assert EmptyFeature().show(torch.rand(3)) is None


def count(groups: torch.Tensor) -> int:
    assert groups.unique().tolist() == list(range(int(groups.max()) + 1))
    return int(groups.max()) + 1


@pytest.mark.parametrize(
    ("feature", "shape", "size", "groups", "window"),
    [
        (ImageFeature("x"), (32, 32), 4, 64, (4, 4)),
        (ImageFeature("x"), (32, 32), None, 256, (4, 4)),
        (ImageFeature("x"), (1, 32, 32), 4, 64, (1, 4, 4)),
        (ImageFeature("x"), (3, 5, 7), 2, 12, (3, 2, 2)),
        (ImageFeature("x"), (1, 60), 5, 12, (1, 5)),
        (TextFeature("x"), (6, 32), None, 6, (1, 32)),
        (TextFeature("x"), (6,), 4, 2, (4,)),
        (GeneralFeature("x", []), (7,), None, 7, (1,)),
        (GeneralFeature("x", []), (1, 7), None, 7, (1, 1)),
        (GeneralFeature("x", []), (), None, 1, ()),
        (BaseFeature("series"), (1, 60), None, 60, (1, 1)),
        (BaseFeature("series"), (60,), 5, 12, (5,)),
        (BaseFeature("series"), (1, 6400), None, 64, (1, 100)),
        (BaseFeature("x"), (), None, 1, ()),
        (BaseFeature("x"), (3, 8, 8), 4, 4, (3, 4, 4)),
        (EmptyFeature("x"), (3, 8, 8), None, 1, (3, 8, 8)),
    ],
)
def test_features_say_what_is_removed_together(
    feature: BaseFeature, shape: tuple[int, ...], size: int | None, groups: int, window: tuple[int, ...]
) -> None:
    x = torch.zeros(shape)
    assert feature.groups(x, size).shape == x.shape
    assert count(feature.groups(x, size)) == groups
    assert feature.window(x, size) == window


def test_words_of_a_feature_of_ones_own_are_removed_one_by_one() -> None:
    class Own(BaseFeature):
        kind = "text"

    assert count(Own("x").groups(torch.zeros(5, 32), None)) == 5
    assert Own("x").window(torch.zeros(5, 32), 2) == (2, 32)
