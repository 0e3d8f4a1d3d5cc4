"""Secrets in command lines, logs and sentences."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from audiogrid.core.log import open_log
from audiogrid.core.secrets import is_secret_name, masked, masked_words
from audiogrid.core.tsv import write_table
from audiogrid.records.journal import Journal
from audiogrid.records.outcome import Outcome

SECRET = "s3cr3tV4lue"
NAMES = {"--s3-secret": True, "HF_TOKEN": True, "tokenizer": False, "key": False}


@pytest.mark.parametrize(
    "words",
    [
        ["--storage-s3-secret-key", SECRET],
        [f"--storage-s3-secret-key={SECRET}"],
        ["--storage-s3-access-key", SECRET, "--cores", "2"],
        ["--logger-http-token", SECRET],
        ["--report-password", SECRET],
        ["--config", f"hf_token={SECRET}", "run=x"],
        [f"--config=api_key={SECRET}"],
        ["--storage-azure-account-key", "storage1=" + SECRET, SECRET],
        ["--default-storage-prefix", f"https://me:{SECRET}@host/folder"],
        ["--config", f"recordings=https://host/a.wav?X-Amz-Signature={SECRET}&part=2"],
        [f"https://host/a.wav?sv=2024&sig={SECRET}"],
        [f"https://host/a.wav?access_token={SECRET}"],
        [f"Authorization: Bearer {SECRET}"],
        [f"Bearer {SECRET}"],
        [f"s3://AKIA0:{SECRET}@bucket/prefix"],
    ],
)
def test_secrets_are_masked_wherever_they_stand(words: list[str]) -> None:
    assert SECRET not in " ".join(masked_words(words))


def test_everything_else_stays_as_it_is() -> None:
    words = ["snakemake", "--profile", "slurm", "-n", "--slurm-partition", "gpu", "--keep-going", "--config", "run=x"]
    words += ["recordings=https://host/a.wav?part=2&author=me", "model=base", "--latency-wait", "60", "plan"]
    words += ["decoding={max_new_tokens: 5}", "/data/tokens/key.wav"]
    assert masked_words(words) == words


def test_tokens_with_a_known_form_are_masked_in_any_sentence() -> None:
    token = "hf_" + "a" * 34
    assert masked(f"the hub refused {token}.") == "the hub refused ***."


@pytest.mark.parametrize(
    ("name", "secret"), [("--s3-secret", True), ("HF_TOKEN", True), ("tokenizer", False), ("key", False)]
)
def test_names_that_announce_a_secret(name: str, secret: bool) -> None:
    assert is_secret_name(name) is secret


def test_logs_hold_no_secret_of_the_command_nor_of_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["publish.py", "--token", SECRET])
    log = open_log(tmp_path / "log")
    try:
        log.error("no answer from https://me:%s@host/", SECRET)
        try:
            raise ValueError(f"https://host/a?sig={SECRET}")
        except ValueError:
            log.exception("failed")
    finally:
        for handler in list(log.handlers):
            if isinstance(handler, logging.FileHandler):
                handler.close()
                log.removeHandler(handler)
    text = (tmp_path / "log").read_text()
    assert SECRET not in text
    assert "no answer from https://***@host/" in text


def test_journals_and_tables_hold_no_secret(tmp_path: Path) -> None:
    error = f"no answer from https://me:{SECRET}@host/a.wav?part=2&X-Amz-Signature={SECRET}"
    journal = Journal(tmp_path, "s0001", "spec")
    journal.warning(error)
    journal.outcome(Outcome("a.0000", "key", "failed", 16_000, error=error))
    journal.end(error)
    entries = [json.loads(line) for line in journal.path.read_text().splitlines()]
    assert [entry["event"] for entry in entries] == ["warning", "chunk", "end"]
    assert entries[0]["text"] == "no answer from https://***@host/a.wav?part=2&X-Amz-Signature=***"
    write_table(tmp_path / "failed.tsv", ("path", "cause"), [("/data/x?token=1.wav", error)])
    written = (tmp_path / "failed.tsv").read_text()
    assert SECRET not in journal.path.read_text() + written
    # The name of a local file is never changed.
    assert "/data/x?token=1.wav" in written


def test_sentences_about_basics_stay() -> None:
    for text in ("basic understanding of authorization: none", "a bearer of bad-news-everyone", "Basic training.wav"):
        assert masked(text) == text
