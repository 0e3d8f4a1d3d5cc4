"""The engine: a loaded model that turns the audio of chunks into results, with batches filled across chunks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from audiogrid.decoding.judging.hypotheses import (
    CUT,
    DecodedSpan,
    DecodingWindow,
    Hypothesis,
    align,
    best,
    build_hypothesis,
    judge,
)
from audiogrid.decoding.judging.quality_rules import TYPICAL_RATE, chunk_median_rate, reason_to_drop
from audiogrid.decoding.known_words import KnownText, align_chunk
from audiogrid.decoding.options import DecodeOptions
from audiogrid.decoding.passes import second_pass
from audiogrid.decoding.passes.careful_pass import HARMLESS_FLAGS, is_loop, run_careful_pass
from audiogrid.decoding.passes.chunk_windows import encode_windows
from audiogrid.decoding.passes.prepare import CHUNKS_AHEAD, Prepared, map_ahead, prepare
from audiogrid.decoding.whisper.frame_merging import FRAMES
from audiogrid.decoding.whisper.model import Model, ModelOutput
from audiogrid.decoding.word_times import build_segment, split_sentences
from audiogrid.records.aligned import AlignedChunk
from audiogrid.records.results import ChunkResult, Segment, Window, empty_result


@dataclass(frozen=True)
class ChunkAudio:
    """What is decoded of a chunk.

    ``pcm``: int16 at 16 kHz, shape ``(samples,)``. ``owned``: the span of it that the chunk owns; all of
    ``pcm`` is decoded, because a word at the edge belongs to the owner of its midpoint. ``name``: the chunk's id, for
    messages and tests; the result does not depend on it.
    """

    pcm: np.ndarray
    owned: tuple[int, int]
    options: DecodeOptions
    name: str = ""


@dataclass
class _ChunkProgress:
    """A chunk in work: its windows, and how far each of them has come."""

    index: int
    chunk: ChunkAudio
    language: str
    language_probability: float
    audio: np.ndarray
    speech: list[tuple[int, int]]
    windows: list[DecodingWindow]
    # Output of the fast pass by window number.
    fast: dict[int, ModelOutput] = field(default_factory=dict)
    # Window number -> beams, for windows that the fast pass leaves out.
    first_beams: dict[int, int] = field(default_factory=dict)
    # By window number, once a pass has read it: the better hypothesis, and all of them, judged but without word times.
    settled: dict[int, tuple[Hypothesis, list[Hypothesis]]] = field(default_factory=dict)
    # Numbers of the windows that the second pass has yet to decode; ``None``: not known before the fast pass is over.
    doubtful: list[int] | None = None

    @property
    def fast_pass_done(self) -> bool:
        """Whether the fast pass is over."""
        return len(self.fast) + len(self.first_beams) == len(self.windows)

    @property
    def second_pass_done(self) -> bool:
        """Whether the second pass is over, too."""
        return self.doubtful == []


class Engine:
    """A model, loaded once, and the passes over it.

    ``device`` and ``compute_type`` say what they turned out to be. On a CPU, a chunk's result depends on nothing
    but its audio and options: not on its neighbours, ``batch_size`` or ``threads``.
    """

    # Batches' worth of windows in work at once: they wait in memory, 3 MB each with Whisper base.
    _MAX_BATCHES_IN_WORK = 4

    def __init__(
        self, model_dir: Path, *, device: str = "cpu", compute_type: str = "auto", threads: int = 1, batch_size: int = 8
    ) -> None:
        self._model = Model(Path(model_dir), device, compute_type, threads, batch_size)
        self._threads = threads
        self.device = self._model.device
        self.compute_type = self._model.compute_type

    @property
    def batch_size(self) -> int:
        """Windows that are decoded at once, at this moment."""
        return self._model.batch_size

    @property
    def adapted(self) -> list[str]:
        """What was reduced for lack of memory, in sentences."""
        return self._model.adapted

    def encoder_name(self, wanted: str) -> str:
        """Returns what the option ``encoder`` became."""
        return self._model.encoder_name(wanted)

    def close(self) -> None:
        """Free the device's memory; the engine cannot be used afterwards."""
        self._model.close()

    def align(self, pcm: np.ndarray, asked: KnownText, options: DecodeOptions) -> AlignedChunk:
        """Returns when the words of a given text are spoken, and how probable readings are; see ``align_chunk``."""
        return align_chunk(self._model, pcm, asked, options)

    def decode(self, chunks: Iterable[ChunkAudio]) -> Iterator[tuple[int, ChunkResult]]:
        """Yields results with the index of their chunk, each as soon as it is complete (not always in order)."""
        waiting: list[_ChunkProgress] = []
        # While a GPU decodes, other cores prepare the next chunks. On a CPU these cores are decoding themselves.
        ready = map_ahead(self._prepare, chunks, CHUNKS_AHEAD if self.device == "cuda" else 0, self._threads)
        for index, (chunk, prepared) in enumerate(ready):
            waiting.append(self._start(index, chunk, prepared))
            # In windows of 30 s: two of half the length take the memory of one.
            held = sum(window.encoded.shape[1] for one in waiting for window in one.windows) / FRAMES
            self._advance(waiting, everything=held >= self._MAX_BATCHES_IN_WORK * self._model.batch_size)
            for one in [one for one in waiting if one.second_pass_done]:
                waiting.remove(one)
                yield one.index, self._finish(one)
        self._advance(waiting, everything=True)
        for one in waiting:
            yield one.index, self._finish(one)

    def _prepare(self, chunk: ChunkAudio) -> Prepared:
        features = partial(self._model.features, margin=chunk.options.encoder_margin)
        return prepare(chunk.pcm, chunk.options, features)

    def _start(self, index: int, chunk: ChunkAudio, prepared: Prepared) -> _ChunkProgress:
        """Encodes the windows of a chunk and finds their languages."""
        language, probability, windows = encode_windows(self._model, prepared.audio, chunk.options, prepared)
        beams = {one.number: self._model.first_beams(one.language, chunk.options) for one in windows}
        wide = {number: count for number, count in beams.items() if count}
        return _ChunkProgress(
            index, chunk, language, probability, prepared.audio, prepared.speech, windows, first_beams=wide
        )

    def _advance(self, waiting: list[_ChunkProgress], *, everything: bool) -> None:
        """Runs the fast pass over all full batches of windows, or over ``everything``, then the second pass."""
        groups: dict[tuple[str, int], list[tuple[_ChunkProgress, DecodingWindow]]] = {}
        for one in waiting:
            for window in one.windows:
                if window.number not in one.fast and window.number not in one.first_beams:
                    kind = (repr(one.chunk.options), window.encoded.shape[1])
                    groups.setdefault(kind, []).append((one, window))
        for group in groups.values():
            count = len(group) if everything else len(group) - len(group) % self._model.batch_size
            self._run_fast_pass(group[:count])
        for one in waiting:
            if one.fast_pass_done and one.doubtful is None:
                one.doubtful = self._find_doubtful(one)
        doubtful = [one for one in waiting if one.doubtful]
        # The windows of all chunks share batches, of one length and one length of context: the more, the fuller.
        if everything or sum(len(one.doubtful or ()) for one in doubtful) >= 3 * self._model.batch_size:
            self._run_second_pass(doubtful)

    def _run_fast_pass(self, group: list[tuple[_ChunkProgress, DecodingWindow]]) -> None:
        if not group:
            return
        options = group[0][0].chunk.options
        encoded, languages = [window.encoded for _, window in group], [window.language for _, window in group]
        found = self._model.generate(encoded, languages, options, beam_size=options.beam_size, merged=True)
        for (one, window), output in zip(group, found, strict=True):
            one.fast[window.number] = output

    def _find_doubtful(self, one: _ChunkProgress) -> list[int]:
        """Settles windows on what the fast pass wrote; returns the numbers of those that the second pass decodes."""
        options = one.chunk.options
        doubtful = []
        for window in one.windows:
            if window.number in one.first_beams:
                doubtful.append(window.number)
                continue
            fast = self._hypothesis(one, window, "fast", one.fast[window.number])
            one.settled[window.number] = (fast, [fast])
            unsure = second_pass.word_logprob(one.fast[window.number], fast.text) < options.second_look_word_logprob
            if unsure and options.second_beam_size > options.beam_size:
                doubtful.append(window.number)
        return doubtful

    def _run_second_pass(self, chunks: list[_ChunkProgress]) -> None:
        """Decodes the doubtful windows of ``chunks``, in rounds, those with contexts of one length together."""
        rounds = [second_pass.rounds(one.doubtful or ()) for one in chunks]
        for number in range(second_pass.ROUNDS):
            windows = [
                (one, one.windows[index])
                for one, numbers in zip(chunks, rounds, strict=True)
                for index in numbers[number]
            ]
            self._read_widely([(one, window, self._context(one, window)) for one, window in windows])
            # A text that follows its context instead of the sound is compared with one that has none.
            self._read_widely([(one, window, []) for one, window in windows if self._is_misled(one, window)])
        for one in chunks:
            one.doubtful = []

    def _is_misled(self, one: _ChunkProgress, window: DecodingWindow) -> bool:
        """Returns whether the only reading of a window had a context and may owe its faults to it."""
        kept, hypotheses = one.settled[window.number]
        return len(hypotheses) == 1 and kept.path.endswith("+context") and bool(set(kept.flags) - HARMLESS_FLAGS)

    def _read_widely(self, windows: list[tuple[_ChunkProgress, DecodingWindow, list[int]]]) -> None:
        """Reads windows with more than one beam, those with as many beams and as long a context together."""
        groups: dict[tuple[str, int, int], list[tuple[_ChunkProgress, DecodingWindow, list[int]]]] = {}
        for one, window, context in windows:
            beams = one.first_beams.get(window.number) or one.chunk.options.second_beam_size
            kind = (repr(one.chunk.options), beams, len(context))
            groups.setdefault(kind, []).append((one, window, context))
        for (_, beams, _), group in groups.items():
            self._read_group(group, beams)

    def _context(self, one: _ChunkProgress, window: DecodingWindow) -> list[int]:
        """Returns what a window is told of the text before it, as far as that is settled by now."""
        options = one.chunk.options
        first = window.number
        while first - 1 in one.settled:
            first -= 1
        before = [one.settled[number][0] for number in range(first, window.number)]
        written = 0
        if window.number in one.settled:
            written = len(one.settled[window.number][0].decoded[0].output.tokens)
        room = self._model.room(window.language, options)
        return second_pass.preceding_tokens(before, window.language, written, room, options)

    def _read_group(self, group: list[tuple[_ChunkProgress, DecodingWindow, list[int]]], beams: int) -> None:
        """Settles windows on what the second pass writes, or on the better of that and what was read before."""
        options = group[0][0].chunk.options
        found = self._model.generate(
            [window.encoded for _, window, _ in group],
            [window.language for _, window, _ in group],
            options,
            beam_size=beams,
            contexts=[context for _, _, context in group],
        )
        for (one, window, context), output in zip(group, found, strict=True):
            path = f"beam:{beams}" + ("+context" if context else "")
            second = self._hypothesis(one, window, path, output)
            if window.number not in one.settled:
                one.settled[window.number] = (second, [second])
                continue
            first, _ = one.settled[window.number]
            kept = second_pass.choose(first, second, self._model.text(context), options)
            one.settled[window.number] = (kept, [first, second])

    def _hypothesis(self, one: _ChunkProgress, window: DecodingWindow, path: str, output: ModelOutput) -> Hypothesis:
        span = DecodedSpan(window.layout, window.encoded, output)
        hypothesis = build_hypothesis(self._model, path, window.language, window, [span])
        return judge(hypothesis, TYPICAL_RATE, one.chunk.options)

    def _finish(self, one: _ChunkProgress) -> ChunkResult:
        """Adds word times, applies the quality rules, runs the careful pass and returns the result."""
        options, samples = one.chunk.options, len(one.chunk.pcm)
        if not one.windows:
            return empty_result(samples, one.language if one.language != "auto" else "")
        timed = [self._timed(one, window, one.settled[window.number]) for window in one.windows]
        median_rate = chunk_median_rate([kept.evidence for kept, _ in timed], options)
        windows: list[Window] = []
        segments: list[Segment] = []
        notes: list[str] = []
        for window, (kept, hypotheses) in zip(one.windows, timed, strict=True):
            judged = [judge(each, median_rate, options) for each in hypotheses]
            kept = judge(kept, median_rate, options)
            flagged = list(kept.flags)
            if set(flagged) - HARMLESS_FLAGS:
                judged = run_careful_pass(self._model, one.audio, window, judged, median_rate, options)
                complete = [each for each in judged if each.words is not None]
                kept = best([each for each in complete if not is_loop(each, options)] or complete)
                if kept.path.endswith(CUT):
                    # What was cut off is speech without words.
                    flagged += [flag for flag in ("loop_cut", "speech_without_words") if flag not in flagged]
                    notes.append(f"window {window.number}: a loop was cut off, its speech has no words")
            reason = reason_to_drop(kept.evidence, options)
            if reason:
                notes.append(f"window {window.number}: {len(kept.words or [])} words dropped: {reason}")
            if any(each.temperature > 0 for each in judged):
                notes.append(f"window {window.number}: sampled (decoding.temperatures), so another run may differ")
            windows.append(
                Window(
                    start=window.layout.pieces[0].start,
                    end=window.layout.pieces[-1].end,
                    speech=window.speech,
                    flags=flagged,
                    kept="nothing" if reason else kept.path,
                    readings=[each.record() for each in judged],
                )
            )
            if not reason:
                segments += _segments(kept, window.number)
        return ChunkResult(
            samples, one.language, round(one.language_probability, 4), one.speech, windows, segments, notes
        )

    def _timed(
        self, one: _ChunkProgress, window: DecodingWindow, settled: tuple[Hypothesis, list[Hypothesis]]
    ) -> tuple[Hypothesis, list[Hypothesis]]:
        """Returns the better hypothesis of the first two passes, with word times, and all of them."""
        # Times cost half as much as greedy search, so only the better hypothesis gets them.
        better, hypotheses = settled
        kept = align(self._model, better, window, one.chunk.options)
        return kept, [kept if each is better else each for each in hypotheses]


def _segments(kept: Hypothesis, window: int) -> list[Segment]:
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
    return [build_segment(run, template) for run in split_sentences(kept.words or [])]
