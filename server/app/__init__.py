"""attribution-insights: why did the model say that, and can I believe the explanation?"""

from app.data.batch import Batch
from app.errors import InsightsError
from app.visualizer import AttributionVisualizer

__all__ = ["AttributionVisualizer", "Batch", "InsightsError"]
