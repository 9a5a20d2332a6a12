"""Pictures: the numbers in them against Captum's, what they refuse, and text that is escaped."""

from __future__ import annotations

import re
import sys
import warnings
from html.parser import HTMLParser

import matplotlib.cm
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from captum.attr import visualization as theirs
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.figure import Figure

from attribution_core import AttributionError, AttributionWarning
from attribution_core import visualization as ours

RANDOM = np.random.default_rng(0)
ATTR, IMAGE = RANDOM.normal(size=(6, 5, 3)), RANDOM.uniform(size=(6, 5, 3))
HEAT, SERIES = RANDOM.normal(size=(12, 3)), RANDOM.normal(size=(12, 3))
SIGNS = ["all", "positive", "negative", "absolute_value"]


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


@pytest.fixture
def colormaps(monkeypatch):
    """Captum 0.9 asks for what matplotlib 3.9 removed."""
    monkeypatch.setattr(matplotlib.cm, "get_cmap", plt.get_cmap, raising=False)


def drawn(module, *arguments, **options):
    with warnings.catch_warnings():
        if module is theirs:
            warnings.simplefilter("ignore")
        figure, axis = module.visualize_image_attr(*arguments, use_pyplot=False, **options)
    figure.canvas.draw()
    return [np.ma.filled(image.get_array().astype(float), np.nan) for image in axis.images]


def test_an_image_without_attributions():
    np.testing.assert_array_equal(
        drawn(ours, None, IMAGE, "original_image")[0], drawn(ours, ATTR, IMAGE, "original_image")[0]
    )
    with pytest.raises(AttributionError, match="heat_map needs attr"):
        drawn(ours, None, IMAGE, "heat_map")


def expected(attr, sign, outlier_perc):
    """The rule, value by value."""
    values = [float(v) for v in attr.reshape(attr.shape[0] * attr.shape[1], -1).sum(1)]
    part = [{"all": v, "positive": max(v, 0), "negative": max(-v, 0), "absolute_value": abs(v)}[sign] for v in values]
    scale, so_far = 0.0, 0.0
    for size in sorted(abs(v) for v in part):
        scale, so_far = size, so_far + size
        if so_far >= sum(abs(v) for v in part) * (100 - outlier_perc) / 100:
            break
    return np.array([max(-1, min(1, v / scale)) for v in part]).reshape(attr.shape[:2])


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("outlier_perc", [0, 2, 37.5, 90])
def test_heat_map_is_its_rule_and_captums(sign, outlier_perc):
    (found,) = drawn(ours, ATTR, None, "heat_map", sign, outlier_perc=outlier_perc)
    np.testing.assert_allclose(found, expected(ATTR, sign, outlier_perc), rtol=1e-9, atol=1e-12)
    if outlier_perc:  # at 0 Captum 0.9 raises an IndexError for some values
        np.testing.assert_allclose(found, drawn(theirs, ATTR, None, "heat_map", sign, outlier_perc=outlier_perc)[0])


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("method", ["blended_heat_map", "original_image", "masked_image", "alpha_scaling"])
@pytest.mark.parametrize("image", [IMAGE, (IMAGE * 255).astype(np.uint8), IMAGE - 0.3])
def test_images_like_captum(method, sign, image):
    if sign == "all" and method in ("masked_image", "alpha_scaling"):
        with pytest.raises(AttributionError, match="both signs"):
            drawn(ours, ATTR, image, method, sign)
        return
    found, other = (drawn(module, ATTR, image, method, sign) for module in (ours, theirs))
    assert len(found) == len(other)
    for our, their in zip(found, other, strict=True):
        np.testing.assert_allclose(our, their, atol=1e-9)


@pytest.mark.parametrize(
    ("attr", "image"),
    [
        (ATTR[..., 0], IMAGE[..., 0]),
        (ATTR[..., :1], IMAGE[..., :1]),
        (ATTR, IMAGE[..., :1]),
        (ATTR[..., 0], IMAGE),
        (ATTR, np.dstack([IMAGE, IMAGE[..., 0]])),
        (torch.tensor(ATTR, dtype=torch.bfloat16, requires_grad=True), torch.tensor(IMAGE)),
        (ATTR, IMAGE > 0.5),
        (ATTR, np.full((6, 5, 3), 0.5)),
    ],
)
def test_any_number_of_channels(attr, image):
    for method in ours.ImageVisualizationMethod.__members__:
        pictures = drawn(ours, attr, image, method, "absolute_value")
        assert all(np.isfinite(picture).all() for picture in pictures)
        assert pictures[-1].shape[:2] == (6, 5)
    grey, _ = drawn(ours, attr, image, "blended_heat_map")
    flat = np.asarray(image, dtype=float).reshape(6, 5, -1)[..., :3].mean(2)
    np.testing.assert_allclose(grey, flat * 255, atol=1)


