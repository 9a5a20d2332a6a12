"""The real command and a real browser."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, Playwright, expect, sync_playwright

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
PATIENCE = 15_000  # ms, for machines that are busy
expect.set_options(timeout=PATIENCE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.browser)


def launch(playwright: Playwright) -> Browser:
    """The machine's Chromium, or Playwright's own, which is installed if need be."""
    system = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if system:
        return playwright.chromium.launch(executable_path=system, args=ARGUMENTS)
    try:
        return playwright.chromium.launch(args=ARGUMENTS)
    except Error:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True, timeout=600)
        return playwright.chromium.launch(args=ARGUMENTS)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        try:
            browser = launch(playwright)
        except (Error, subprocess.SubprocessError) as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(f"no Chromium here, and it could not be installed: {error}")
        yield browser
        browser.close()


def start(*arguments: str) -> tuple[subprocess.Popen[str], str]:
    """Run the command as a user would; its process and its address."""
    command = [sys.executable, "-m", "app.example", *arguments, "--no-browser", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    found = next((m for line in process.stdout or () if (m := re.search(r"http://\S+", line))), None)
    if found is None:
        raise RuntimeError(f"{' '.join(command)} printed no address and ended with status {process.wait(10)}")
    return process, found[0]


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """The default demo."""
    process, address = start()
    yield address
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 0
    process.stdout.close() if process.stdout else None


def is_here(url: str) -> bool:
    """Whether an address is of this machine, or of none at all, as data: and blob: are."""
    return urlsplit(url).hostname in (None, "127.0.0.1", "localhost", "host.test")


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    yield context
    context.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser's console complained about."""
    return []


@pytest.fixture
def page(context: BrowserContext, complaints: list[str]) -> Iterator[Page]:
    """A page that fails the test if its console shows an error, or anything is asked of another machine.

    What a security policy stops is an error, too.
    """
    page = context.new_page()
    page.on("request", lambda request: None if is_here(request.url) else complaints.append(f"asked for {request.url}"))
    page.set_default_timeout(PATIENCE)
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    assert complaints == []
