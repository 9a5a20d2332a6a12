"""An image and a question about it, both explained: `python examples/vqa.py ZIP`.

ZIP: easy_vqa_data.zip of easy-VQA, 5,000 images of one shape each and 48,248 questions. A small net is trained on it
first, for about a minute.
"""

from __future__ import annotations

import argparse
import io
import json
import re
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from tqdm import trange

from app import AttributionVisualizer
from app.features import ImageFeature, TextFeature

LENGTH = 9


class SeeAndAnswer(nn.Module):
    """Images (B, 3, 64, 64) and word ids (B, 9) to the scores of the answers (B, answers)."""

    def __init__(self, words: int, answers: int) -> None:
        super().__init__()
        self.eye = nn.Sequential(
            nn.Conv2d(3, 16, 4, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(16, 32, 4, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(32, 48, 4, stride=2, padding=1), nn.ReLU(),
            nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(192, 64), nn.ReLU(),
        )  # fmt: skip
        self.embedding = nn.Embedding(words, 32)
        self.reader = nn.Sequential(nn.Flatten(), nn.Linear(LENGTH * 32, 64), nn.ReLU())
        self.answer = nn.Sequential(nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, answers))

    def forward(self, images: Tensor, questions: Tensor) -> Tensor:
        return self.given(self.eye(images), questions)

    def given(self, seen: Tensor, questions: Tensor) -> Tensor:
        """The answers to questions about images that have been looked at."""
        return self.answer(torch.cat([seen, self.reader(self.embedding(questions))], dim=1))


class Part:
    """The images (N, 3, 64, 64) in [0, 1], and questions (Q, 9) with answers (Q) and the image each is about (Q)."""

    def __init__(self, archive: ZipFile, name: str, answers: list[str], vocabulary: dict[str, int]) -> None:
        asked = json.loads(archive.read(f"data/{name}/questions.json"))
        count = 1 + max(image for _, _, image in asked)
        files = (archive.read(f"data/{name}/images/{i}.png") for i in range(count))
        pixels = np.stack([np.asarray(Image.open(io.BytesIO(file)).convert("RGB")) for file in files])
        self.images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
        self.questions = torch.tensor([word_ids(question, vocabulary) for question, _, _ in asked])
        self.answers = torch.tensor([answers.index(answer) for _, answer, _ in asked])
        self.about = torch.tensor([image for _, _, image in asked])

    def __len__(self) -> int:
        return len(self.questions)

    def __getitem__(self, index: int) -> tuple[tuple[Tensor, Tensor], Tensor]:
        return (self.images[self.about[index]], self.questions[index]), self.answers[index]


def words_of(question: str) -> list[str]:
    return re.findall(r"\w+", question.lower())


def word_ids(question: str, vocabulary: dict[str, int]) -> list[int]:
    """Ids of the words, unknown ones and the rest of the 9 places as 0."""
    ids = [vocabulary.get(word, 0) for word in words_of(question)]
    return (ids + [0] * LENGTH)[:LENGTH]


def vocabulary_of(archive: ZipFile) -> dict[str, int]:
    asked = json.loads(archive.read("data/train/questions.json"))
    words = sorted({word for question, _, _ in asked for word in words_of(question)})
    return {word: number for number, word in enumerate(words, start=1)}


def train(net: SeeAndAnswer, part: Part, epochs: int) -> SeeAndAnswer:
    """Look at 64 images at a time, and learn from all questions about them."""
    optimiser = torch.optim.AdamW(net.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    for _ in trange(epochs, desc="training the net"):
        for chosen in torch.randperm(len(part.images)).split(64):
            place = torch.full((len(part.images),), -1)
            place[chosen] = torch.arange(len(chosen))
            asked = (place[part.about] >= 0).nonzero()[:, 0]
            seen = net.eye(centred(part.images[chosen]))[place[part.about[asked]]]
            loss = F.cross_entropy(net.given(seen, part.questions[asked]), part.answers[asked])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        schedule.step()
    return net


def centred(images: Tensor) -> Tensor:
    return images * 2 - 1


def white(image: Tensor) -> Tensor:
    """An empty picture: the shapes of easy-VQA stand on nearly white ground."""
    return torch.ones_like(image)


def no_words(ids: Tensor) -> Tensor:
    """A question of blanks."""
    return torch.zeros_like(ids)


def visualizer(data: Path, epochs: int) -> AttributionVisualizer:
    torch.manual_seed(0)
    with ZipFile(data) as archive:
        answers = archive.read("data/answers.txt").decode().split()
        vocabulary = vocabulary_of(archive)
        learning, testing = (Part(archive, name, answers, vocabulary) for name in ("train", "test"))
    words = {number: word for word, number in vocabulary.items()}
    net = train(SeeAndAnswer(len(vocabulary) + 1, len(answers)), learning, epochs).eval()
    return AttributionVisualizer(
        models=[net],
        classes=answers,
        features=[
            ImageFeature("Picture", baseline_transforms=[white], input_transforms=[centred]),
            TextFeature(
                "Question",
                baseline_transforms=[no_words],
                visualization_transform=lambda batch: [words.get(number, "·") for number in batch[0].tolist()],
            ),
        ],
        dataset=testing,
        score_func=lambda output: output.softmax(dim=1),
        title="Questions about pictures",
        default_order="mistakes",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="ZIP")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    visualizer(options.data, options.epochs).serve(blocking=True, port=options.port)


if __name__ == "__main__":
    main()