def test_bytes_are_bytes_and_floats_beyond_one_too():
    dark = (IMAGE * 2).astype(np.uint8)
    assert drawn(ours, ATTR, dark, "original_image")[0].max() == 1
    np.testing.assert_array_equal(
        drawn(ours, ATTR, IMAGE * 255, "original_image")[0], drawn(ours, ATTR, IMAGE, "original_image")[0]
    )


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("value", [0, 1e-8, -3, np.nan, np.inf, 5e-324, 1e308])
def test_degenerate_attributions(sign, value):
    (constant,) = drawn(ours, np.full((3, 4), value), None, "heat_map", sign)
    sized = {"positive": max(value, 0), "negative": max(-value, 0), "absolute_value": abs(value), "all": value}[sign]
    np.testing.assert_array_equal(constant, np.full((3, 4), np.sign(sized)))


def test_what_is_no_number_stays_out_of_the_scale():
    attr = ATTR.copy()
    attr[0, 0], attr[0, 1] = np.nan, np.inf
    (found,) = drawn(ours, attr, None, "heat_map", "all", outlier_perc=0)
    assert np.isnan(found[0, 0])
    assert found[0, 1] == 1
    rest = attr[1:].sum(2)
    largest = max(np.abs(rest).max(), np.abs(attr[0, 2:].sum(1)).max())
    np.testing.assert_allclose(found[1:], rest / largest)
    masked = drawn(ours, attr, IMAGE, "masked_image")[0]
    assert masked[0, 0].tolist() == [0, 0, 0]
    mixed = np.array([[[np.inf, -np.inf]]])
    assert np.isnan(drawn(ours, mixed, None, "heat_map", "all")[0]).all()


def test_everything_beyond_the_scale_is_full():
    (found,) = drawn(ours, np.array([[0.0, -1.0, 3.0]]), None, "heat_map", "all", outlier_perc=100)
    assert found.tolist() == [[0, -1, 1]]


@pytest.mark.parametrize("sign", SIGNS)
def test_colors_are_symmetric_and_accessible(sign):
    figure, axis = ours.visualize_image_attr(ATTR, sign=sign, use_pyplot=False, show_colorbar=True, title="Title")
    image = axis.images[0]
    assert image.get_clim() == ((-1 if sign == "all" else 0), 1)
    assert image.get_cmap().name == {"all": "RdBu", "positive": "Blues", "negative": "Reds"}.get(sign, "Purples")
    assert axis.get_title() == "Title"
    assert [bar.get_visible() for bar in figure.axes[1:]] == [True]
    assert ours.visualize_image_attr(ATTR, cmap="viridis", use_pyplot=False)[1].images[0].get_cmap().name == "viridis"


def test_figures_and_pyplot(monkeypatch):
    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(1))
    figure, _ = ours.visualize_image_attr(ATTR, use_pyplot=False, fig_size=(3, 2))
    assert isinstance(figure, Figure)
    assert figure.get_size_inches().tolist() == [3, 2]
    own = Figure().subplots()
    given = (own.figure, own)
    assert ours.visualize_image_attr(ATTR, plt_fig_axis=given) == given
    assert ours.visualize_timeseries_attr(HEAT[:, :1], SERIES[:, :1], plt_fig_axis=given) == given
    assert (plt.get_fignums(), shown) == ([], [])
    ours.visualize_image_attr(ATTR)
    ours.visualize_timeseries_attr(HEAT, SERIES)
    ours.visualize_image_attr_multiple(ATTR, IMAGE, ["heat_map"] * 2, ["all"] * 2)
    ours.visualize_image_attr(ATTR, plt_fig_axis=plt.subplots())
    assert (len(plt.get_fignums()), len(shown)) == (4, 4)


