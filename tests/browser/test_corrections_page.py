"""Correcting words on the page of a recording, in a real Chromium: with the keyboard alone, with reloads in between."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.support.wait import WebDriverWait

import transcript_pages
from audiogrid.corrections.corrected_document import correct_words
from audiogrid.corrections.corrections_file import Corrections, parse, to_text
from transcript_pages import opened

pytestmark = pytest.mark.browser
HASH = "0123456789abcdef" * 4
HOSTILE = "<img src=x onerror=alert(1)>"
ENTER, ESCAPE, TAB, SPACE = "\ue007", "\ue00c", "\ue004", "\ue00d"
TEXTS = [
    "Yesterday I met missus covalska in the old city",
    "and missus covalska said that the boat is late",
    "nobody else was there but covalska and me",
]
SHOWN = "[...document.querySelectorAll('#text .p > p')].map((p) => p.innerText.trim())"
CHOSEN = "[...document.querySelectorAll('.w.chosen')].map((w) => w.textContent).join(' ')"
KEPT = "Object.keys(localStorage).length"


def meeting() -> dict[str, Any]:
    """Three paragraphs of half a second a word; a name is doubtful wherever it is said."""
    segments = []
    for number, text in enumerate(TEXTS):
        at = 10.0 * number
        words = [
            {
                "start": round(at + 0.5 * place, 3),
                "end": round(at + 0.5 * place + 0.4, 3),
                "word": f" {word}",
                "probability": 0.34 if word == "covalska" else 0.9,
            }
            for place, word in enumerate(text.split())
        ]
        segments.append(
            {"start": at, "end": words[-1]["end"], "text": text, "words": words, "chunk": "talk.0000", "language": "en"}
        )
    return {
        "recording": "talk",
        "path": "talk.mp3",
        "duration": 30.0,
        "language": "en",
        "channels_mode": "mix",
        "segments": segments,
        "gaps": [],
        "notes": [],
        "seams": [],
        "windows": [],
        "provenance": {"audio": HASH, "chunks": []},
    }


def write_page(folder: Path, document: dict[str, Any]) -> Path:
    return transcript_pages.write_page(folder, document, 30)


def saved(browser: Any, folder: Path) -> Corrections:
    browser.driver.execute_cdp_cmd("Page.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder)})
    path = folder / f"talk.{HASH[:12]}.json"
    path.unlink(missing_ok=True)
    browser.one("#save").click()
    WebDriverWait(browser.driver, 15, poll_frequency=0.05).until(lambda _: path.is_file(), "the file is downloaded")
    text = path.read_text("utf-8")
    found = parse(text)
    assert found.mistakes == ()
    assert to_text(found) == text
    return found


def test_words_are_corrected_with_the_keyboard_alone(browser, tmp_path):
    document = meeting()
    page = write_page(tmp_path, document)
    opened(browser, page)
    browser.keys("n")
    assert browser.js(CHOSEN) == "covalska"
    assert browser.one("#said").text == "covalska: 34% certain"
    browser.keys(ENTER)
    assert browser.js("document.activeElement.className") == "fix"
    browser.keys("Kowal")
    # A reload in the middle of a word loses nothing.
    opened(browser, page, fresh=False)
    assert browser.js("document.activeElement.value") == "Kowal"
    browser.js("document.activeElement.setSelectionRange(9, 9)")
    browser.keys("ska", ENTER)
    assert browser.js(SHOWN)[0] == "Yesterday I met missus Kowalska in the old city"
    assert browser.one("#alike").text == "Correct all alike (2 more)"
    # All alike, one of them ticked off.
    browser.keys("a")
    assert browser.one("#places h2").text == "“covalska” becomes “Kowalska”"
    assert len(browser.all("#places input")) == 2
    browser.keys(TAB, SPACE, TAB, ENTER)
    browser.until("document.getElementById('said').textContent === '1 corrected'")
    assert browser.js(SHOWN)[1:] == [TEXTS[1].replace("covalska", "Kowalska"), TEXTS[2]]
    # Two words at once: deleted, and taken back.
    browser.keys("N", "N")
    browser.keys("n")
    assert browser.js(CHOSEN) == "covalska"
    browser.keys("+", ENTER)
    assert browser.js("document.activeElement.value") == "covalska and"
    browser.keys("\ue017", ENTER)
    assert browser.js(SHOWN)[2].replace("✂", "").split() == "nobody else was there but me".split()
    browser.keys("u")
    assert browser.js(SHOWN)[2] == TEXTS[2]
    # It is right as it is; Escape leaves a word alone.
    browser.keys(ESCAPE, "N", "n", "y", ENTER, "nonsense", ESCAPE)
    assert browser.js(SHOWN)[2] == TEXTS[2]
    assert browser.one(".w.confirmed[data-w]").text == "covalska"
    assert browser.one("#changes output").text.startswith("3 corrections were changed here")
    # Everything is there after another reload, and so is what can be taken back.
    before = browser.js(SHOWN)
    opened(browser, page, fresh=False)
    assert browser.js(SHOWN) == before
    found = saved(browser, tmp_path)
    assert [(one.was, one.text, one.start) for one in found.passages] == [
        ("covalska", "Kowalska", 2.0),
        ("covalska", "Kowalska", 11.0),
        ("covalska", "covalska", 22.5),
    ]
    assert (found.passages[0].before, found.passages[0].after) == ("Yesterday I met missus", "in the old city")
    browser.keys("u", "u", "u")
    assert browser.js(SHOWN) == TEXTS
    assert browser.errors() == []


def test_a_term_of_the_glossary_is_undone_with_a_click(browser, tmp_path):
    document = meeting()
    change = {"reason": "audio", "heard_logprob": -9.0, "term_logprob": -2.0, "term": "covalska"}
    document["glossary"] = [
        {"start": 2.0, "end": 2.4, "heard": HOSTILE, **change},
        {"start": 22.5, "end": 22.9, "heard": "a whale scar", **change},
    ]
    page = write_page(tmp_path, document)
    opened(browser, page)
    assert browser.one("#glossary summary").text == "The glossary changed 2 passages"
    assert [one.text for one in browser.all("#text .w.named")] == ["covalska", "covalska"]
    browser.one("#glossary summary").click()
    browser.all("#glossary button")[1].click()
    assert browser.js(SHOWN)[2] == TEXTS[2].replace("covalska", "a whale scar")
    browser.all("#glossary button")[0].click()
    assert browser.js(SHOWN)[0] == TEXTS[0].replace("covalska", HOSTILE)
    # What is no longer there cannot be undone twice; `u` takes the last one back.
    browser.all("#glossary button")[0].click()
    found = saved(browser, tmp_path)
    assert [(one.was, one.text) for one in found.passages] == [("covalska", HOSTILE), ("covalska", "a whale scar")]
    corrected, unfit = correct_words(document, found)
    assert not unfit and [one["text"] for one in corrected["segments"]][2] == TEXTS[2].replace(
        "covalska", "a whale scar"
    )
    browser.keys("u")
    assert browser.js(SHOWN)[0] == TEXTS[0]
    # The page of the next run says so, and has nothing more to undo.
    opened(browser, write_page(tmp_path, corrected))
    browser.one("#glossary summary").click()
    assert all(one.text.endswith("covalska taken back") for one in browser.all("#glossary li"))
    assert browser.all("#glossary li button") == [] == browser.all("#text .w.named")
    assert browser.errors() == []


def test_what_was_merged_needs_nothing_kept(browser, tmp_path):
    document = meeting()
    page = write_page(tmp_path, document)
    opened(browser, page)
    browser.keys("n", ENTER, HOSTILE, ENTER)
    assert HOSTILE in browser.js(SHOWN)[0]
    assert browser.all("#text img") == []
    found = saved(browser, tmp_path)
    merged, unfit = correct_words(document, found)
    assert unfit == []
    opened(browser, write_page(tmp_path, merged), fresh=False)
    assert HOSTILE in browser.js(SHOWN)[0]
    assert browser.all("#text img") == []
    assert not browser.one("#changes").is_displayed()
    assert browser.js(KEPT) == 0
    # Corrected once more: the file goes on from what the first one made.
    ActionChains(browser.driver).double_click(browser.all(".w.confirmed[data-w]")[0]).perform()
    browser.keys("Kowalska", ENTER)
    again = saved(browser, tmp_path)
    both, unfit = correct_words(document, Corrections("talk", HASH, passages=(*found.passages, *again.passages)))
    assert unfit == []
    assert "Kowalska" in both["segments"][0]["text"]
    assert browser.errors() == []


def test_paragraphs_begin_and_are_joined(browser, tmp_path):
    document = meeting()
    page = write_page(tmp_path, document)
    opened(browser, page)
    browser.keys("n", "p")
    assert browser.js(SHOWN)[0].splitlines()[0].strip() == "Yesterday I met missus"
    browser.keys(ESCAPE)
    browser.js("document.getElementById('player').currentTime = 10.1")
    browser.until("document.querySelector('.w.now')?.dataset.w === '9'")
    browser.keys("p")
    assert browser.all(".p.joined .t")[0].is_displayed() is False
    opened(browser, page, fresh=False)
    assert len(browser.all(".p.joined")) == 1
    found = saved(browser, tmp_path)
    assert [(one.word, one.begins) for one in found.paragraphs] == [("covalska", True), ("and", False)]
    merged, unfit = correct_words(document, found)
    assert unfit == []
    opened(browser, write_page(tmp_path, merged), fresh=False)
    assert browser.js(SHOWN)[:2] == ["Yesterday I met missus", f"covalska in the old city {TEXTS[1]}"]
    assert browser.js(KEPT) == 0
    assert browser.errors() == []


def test_selected_text_is_a_passage_and_the_page_says_who(browser, tmp_path):
    opened(browser, write_page(tmp_path, meeting()))
    browser.driver.execute_script(
        "const w = document.querySelectorAll('.w[data-w]'); const r = document.createRange();"
        "r.setStart(w[3].firstChild, 0); r.setEnd(w[4].firstChild, 8); getSelection().addRange(r);"
    )
    browser.keys(ENTER)
    assert browser.js("document.activeElement.value") == "missus covalska"
    browser.keys("Mrs Kowalska", ENTER)
    browser.one("#by").click()
    browser.keys("ab", TAB)
    browser.keys(ESCAPE, "n", "y")
    found = saved(browser, tmp_path)
    assert [(one.was, one.text, one.by) for one in found.passages] == [
        ("missus covalska", "Mrs Kowalska", ""),
        ("covalska", "covalska", "ab"),
    ]
    browser.one("#search").click()
    browser.keys("mrs kowalska")
    browser.until("document.getElementById('hits').textContent === '1 of 1'")
    browser.one("#discard").click()
    assert browser.js(SHOWN) == TEXTS
    browser.one("#undo").click()
    assert browser.js(SHOWN)[0] == TEXTS[0].replace("missus covalska", "Mrs Kowalska")
    assert browser.errors() == []


def test_the_service_takes_what_is_saved(browser, tmp_path):
    document, page = meeting(), write_page(tmp_path, meeting())
    taken: list[Corrections] = []

    class Jobs(BaseHTTPRequestHandler):
        """The two addresses of a job that the page uses."""

        def answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            found = self.path == "/v1/jobs/1a/transcript.html"
            self.answer(200 if found else 404, "text/html", page.read_bytes() if found else b"")

        def do_PUT(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            if self.path != "/v1/jobs/1a/corrections" or not taken:
                taken.append(parse(text))
                self.answer(409, "application/json", b'{"error": {"message": "not now"}}')
                return
            taken.append(parse(text))
            write_page(tmp_path, correct_words(document, taken[-1])[0])
            self.answer(200, "application/json", b'{"unfit": []}')

        def log_message(self, *words: object) -> None:
            """Write nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Jobs) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        browser.driver.get(f"http://127.0.0.1:{server.server_port}/v1/jobs/1a/transcript.html")
        browser.until("document.documentElement.dataset.ready === 'yes' && document.querySelector('.w')")
        browser.js("localStorage.clear()")
        browser.keys("n", ENTER, "Kowalska", ENTER)
        assert browser.one("#save").text == "Save"
        browser.one("#save").click()
        browser.until("document.getElementById('said').textContent === 'not now'")
        assert browser.js(KEPT) == 1
        browser.one("#save").click()
        browser.until("document.querySelector('.w.confirmed[data-w]')?.textContent === 'Kowalska'")
        assert browser.js(KEPT) == 0
        assert not browser.one("#changes").is_displayed()
        assert [one.text for one in taken[-1].passages] == ["Kowalska"]
        server.shutdown()
        thread.join()
    # The refusal and the recording, which this server does not have, are all that the console tells.
    assert all("409" in message or "404" in message for message in browser.errors())


