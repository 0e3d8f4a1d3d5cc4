"""The search index at the size of an archive: what building it costs, and what a query in a browser loads.

    python benchmarks/search.py --hours 10000
    python benchmarks/search.py --hours 10000 --keep FOLDER     (leaves the index there; the next call only searches)

Transcripts are made up: 9,000 words an hour, frequencies as in a language (Zipf), new words all the time. The page is
opened from the file system in Chromium, afresh for each query; "weight" is the size of all files that it loads.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

WORDS_AN_HOUR, WORDS_A_LINE = 9_000, 60
FREQUENT = "the of and to in is that it was for on are as with they be at one have this".split()


def word(number: int) -> str:
    """Returns the word of a rank: a frequent one, or syllables."""
    if number < len(FREQUENT):
        return FREQUENT[number]
    text = ""
    while number:
        number, syllable = divmod(number, 85)
        text += "bcdfglmnprstvzhkj"[syllable // 5] + "aeiou"[syllable % 5]
    return text


def transcripts(hours: int) -> Iterator[Any]:
    """Yields what the parts of bundles hold, a recording an hour."""
    from audiogrid.core.packed_numbers import pack

    rng = np.random.default_rng(1)
    steps = pack([8] * WORDS_A_LINE)
    names: dict[int, str] = {}
    for hour in range(hours):
        yield {
            "recording": f"tape_{hour:05d}",
            "file": f"tape {hour:05d}.flac",
            "language": ("en", "de", "fr")[hour % 3],
            "date": f"{1950 + hour * 70 // hours}-05-01",
            "media": f"../../tapes/tape%20{hour:05d}.flac",
            "page": f"transcripts/tape_{hour:05d}.html",
            "speakers": ["Speaker 1", "Speaker 2"],
        }
        # Ranks with the frequencies of Zipf, and a long tail of words that are said once or twice in all.
        ranks = np.minimum(rng.zipf(1.18, WORDS_AN_HOUR), 3_000_000) - 1
        for line in range(WORDS_AN_HOUR // WORDS_A_LINE):
            some = ranks[line * WORDS_A_LINE : (line + 1) * WORDS_A_LINE].tolist()
            texts = []
            for rank in some:
                if rank not in names:
                    if len(names) > 300_000:
                        names.clear()
                    names[rank] = word(rank)
                texts.append(names[rank])
            if line == 75 and hour % 1000 == 777:
                texts[30:33] = ["winter", "garden", "palace"]
            yield [line % 2, line * 480, " ".join(texts), steps]


def build(root: Path, hours: int) -> None:
    """Builds the index and prints what that costs, without making the transcripts up."""
    from audiogrid.export.template import render  # noqa: F401
    from audiogrid.searching.build_index import write_index
    from audiogrid.searching.postings import PostingSorter
    from audiogrid.searching.search_page import render_search_page

    began = time.process_time()
    for _ in transcripts(max(1, hours // 100)):
        pass
    making = (time.process_time() - began) * hours / max(1, hours // 100)
    began = time.process_time()
    (root / "runs").mkdir(parents=True)
    contents = write_index(transcripts(hours), root / "search" / "made", "archive", PostingSorter(root / "runs"))
    taken = time.process_time() - began - making
    shutil.rmtree(root / "runs")
    (root / "search.html").write_text(render_search_page(contents, "search/made"), encoding="utf-8")
    sizes = [path.stat().st_size for path in (root / "search").rglob("*.js")]
    print(
        f"{hours} h, {contents.words:,} words: {taken:.0f} core-s, "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB at most, "
        f"{sum(sizes) / 1e6:.0f} MB in {len(sizes)} files",
        flush=True,
    )


QUERIES = [
    ("a word that is said rarely", "palace"),
    ("the most frequent word", "the"),
    ("a phrase", '"winter garden palace"'),
    ("a phrase of frequent words", '"that it was for"'),
    ("three frequent words in a line", "one have this"),
    ("a beginning", "palac*"),
    ("a word that nobody says", "xylophone"),
]


def search(root: Path) -> None:
    """Opens the page for each query and prints when the first hit is shown, and what was loaded by then and in all."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for option in ("--headless=new", "--disable-gpu", "--no-first-run", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(option)
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    # Notes when a hit or an answer is there, from the moment at which the page was asked for.
    browser.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument",
        {
            "source": """window.loadedParts = []; new MutationObserver((changes) => {
              if (!window.firstHit && document.querySelector('#hits li')) window.firstHit = performance.now();
              for (const change of changes) for (const node of change.addedNodes)
                if (node.tagName === 'SCRIPT' && node.src) window.loadedParts.push(node.src);
            }).observe(document, { childList: true, subtree: true });"""
        },
    )
    done = "return !/^$|Searching/.test(document.getElementById('state')?.textContent ?? '')"
    try:
        for name, query in QUERIES:
            browser.get("about:blank")
            browser.get(f"{(root / 'search.html').as_uri()}#q={json.dumps(query)[1:-1].replace(chr(92), '')}")
            while not browser.execute_script(done):
                time.sleep(0.02)
            first, end, parts, hits = browser.execute_script(
                "return [window.firstHit, performance.now(), window.loadedParts,"
                " document.querySelectorAll('#hits li').length]"
            )
            files = [root / part.split(root.as_uri() + "/")[1] for part in parts]
            weight = sum(path.stat().st_size for path in files) + (root / "search.html").stat().st_size
            shown = f"first hit after {first / 1000:.2f} s" if first else f"nothing, said after {end / 1000:.2f} s"
            print(f"| {name} | {shown} | {hits} lines | {weight / 1e6:.2f} MB in {len(files)} files |", flush=True)
    finally:
        browser.quit()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=int, default=10_000)
    parser.add_argument("--keep", type=Path, help="folder for the index (default: one that is removed)")
    arguments = parser.parse_args()
    root = (arguments.keep or Path(tempfile.mkdtemp(prefix="audiogrid-search-"))).absolute()
    try:
        if not (root / "search.html").is_file():
            build(root, arguments.hours)
        search(root)
    finally:
        if arguments.keep is None:
            shutil.rmtree(root)


if __name__ == "__main__":
    main()
