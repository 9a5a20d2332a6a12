"""What is drawn of the samples: rendered once, and kept while there is room."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from threading import Lock

from cachetools import LRUCache

from app.data.features import BaseFeature, Numbers, Picture, Shown, Words
from app.data.source import Source
from app.model.subject import show
from app.schema import SampleInput
from app.web import present
from app.web.errands import Errands

RENDERED = 64 * 2**20  # bytes of pictures: those of a few pages of photos, which browsers keep too
DESCRIBED = 10_000  # samples whose pages need no picture any more: as many as the dashboard reads at first


class Gallery:
    """The inputs of the samples, as they are drawn and as the wire describes them."""

    def __init__(self, source: Source, features: Sequence[BaseFeature], salt: str, errands: Errands) -> None:
        self._source, self._features, self._salt = source, features, salt
        self._errands = errands
        self._rendered: LRUCache[int, list[Shown]] = LRUCache(RENDERED, getsizeof=_bytes)
        self._described: LRUCache[int, list[SampleInput]] = LRUCache(DESCRIBED)
        self._lock = Lock()  # never held while the user's code runs

    def shown(self, sample: int, patience: float | None) -> list[Shown]:
        """What to draw of each input of a sample that has been read; raises what reading and drawing raise.

        After `patience` seconds an `InsightsError` says that it is not there yet; None: however long it takes.
        """
        with self._lock:
            known = self._rendered.get(sample)
        return known or self._errands.result(sample, partial(self._draw, sample), patience, f"sample {sample}")

    def inputs(self, samples: Sequence[int], patience: float) -> list[list[SampleInput] | Exception]:
        """The same of several, as it travels: a picture by its address and size; or what was raised."""
        end = time.monotonic() + patience
        with self._lock:
            known = {sample: self._described.get(sample) for sample in samples}
        for sample in samples:
            if known[sample] is None:
                self._errands.begin(sample, partial(self._draw, sample))
        return [known[sample] or self._attempt(sample, max(0.0, end - time.monotonic())) for sample in samples]

    def _attempt(self, sample: int, patience: float) -> list[SampleInput] | Exception:
        try:
            shown = zip(self._features, self.shown(sample, patience), strict=True)
            result = [
                present.sample_input(feature.name, each, f"api/samples/{sample}/media/{i}?v={self._salt}")
                for i, (feature, each) in enumerate(shown)
            ]
        except Exception as error:
            return error
        with self._lock:
            self._described[sample] = result
        return result

    def _draw(self, sample: int) -> list[Shown]:
        result = show(self._features, self._source.example(sample))
        with self._lock:
            if _bytes(result) <= RENDERED:
                self._rendered[sample] = result
        return result

    def close(self) -> None:
        """Free what is held."""
        with self._lock:
            self._rendered.clear()
            self._described.clear()


def _bytes(shown: list[Shown]) -> int:
    return sum(map(_bytes_of, shown))


def _bytes_of(shown: Shown) -> int:
    match shown:
        case Picture(pixels=pixels):
            return pixels.nbytes
        case Words(tokens=tokens):
            return 64 * len(tokens)
        case Numbers(values=values):
            return 32 * len(values)
    return 0