def test_several_pictures():
    figure, axes = ours.visualize_image_attr_multiple(
        ATTR, IMAGE, ["original_image", "heat_map"], ["all", "positive"], ["a", "b"], (7, 3), False, show_colorbar=True
    )
    assert [axis.get_title() for axis in axes] == ["a", "b"]
    assert [bar.get_visible() for bar in figure.axes[2:]] == [False, True]
    np.testing.assert_array_equal(axes[1].images[0].get_array(), drawn(ours, ATTR, sign="positive")[0])
    _, one = ours.visualize_image_attr_multiple(ATTR, None, ["heat_map"], ["all"], use_pyplot=False)
    assert one.images


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("method", ["overlay_individual", "overlay_combined", "colored_graph"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("channels_last", [True, False])
def test_series_like_captum(sign, method, channels, channels_last, colormaps):
    heat, series = HEAT[:, :channels], SERIES[:, :channels]
    given = (heat, series) if channels_last else (heat.T, series.T)
    options = {"method": method, "sign": sign, "channels_last": channels_last, "use_pyplot": False}
    figure, found = ours.visualize_timeseries_attr(*given, **options)
    figure.canvas.draw()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, other = theirs.visualize_timeseries_attr(*given, **options, cmap="gray", alpha_overlay=1)
    assert np.shape(found) == np.shape(other)
    for our, their in zip(np.ravel(found), np.ravel(other), strict=True):
        if method == "colored_graph":
            np.testing.assert_allclose(our.collections[0].get_array(), their.collections[0].get_array())
            continue
        for line, reference in zip(our.lines, their.lines, strict=True):
            np.testing.assert_array_equal(line.get_xydata(), reference.get_xydata())
        shades = np.array([patch.get_facecolor()[0] for patch in their.patches])
        low = -1 if sign == "all" else 0
        mesh = our.collections[0]
        np.testing.assert_allclose((mesh.get_array().ravel() - low) / (1 - low), shades, atol=0.005)
        np.testing.assert_allclose(mesh.get_coordinates()[0, :-1, 0], [p.get_x() for p in their.patches])


@pytest.mark.parametrize("method", ["overlay_individual", "overlay_combined", "colored_graph"])
def test_series_details(method):
    x = np.array([0.0, 1, 4, 5, *range(6, 14)])
    figure, found = ours.visualize_timeseries_attr(
        torch.tensor(HEAT),
        SERIES,
        x,
        method,
        "all",
        ["a", "b", "c"],
        show_colorbar=True,
        title="Title",
        use_pyplot=False,
        linewidth=3,
    )
    figure.canvas.draw()
    axes = np.ravel(found)
    assert axes[0].get_title() == "Title"
    assert len(figure.axes) == len(axes) + 1
    if method == "overlay_combined":
        assert [text.get_text() for text in axes[0].get_legend().get_texts()] == ["a", "b", "c"]
    else:
        assert [axis.get_ylabel() for axis in axes] == ["a", "b", "c"]
    if method == "colored_graph":
        assert axes[0].collections[0].get_linewidths() == [3]
        segments = axes[0].collections[0].get_segments()
        assert segments[1][:, 0].tolist() == [0.5, 1, 2.5]
        assert all(segment[1].tolist() == [x[k], SERIES[k, 0]] for k, segment in enumerate(segments))
    else:
        assert axes[0].lines[0].get_linewidth() == 3
        assert axes[0].collections[0].get_coordinates()[0, :4, 0].tolist() == [-0.5, 0.5, 2.5, 4.5]


@pytest.mark.parametrize("method", ["overlay_individual", "overlay_combined", "colored_graph"])
def test_lines_are_styled_by_short_names_too(method):
    _, axis = ours.visualize_timeseries_attr(HEAT[:, :1], SERIES[:, :1], method=method, use_pyplot=False, lw=3, c="red")
    line = axis.collections[0] if method == "colored_graph" else axis.lines[0]
    assert np.ravel(line.get_linewidth()) == [3]
    assert method == "colored_graph" or line.get_color() == "red"


@pytest.mark.parametrize("method", ["overlay_individual", "overlay_combined", "colored_graph"])
@pytest.mark.parametrize("value", [0.0, np.nan])
def test_degenerate_series(method, value):
    for rows in (1, 5):
        flat = np.full((rows, 1), value)
        figure, axis = ours.visualize_timeseries_attr(flat, flat, method=method, use_pyplot=False)
        figure.canvas.draw()
        np.testing.assert_array_equal(np.ma.filled(axis.collections[0].get_array(), np.nan).ravel(), flat.ravel())


def test_a_series_that_seems_transposed_is_mentioned():
    with pytest.warns(AttributionWarning, match="channels_last"):
        ours.visualize_timeseries_attr(HEAT.T, SERIES.T, use_pyplot=False)


def image(*arguments, **options):
    return lambda: ours.visualize_image_attr(*arguments, **options)


def series(*arguments, **options):
    return lambda: ours.visualize_timeseries_attr(*arguments, **options)


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (image(ATTR, IMAGE, "x"), "heat_map, blended_heat_map"),
        (image(ATTR, IMAGE, "heat_map", "x"), "positive, absolute_value"),
        (image(ATTR, None, "original_image"), "needs original_image"),
        (image(ATTR, IMAGE[:3], "blended_heat_map"), "(3, 5)"),
        (image(ATTR, IMAGE[..., :2], "blended_heat_map"), "1, 3 or 4"),
        (image(ATTR[None]), "permute"),
        (image(ATTR[0, 0]), "(3,)"),
        (image(ATTR[:0]), "(0, 5, 3)"),
        (image(np.array([["a"]])), "<U1"),
        (image(ATTR, outlier_perc=101), "outlier_perc=101"),
        (image(ATTR, outlier_perc=float("nan")), "outlier_perc=nan"),
        (lambda: ours.visualize_image_attr_multiple(ATTR, IMAGE, [], []), "at least one"),
        (lambda: ours.visualize_image_attr_multiple(ATTR, IMAGE, ["heat_map"], []), "0 signs"),
        (lambda: ours.visualize_image_attr_multiple(ATTR, IMAGE, ["heat_map"], ["all"], []), "0 titles"),
        (lambda: ours.visualize_image_attr_multiple(ATTR, None, ["masked_image"], ["positive"]), "needs original"),
        (series(HEAT, SERIES[:5]), "(5, 3)"),
        (series(HEAT[:, 0], SERIES[:, 0]), "(12,)"),
        (series(HEAT, SERIES, np.arange(5)), "12 increasing"),
        (series(HEAT, SERIES, np.zeros(12)), "12 increasing"),
        (series(HEAT, SERIES, channel_labels=["a"]), "1 channel_labels for 3"),
        (series(HEAT, SERIES, method="x"), "overlay_individual"),
        (series(HEAT, SERIES, sign="x"), "negative"),
        (series(HEAT, SERIES, plt_fig_axis=(Figure(), [None])), "needs 3"),
        (lambda: ours.draw_mask_border(Figure().subplots(), np.ones(3)), "(H, W)"),
        (lambda: ours.format_word_importances(["a", "b"], [1.0]), "2 words"),
        (lambda: ours.format_word_importances(["a", "b"], [[1.0, 2.0]]), "(1, 2)"),
    ],
)
def test_refused_before_a_figure_exists(run, words):
    with pytest.raises(AttributionError) as error:
        run()
    assert words in str(error.value)
    assert plt.get_fignums() == []


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for run in (
        image(ATTR),
        series(HEAT, SERIES),
        lambda: ours.visualize_image_attr_multiple(ATTR, None, ["heat_map"], ["all"]),
    ):
        with pytest.raises(AttributionError, match=r'pip install "attribution-insights\[plots\]"'):
            run()
    assert "Colour scale" in ours.visualize_text([]).data


