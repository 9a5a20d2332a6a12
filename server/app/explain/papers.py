"""Where methods were published, from the engine's list of references."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from app.schema import Paper

ENTRY = re.compile(r"@\w+\{(?P<key>\w+),\n(?P<fields>.*?)\n\}", re.DOTALL)
FIELD = re.compile(r"^  (\w+) = \{(.*?)\},$", re.MULTILINE | re.DOTALL)
MANY = 3  # authors: of more, the first is named


@cache
def papers() -> dict[str, Paper]:
    """Every paper by its citation key."""
    text = (files("attribution_core") / "references.bib").read_text("utf-8")
    return {entry["key"]: _paper(dict(FIELD.findall(entry["fields"]))) for entry in ENTRY.finditer(text)}


def _paper(fields: dict[str, str]) -> Paper:
    plain = {name: re.sub(r"[{}\\]", "", re.sub(r"\s+", " ", value)) for name, value in fields.items()}
    return Paper(title=plain["title"], authors=_authors(plain["author"]), year=int(plain["year"]), url=_address(plain))


def _authors(written: str) -> str:
    """Family names: of two or three authors all, of more the first."""
    names = [name.rsplit(" ", 1)[-1] for name in written.split(" and ")]
    return f"{names[0]} et al." if len(names) > MANY else " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _address(fields: dict[str, str]) -> str | None:
    if "eprint" in fields:
        return f"https://arxiv.org/abs/{fields['eprint']}"
    return f"https://doi.org/{fields['doi']}" if "doi" in fields else None
