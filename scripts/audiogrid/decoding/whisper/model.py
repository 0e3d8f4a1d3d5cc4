"""Single calls of the Whisper model, made so that a window's result does not depend on its neighbours.

Measured with CTranslate2 4.8.5 on a CPU (int8): encoding and generating give the same bits for every batch
size and number of threads; aligning does not (a window's word times change with its batch), and, like
encoding, it is slower in batches than one by one (encoder 0.59 s against 0.86 s per window in a batch of
8, alignment 0.09 s against 0.17 s, one thread). Generation is more than twice as fast in batches of 8.
So windows are encoded and aligned one by one, and only generation is batched.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from audiogrid.decoding.options import DecodeOptions
from audiogrid.decoding.whisper.device_errors import OutOfMemoryError, is_left_over, is_out_of_memory
from audiogrid.decoding.whisper.encoder import (
    EncoderName,
    choose_encoder,
    load_openvino,
    openvino_is_installed,
    processor_flags,
)
from audiogrid.decoding.whisper.frame_merging import merge_frames, pairs_to_merge
from audiogrid.decoding.whisper.loading import as_array, load_model
from audiogrid.decoding.whisper.mel import without_blas
from audiogrid.decoding.whisper.prompt_room import fitting, room_for_prompt
from audiogrid.decoding.whisper.search_choice import first_beams
from audiogrid.decoding.whisper.search_memory import windows_at_once
from audiogrid.decoding.whisper.weights import model_size
from audiogrid.decoding.whisper.window_length import (
    FULL_FRAMES,
    FULL_SECONDS,
    SAMPLES_PER_FRAME,
    STEP,
    frames_of_window,
    margin_seconds,
)
from audiogrid.models.faster_whisper_adapter import (
    align_words,
    force_tokens,
    make_tokenizer,
    merge_punctuation,
    pad_features,
    suppressed_tokens,
)

Found = TypeVar("Found")

FRAMES_PER_SECOND = 100
TIMESTAMP_SAMPLES = 320
"""A timestamp token, and a step of the alignment, is worth 20 ms."""
# Samples of a phrase whose language is identified, and frames (10 ms) that the encoder is given for it.
_LONGEST_PHRASE = 480_000
_SHORTEST_FRAMES = 800
# A few windows keep the encoder busy, and its attention takes 90 MB (large, float16) for each more.
_MAX_ENCODED = 8


@dataclass(frozen=True)
class ModelOutput:
    """What the model wrote for one window: text tokens and timestamps, and their probability.

    ``capped``: the limit of tokens ended the text, not the model.
    """

    tokens: tuple[int, ...]
    avg_logprob: float
    no_speech_prob: float
    temperature: float
    capped: bool


@dataclass(frozen=True)
class AlignedWord:
    """A word with its span in samples from the start of the window's audio."""

    start: int
    end: int
    text: str
    probability: float


