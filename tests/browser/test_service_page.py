"""The page of the service in a real Chromium: recordings are handed in, followed and opened."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from media import write_media
from places import SCRIPTS
from servers import Server

pytestmark = [pytest.mark.service, pytest.mark.browser]
ENTER = "\ue007"


@pytest.fixture
def guarded(tmp_path: Path, base_model: Path) -> Iterator[tuple[Server, str]]:
    """A server that asks for a token, and the token."""
    server = Server(tmp_path.resolve() / "server", base_model)
    argv = [sys.executable, "-m", "audiogrid.cli", "serve", "token", "add", "phone"]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    token = subprocess.run(argv, cwd=server.path, env=environment, capture_output=True, text=True, check=True)
    try:
        yield server.start("--config", "language=en"), token.stdout.strip()
    finally:
        server.close()


def test_a_recording_is_handed_in_and_read(
    guarded: tuple[Server, str], browser: Any, speech: Callable[..., Any], tmp_path: Path
) -> None:
    clip = write_media(tmp_path / "Heron count.wav", speech(5.0, seed=40).pcm)
    server, token = guarded
    bearer = {"Authorization": f"Bearer {token}"}
    page, shots = browser, Path(os.environ.get("AUDIOGRID_SCREENSHOTS", tmp_path))
    page.resize(420, 800)
    page.driver.get(server.url)
    page.until("document.getElementById('ask').open")
    # A wrong token is told; the right one is kept where no script reads it.
    page.one("#token").send_keys("wrong\n")
    page.until("document.getElementById('said').textContent.includes('not known')")
    page.until("document.getElementById('ask').open")
    page.one("#token").send_keys(f"{token}\n")
    page.until("document.querySelectorAll('#model option').length > 1")
    assert token not in page.js("document.cookie + document.body.innerHTML")
    text = tmp_path / "notes.mp3"
    text.write_text("no sound")
    page.one("#file").send_keys(f"{clip}\n{text}")
    page.until("document.querySelectorAll('li.done').length === 1", 90)
    page.until("document.querySelectorAll('li.failed').length === 1", 30)
    assert "cannot be transcribed" in page.one("li.failed .why").text
    page.driver.save_screenshot(str(shots / "page-phone.png"))
    # Reached by keyboard alone: from the top of the page to the transcript.
    page.js("document.activeElement.blur()")
    for _ in range(12):
        page.keys("\ue004")
        if page.js("document.activeElement.textContent") == "Open":
            break
    assert page.js("document.activeElement.textContent") == "Open"
    for dark in (False, True):
        page.scheme("dark" if dark else "light")
        assert not page.is_too_wide() and not page.pale_texts()
        page.resize(1000, 700)
        page.driver.save_screenshot(str(shots / f"page-{'dark' if dark else 'light'}.png"))
    target = page.one("li.done nav a").get_attribute("href")
    page.driver.get(target)
    page.until("document.getElementById('player').duration > 3")
    page.js("document.getElementById('player').play()")
    page.until("document.querySelectorAll('.w.now').length > 0")
    page.driver.save_screenshot(str(shots / "transcript.png"))
    # A word becomes two on the page, without a mouse; a reload before they are saved loses nothing.
    page.driver.execute_script("document.getElementById('player').pause()")
    page.keys(ENTER)
    page.until("document.activeElement.className === 'fix'")
    page.keys("Zoë <b>", ENTER)
    page.driver.refresh()
    page.until("document.querySelector('.w.edited[data-w]')?.textContent === 'Zoë <b>'")
    page.one("#save").send_keys(ENTER)
    said = "[...document.querySelectorAll('.w.confirmed[data-w]')].map((word) => word.textContent).join(' ')"
    page.until(f"{said} === 'Zoë <b>'", 30)
    assert page.js("Object.keys(localStorage).filter((key) => key.startsWith('audiogrid words')).length") == 0
    place = f"/v1/jobs/{target.split('/')[-2]}"
    corrected = json.loads(server.call("GET", f"{place}/transcript.json", headers=bearer).text)
    words = [word for segment in corrected["segments"] for word in segment["words"]]
    assert [word["word"].strip() for word in words if word.get("confirmed")] == ["Zoë", "<b>"]
    subtitles = server.call("GET", f"{place}/transcript.vtt", headers=bearer).text
    assert "&lt;b&gt;" in subtitles and "<b>" not in subtitles
    # Not without the token.
    assert server.call("GET", target.removeprefix(server.url)).status_code == 401
    page.driver.get(server.url)
    page.until("document.querySelectorAll('li.done').length === 1")
    # Names that were saved on the page of a transcript. This one has no speakers.
    job = target.split("/")[-2]
    document = json.loads(server.call("GET", f"/v1/jobs/{job}/transcript.json", headers=bearer).text)
    name = {"name": "Mara", "was": "Speaker 1", "at": [[0, 1]]}
    saved = {"schema": 1, "recording": "x", "audio": document["provenance"]["audio"], "speakers": [name]}
    (tmp_path / "saved.json").write_text(json.dumps(saved))
    page.js(f"named = {{name: 'x', links: {{corrections: '/v1/jobs/{job}/corrections'}}}}")
    page.one("#names").send_keys(str(tmp_path / "saved.json"))
    page.until("document.getElementById('said').textContent.includes(\"'Mara' (of Speaker 1) fits no speaker\")", 30)
    page.one("li.done nav button:last-child").click()
    page.until("document.querySelectorAll('li.done').length === 0")
    assert not [error for error in page.errors() if "401" not in error and "415" not in error]
