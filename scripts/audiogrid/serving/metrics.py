"""Figures for Prometheus: queue, latency, speed, failures."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

if TYPE_CHECKING:
    from audiogrid.serving.job_queue import JobRecord

_SECONDS = (0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 7200, 36000)


class Metrics:
    """The figures of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.accepted = Counter("audiogrid_jobs_accepted", "Jobs accepted", ["lane"], registry=self.registry)
        self.finished = Counter("audiogrid_jobs_ended", "Jobs ended", ["lane", "status"], registry=self.registry)
        self.crashes = Counter(
            "audiogrid_worker_crashes", "Attempts that a worker did not survive", registry=self.registry
        )
        self.latency = Histogram(
            "audiogrid_job_seconds",
            "Seconds from accepting a job to its end",
            ["lane"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.requests = Histogram(
            "audiogrid_request_seconds",
            "Seconds to answer a request",
            ["method", "route", "status"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._audio = Counter("audiogrid_audio_seconds", "Audio decoded by warm workers", registry=self.registry)
        self._decoding = Counter("audiogrid_decode_seconds", "Time that took", registry=self.registry)
        self._factor = Gauge(
            "audiogrid_real_time_factor", "Seconds of decoding per second of audio, last job", registry=self.registry
        )
        self._queued = Gauge("audiogrid_jobs", "Jobs by state", ["lane", "status"], registry=self.registry)
        self._loaded = Gauge("audiogrid_workers", "Worker processes with loaded models", registry=self.registry)

    def decoded(self, audio: float, seconds: float) -> None:
        """Note that a worker has decoded a recording; one from the store took no time and tells nothing."""
        if audio and seconds:
            self._audio.inc(audio)
            self._decoding.inc(seconds)
            self._factor.set(seconds / audio)

    def ended(self, record: JobRecord) -> None:
        """Note the end of a job."""
        self.finished.labels(record.lane, record.status).inc()
        self.latency.labels(record.lane).observe(max(0.0, time.time() - record.created))

    def render(self, counts: Mapping[tuple[str, str], int], loaded: int) -> bytes:
        """Returns all figures as text. ``counts``: jobs by state and lane; ``loaded``: worker processes."""
        self._queued.clear()
        for (status, lane), number in counts.items():
            self._queued.labels(lane, status).set(number)
        self._loaded.set(loaded)
        return generate_latest(self.registry)