class Model:
    """A loaded model. Never touches the network: ``folder`` must hold all its files.

    ``device``: ``cpu`` or ``cuda``, with a compute type that it has (``auto``: int8, what CTranslate2 likes best).
    Where a batch does not fit into the device's memory, half of it is tried, from then on (``batch_size``); each time
    leaves a sentence in ``adapted``. Calls raise ``OutOfMemoryError`` when not even one window fits.
    """

    def __init__(self, folder: Path, device: str, compute_type: str, threads: int, batch_size: int) -> None:
        self._folder, self._threads, self._asked_type = folder, threads, compute_type
        self._encoders: dict[EncoderName, Callable[[np.ndarray], np.ndarray]] = {}
        self._encoder_names: dict[str, EncoderName] = {}
        if compute_type == "auto":
            compute_type = "int8" if device == "cpu" else "auto"
        self._whisper = load_model(folder, device, compute_type, threads)
        self._features = without_blas(self._whisper.feature_extractor)
        self.device: str = self._whisper.model.device
        self.compute_type: str = self._whisper.model.compute_type
        self.multilingual: bool = self._whisper.model.is_multilingual
        self.batch_size = max(1, batch_size)
        self.adapted: list[str] = []
        self._tokenizers: dict[tuple[str, str], Any] = {}
        self._width = model_size(folder).width

    def close(self) -> None:
        """Frees the device's memory; the model cannot be used afterwards."""
        self._whisper.model.unload_model()

    def _in_batches(self, count: int, call: Callable[[int, int], list[Found]], most: int) -> list[Found]:
        """Calls ``call(first, last)`` over ``count`` windows, as many at once as fit into memory, at most ``most``."""
        found: list[Found] = []
        repeated = False
        while len(found) < count:
            first = len(found)
            size = even_size(count - first, min(self.batch_size, most))
            try:
                found += call(first, first + size)
                repeated = False
            except (RuntimeError, MemoryError) as error:
                if is_left_over(error) and not repeated:
                    repeated = True
                    continue
                if isinstance(error, OutOfMemoryError) or not is_out_of_memory(error):
                    raise
                repeated = False
                cause = str(error) or type(error).__name__
                if size == 1:
                    raise OutOfMemoryError(cause) from None
                self.adapted.append(f"{size} windows at once: {cause}; went on with {size // 2}")
                self.batch_size = size // 2
        return found

    def _by_shape(
        self,
        arrays: Sequence[np.ndarray],
        call: Callable[..., list[Found]],
        most: Callable[[tuple[int, ...]], int],
        *others: Sequence[Any],
    ) -> list[Found]:
        """Returns what ``call`` finds for each array, in their order; every call gets arrays of one shape.

        ``most``: tells how many arrays of a shape a call may get. ``others``: further arguments, of which each call
        gets the items that belong to its arrays.
        """
        groups: dict[tuple[int, ...], list[int]] = {}
        for index, array in enumerate(arrays):
            groups.setdefault(array.shape, []).append(index)
        found: dict[int, Found] = {}
        for shape, indices in groups.items():

            def part(first: int, last: int, indices: list[int] = indices) -> list[Found]:
                chosen = indices[first:last]
                return call(*([values[index] for index in chosen] for values in (arrays, *others)))

            found.update(zip(indices, self._in_batches(len(indices), part, most(shape)), strict=True))
        return [found[index] for index in range(len(arrays))]

    def encode(
        self, audios: Sequence[np.ndarray], encoder: str = "auto", margin: float = FULL_SECONDS, step: int = STEP
    ) -> list[np.ndarray]:
        """Returns the encoder output, shape ``(1, frames / 2, width)``, of each window (int16, at most 30 s).

        ``encoder``, ``margin`` and ``step``: see ``encode_features`` and ``features``.
        """
        return self.encode_features(self.features(audios, margin, step), encoder)

    def features(
        self, audios: Sequence[np.ndarray], margin: float = FULL_SECONDS, step: int = STEP
    ) -> list[np.ndarray]:
        """Returns the log-mel spectrogram, shape ``(mels, frames)``, of each window; safe in any thread.

        ``margin``: the option ``encoder_margin``; 30: always 3,000 frames. ``step``: frames are a multiple of it.
        """
        margin = margin_seconds(self._width, margin, self.device)
        found = []
        for audio in audios:
            frames = frames_of_window(len(audio), margin, step)
            sound = audio.astype(np.float32) / 32768
            if frames < FULL_FRAMES:
                # What silence looks like to the model, which the zeros of `pad_features` are not.
                sound = np.pad(sound, (0, frames * SAMPLES_PER_FRAME - len(sound)))
            found.append(pad_features(self._features(sound)[..., :-1])[..., :frames])
        return found

    def encode_features(self, features: Sequence[np.ndarray], encoder: str = "auto") -> list[np.ndarray]:
        """Returns the encoder output, shape ``(1, frames / 2, width)``, of each result of ``features``.

        ``encoder``: the option; see ``choose_encoder``. Raises ``InputError`` when it cannot be had.
        """
        name = self.encoder_name(encoder)
        if name != "ctranslate2":
            return [self._openvino(name)(one[np.newaxis]) for one in features]

        def call(batch: list[np.ndarray]) -> list[np.ndarray]:
            encoded = as_array(self._whisper.model.encode(self._storage(np.stack(batch)), to_cpu=True))
            return [encoded[index : index + 1] for index in range(len(encoded))]

        return self._by_shape(features, call, lambda _: 1 if self.device == "cpu" else _MAX_ENCODED)

    def encoder_name(self, wanted: str) -> EncoderName:
        """Returns what the option ``encoder`` became. Raises ``InputError`` when it cannot be had."""
        if wanted not in self._encoder_names:
            self._encoder_names[wanted] = choose_encoder(
                wanted, self.device, self._asked_type, self._folder, processor_flags(), openvino_is_installed
            )
        return self._encoder_names[wanted]

    def _openvino(self, name: EncoderName) -> Callable[[np.ndarray], np.ndarray]:
        if name not in self._encoders:
            self._encoders[name] = load_openvino(self._folder, name, self._threads)
        return self._encoders[name]

    def first_beams(self, language: str, options: DecodeOptions) -> int:
        """Returns the beams of the search that comes instead of fast and second pass, or 0; see ``search_choice``."""
        return first_beams(self._width if self.multilingual else 0, language, options)

    def languages(self, encoded: Sequence[np.ndarray]) -> list[dict[str, float]]:
        """Returns the probability of every language, per window."""
        if not self.multilingual:
            return [{"en": 1.0}] * len(encoded)

        def call(batch: list[np.ndarray]) -> list[dict[str, float]]:
            found = self._whisper.model.detect_language(self._storage(np.concatenate(batch)))
            return [
                {token[2:-2]: float(probability) for token, probability in probabilities} for probabilities in found
            ]

        return self._by_shape(encoded, call, lambda _: self.batch_size)

    def languages_of_phrases(self, audios: Sequence[np.ndarray], encoder: str = "auto") -> list[dict[str, float]]:
        """Returns the probability of every language in each phrase (int16; half a minute at most is listened to).

        The encoder is given 8 s or as much as the phrase has, not 30 s: a sixth of the time, and for 167 of
        178 prompts in five languages the right one, as against 168.
        """
        found: list[dict[str, float]] = []
        for audio in audios:
            features = self._features(audio[:_LONGEST_PHRASE].astype(np.float32) / 32768)[..., :-1]
            frames = max(_SHORTEST_FRAMES, -(-features.shape[-1] // 2) * 2)
            (encoded,) = self.encode_features([pad_features(features)[..., :frames]], encoder)
            found += self.languages([encoded])
        return found

    def generate(
        self,
        encoded: Sequence[np.ndarray],
        languages: Sequence[str],
        options: DecodeOptions,
        *,
        beam_size: int,
        temperature: float = 0.0,
        timestamps: bool = False,
        prompted: bool = True,
        contexts: Sequence[Sequence[int]] = (),
        merged: bool = False,
    ) -> list[ModelOutput]:
        """Decodes windows in batches, all with the same search.

        ``prompted``: with prompt and hotwords. ``contexts``: tokens of the text before each window, all of one length,
        not more than ``room`` allows. ``merged``: with ``options.merged_pairs`` pairs of encoder frames made one.
        """
        context_tokens = contexts or [()] * len(encoded)
        wanted = options.merged_pairs if merged else 0
        prompts = [
            self._prompt(language, options, timestamps, prompted, context)
            for language, context in zip(languages, context_tokens, strict=True)
        ]

        def call(batch: list[np.ndarray], begun: list[list[int]]) -> list[ModelOutput]:
            views = [merge_frames(one, pairs_to_merge(one.shape, wanted, self.device)) for one in batch]
            return self._generate(views, begun, languages[0], options, beam_size, temperature)

        def most(shape: tuple[int, ...]) -> int:
            if self.device != "cpu":
                return self.batch_size
            pairs = pairs_to_merge(shape, wanted)
            return windows_at_once(self.batch_size, shape, pairs, beam_size, len(context_tokens[0]))

        return self._by_shape(encoded, call, most, prompts)

    def _generate(
        self,
        encoded: Sequence[np.ndarray],
        prompts: list[list[int]],
        language: str,
        options: DecodeOptions,
        beam_size: int,
        temperature: float,
    ) -> list[ModelOutput]:
        tokenizer = self.tokenizer(language, options.task)
        search: dict[str, Any]
        if temperature > 0:
            search = {"beam_size": 1, "num_hypotheses": 5, "sampling_topk": 0, "sampling_temperature": temperature}
        else:
            search = {"beam_size": beam_size, "patience": options.patience}
        longest = min(self._whisper.max_length, len(prompts[0]) + options.max_tokens)
        results = self._whisper.model.generate(
            self._storage(np.concatenate(encoded)),
            prompts,
            max_length=longest,
            length_penalty=options.length_penalty,
            repetition_penalty=options.repetition_penalty,
            no_repeat_ngram_size=options.no_repeat_ngram_size,
            suppress_tokens=suppressed_tokens(tokenizer, options.suppress_tokens),
            return_scores=True,
            return_no_speech_prob=True,
            max_initial_timestamp_index=50,
            **search,
        )
        found = []
        for result in results:
            tokens = result.sequences_ids[0]
            # CTranslate2's score is the sum divided by length ** penalty; Whisper counts the end token too.
            total = result.scores[0] * len(tokens) ** options.length_penalty
            found.append(
                ModelOutput(
                    tokens=tuple(tokens),
                    avg_logprob=_finite(total / (len(tokens) + 1)),
                    no_speech_prob=_finite(result.no_speech_prob),
                    temperature=temperature,
                    capped=len(tokens) >= longest - len(prompts[0]),
                )
            )
        return found

    def align(
        self, encoded: np.ndarray, tokens: Sequence[int], language: str, task: str, samples: int
    ) -> list[AlignedWord]:
        """Returns words with times, by cross-attention (dynamic time warping); ``samples``: length of the audio."""
        tokenizer = self.tokenizer(language, task)
        text_tokens = [token for token in tokens if token < tokenizer.eot]
        if not text_tokens:
            return []
        frames = min(2 * encoded.shape[1], math.ceil(samples * FRAMES_PER_SECOND / 16_000))

        def call(first: int, last: int) -> list[list[dict[str, Any]]]:
            return [align_words(self._whisper, tokenizer, text_tokens, self._storage(encoded), max(2, frames))]

        (found,) = self._in_batches(1, call, 1)
        merge_punctuation(found)
        return [
            AlignedWord(
                round(float(word["start"]) * 16_000),
                round(float(word["end"]) * 16_000),
                str(word["word"]),
                round(float(word["probability"]), 4),
            )
            for word in found
            if word["word"]
        ]

    def force(
        self,
        encoded: np.ndarray,
        tokens: Sequence[int],
        language: str,
        task: str,
        samples: int,
        prompt: Sequence[int] = (),
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns when each of the given text tokens begins, and the end of the last, and the probability of each.

        Seconds from the start of the audio, shape ``(tokens + 1,)``; ``samples``: length of the audio; ``prompt``:
        tokens of a text before.
        """
        tokenizer = self.tokenizer(language, task)
        frames = max(2, min(2 * encoded.shape[1], math.ceil(samples * FRAMES_PER_SECOND / 16_000)))

        def call(first: int, last: int) -> list[tuple[np.ndarray, np.ndarray]]:
            return [force_tokens(self._whisper, tokenizer, tokens, self._storage(encoded), frames, prompt)]

        (found,) = self._in_batches(1, call, 1)
        return found

    @property
    def longest_text(self) -> int:
        """Tokens that a text may have beside those that begin and end it."""
        return int(self._whisper.max_length) - 8

    def tokenizer(self, language: str, task: str) -> Any:
        """Returns faster-whisper's tokenizer for a language and a task."""
        if (language, task) not in self._tokenizers:
            self._tokenizers[language, task] = make_tokenizer(self._whisper, self.multilingual, language, task)
        return self._tokenizers[language, task]

    def text(self, tokens: Sequence[int]) -> str:
        """Returns the text of tokens, without timestamps."""
        return str(self.tokenizer("en", "transcribe").decode(list(tokens)))

    def room(self, language: str, options: DecodeOptions) -> int:
        """Returns how many tokens the context and the text of a window may have together."""
        return int(self._whisper.max_length) - len(self._prompt(language, options, False, True)) - 1

    def _prompt(
        self, language: str, options: DecodeOptions, timestamps: bool, prompted: bool, context: Sequence[int] = ()
    ) -> list[int]:
        tokenizer = self.tokenizer(language, options.task)
        previous = tokenizer.encode(" " + options.prompt.strip()) if prompted and options.prompt.strip() else []
        hotwords = options.hotwords.strip() if prompted else ""
        hot = tokenizer.encode(" " + hotwords) if hotwords else []
        room = room_for_prompt(len(tokenizer.sot_sequence), self._whisper.max_length)
        hot, previous = fitting(hot, previous, room)
        prompt = [tokenizer.sot_prev, *hot, *previous, *context] if hot or previous or context else []
        prompt += tokenizer.sot_sequence
        return prompt if timestamps else [*prompt, tokenizer.no_timestamps]

    def _storage(self, array: np.ndarray) -> Any:
        import ctranslate2

        return ctranslate2.StorageView.from_array(np.ascontiguousarray(array))


def even_size(count: int, most: int) -> int:
    """Returns the size of the next batch when ``count`` windows are spread evenly over batches of at most ``most``.

    Ten windows become twice five rather than eight and two, which would take the memory of eight.
    """
    batches = -(-count // most)
    return -(-count // batches)


def compression_ratio(text: str) -> float:
    """Returns letters of the text per byte after compression; above 2.4 it mostly repeats itself (Radford et al. 2022).

    One byte per letter in every script. In UTF-8 Cyrillic takes two and Devanagari three bytes, and plain speech in
    them would compress like a loop in English: Russian telephone prompts that had 2.4 to 2.7 have 1.8 to 2.1 this way.
    """
    data = bytes(code if code < 128 else 128 + code % 128 for code in map(ord, text.strip()))
    return round(len(data) / len(zlib.compress(data)), 4)


def _finite(value: float) -> float:
    """Returns a number that JSON can hold: rounded, with -10 for minus infinity and not-a-number."""
    return round(value, 4) if math.isfinite(value) else -10.0
