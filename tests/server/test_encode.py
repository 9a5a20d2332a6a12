import io

import numpy as np
import pytest
from PIL import Image

from app.data.features import Picture
from app.numbers import finite
from app.web.encode import encode_map, image_file, reduce_channels, reductions


def decoded(data: bytes, scale: float, shape: tuple[int, int]) -> np.ndarray:
    return np.frombuffer(data, "<f2").astype(np.float32).reshape(shape) * scale


@pytest.mark.parametrize("size", [1e-9, 1.0, 1e9])
def test_maps_of_any_size_keep_three_digits(size: float) -> None:
    values = (np.random.default_rng(0).normal(size=(6, 5)) * size).astype(np.float32)
    found = encode_map(values)
    np.testing.assert_allclose(
        decoded(found.data, found.scale, (6, 5)), values, rtol=1e-3, atol=2e-4 * np.abs(values).max()
    )
    assert (found.minimum, found.maximum) == (values.min(), values.max())
    assert len(found.data) == 60


def test_what_is_not_finite_is_counted_and_kept_apart() -> None:
    found = encode_map(np.array([[1.0, np.nan], [np.inf, -2.0]], dtype=np.float32))
    assert (found.nonfinite, found.minimum, found.maximum) == (2, -2.0, 1.0)
    assert np.isnan(decoded(found.data, found.scale, (2, 2))).tolist() == [[False, True], [True, False]]


def test_maps_of_zeros_and_of_nothing_finite() -> None:
    assert encode_map(np.zeros((2, 2), np.float32)).scale == 0
    assert encode_map(np.full((2, 2), np.nan, np.float32)).nonfinite == 4


def test_reductions() -> None:
    assert reductions(1) == ["sum"]
    assert reductions(3) == ["sum", "magnitude", "0", "1", "2"]
    assert reductions(200) == ["sum", "magnitude"]
    attribution = np.array([[[3.0]], [[-4.0]]], dtype=np.float32)
    assert [reduce_channels(attribution, r).item() for r in ("sum", "magnitude", "1")] == [-1.0, 5.0, -4.0]


def test_finite_has_no_word_for_nan() -> None:
    assert [finite(x) for x in (1.5, float("nan"), float("inf"), None)] == [1.5, None, None, None]


@pytest.mark.parametrize(("side", "kind"), [(8, "image/png"), (200, "image/webp")])
def test_images_become_files(side: int, kind: str) -> None:
    pixels = np.full((side, side, 3), 77, np.uint8)
    data, mimetype = image_file(Picture(pixels))
    assert mimetype == kind
    assert abs(int(np.asarray(Image.open(io.BytesIO(data)))[0, 0, 0]) - 77) <= 2
