"""Words that make a sentence positive or negative: `python examples/sentiment.py TSV WEIGHTS VOCABULARY`.

TSV: a sentence, a tab and 0 or 1 a line, as SST-2 is. WEIGHTS: a state dict of the net below. VOCABULARY: JSON that
gives each word its number.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from torch import Tensor, nn

from app import AttributionVisualizer
from app.features import TextFeature

LENGTH, PADDING, START, UNKNOWN = 256, 0, 1, 2


class MeanOfWords(nn.Module):
    """The mean embedding of a text padded to 256 words, then two layers; the padding is no part of the input."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10_000, 16)
        self.dense = nn.Linear(16, 16)
        self.relu = nn.ReLU()
        self.dense_1 = nn.Linear(16, 2)

    def forward(self, ids: Tensor) -> Tensor:
        words = self.embedding(ids).sum(dim=1)
        padding = (LENGTH - ids.shape[1]) * self.embedding.weight[PADDING]
        return self.dense_1(self.relu(self.dense((words + padding) / LENGTH)))


class Sentences:
    """The ids and the label of each line."""

    def __init__(self, path: Path, vocabulary: dict[str, int]) -> None:
        self.lines = [line.rsplit("\t", 1) for line in path.read_text(encoding="utf-8").splitlines() if line]
        self.vocabulary = vocabulary

    def __len__(self) -> int:
        return len(self.lines)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        sentence, label = self.lines[index]
        ids = [START, *(self.vocabulary.get(word, UNKNOWN) for word in sentence.lower().split())]
        return torch.tensor(ids[:LENGTH]), int(label)


def no_words(ids: Tensor) -> Tensor:
    """Padding in place of every word."""
    return torch.where(ids == START, ids, PADDING)


def visualizer(sentences: Path, weights: Path, vocabulary: Path) -> AttributionVisualizer:
    ids: dict[str, int] = json.loads(vocabulary.read_text(encoding="utf-8"))
    words = {number: word for word, number in ids.items()}
    net = MeanOfWords()
    net.load_state_dict(torch.load(weights, weights_only=True))
    return AttributionVisualizer(
        models=[net.eval()],
        classes=["negative", "positive"],
        features=[
            TextFeature(
                "Sentence",
                baseline_transforms=[no_words],
                visualization_transform=lambda batch: [words.get(number, "?") for number in batch[0].tolist()],
            )
        ],
        dataset=Sentences(sentences, ids),
        score_func=lambda output: output.softmax(dim=1),
        title="Sentiment of film reviews",
        default_order="mistakes",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("sentences", "weights", "vocabulary"):
        parser.add_argument(name, type=Path, metavar="TSV" if name == "sentences" else name.upper())
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    visualizer(options.sentences, options.weights, options.vocabulary).serve(blocking=True, port=options.port)


if __name__ == "__main__":
    main()
