"""The search page of a run, opened from the file system."""

from __future__ import annotations

import random

import pytest

from audiogrid.export.template import clock
from audiogrid.searching.search_index import Filter, SearchIndex
from media import write_wav
from search_indexes import document, write_search

pytestmark = pytest.mark.browser

HOSTILE = [
    'The winter garden <img src=x onerror="document.title=1"> isn\'t (cold) [.*] \\d+ $1 & "quoted"',
    "</script><script>document.title='taken'</script> Über die Straße — naïve café, 𝒳 and ﬁne",
]
QUERIES = [
    *["garden", "winter garden", '"winter garden"', '"garden winter"', "GARD*", "g*", "isn't", "strasse", "naive CAFE"],
    *[
        "<script>",
        "script",
        ".*",
        "\\d+",
        "$1",
        "东京",
        "京东",
        '"东京 吃饭"',
        "العربية",
        "कि",
        "的*",
        "か",
        "ß",
        "the of",
    ],
    *['"the of"', "the", '"of the', "one two three", "word1* the", '"wor* the"', "nothere", "the nothere", "𝒳", "fine"],
    *["ジョン・スミス", "ジョンスミス"],
    *["ni\u0301co", "nico", "said:", "ΣΊΣΥΦΟΣ", "σισυφος"],
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    rng = random.Random(4)
    vocabulary = ["the", "of", "one", "two", "three", *(f"word{number}" for number in range(60))]
    weights = [20, 15, 5, 5, 5, *[1] * 60]

    def talk(number):
        lines = [" ".join(rng.choices(vocabulary, weights, k=rng.randint(1, 15))) for _ in range(8)]
        return document(f"talk{number:02d}", lines, date=f"20{number + 10}-05-0{number % 9 + 1}")

    found = [
        document("hostile <b>&", HOSTILE, speakers=["<i>Ann</i>", "علي"]),
        document("empty", []),
        document(
            "asia",
            [
                "我们在东京吃饭的",
                "がぎ か",
                "किताब की",
                "العَرَبِيَّةُ لغة",
                "Nin\u0303o níco Σίσυφος",
                "ジョン・スミス です",
            ],
            language="zh",
        ),
        *(talk(number) for number in range(20)),
        document("last", ["of the", "the end"], language="fr"),
    ]
    root = tmp_path_factory.mktemp("search") / "run <1> 'x'"
    write_search(root, found)
    return root


@pytest.fixture
def search(browser, folder):
    def ask(query, **filters):
        for name in ("recording", "speaker", "since", "until", "query"):
            field = browser.one(f"#{name}")
            browser.driver.execute_script("arguments[0].value = arguments[1]", field, filters.get(name, ""))
        language = filters.get("language", "")
        browser.driver.execute_script("document.getElementById('language').value = arguments[0]", language)
        browser.driver.execute_script("document.getElementById('query').value = arguments[0]", query)
        browser.one("#form button").click()
        while True:
            browser.until("/line|found|letter|^$/.test(document.getElementById('state').textContent)")
            if not browser.one("#more").is_displayed():
                break
            browser.one("#more").click()
        return browser.js(
            """[...document.querySelectorAll('#hits li')].map((item) => [
              item.querySelector('button').textContent,
              [...item.querySelectorAll('mark')].map((m) => m.textContent)])"""
        )

    browser.open(folder / "search.html")
    browser.until("document.documentElement.dataset.ready === 'yes'")
    return ask


def expected(folder, query, only=None):
    hits = SearchIndex(folder / "search" / "made").search(query, only)
    return [(f"▶ {clock(hit.seconds)}", [hit.text[start:end] for start, end in hit.found]) for hit in hits]


def test_the_page_finds_what_the_command_finds(browser, folder, search):
    counts = {}
    for query in QUERIES:
        wanted = [[time, marks] for time, marks in expected(folder, query)]
        assert search(query) == wanted, query
        counts[query] = len(wanted)
    assert counts["garden"] == counts["东京"] == counts["strasse"] == counts["العربية"] == 1
    assert counts["the"] > 50 and counts['"the of"'] > 10 and counts["nothere"] == counts["京东"] == 0
    assert browser.js("document.title") == "run <1> 'x': search"
    assert browser.all("#hits img, #hits script, #hits i") == []
    assert browser.errors() == []


@pytest.mark.parametrize(
    "filters",
    [
        {"recording": "TALK1"},
        {"recording": "hostile <b>"},
        {"language": "fr"},
        {"since": "2012", "until": "2014-05"},
        {"speaker": "ann"},
        {"speaker": "nobody"},
    ],
)
def test_filters(folder, search, filters):
    for query in ("the", "one two"):
        assert search(query, **filters) == [[time, marks] for time, marks in expected(folder, query, Filter(**filters))]


def test_a_filter_reads_the_recordings_only_where_the_words_are(browser, search):
    browser.driver.execute_script(
        """window.read = []; const given = window.audiogridPart;
        window.audiogridPart = (name, value) => { window.read.push(name); given(name, value); };"""
    )
    assert len(search("strasse", recording="hostile")) == 1
    assert [name for name in browser.js("window.read") if name[0] == "r"] == ["r0"]


def test_a_hit_plays_from_its_word_and_leads_into_the_transcript(browser, tmp_path, speech):
    root = tmp_path / "results" / "run"
    pcm = speech(sentences=["One."]).pcm
    write_wav(tmp_path / "a talk.wav", pcm)
    wanted = "spoken"
    lines = ["the first word", f"another {wanted} word"]
    write_search(root, [document("a_talk", lines, path=str(tmp_path / "a talk.wav"))])
    browser.open(root / "search.html", "#q=spoken")
    browser.until("document.querySelectorAll('#hits li').length === 1")
    assert browser.one("#hits .text a").get_attribute("href").endswith("transcripts/a_talk.html#t=4.6")
    button = browser.one("#hits button")
    assert button.get_attribute("aria-label") == "Play a_talk from 0:04"
    button.click()
    browser.until("document.getElementById('media').readyState > 0")
    assert browser.js("document.getElementById('unplayable').hidden")
    length = browser.js("document.getElementById('media').duration")
    browser.until(f"document.getElementById('media').currentTime >= Math.min(4.6, {length}) - 0.01")


def test_what_is_missing_is_said(browser, tmp_path):
    root = tmp_path / "run"
    write_search(root, [document("talk", ["some words here"])])
    for path in (root / "search" / "made" / "l").iterdir():
        path.write_text("oops")
    browser.open(root / "search.html", "#q=words")
    browser.until("!document.getElementById('broken').hidden")
    assert "l/0.js is damaged" in browser.one("#broken").text
    (root / "search" / "made" / "index.js").unlink()
    browser.open(root / "search.html", "#q=words")
    browser.until("!document.getElementById('broken').hidden")
    assert "index.js cannot be read" in browser.one("#broken").text


def test_an_empty_run_finds_nothing(browser, tmp_path):
    root = tmp_path / "run"
    write_search(root, [])
    browser.open(root / "search.html", "#q=words")
    browser.until("document.getElementById('state').textContent === 'Nothing found.'")
    assert browser.errors() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1100])
def test_layouts_hold_and_can_be_read(browser, folder, search, width, scheme):
    browser.resize(width, 2500)
    browser.scheme(scheme)
    assert search("the")
    assert not browser.is_too_wide()
    assert browser.pale_texts() == []
    unnamed = """[...document.querySelectorAll('input, select, button, video')].filter((one) => !one.hidden
      && !one.labels?.length && !one.textContent.trim() && !one.getAttribute('aria-label')).map((one) => one.id)"""
    assert browser.js(unnamed) == ["media"] or browser.js(unnamed) == []
