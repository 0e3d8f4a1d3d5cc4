"""report.html in a real Chromium."""

from __future__ import annotations

from pathlib import Path

import pytest

from audiogrid.merging.merge_bundle import MergedBundle
from audiogrid.records.prices import Prices
from audiogrid.records.run_folder import RunFolder
from audiogrid.reporting.attempts import Attempt, Task
from audiogrid.reporting.gathered_run import gather
from audiogrid.reporting.report_data import ComputeUsage, Estimate, ReportData
from audiogrid.reporting.report_page import render_report

pytestmark = pytest.mark.browser


def row(n: int) -> dict[str, object]:
    counts = {"words": 100 + n, "windows": 9, "flagged": n % 3, "redecoded": n % 3, "kept_careful": 0, "hard_seams": 0}
    figures = {"duration_s": 60.0 + n, "speech_s": 40.0, "low_confidence_share": (n * 37 % 100) / 1000}
    about = {"path": f"in/{n}.mp3", "status": "complete", "language": ("en", "fr")[n % 2], "note": "", "model": "base"}
    return {"recording": f"recording_with_a_long_name_{n:04d}", "variant": "", **about, **counts, **figures}


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """A run of 1,000 recordings on three nodes."""
    tasks = {
        (f"node{n % 3}/{n % 6}", n * 3.0): Task(f"node{n % 3}/{n % 6}", f"s{n % 4}", n * 3.0, 15.0, [f"c{n}"])
        for n in range(1000)
    }
    attempt = Attempt("s0", "node0", 0.0, 3100.0, 6, 1, "TIMEOUT", 60_000.0, 15_000.0, decoded=1000, tasks=tasks)
    passage = {"start": 61.5, "end": 63.0, "probability": 0.31, "text": "who knows what", "flags": ["loop"]}
    merged = MergedBundle(
        "b0001",
        rows=[row(n) for n in range(1000)],
        files={row(n)["recording"]: {"html": {"path": f"transcripts/{n}.html"}} for n in range(1000)},  # type: ignore[misc]
        worst={"recording_with_a_long_name_0001": [passage]},
    )
    merged.write(tmp_path / "merged" / "b0001.json", 1)
    run = gather(RunFolder(tmp_path), {"b0001": 1000})
    account = ReportData(
        sums=run.total,
        rows=run.rows,
        rejections=1,
        rejected=[{"path": "in/x.mp3", "reason": "The file is empty (0 bytes): copy or export it again."}],
        attempts=[attempt],
        effort=ComputeUsage(60_000, 3100, 15_000, 0, 18_600, 0, 1000, 20),
        estimate=Estimate(12_000, 2000, 6, "a rule of thumb"),
        models={"base": "0" * 64},
        total=1001,
    )
    target = tmp_path / "report.html"
    target.write_text(render_report(account, "talks", tmp_path / "none", Prices(0.04, 0, "EUR")), "utf-8")
    return target


def test_it_loads_and_its_table_sorts_and_searches(browser, report):
    browser.open(report)
    assert browser.errors() == []
    assert browser.js("performance.getEntriesByType('navigation')[0].domComplete") < 5_000
    column = "[...document.querySelectorAll('#table tbody tr')].map((r) => Number(r.cells[4].dataset.n))"
    button = browser.one("#table th:nth-child(5) button")
    button.click()
    assert browser.js(column) == sorted(browser.js(column), reverse=True)
    button.click()
    assert browser.js(column) == sorted(browser.js(column))
    assert browser.one("#table th:nth-child(5)").get_attribute("aria-sort") == "ascending"
    browser.one('[data-search-of="table"]').send_keys("name_0123")
    browser.until("document.querySelector('[data-count-of=\"table\"]').textContent === '1 of 1000'")
    assert len([r for r in browser.all("#table tbody tr") if r.is_displayed()]) == 1
    browser.one('[data-search-of="table"]').clear()
    browser.one('[data-search-of="table"]').send_keys(" ")
    visible = "[...document.querySelectorAll('#table tbody tr')].filter((r) => !r.hidden).map((r) => r.rowIndex)"
    assert browser.js(visible) == list(range(1, 201))
    forward = browser.all('[data-pages-of="table"] button')[1]
    for _ in range(4):
        forward.click()
    assert browser.js(visible) == list(range(801, 1001))
    assert not forward.is_enabled()
    assert browser.one('[data-pages-of="table"] span').text == "page 5 of 5"
    assert browser.one("#passages a").get_attribute("href").endswith("transcripts/1.html#t=61.5")
    assert len(browser.all('[aria-label="Workers over time"] svg rect')) > 20


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1100])
def test_layouts_hold_and_can_be_read(browser, report, width, scheme):
    browser.resize(width, 2500)
    browser.scheme(scheme)
    browser.open(report)
    assert not browser.is_too_wide()
    assert browser.pale_texts() == []