def test_a_full_browser_keeps_the_corrections_and_says_so_when_it_cannot(browser, tmp_path):
    opened(browser, write_page(tmp_path, meeting()))
    browser.driver.execute_script(
        "window.real = Storage.prototype.setItem; window.most = 700;"
        "Storage.prototype.setItem = function (key, value) {"
        " if (value.length > window.most) throw new Error('full'); window.real.call(this, key, value); }"
    )
    browser.keys("n", ENTER, "Kowalska", ENTER, "n", "y", "n")
    assert "kept in this browser" in browser.one("#changes output").text
    kept = browser.js(f"JSON.parse(localStorage.getItem('audiogrid words {HASH}'))")
    assert len(kept["passages"]) == 2
    assert len(kept["history"]) < 2
    browser.js("window.most = 10")
    browser.keys("y")
    assert "no room" in browser.one("#changes output").text
    browser.js("window.most = 100000")
    browser.keys("u")
    assert "kept in this browser" in browser.one("#changes output").text
    assert browser.errors() == []


def test_a_removal_is_kept_until_a_transcript_has_it(browser, tmp_path):
    """A transcript in which nothing stands there anyway does not have it."""
    entry = '{"passages": [{"at": [1.91, 1.99], "was": "x", "text": ""}]}'
    document = meeting()
    for own, left in ((False, 1), (True, 0)):
        if own:
            document["segments"][0]["words"][3]["own"] = " missus x"
        page = write_page(tmp_path, document)
        browser.open(page)
        browser.driver.execute_script(f"localStorage.setItem('audiogrid words {HASH}', arguments[0])", entry)
        opened(browser, page, fresh=False)
        assert browser.js(KEPT) == left


