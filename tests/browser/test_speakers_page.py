"""Speakers on the page of a recording: lanes, filter and names, with mouse and keyboard, in a real Chromium."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import transcript_pages
from audiogrid.corrections.corrections_file import parse, to_text
from audiogrid.corrections.speaker_names import apply_names

pytestmark = pytest.mark.browser
HASH = "0123456789abcdef" * 4
HOSTILE = '</script> "Zoë" & <b>'
SHOWN = "[...document.querySelectorAll('.p')].filter((p) => !p.hidden).map((p) => p.dataset.s).join('')"
TIME = "document.getElementById('player').currentTime"
ENTER, ESCAPE, TAB = "\ue007", "\ue00c", "\ue004"


def dialogue(turns: int = 12, speakers: int = 3, seconds: float = 5.0) -> dict[str, Any]:
    """Speakers in turn, ten words each; every turn overlaps the one before by half a second."""
    segments, said = [], []
    for n in range(turns):
        who = f"Speaker {n % speakers + 1}"
        at = n * seconds
        words = [
            {"start": at + 0.4 * k, "end": at + 0.4 * k + 0.3, "word": f" word{k}", "probability": 0.9, "speaker": who}
            for k in range(10)
        ]
        segments.append({"start": at, "end": words[-1]["end"], "words": words, "speaker": who})
        said.append({"start": max(0.0, at - 0.5), "end": at + seconds, "speaker": who})
    names = [f"Speaker {n + 1}" for n in range(speakers)]
    voices = [
        {
            "speaker": name,
            "seconds": sum(one["end"] - one["start"] for one in said if one["speaker"] == name),
            "turns": sum(one["speaker"] == name for one in said),
            "words": 10,
        }
        for name in names
    ]
    return {
        "recording": "talk",
        "path": "talk.mp3",
        "duration": turns * seconds,
        "language": "en",
        "channels_mode": "mix",
        "segments": segments,
        "gaps": [],
        "notes": [],
        "seams": [],
        "windows": [],
        "speakers": voices,
        "turns": said,
        "provenance": {"audio": HASH},
    }


def write_page(folder: Path, document: dict[str, Any], seconds: float = 60.0) -> Path:
    return transcript_pages.write_page(folder, document, seconds)


def opened(browser: Any, page: Path, *, fresh: bool = True) -> None:
    transcript_pages.opened(browser, page, fresh=fresh, also=f"{TIME} === 0")


def names(browser: Any, selector: str) -> list[str]:
    return [element.text for element in browser.all(selector)]


def test_lanes_show_who_talks_when_and_lead_there(browser, tmp_path):
    opened(browser, write_page(tmp_path, dialogue()))
    assert names(browser, ".voice .pick") == ["Speaker 1", "Speaker 2", "Speaker 3"]
    assert browser.one('[data-s="1"] .talk').text == "22 s · 34% · 4 turns"
    boxes = "[...document.querySelectorAll('.track path')].map((p) => p.getBBox()).map((b) => [b.x, b.width])"
    (first, _), (second, _), (third, width) = browser.js(boxes)
    assert first == 0 < second < third
    assert third + width == 1500
    # Colours and shapes both tell them apart, at the lane and in the text.
    shape = "[...document.querySelectorAll('{} .who')].map((w) => getComputedStyle(w, '::before')['{}'])"
    for style in ("clip-path", "background-color"):
        at_lanes = browser.js(shape.format(".voice", style))
        assert len(set(at_lanes)) == 3
        assert browser.js(shape.format("#text", style))[:3] == at_lanes
    # A click in the middle of a lane goes to the middle of the recording.
    browser.one('[data-s="2"] .track').click()
    browser.until(f"Math.abs({TIME} - 30) < 0.5")
    browser.until("Math.abs(Number(document.querySelector('.voices').style.getPropertyValue('--at')) - 0.5) < 0.01")
    browser.js("document.getElementById('player').currentTime = 31.5")
    browser.until(f"{TIME} === 31.5")
    browser.keys("[")
    browser.until(f"Math.abs({TIME} - 30) < 0.1")
    browser.keys("]")
    browser.until(f"Math.abs({TIME} - 35) < 0.1")
    browser.keys("s")
    assert not browser.one(".voices").is_displayed()
    assert browser.one("#voices").get_attribute("aria-pressed") == "false"
    assert browser.errors() == []


def test_a_filter_shows_some_speakers_only_also_to_the_search(browser, tmp_path):
    opened(browser, write_page(tmp_path, dialogue()))
    assert browser.js(SHOWN) == "012" * 4
    browser.one('[data-s="1"] .pick').click()
    assert browser.js(SHOWN) == "1111"
    assert browser.one("#filtered output").text == "4 of 12 paragraphs: Speaker 2"
    browser.keys("]")
    browser.until(f"Math.abs({TIME} - 5) < 0.1")
    browser.keys("]")
    browser.until(f"Math.abs({TIME} - 20) < 0.1")
    browser.one("#search").click()
    browser.keys("word3")
    browser.until("document.getElementById('hits').textContent === '1 of 4'")
    # One more, with the keyboard: the next button in the order of tabs is the pen, then the next speaker.
    browser.one('[data-s="1"] .pick').send_keys(TAB)
    browser.keys(TAB)
    browser.keys(ENTER)
    assert browser.js(SHOWN) == "12" * 4
    browser.until("document.getElementById('hits').textContent === '1 of 8'")
    browser.keys(ESCAPE)
    assert browser.js(SHOWN) == "012" * 4
    assert not browser.one("#filtered").is_displayed()
    assert browser.errors() == []


def test_a_speaker_is_named_once_and_the_name_outlives_page_and_browser(browser, tmp_path):
    document = dialogue()
    page = write_page(tmp_path, document)
    opened(browser, page)
    # With the keyboard alone.
    browser.one('[data-s="0"] .edit').send_keys(ENTER)
    browser.keys("Anna Kowalska", ENTER)
    assert names(browser, ".voice .pick")[0] == "Anna Kowalska"
    assert names(browser, "#text .p[data-s='0'] .who") == ["Anna Kowalska"] * 4
    assert browser.js("document.activeElement.getAttribute('aria-label')") == "Rename Anna Kowalska"
    # Escape leaves a name as it was; leaving the field keeps what was typed.
    browser.one('[data-s="1"] .edit').click()
    browser.keys("nobody", ESCAPE)
    assert names(browser, ".voice .pick")[1] == "Speaker 2"
    browser.one('[data-s="1"] .edit').click()
    browser.keys(f"  {HOSTILE}  ")
    browser.one("h1").click()
    assert names(browser, ".voice .pick")[1] == HOSTILE
    assert browser.one("#changes output").text.startswith("2 names were changed here")
    # A reload loses nothing.
    opened(browser, page, fresh=False)
    assert names(browser, ".voice .pick") == ["Anna Kowalska", HOSTILE, "Speaker 3"]

    downloads = {"behavior": "allow", "downloadPath": str(tmp_path)}
    browser.driver.execute_cdp_cmd("Page.setDownloadBehavior", downloads)
    browser.one("#save").click()
    saved = tmp_path / f"talk.{HASH[:12]}.json"
    from selenium.webdriver.support.wait import WebDriverWait

    WebDriverWait(browser.driver, 15, poll_frequency=0.05).until(lambda _: saved.is_file(), "the file is downloaded")
    corrections = parse(saved.read_text("utf-8"))
    assert to_text(corrections) == saved.read_text("utf-8")
    assert [(one.name, one.was) for one in corrections.speakers] == [
        ("Anna Kowalska", "Speaker 1"),
        (HOSTILE, "Speaker 2"),
    ]
    # The transcript that has them needs nothing kept any more, and offers to take them back.
    named, unfit = apply_names(document, corrections)
    assert unfit == []
    opened(browser, write_page(tmp_path, named), fresh=False)
    assert names(browser, ".voice .pick") == ["Anna Kowalska", HOSTILE, "Speaker 3"]
    assert not browser.one("#changes").is_displayed()
    assert browser.js("localStorage.length") == 0
    browser.one('[data-s="1"] .edit').click()
    browser.js("document.activeElement.value = ''")
    browser.keys(ENTER)
    assert names(browser, ".voice .pick")[1] == "Speaker 2"
    assert browser.one("#changes").is_displayed()
    browser.one("#discard").click()
    assert names(browser, ".voice .pick")[1] == HOSTILE
    assert browser.errors() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1100])
def test_many_speakers_fit_narrow_and_wide(browser, tmp_path, width, scheme):
    document = dialogue(turns=24, speakers=12, seconds=2.5)
    long = "Marie-Thérèse von und zu Hohenlohe-Waldenburg-Schillingsfürst"
    document["speakers"][0]["speaker"] = long
    for entry in [*document["turns"], *document["segments"]]:
        entry["speaker"] = long if entry["speaker"] == "Speaker 1" else entry["speaker"]
    browser.resize(width, 800)
    browser.scheme(scheme)
    opened(browser, write_page(tmp_path, document))
    browser.one('[data-s="1"] .edit').click()
    browser.keys("Ben", ENTER)
    browser.one('[data-s="0"] .pick').click()
    browser.one(".help summary").click()
    assert not browser.is_too_wide()
    assert browser.pale_texts() == []
    # Most of the window is left to the text.
    assert browser.js("document.querySelector('.bar').offsetHeight") < 0.55 * 800
    kinds = {row.get_attribute("class").split("voice ")[1].split(" picked")[0] for row in browser.all(".voice")}
    assert len(kinds) == 12


def test_ten_hours_of_many_speakers_open_at_once(browser, tmp_path):
    document = dialogue(turns=7_200, speakers=20)
    page = write_page(tmp_path, document, seconds=5)
    assert page.stat().st_size < 6_000_000
    browser.open(page, "#t=30000")
    browser.until("document.documentElement.dataset.ready === 'yes'")
    assert browser.until("performance.getEntriesByType('navigation')[0].domComplete") < 5_000
    # The recording is shorter than the text, so the player soon moves the word that is marked: it stays in view.
    top = "document.querySelector('.w.now')?.getBoundingClientRect().top"
    browser.until(f"{top} > 0 && {top} < 900")
    began = browser.js("performance.now()")
    browser.one('[data-s="3"] .pick').click()
    assert browser.js(SHOWN) == "3" * 360
    assert browser.js("performance.now()") - began < 3_000
