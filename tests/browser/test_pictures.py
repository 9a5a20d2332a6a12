"""Pictures of text as a browser draws them, inside pages whose styles they do not choose."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from attribution_core.visualization import VisualizationDataRecord, visualize_text

STRIPES = """
table { table-layout: fixed } td, th { text-align: right; color: inherit } tr:nth-child(even) { background: #222 }
"""
"""What notebooks do to tables."""


@pytest.mark.parametrize(("background", "color"), [("#fff", "#000"), ("#111418", "#eee")])
def test_text_is_readable_inside_any_notebook(page: Page, background: str, color: str) -> None:
    weights = [n / 10 - 1 for n in range(21)]
    record = VisualizationDataRecord(weights, 0.5, "pos", "neg", "a class with a long name", 0.1, ["word"] * 21, 0.0)
    body = f'<body style="background: {background}; color: {color}"><main><h1>A notebook</h1>'
    page.set_content(
        f'<!doctype html><html lang="en"><title>A notebook</title><style>{STRIPES}</style>{body}'
        f"{visualize_text([record, record]).data}{visualize_text([record], legend=False).data}</main></html>"
    )
    audit = Axe().run(page)
    assert audit.violations_count == 0, audit.generate_report()
    assert page.locator("mark").first.evaluate("word => word.getBoundingClientRect().height") < 40
    heads = page.locator("th").evaluate_all(
        "heads => heads.slice(0, 5).map(head => head.getBoundingClientRect().width)"
    )
    assert max(heads) == heads[4]  # the words get the room
