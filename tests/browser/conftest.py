"""A real browser: Chromium of the system, driven by Playwright, offline."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

#: How the system calls it.
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The browser of the system; without one the test fails."""
    path = next((found for name in PROGRAMS if (found := shutil.which(name))), None)
    if path is None:
        pytest.fail("no browser: run make programs  (or: apt-get install chromium)", pytrace=False)
    with sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield found
        found.close()


class Visit:
    """A page that is open, and what it did: what it asked for, what it complained of.

    Attributes:
        page: The page.
        asked: Every address that it asked for, but for data that it holds itself.
        complaints: Messages of its console, and errors of its scripts.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.asked: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self._ask(request.url))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", self._dialog)

    def _ask(self, url: str) -> None:
        if not url.startswith("data:"):
            self.asked.append(url)

    def _dialog(self, dialog: Any) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def open(self, path: str | Path) -> "Visit":
        """Go to a file."""
        self.page.goto(Path(path).as_uri())
        return self


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """A fresh page, without a network."""
    context = browser.new_context(offline=True, viewport={"width": 1200, "height": 900})
    yield Visit(context.new_page())
    context.close()
