"""The page of a recording in a real Chromium, opened from the file system, with media of every kind beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audiogrid.export.media_links import media_url
from audiogrid.export.paragraphs import make_paragraphs
from audiogrid.export.transcript_page import render_page
from media import write_media

pytestmark = pytest.mark.browser
RATE = 16_000
VOCABULARY = "the quick brown fox jumps over a lazy dog while nobody looks".split()


def tone(seconds: float) -> np.ndarray:
    return (3000 * np.sin(np.arange(int(RATE * seconds)) * 0.2)).astype(np.int16)


def spoken(count: int, *, speakers: bool = False) -> list[dict[str, Any]]:
    """Segments of ten words, half a second each."""
    segments = []
    for first in range(0, count, 10):
        words = [
            {
                "start": n * 0.5,
                "end": n * 0.5 + 0.4,
                "word": " " + VOCABULARY[n % len(VOCABULARY)] + ("." if n % 10 == 9 else ""),
                "probability": 0.3 if n % 17 == 5 else 0.6 if n % 13 == 4 else 0.95,
            }
            for n in range(first, min(count, first + 10))
        ]
        more = {"speaker": f"Channel {first // 10 % 2 + 1}"} if speakers else {}
        segments.append({"start": words[0]["start"], "end": words[-1]["end"], "words": words, **more})
    return segments


def document(path: str, count: int = 120, **more: Any) -> dict[str, Any]:
    readings = [{"path": "fast", "text": "the quack"}, {"path": "careful", "text": "the quick"}]
    return {
        "recording": "talk",
        "path": path,
        "duration": count * 0.5,
        "language": "en",
        "channels_mode": "mix",
        "segments": spoken(count),
        "gaps": [],
        "notes": [],
        "seams": [{"at": 4.95, "kind": "hard", "margin": 1.0}],
        "windows": [{"start": 10.0, "end": 12.5, "flags": ["low_logprob"], "kept": "careful", "readings": readings}],
        **more,
    }


def write_page(folder: Path, path: str, count: int = 120, **more: Any) -> Path:
    target = folder / "talk.html"
    target.write_text(
        render_page(document(path, count, **more), {"txt": "talk.txt", "srt": "talk.srt"}, media_url(path, folder)),
        "utf-8",
    )
    return target


NOW = "[...document.querySelectorAll('.w.now')].map((w) => Number(w.dataset.w))"
TIME = "document.getElementById('player').currentTime"


@pytest.mark.parametrize("name", ["talk.mp3", '-it\'s a #1? 50% "so"\n<script>.ogg', "film.mp4"])
def test_the_text_follows_the_player_and_the_player_the_text(browser, tmp_path, name):
    write_media(tmp_path / name, tone(60), picture=name.endswith("mp4"))
    browser.open(write_page(tmp_path, str(tmp_path / name)), "#t=20.1")
    browser.until(f"{TIME} === 20.1")
    assert browser.until(NOW) == [40]
    # A click on a word plays from there, and the marked word moves on with the sound.
    browser.one('[data-w="44"]').click()
    browser.until(f"{TIME} > 23.2")
    assert browser.js(NOW)[0] in (46, 47)
    # The space key stops, arrows seek: five seconds, or a word.
    browser.keys(" ")
    browser.until("document.getElementById('player').paused")
    browser.js("document.getElementById('player').currentTime = 30")
    browser.keys("\ue014")
    browser.until(f"Math.abs({TIME} - 35) < 0.01")
    browser.until(f"{NOW}[0] === 70")
    browser.keys("\ue012")
    browser.until(f"Math.abs({TIME} - 30) < 0.01")
    from selenium.webdriver import ActionChains

    ActionChains(browser.driver).key_down("\ue008").send_keys("\ue014").key_up("\ue008").perform()
    browser.until(f"Math.abs({TIME} - 30.5) < 0.01")
    assert not browser.one("#unplayable").is_displayed()
    assert browser.errors() == []
    if name.endswith("mp4"):
        assert browser.js("document.getElementById('player').videoWidth") == 320


def test_search_finds_and_steps(browser, tmp_path):
    write_media(tmp_path / "talk.mp3", tone(60))
    browser.open(write_page(tmp_path, str(tmp_path / "talk.mp3")))
    expected = sum(part.text.count("quick brown") for part in make_paragraphs(document("talk.mp3")))
    assert expected > 3
    browser.keys("/")
    assert browser.js("document.activeElement.id") == "search"
    browser.keys("quick BROWN")
    browser.until(f"document.getElementById('hits').textContent === '1 of {expected}'")
    assert [word.text for word in browser.all(".hit.here")] == ["quick", "brown"]
    browser.keys("\ue007")
    browser.until(f"document.getElementById('hits').textContent === '2 of {expected}'")
    browser.one("#previous").click()
    browser.one("#previous").click()
    browser.until(f"document.getElementById('hits').textContent === '{expected} of {expected}'")
    browser.one("#search").click()
    browser.keys(" xyzzy")
    browser.until("document.getElementById('hits').textContent === 'no hit'")
    browser.keys("\ue00c")
    assert browser.js("document.getElementById('hits').textContent") == ""
    assert browser.all(".hit") == []


def test_doubtful_words_marks_passages_and_speakers_are_told_apart(browser, tmp_path):
    write_media(tmp_path / "talk.mp3", tone(60))
    gap = {"start": 60.0, "end": 65.0, "chunk": "talk.0001", "reason": "out of <memory>"}
    segments = spoken(120, speakers=True)
    seams = [{"at": 4.95, "kind": "hard", "margin": 1.0, "speaker": "Channel 2"}]
    # A passage of a channel that says nothing here tints no word of another one.
    windows = [{**window, "speaker": "Channel 3"} for window in document("")["windows"]]
    more = {"segments": segments, "gaps": [gap], "seams": seams, "windows": windows}
    page = write_page(tmp_path, str(tmp_path / "talk.mp3"), **more)
    browser.open(page)
    low = [word for part in segments for word in part["words"] if word["probability"] < 0.5]
    browser.until("document.querySelectorAll('#text .w').length === 120")
    assert len(browser.all("#text .w.low")) == len(low)
    colours = {element.value_of_css_property("border-left-color") for element in browser.all(".p.s0 > p, .p.s1 > p")}
    assert len(colours) == 2
    seam = browser.one("#text .seam")
    assert not seam.is_displayed()
    browser.keys("m")
    assert seam.is_displayed()
    assert seam.get_attribute("title").startswith("0:04: cut where somebody")
    assert browser.js("document.querySelectorAll('#text .w.again').length") == 0
    browser.one("#passages summary").click()
    browser.until("document.querySelector('#passages q')?.textContent === 'the quack'")
    assert "out of <memory>" in browser.one(".gap").text
    assert [link.text for link in browser.all(".downloads a")] == ["txt", "srt"]


def test_passages_find_their_channel_whatever_its_speakers_are_called(browser, tmp_path):
    write_media(tmp_path / "talk.mp3", tone(60))
    segments = [
        {**part, "speaker": ("Anna", "Bert")[number % 2], "chunk": f"talk.c{number % 2}.0000"}
        for number, part in enumerate(spoken(120))
    ]
    (window,) = document("")["windows"]
    windows = [{**window, "speaker": "Channel 1", "chunk": "talk.c0.0000", "start": 20.0, "end": 22.5}]
    seams = [{"at": 4.95, "kind": "hard", "margin": 1.0, "speaker": "Channel 2", "channel": 1}]
    more = {"segments": segments, "windows": windows, "seams": seams, "tracks": [2]}
    browser.open(write_page(tmp_path, str(tmp_path / "talk.mp3"), **more))
    browser.until("document.querySelectorAll('#text .w').length === 120")
    assert browser.js("[...document.querySelectorAll('#text .w.again')].map((w) => Number(w.dataset.w))") == [
        40,
        41,
        42,
        43,
        44,
    ]
    assert browser.one("#text .seam").get_attribute("title").startswith("0:04: cut where somebody")
    # The player has one track only, so the browser's choice cannot be changed.
    assert "-map 0:a:1" in browser.one("#tracks").text
    assert browser.errors() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1100])
def test_layouts_hold_and_can_be_read(browser, tmp_path, width, scheme):
    write_media(tmp_path / "talk.mp3", tone(60))
    browser.resize(width, 800)
    browser.scheme(scheme)
    name = "a_recording_with_a_name_that_is_very_long_and_has_no_place_to_break_it_anywhere"
    browser.open(write_page(tmp_path, str(tmp_path / "talk.mp3"), recording=name, segments=spoken(120, speakers=True)))
    browser.one(".help summary").click()
    browser.keys("m")
    browser.js("document.querySelector('[data-w]').click()")
    browser.until(NOW)
    assert not browser.is_too_wide()
    assert browser.pale_texts() == []


@pytest.mark.parametrize("name", ["call.amr", "gone.mp3"])
def test_what_a_browser_cannot_play_is_said_and_the_text_still_works(browser, tmp_path, name):
    if name.endswith("amr"):
        write_media(tmp_path / name, tone(5))
    browser.open(write_page(tmp_path, str(tmp_path / name)))
    browser.until("!document.getElementById('unplayable').hidden")
    assert name in browser.one("#unplayable").text
    browser.one('[data-w="7"]').click()
    assert browser.js(NOW) == [7]
    # The recording was moved, or there is a copy in another format: it can be chosen by hand.
    other = write_media(tmp_path / "copy.mp3", tone(60))
    browser.one("#file").send_keys(str(other))
    browser.until("document.getElementById('unplayable').hidden")
    browser.until(f"Math.abs({TIME} - 3.5) < 0.01")


def test_ten_hours_open_at_once(browser, tmp_path):
    write_media(tmp_path / "talk.mp3", tone(5))
    browser.open(write_page(tmp_path, str(tmp_path / "talk.mp3"), count=72_000), "#t=30000")
    browser.until("document.documentElement.dataset.ready === 'yes'")
    # Words far away are no elements yet.
    assert browser.js("document.querySelectorAll('.w').length") < 5_000
    loaded = "performance.getEntriesByType('navigation')[0].domComplete"
    assert browser.until(loaded) < 5_000
    # The recording is shorter than the text, so the player soon moves the word that is marked: it stays in view.
    top = "document.querySelector('.w.now')?.getBoundingClientRect().top"
    browser.until(f"{top} > 0 && {top} < 900")
    browser.keys("/")
    browser.keys("nobody looks the quick")
    browser.until("document.getElementById('hits').textContent.startsWith('1 of ')", 10)
