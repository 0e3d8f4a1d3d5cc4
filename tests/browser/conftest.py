"""A real Chromium, driven through its own driver; pages are opened from the file system."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from require import require

OPTIONS = """
--headless=new --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update
--disable-sync --disable-extensions --disable-dev-shm-usage --autoplay-policy=no-user-gesture-required --mute-audio
--hide-scrollbars
""".split()


@dataclass
class Browser:
    """A window on one page."""

    driver: Any

    def open(self, path: Path, fragment: str = "") -> None:
        """Load a file afresh."""
        self.driver.get("about:blank")
        self.driver.get(path.resolve().as_uri() + fragment)

    def js(self, script: str, *arguments: Any) -> Any:
        """Value of an expression in the page."""
        return self.driver.execute_script(f"return {script}", *arguments)

    def all(self, selector: str) -> list[Any]:
        """Elements."""
        return list(self.driver.find_elements("css selector", selector))

    def one(self, selector: str) -> Any:
        """The first element."""
        return self.driver.find_element("css selector", selector)

    def until(self, script: str, seconds: float = 15.0) -> Any:
        """Wait until an expression is true; its value."""
        from selenium.webdriver.support.wait import WebDriverWait

        return WebDriverWait(self.driver, seconds, poll_frequency=0.05).until(lambda _: self.js(script), script)

    def keys(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def errors(self) -> list[str]:
        """What the console complained of since the last time."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]

    def resize(self, width: int, height: int = 900) -> None:
        """Size of the page as a phone or a screen of this size has it."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def scheme(self, name: str) -> None:
        """``light`` or ``dark``."""
        features = [{"name": "prefers-color-scheme", "value": name}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def is_too_wide(self) -> bool:
        """Whether the page scrolls sideways."""
        return bool(self.js("document.documentElement.scrollWidth > document.documentElement.clientWidth"))

    def pale_texts(self) -> list[str]:
        """Texts in view with a contrast below 4.5 against what is behind them (WCAG 2, level AA)."""
        return list(self.driver.execute_script((Path(__file__).parent / "contrast.js").read_text()))


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for the tests of a module, gone with its last one; with a profile of its own."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    require("browser", program and driver, "apt-get install chromium chromium-driver")
    try:
        from selenium import webdriver
    except ImportError:
        require("browser", False, "pip install selenium")
        raise
    profile = tmp_path_factory.mktemp("chromium")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for option in (*OPTIONS, f"--user-data-dir={profile}", *(["--no-sandbox"] if os.geteuid() == 0 else [])):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    # Its own driver is named, so that selenium does not go and look for one.
    service = webdriver.ChromeService(executable_path=driver)
    running = webdriver.Chrome(options=options, service=service)
    running.set_page_load_timeout(60)
    try:
        yield Browser(running)
    finally:
        running.quit()
        shutil.rmtree(profile, ignore_errors=True)


@pytest.fixture
def browser(chromium: Browser) -> Browser:
    """The browser, wide, light, with a clean console."""
    chromium.driver.get("about:blank")
    chromium.resize(1100)
    chromium.scheme("light")
    chromium.errors()
    return chromium
