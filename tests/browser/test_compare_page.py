"""The page of a comparison in a real Chromium, opened from the file system."""

from __future__ import annotations

import pytest

from audiogrid.comparing.compare_page import compare_page
from audiogrid.comparing.comparison import Comparison
from audiogrid.comparing.decoding_cost import DecodingCost
from audiogrid.scoring.error_rates import all_groups
from audiogrid.scoring.score_recording import score_recording
from media import write_wav
from speech import hiss

pytestmark = pytest.mark.browser
SAID = "a rather long sentence with many plain words that two different variants do not read in the same way at all"
NAME = 'it\'s "odd" #1?.wav'


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    write_wav(folder / NAME, hiss(5.0))
    rows = []
    for number in range(8):
        for condition in ("original", "telephone", "noise-5dB"):
            texts = {
                "current": SAID,
                "a-variant-with-a-long-name": SAID.replace("plain", "plane" if number % 2 else ""),
            }
            documents = {}
            for name, text in texts.items():
                words = [{"word": f" {w}", "start": n / 5, "end": n / 5 + 0.1} for n, w in enumerate(text.split())]
                segments = [{"text": text, "words": words}]
                documents[name] = {"path": str(folder / NAME), "duration": 5.0, "language": "en", "segments": segments}
            columns = {"device": "desk" if number % 3 else "phone"}
            rows.append(score_recording(f"recording-{number}", condition, columns, documents, "en", SAID))
    names = ["current", "a-variant-with-a-long-name"]
    effort = {"original": DecodingCost(100.0, 10.0, 0.0, 500)}
    result = Comparison(
        "calls", {name: {} for name in names}, dict.fromkeys(names, "base"), rows, all_groups(rows, names),
        dict.fromkeys(names, effort),
    )  # fmt: skip
    target = folder / "compare.html"
    target.write_text(compare_page(result, folder))
    return target


def test_it_is_whole_links_to_the_sound_and_complains_of_nothing(browser, page):
    browser.open(page)
    assert browser.js("document.querySelectorAll('.lane svg').length") >= 6
    assert browser.one("del").text and browser.one("ins").text
    href = browser.js("document.querySelector('.passage a').href")
    assert "%231%3F.wav#t=" in href
    assert browser.errors() == []
    browser.driver.get(href)
    browser.until("document.querySelector('video') && document.querySelector('video').readyState > 0")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_on_a_phone_and_in_the_dark(browser, page, scheme):
    browser.scheme(scheme)
    for width in (1100, 360):
        browser.resize(width)
        browser.open(page)
        assert not browser.is_too_wide()
        assert browser.pale_texts() == []