def test_masks():
    mask = np.zeros((7, 8))
    mask[1:6, 2:7] = 1
    figure, other = Figure(), Figure()
    found, reference = figure.subplots(), other.subplots()
    for width in (1, 2):
        ours.draw_mask_border(found, mask, width, "red")
        theirs.draw_mask_border(reference, mask.astype(bool), width, "red")
        border = found.images[-1].get_array()
        assert border[1, 2].tolist() == list(to_rgba("red"))
        inner = np.zeros((7, 8), dtype=bool)
        inner[1 + width : 6 - width, 2 + width : 7 - width] = True
        np.testing.assert_array_equal(border[..., 3] > 0, mask.astype(bool) & ~inner)
        np.testing.assert_array_equal(border[..., 3] > 0, np.asarray(reference.images[-1].get_array())[..., 3] > 0)
    ours.draw_mask_legend(found, mask, "1", text_color="yellow")
    theirs.draw_mask_legend(reference, mask.astype(bool), "1", text_color="yellow")
    assert found.texts[0].get_position() == reference.texts[0].get_position() == (4, 3)
    ours.draw_mask_legend(found, mask * 0, "2")
    assert len(found.texts) == 1


class Read(HTMLParser):
    def __init__(self, markup):
        super().__init__()
        self.tags, self.open, self.text = [], [], []
        self.feed(markup)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data.strip())


