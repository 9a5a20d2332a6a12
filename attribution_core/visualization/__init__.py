"""Pictures of attributions for scripts and notebooks; needs `pip install "attribution-insights[plots]"`.

Names and arguments are those of captum.attr.visualization. Colours can be told apart with any colour vision: blue
speaks for the score, red against it, and purple is size without sign.
"""

from attribution_core.visualization.image import (
    draw_mask_border,
    draw_mask_legend,
    visualize_image_attr,
    visualize_image_attr_multiple,
)
from attribution_core.visualization.scale import (
    ImageVisualizationMethod,
    TimeseriesVisualizationMethod,
    VisualizeSign,
)
from attribution_core.visualization.series import visualize_timeseries_attr
from attribution_core.visualization.text import (
    VisualizationDataRecord,
    format_classname,
    format_special_tokens,
    format_tooltip,
    format_word_importances,
    visualize_text,
)

__all__ = [
    "ImageVisualizationMethod",
    "TimeseriesVisualizationMethod",
    "VisualizationDataRecord",
    "VisualizeSign",
    "draw_mask_border",
    "draw_mask_legend",
    "format_classname",
    "format_special_tokens",
    "format_tooltip",
    "format_word_importances",
    "visualize_image_attr",
    "visualize_image_attr_multiple",
    "visualize_text",
    "visualize_timeseries_attr",
]
