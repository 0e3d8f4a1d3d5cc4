"""Everything that changes the text of a chunk, and nothing that changes only its speed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from audiogrid.core.errors import InputError
from audiogrid.media.vad import VoiceOptions

ENCODERS = ("auto", "ctranslate2", "openvino")
"""What the encoder may be asked to run on."""


@dataclass(frozen=True)
class DecodeOptions:
    """Options of decoding; plain values only, because they go into the store key and the configuration.

    The task: ``task`` (``transcribe`` or ``translate``), ``language`` (a code or ``auto``),
    ``prompt`` and ``hotwords`` (given before every window), ``compute_type`` (as requested). With ``language``
    ``auto``, ``code_switching`` decodes every passage in its own language: ``auto`` in chunks that are found to be in
    several languages, True in all. ``encoder``: ``auto``, ``ctranslate2`` or ``openvino`` (``whisper/encoder.py``).
    ``encoder_margin``: seconds of silence that it is given after a window (``whisper/window_length.py``; -1: choose).

    The search: ``beam_size`` of the fast pass, for which the ``merged_pairs`` most similar pairs of encoder frames
    become one each (-1: 650 of 750 with models as narrow as tiny and base, else none); a window whose log-probability
    per word is below ``second_look_word_logprob`` is decoded again with ``second_beam_size`` and up to
    ``context_tokens`` of the text before it in the chunk; ``first_beam_size`` of a search that comes instead of both,
    with that context (``whisper/search_choice.py``; -1: choose, 0: never); ``careful_beam_size`` of the careful pass
    and the ``temperatures`` it may sample at (none: the same input gives the same bytes);
    ``patience``, ``length_penalty``, ``repetition_penalty``,
    ``no_repeat_ngram_size`` and ``suppress_tokens`` as in faster-whisper; ``max_tokens`` per window
    (Whisper's whole text context is 448; half of it, the limit of OpenAI's own decoder, cuts off half a minute of quick
    speech in scripts that take a token for two letters, Cyrillic for one).

    Audio: ``levelling`` raises quiet speakers to the level of those around them (``relative``), or does not (``none``).

    Windows: at most ``max_window_seconds``, made of speech as in ``VoiceOptions`` (``vad_*``).

    Quality rules (see ``judging/quality_rules.py`` for each): rates are in letters per second of speech.
    """

    task: str = "transcribe"
    language: str = "auto"
    prompt: str = ""
    hotwords: str = ""
    compute_type: str = "auto"
    code_switching: bool | str = "auto"
    encoder: str = "auto"
    encoder_margin: float = -1.0

    beam_size: int = 1
    merged_pairs: int = -1
    second_beam_size: int = 5
    second_look_word_logprob: float = -0.12
    context_tokens: int = 64
    first_beam_size: int = -1
    careful_beam_size: int = 5
    temperatures: list[float] = field(default_factory=list)
    patience: float = 1.0
    length_penalty: float = 1.0
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    suppress_tokens: list[int] = field(default_factory=lambda: [-1])
    max_tokens: int = 448

    levelling: str = "relative"
    max_window_seconds: float = 30.0
    vad_threshold: float = 0.25
    vad_neg_threshold: float = 0.15
    vad_min_silence_ms: int = 160
    vad_min_speech_ms: int = 0
    vad_pad_ms: int = 400

    min_rate_ratio: float = 0.6
    max_rate_ratio: float = 1.6
    min_rate: float = 4.0
    max_rate: float = 30.0
    hard_rate: float = 40.0
    max_compression_ratio: float = 2.4
    min_logprob: float = -0.8
    min_repeats: int = 4
    max_unspoken_seconds: float = 0.8
    max_unheard_share: float = 0.3
    echo_share: float = 0.8
    flip_probability: float = 0.8
    no_speech_probability: float = 0.6
    no_speech_logprob: float = -1.0
    faint_voice: float = 0.75

    def voice(self) -> VoiceOptions:
        """Returns how voice activity becomes spans of speech."""
        return VoiceOptions(
            threshold=self.vad_threshold,
            neg_threshold=self.vad_neg_threshold,
            min_silence_ms=self.vad_min_silence_ms,
            min_speech_ms=self.vad_min_speech_ms,
            pad_ms=self.vad_pad_ms,
        )

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> DecodeOptions:
        """Returns options from a configuration section. Raises ``InputError`` for a name that does not exist."""
        known = {entry.name for entry in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise InputError(f"unknown decoding option {unknown[0]!r}; known: {', '.join(sorted(known))}")
        options = cls(**values)
        options.check()
        return options

    def check(self) -> None:
        """Raises ``InputError`` for values that cannot work."""
        if self.task not in ("transcribe", "translate"):
            raise InputError(f"decoding.task is {self.task!r}; use 'transcribe' or 'translate'")
        if self.code_switching not in (True, False, "auto"):
            raise InputError(f"decoding.code_switching is {self.code_switching!r}; use auto, true or false")
        if self.encoder not in ENCODERS:
            raise InputError(f"decoding.encoder is {self.encoder!r}; use one of {', '.join(ENCODERS)}")
        if not -1 <= self.encoder_margin <= 30:
            raise InputError(
                f"decoding.encoder_margin is {self.encoder_margin}; it must lie between -1 (choose) and 30"
            )
        if self.levelling not in ("relative", "none"):
            raise InputError(f"decoding.levelling is {self.levelling!r}; use 'relative' or 'none'")
        if not 2.0 <= self.max_window_seconds <= 30.0:
            raise InputError(
                f"decoding.max_window_seconds is {self.max_window_seconds}; it must lie between 2 and 30, "
                "the span that Whisper sees at once"
            )
        if min(self.beam_size, self.second_beam_size, self.careful_beam_size) < 1:
            raise InputError("a beam size below 1 was asked for; 1 (greedy) is the smallest")
        if not -1 <= self.merged_pairs <= 750:
            raise InputError(f"decoding.merged_pairs is {self.merged_pairs}; it must lie between -1 (choose) and 750")
        if not 0 <= self.context_tokens <= 223:
            raise InputError(f"decoding.context_tokens is {self.context_tokens}; it must lie between 0 and 223")
        if not 1 <= self.max_tokens <= 448:
            raise InputError(f"decoding.max_tokens is {self.max_tokens}; it must lie between 1 and 448")
