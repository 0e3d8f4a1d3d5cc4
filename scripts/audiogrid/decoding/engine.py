"""The engine: a loaded model that turns the audio of chunks into results, batches filled across chunks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from audiogrid.decoding.chunk_language import choose_language, other_language, window_languages
from audiogrid.decoding.judging.hypotheses import Attempt, Job, Take, align, attempt, best, judge, speech_in
from audiogrid.decoding.judging.quality_rules import USUAL_RATE, invented, usual_rate
from audiogrid.decoding.judging.scoring import is_repetitive
from audiogrid.decoding.options import DecodeOptions
from audiogrid.decoding.passes import second_pass as second_look
from audiogrid.decoding.passes.careful_pass import HARMLESS, read_carefully
from audiogrid.decoding.passes.code_switching import Listened, part_by_language
from audiogrid.decoding.passes.prepare import AHEAD, Prepared, each_with, prepare
from audiogrid.decoding.whisper.model import Heard, Model
from audiogrid.decoding.word_times import segment, sentences
from audiogrid.records.results import ChunkResult, Segment, Window, empty_result


@dataclass(frozen=True)
class ChunkAudio:
    """What is decoded of a chunk.

    ``pcm``: int16 at 16 kHz, shape ``(samples,)``. ``owned``: the span of it that the chunk owns; all of
    ``pcm`` is decoded, because a word at the edge belongs to the owner of its midpoint.
    """

    pcm: np.ndarray
    owned: tuple[int, int]
    options: DecodeOptions


@dataclass
class _Open:
    """A chunk in work: its windows and how far each has come."""

    index: int
    chunk: ChunkAudio
    language: str
    language_probability: float
    speech: list[tuple[int, int]]
    jobs: list[Job]
    fast: dict[int, Heard] = field(default_factory=dict)
    # Of the windows before ``next``: the better reading and all readings, judged but without times.
    settled: list[tuple[Attempt, list[Attempt]]] = field(default_factory=list)
    # The fast reading of ``next``, when it waits for the second look.
    unsure: Attempt | None = None
    # Tokens of the better readings that later windows of the same language may see; emptied by a runaway reading.
    said: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)

    @property
    def is_heard(self) -> bool:
        """Whether the fast pass is over."""
        return len(self.fast) == len(self.jobs)

    @property
    def is_read(self) -> bool:
        """Whether the second look is over, too."""
        return len(self.settled) == len(self.jobs)

    @property
    def next(self) -> Job:
        """The first window whose reading is not settled."""
        return self.jobs[len(self.settled)]


class Engine:
    """A model, loaded once, and the two passes over it.

    ``device`` and ``compute_type`` say what they turned out to be. On a CPU, a chunk's result depends on nothing
    but its audio and options: not on its neighbours, ``batch_size`` or ``threads``.
    """

    # Batches' worth of windows in work at once: they wait in memory, 3 MB each with Whisper base.
    _MOST_BATCHES_OPEN = 4

    def __init__(
        self, model_dir: Path, *, device: str = "cpu", compute_type: str = "auto", threads: int = 1, batch_size: int = 8
    ) -> None:
        self._model = Model(Path(model_dir), device, compute_type, threads, batch_size)
        self.device = self._model.device
        self.compute_type = self._model.compute_type

    @property
    def batch_size(self) -> int:
        """Windows that are decoded at once, at this moment."""
        return self._model.batch_size

    @property
    def adapted(self) -> list[str]:
        """What was done without for lack of memory, in sentences."""
        return self._model.adapted

    def close(self) -> None:
        """Free the device's memory; the engine is of no use afterwards."""
        self._model.close()

    def decode(self, chunks: Iterable[ChunkAudio]) -> Iterator[tuple[int, ChunkResult]]:
        """Results with the index of their chunk, each as soon as it is complete (not always in order)."""
        waiting: list[_Open] = []
        # While a GPU decodes, a core makes the next chunks ready. On a CPU that core is decoding itself.
        ready = each_with(self._prepare, chunks, AHEAD if self.device == "cuda" else 0)
        for index, (chunk, prepared) in enumerate(ready):
            waiting.append(self._open(index, chunk, prepared))
            held = sum(len(one.jobs) for one in waiting)
            self._read(waiting, everything=held >= self._MOST_BATCHES_OPEN * self._model.batch_size)
            for one in [one for one in waiting if one.is_read]:
                waiting.remove(one)
                yield one.index, self._finish(one)
        self._read(waiting, everything=True)
        for one in waiting:
            yield one.index, self._finish(one)

    def _prepare(self, chunk: ChunkAudio) -> Prepared:
        return prepare(chunk.pcm, chunk.options, self._model.features)

    def _open(self, index: int, chunk: ChunkAudio, prepared: Prepared) -> _Open:
        """Encoder and language of a chunk."""
        options, speech, layouts = chunk.options, prepared.speech, prepared.layouts
        encoded = self._model.encode_features(prepared.features)
        language, probability = options.language, 1.0
        ranked: list[dict[str, float]] = [{}] * len(layouts)
        if language == "auto" and layouts:
            ranked = self._model.languages(encoded)
        windows = [Listened(*one) for one in zip(layouts, encoded, ranked, strict=True)]
        switches = options.code_switching and language == "auto"
        if switches:
            windows = part_by_language(self._model, chunk.pcm, windows)
            ranked = [window.ranked for window in windows]
        heard = [speech_in(window.layout, speech, prepared.probabilities) for window in windows]
        if language == "auto" and windows:
            language, probability = choose_language(ranked, [spans for spans, _ in heard])
        spoken = [language] * len(windows)
        if switches:
            likeliest = window_languages(ranked, language)
            spoken = [window.language or code for window, code in zip(windows, likeliest, strict=True)]
        jobs = [
            Job(number, window.layout, window.encoded, *heard[number], code, other_language(window.ranked, code))
            for number, (window, code) in enumerate(zip(windows, spoken, strict=True))
        ]
        return _Open(index, chunk, language, probability, speech, jobs)

    def _read(self, waiting: list[_Open], *, everything: bool) -> None:
        """The fast pass over all full batches of windows, or ``everything``; then the second look where it is due."""
        groups: dict[str, list[tuple[_Open, Job]]] = {}
        for one in waiting:
            for job in one.jobs:
                if job.number not in one.fast:
                    groups.setdefault(repr(one.chunk.options), []).append((one, job))
        for group in groups.values():
            count = len(group) if everything else len(group) - len(group) % self._model.batch_size
            self._hear(group[:count])
        unsettled = [one for one in waiting if one.is_heard]
        while unsettled := [one for one in unsettled if self._settle(one)]:
            if not everything:
                # The next window of every chunk can share a batch: the more chunks, the better.
                return
            self._look_again(unsettled)

    def _hear(self, group: list[tuple[_Open, Job]]) -> None:
        if not group:
            return
        options = group[0][0].chunk.options
        encoded, languages = [job.encoded for _, job in group], [job.language for _, job in group]
        found = self._model.generate(encoded, languages, options, beam_size=options.beam_size, merged=True)
        for (one, job), heard in zip(group, found, strict=True):
            one.fast[job.number] = heard

    def _settle(self, one: _Open) -> bool:
        """Settle windows that the fast pass was sure of; whether one that was not waits for its second look."""
        options = one.chunk.options
        while not one.is_read and one.unsure is None:
            job = one.next
            fast = self._attempt(one, job, "fast", one.fast[job.number])
            unsure = second_look.word_logprob(one.fast[job.number], fast.text) < options.second_look_word_logprob
            if unsure and options.second_beam_size > options.beam_size:
                one.unsure = fast
            else:
                self._keep(one, job, [fast], fast)
        return one.unsure is not None

    def _look_again(self, unsettled: list[_Open]) -> None:
        """The second look at the next window of every chunk."""
        contexts = [self._context(one) for one in unsettled]
        groups: dict[tuple[str, int], list[int]] = {}
        for index, (one, context) in enumerate(zip(unsettled, contexts, strict=True)):
            groups.setdefault((repr(one.chunk.options), len(context)), []).append(index)
        for group in groups.values():
            chunks = [unsettled[index] for index in group]
            options = chunks[0].chunk.options
            found = self._model.generate(
                [one.next.encoded for one in chunks],
                [one.next.language for one in chunks],
                options,
                beam_size=options.second_beam_size,
                contexts=[contexts[index] for index in group],
            )
            for index, heard in zip(group, found, strict=True):
                one, job, context = unsettled[index], unsettled[index].next, contexts[index]
                fast, one.unsure = one.unsure, None
                assert fast is not None
                path = f"beam:{options.second_beam_size}" + ("+context" if context else "")
                second = self._attempt(one, job, path, heard)
                kept = second_look.better(fast, second, self._model.text(context), options)
                self._keep(one, job, [fast, second], kept)

    def _context(self, one: _Open) -> list[int]:
        job, options = one.next, one.chunk.options
        before = [tokens for language, tokens in one.said if language == job.language]
        room = self._model.room(job.language, options)
        return second_look.context(before, one.fast[job.number], room, options)

    def _attempt(self, one: _Open, job: Job, path: str, heard: Heard) -> Attempt:
        made = attempt(self._model, path, job.language, job, [Take(job.layout, job.encoded, heard)])
        return judge(made, USUAL_RATE, one.chunk.options)

    def _keep(self, one: _Open, job: Job, attempts: list[Attempt], kept: Attempt) -> None:
        one.settled.append((kept, attempts))
        if kept.evidence.capped or is_repetitive(kept.evidence, one.chunk.options):
            # What led one window astray would lead the next ones, too.
            one.said.clear()
        elif not invented(kept.evidence, one.chunk.options):
            one.said.append((job.language, kept.takes[0].heard.tokens))

    def _finish(self, one: _Open) -> ChunkResult:
        """Word times, suspicion, the careful pass, and the result."""
        options, samples = one.chunk.options, len(one.chunk.pcm)
        if not one.jobs:
            return empty_result(samples, one.language if one.language != "auto" else "")
        timed = [self._timed(one, *pair) for pair in zip(one.jobs, one.settled, strict=True)]
        usual = usual_rate([kept.evidence for kept, _ in timed], options)
        windows: list[Window] = []
        segments: list[Segment] = []
        notes: list[str] = []
        for job, (kept, attempts) in zip(one.jobs, timed, strict=True):
            judged = [judge(each, usual, options) for each in attempts]
            kept = judge(kept, usual, options)
            flagged = list(kept.flags)
            if set(flagged) - HARMLESS:
                judged = read_carefully(self._model, one.chunk.pcm, job, judged, usual, options)
                kept = best([each for each in judged if each.words is not None])
            reason = invented(kept.evidence, options)
            if reason:
                notes.append(f"window {job.number}: {len(kept.words or [])} words dropped, {reason}")
            elif kept.temperature > 0:
                notes.append(f"window {job.number}: needed temperature {kept.temperature:g}, not reproducible")
            windows.append(
                Window(
                    start=job.layout.pieces[0].start,
                    end=job.layout.pieces[-1].end,
                    speech=job.speech,
                    flags=flagged,
                    kept="nothing" if reason else kept.path,
                    readings=[each.reading() for each in judged],
                )
            )
            if not reason:
                segments += _segments(kept, job.number)
        return ChunkResult(
            samples, one.language, round(one.language_probability, 4), one.speech, windows, segments, notes
        )

    def _timed(self, one: _Open, job: Job, settled: tuple[Attempt, list[Attempt]]) -> tuple[Attempt, list[Attempt]]:
        """The better of the fast reading and, where there was one, the second look, with word times; and both."""
        # Times cost as much as half a greedy reading: only the better one gets them.
        better, attempts = settled
        kept = align(self._model, better, job, one.chunk.options)
        return kept, [kept if each is better else each for each in attempts]


def _segments(kept: Attempt, window: int) -> list[Segment]:
    evidence = kept.evidence
    template = Segment(
        0,
        0,
        "",
        [],
        evidence.avg_logprob,
        evidence.compression_ratio,
        evidence.no_speech_prob,
        kept.temperature,
        kept.language,
        window,
    )
    return [segment(run, template) for run in sentences(kept.words or [])]
