"""Fixtures of unit tests."""

from __future__ import annotations

import numpy as np
import pytest

import storages
from audiogrid.media.vad import FRAME
from audiogrid.remote import connections as service_module
from audiogrid.remote import reader, web
from audiogrid.remote.connections import service
from audiogrid.splitting import track_cutter


@pytest.fixture
def quiet_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    """A detector for which loud frames are speech: fast, and the tests know where it hears any."""

    def loud(pcm: np.ndarray) -> np.ndarray:
        frames = np.zeros((-(-len(pcm) // FRAME), FRAME), dtype=np.float32)
        frames.reshape(-1)[: len(pcm)] = np.abs(pcm.astype(np.float32))
        return (frames.mean(axis=1) > 100).astype(np.float32) * 0.9 + 0.05

    monkeypatch.setattr(track_cutter, "speech_probabilities", loud)


@pytest.fixture
def shelf():
    with storages.web_server() as shelf:
        yield shelf


@pytest.fixture
def quick(monkeypatch):
    """No pauses between tries, short patience."""
    monkeypatch.setattr(reader, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(web, "READ_SECONDS", 0.5)
    monkeypatch.setattr(web, "_TRIES", web._TRIES.new(total=1, backoff_factor=0))
    monkeypatch.setattr(service_module, "_silence", {})
    service.cache_clear()
    yield
    service.cache_clear()


@pytest.fixture(scope="module")
def buckets():
    with storages.s3_server() as buckets, pytest.MonkeyPatch.context() as patch:
        for name, value in buckets.environment.items():
            patch.setenv(name, value)
        service.cache_clear()
        yield buckets
        service.cache_clear()


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The folder of a run."""
    root = tmp_path_factory.mktemp("results") / "talks"
    for name in ("transcripts/a.txt", "transcripts/a.chunks/1.txt", "summary.tsv", "report.html", "run_config.yaml"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    for name in ("plan.json", ".state/x.json", "journal/s1.jsonl", "logs/a.log", "transcripts/.tmp-1"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root
