"""What is drawn of the samples: rendered once, and kept while there is room."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

from cachetools import LRUCache

from app.data.features import BaseFeature, Numbers, Picture, Shown, Words
from app.data.source import Source
from app.errors import refused
from app.model.subject import show
from app.schema import SampleInput
from app.web import present

RENDERED = 64 * 2**20  # bytes of pictures: those of a few pages of photos, which browsers keep too
DESCRIBED = 10_000  # samples whose pages need no picture any more: as many as the dashboard reads at first


class Gallery:
    """The inputs of the samples, as they are drawn and as the wire describes them."""

    def __init__(self, source: Source, features: Sequence[BaseFeature], salt: str) -> None:
        self._source, self._features, self._salt = source, features, salt
        self._rendered: LRUCache[int, list[Shown]] = LRUCache(RENDERED, getsizeof=_bytes)
        self._described: LRUCache[int, list[SampleInput]] = LRUCache(DESCRIBED)
        self._lock = Lock()  # never held while the user's code runs

    def shown(self, sample: int) -> list[Shown]:
        """What to draw of each input of a sample that has been read; raises what reading and drawing raise."""
        with self._lock:
            known = self._rendered.get(sample)
        if known is not None:
            return known
        try:
            result = show(self._features, self._source.example(sample))
        except BaseException as error:
            raise refused(error) from error
        with self._lock:
            if _bytes(result) <= RENDERED:
                self._rendered[sample] = result
        return result

    def inputs(self, sample: int) -> list[SampleInput]:
        """The same as it travels: a picture by its address and size."""
        with self._lock:
            known = self._described.get(sample)
        if known is not None:
            return known
        shown = zip(self._features, self.shown(sample), strict=True)
        result = [
            present.sample_input(feature.name, each, f"api/samples/{sample}/media/{i}?v={self._salt}")
            for i, (feature, each) in enumerate(shown)
        ]
        with self._lock:
            self._described[sample] = result
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