EVIL = '"><script>alert(1)</script>&amp;'


def record(words=("good", EVIL), weights=(0.5, -0.25), label="pos"):
    return ours.VisualizationDataRecord(
        torch.tensor(weights), torch.tensor(0.923), label, 3, EVIL, 1.5, list(words), 0.01
    )


def test_text_is_escaped_and_well_formed():
    table = ours.visualize_text([record(), record()])
    page = Read(table.data)
    assert page.open == []
    assert "script" not in page.tags
    assert page.tags.count("tr") == 3
    assert page.tags.count("mark") == 4
    for text in (EVIL, "good", "pos (0.92)", "3", "1.50", "Explained class", "−1", "0", "+1"):
        assert text in page.text
    assert "Colour scale" not in ours.visualize_text([record()], legend=False).data
    assert table._repr_html_() == table.data
    for markup in (ours.format_classname(EVIL), ours.format_tooltip(EVIL, EVIL)):
        assert "script" not in Read(markup).tags


def test_formats_like_captum():
    for token in ("[CLS]", "<s>", "</s>", "a", "<", "a<", "<pad>"):
        assert ours.format_special_tokens(token) == theirs.format_special_tokens(token)
    assert ours.format_word_importances(["a"], None) == theirs.format_word_importances(["a"], None)
    assert ours.format_word_importances([], []) == theirs.format_word_importances([], [])
    names = list(theirs.VisualizationDataRecord.__slots__)
    assert list(ours.VisualizationDataRecord.__slots__) == names
    with pytest.raises(AttributeError):
        record().other = 1


def luminance(color):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(style):
    """Of the text and the background that an element sets for itself, whatever the page around it."""
    low, high = sorted(luminance(re.search(rf"(?<!-){name}: (#\w+)", style)[1]) for name in ("color", "background"))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("weight", [-7, 3, float("nan"), float("inf"), *np.linspace(-1, 1, 41)])
def test_words_are_readable_on_their_color(weight):
    markup = ours.format_word_importances(["word"], np.array([weight]))
    assert contrast(re.search("<mark.*?style=.(.*?).>", markup)[1]) > 4.5
    background = to_rgb(re.search(r"background: (#\w+)", markup)[1])
    place = 0.5 + 0.5 * np.clip(np.nan_to_num(weight), -1, 1)
    np.testing.assert_allclose(background, plt.get_cmap("RdBu")(place)[:3], atol=0.02)  # as in pictures of images


def test_text_is_readable_on_light_and_dark_pages():
    """Whatever has a color has a background of its own, as have rows, which notebooks like to stripe."""
    page = ours.visualize_text([record(), record()]).data
    sheet = re.search("<div [^>]*style=.(.*?).>", page)[1]
    rows = re.findall("<tr style=.(.*?).>", page)
    heads = re.findall("<th [^>]*style=.(.*?).>", page)
    assert (len(rows), len(heads)) == (3, 5)
    assert all(contrast(style) > 4.5 for style in (sheet, *rows[1:], *heads))
    assert "background: " in rows[0]


def test_numbers_are_told_without_color():
    markup = ours.format_word_importances(["a", "b", "c", "d"], [0.5, -0.25, 0, float("nan")])
    assert re.findall('title="(.*?)"', markup) == ["+0.5", "−0.25", "0", "not a number"]
    legend = re.search('role="img" aria-label="(.*?)"', ours.visualize_text([]).data)[1]
    assert "−1 is dark red, against" in legend
    assert "+1 is dark blue, for" in legend


def test_shown_inside_ipython(monkeypatch):
    shown = []
    shell = type(sys)("IPython")
    shell.get_ipython, shell.display = object, type("display", (), {"display": staticmethod(shown.append)})
    monkeypatch.setitem(sys.modules, "IPython", shell)
    table = ours.visualize_text([record()])
    assert shown == [table]
    shell.get_ipython = lambda: None
    ours.visualize_text([record()])
    assert len(shown) == 1
