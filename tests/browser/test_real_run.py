"""The pages of a real run, as its user opens them."""

from __future__ import annotations

import shutil

import pytest

import runs

pytestmark = [pytest.mark.browser, pytest.mark.workflow]
TIME = "document.getElementById('player').currentTime"


def test_report_and_transcript_of_a_run_with_a_bad_file(browser, workspace):
    samples = workspace.path / "samples" / "recordings"
    folder = workspace.path / "in & out"
    folder.mkdir()
    shutil.copy(samples / "field_notes.wav", folder / 'it\'s "so" #1 <b>50%?.wav')
    (folder / "empty.mp3").write_bytes(b"")
    done = workspace.snakemake("--config", "run=x", f"recordings={folder.name}", "prices={core_hour: 2}", code=1)
    run = workspace.path / "results" / "x"
    assert f"Report: {run.relative_to(workspace.path)}/report.html" in done.stdout

    browser.open(run / "report.html")
    assert "1 of 2" in browser.one(".figures").text
    assert "at the prices of the configuration" in browser.one(".figures").text
    assert "empty.mp3" in browser.one("#rejected + .scroll").text
    assert browser.all('[aria-label="Workers over time"] svg rect')
    assert browser.errors() == []
    browser.one("#table tbody a").click()

    browser.until(f"document.getElementById('player').duration > 30 && {TIME} === 0")
    (row,) = runs.table(run / "summary.tsv")
    assert browser.js("document.querySelectorAll('#text .w').length") == int(row["words"])
    text = runs.text(run, row["recording"])
    assert " ".join(element.text for element in browser.all("#text .p > p")).split() == text.split()
    third = browser.one('[data-w="30"]')
    third.click()
    browser.until("document.querySelector('.w.now')?.dataset.w > 31")
    assert browser.errors() == []

    # Another set of formats is merged again, decoding nothing, and the page names what lies beside it.
    before = runs.stored(workspace.path / "results" / "store")
    workspace.snakemake("--config", "run=x", f"recordings={folder.name}", "formats=[html,vtt]", code=1)
    assert runs.stored(workspace.path / "results" / "store") == before
    browser.open(run / "transcripts" / f"{row['recording']}.html")
    assert [link.text for link in browser.all(".downloads a")] == ["vtt"]

    # Snakemake's own report takes both in.
    report = ("--report", "all.html", "--config", "run=x", f"recordings={folder.name}", "formats=[html,vtt]")
    workspace.snakemake(*report)
    assert "summary.tsv" in (workspace.path / "all.html").read_text()