def test_a_damaged_memory_is_ignored(browser, tmp_path):
    page = write_page(tmp_path, meeting())
    for memory in (
        "{",
        "[]",
        "null",
        '{"passages": [{"at": "x"}, 7], "history": [1, "x", {"names": 3}], "draft": {"at": []}}',
    ):
        browser.open(page)
        browser.driver.execute_script(f"localStorage.setItem('audiogrid words {HASH}', arguments[0])", memory)
        opened(browser, page, fresh=False)
        assert browser.js(SHOWN) == TEXTS
    assert browser.errors() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1100])
def test_editing_fits_narrow_and_wide(browser, tmp_path, width, scheme):
    document = meeting()
    document["unapplied"] = [{"start": 3.0, "end": 4.0, "was": HOSTILE, "text": "x", "why": "does not fit"}]
    browser.resize(width, 800)
    browser.scheme(scheme)
    opened(browser, write_page(tmp_path, document))
    browser.one("#unapplied summary").click()
    browser.keys(ESCAPE, "n", ENTER, "Kowalska Kowalska Kowalska", ENTER)
    browser.keys("a")
    assert browser.js("document.getElementById('places').open")
    assert not browser.is_too_wide()
    assert browser.pale_texts() == []
    browser.keys(ESCAPE)
    browser.keys("n", "y", "n", "p", ENTER)
    assert browser.js("document.activeElement.className") == "fix"
    assert not browser.is_too_wide()
    assert browser.pale_texts() == []
