"""The quality rules: a hypothesis that breaks one sends its window to the careful pass.

Each rule is a function of a hypothesis's evidence, the chunk's median rate and the options.

Sources: [W] Radford et al. 2022 (Whisper), section 4.5 and its reference decoder; [C] NVIDIA NeMo Curator and
Speech Data Processor, text filters for Whisper's hallucinations; [F] faster-whisper; [M] measured for this
project: windows that had lost three quarters of their words had ordinary compression ratios (0.9 to 1.3) and
log-probabilities (-0.2 to -0.3); only their words per second of speech showed the loss.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from statistics import median

from audiogrid.decoding.judging.loops import has_loop, plain_words
from audiogrid.decoding.judging.scoring import Evidence, echo_share, is_repetitive, rate
from audiogrid.decoding.options import DecodeOptions

TYPICAL_RATE = 13.0
"""Letters per second of speech assumed for a chunk too short to measure: 150 words of 5 letters a minute."""

_SHORT = 1.5
"""Seconds of speech below which the rate is not judged."""


def chunk_median_rate(evidence: list[Evidence], options: DecodeOptions) -> float:
    """Returns the median of letters per second over the windows of a chunk, weighted by seconds of speech.

    Windows that lost words, judging by word times or rate, loops, echoes of the prompt and words without speech do not
    count. 20 s at the typical rate are added, so that a chunk with nothing but bad windows does not make them look
    normal.
    """
    weighted = [TYPICAL_RATE] * 20
    for one in evidence:
        is_plausible = options.min_rate <= rate(one) <= options.max_rate and not is_repetitive(one, options)
        is_invented = words_without_speech(one, TYPICAL_RATE, options) or echo(one, TYPICAL_RATE, options)
        if is_plausible and not is_invented and one.unspoken_seconds == 0:
            weighted += [rate(one)] * round(one.speech_seconds)
    return median(weighted)


def too_few_letters(evidence: Evidence, median_rate: float, options: DecodeOptions) -> bool:
    """The speech has fewer letters per second than the chunk's median, or any language, allows [M]."""
    if evidence.speech_seconds < _SHORT:
        return False
    return rate(evidence) < max(options.min_rate, options.min_rate_ratio * median_rate)


def too_many_letters(evidence: Evidence, median_rate: float, options: DecodeOptions) -> bool:
    """The speech has more letters per second than the chunk's median, or any speaker, allows [M]."""
    if evidence.speech_seconds < _SHORT:
        return False
    return rate(evidence) > min(options.max_rate, options.max_rate_ratio * median_rate)


def impossible_rate(evidence: Evidence, median_rate: float, options: DecodeOptions) -> bool:
    """The text has more than 40 letters per second of speech, however short the window [C]."""
    return rate(evidence) > options.hard_rate


def compressible(evidence: Evidence, median_rate: float, options: DecodeOptions) -> bool:
    """The text compresses by more than 2.4: it repeats itself [W]."""
    return evidence.compression_ratio > options.max_compression_ratio


def unsure(evidence: Evidence, median_rate: float, options: DecodeOptions) -> bool:
    """The mean log-probability is low [W]. Stricter than Whisper's -1.0, because a flag rejects nothing."""
    return evidence.avg_logprob < options.min_logprob


def loop(evidence: Evidence, median_rate: float, options: DecodeOptions) -> bool:
    """A phrase is repeated in a row, or ten consecutive words occur more than three times [C]."""
    words = plain_words(evidence.text)
    tens = Counter(tuple(words[first : first + 10]) for first in range(len(words) - 9))
    return has_loop(evidence.text, options.min_repeats) or any(count > 3 for count in tens.values())


def runaway(evidence: Evidence, median_rate: float, options: DecodeOptions) -> bool:
    """The model did not end the window; the limit of tokens did [W]."""
    return evidence.capped


def speech_without_words(evidence: Evidence, median_rate: float, options: DecodeOptions) -> bool:
    """Voice activity without a word lasts longer than speakers pause [M]."""
    if not evidence.text.strip():
        return evidence.speech_seconds >= 0.3
    return evidence.unspoken_seconds > 0


def words_without_speech(evidence: Evidence, median_rate: float, options: DecodeOptions) -> bool:
    """Too many of the words' letters lie outside of voice activity [F]."""
    return evidence.unheard_share > options.max_unheard_share


def echo(evidence: Evidence, median_rate: float, options: DecodeOptions) -> bool:
    """The text is little but the prompt or the hotwords [F]."""
    primer = f"{options.prompt} {options.hotwords}"
    return echo_share(evidence.text, primer) >= options.echo_share


def language_flip(evidence: Evidence, median_rate: float, options: DecodeOptions) -> bool:
    """Language detection finds another language than the one the window was decoded in [C]."""
    return evidence.other_language >= options.flip_probability


def maybe_invented(evidence: Evidence, median_rate: float, options: DecodeOptions) -> bool:
    """There are words, but voice activity is weak or the model itself reports no speech [W]."""
    if not evidence.text.strip():
        return False
    return evidence.voice < options.faint_voice or evidence.no_speech_prob > options.no_speech_probability


Rule = Callable[[Evidence, float, DecodeOptions], bool]

RULES: dict[str, Rule] = {
    "too_few_letters": too_few_letters,
    "too_many_letters": too_many_letters,
    "impossible_rate": impossible_rate,
    "compressible": compressible,
    "unsure": unsure,
    "loop": loop,
    "runaway": runaway,
    "speech_without_words": speech_without_words,
    "words_without_speech": words_without_speech,
    "echo": echo,
    "language_flip": language_flip,
    "maybe_invented": maybe_invented,
}


def flags(evidence: Evidence, median_rate: float, options: DecodeOptions) -> list[str]:
    """Returns the names of the rules that a hypothesis breaks, in a fixed order."""
    return [name for name, rule in RULES.items() if rule(evidence, median_rate, options)]


def reason_to_drop(evidence: Evidence, options: DecodeOptions) -> str:
    """Returns why the words of the best hypothesis are dropped; an empty string if they stay.

    They are dropped by Whisper's own rule (no speech likely and log-probability low) [W], where voice activity is weak
    and the log-probability low, and where the text is a stock phrase and voice activity is weak or short or the model
    itself reports no speech.
    """
    if not evidence.text.strip():
        return ""
    weak = evidence.voice < options.faint_voice
    if evidence.no_speech_prob > options.no_speech_probability and evidence.avg_logprob < options.no_speech_logprob:
        return "the model reports no speech"
    if weak and evidence.avg_logprob < options.min_logprob:
        return "voice activity is weak and the log-probability low"
    if is_stock_phrase(evidence.text) and (
        weak or evidence.no_speech_prob > options.no_speech_probability / 2 or evidence.speech_seconds < 0.3
    ):
        return "a stock phrase that Whisper writes for silence, and voice activity is weak"
    return ""


def is_stock_phrase(text: str) -> bool:
    """Returns whether the text is nothing but phrases that Whisper writes for silence, one or several in a row.

    After Koenecke et al. 2024 and Barański et al. 2025 ("bag of hallucinations"). People say these phrases, too, so
    this counts only together with other signs.
    """
    words = re.findall(r"\w+", text.lower())
    # Whether the first so many words can be divided into stock phrases.
    divisible = [True]
    for end in range(1, len(words) + 1):
        starts = range(max(0, end - _LONGEST_STOCK_PHRASE), end)
        divisible.append(any(divisible[start] and " ".join(words[start:end]) in STOCK_PHRASES for start in starts))
    return bool(words) and divisible[-1]


STOCK_PHRASES = frozenset(
    """you|thank you|thanks|thank you very much|thank you so much|thanks for watching|thank you for watching|bye
    |bye bye|goodbye|okay|ok|oh|ah|um|uh|hmm|mm|yeah|so|the|the end|i m sorry|i m not sure|hello|music|applause
    |subtitles by the amara org community|please subscribe|see you next time|gracias|gracias por ver el video
    |suscríbete|merci|merci d avoir regardé cette vidéo|sous titres réalisés par la communauté d amara org
    |sous titrage st 501|grazie|grazie a tutti|sottotitoli creati dalla comunità amara org
    |sottotitoli e revisione a cura di qtss
    |vielen dank|danke|untertitel der amara org community|untertitel im auftrag des zdf für funk 2017
    |продолжение следует|спасибо за просмотр|субтитры сделал dimatorzok|спасибо|obrigado|ご視聴ありがとうございました
    |谢谢观看|請不吝點贊訂閱轉發打賞支持明鏡與點點欄目""".replace("\n", "")
    .replace("    |", "|")
    .split("|")
)
_LONGEST_STOCK_PHRASE = max(len(phrase.split()) for phrase in STOCK_PHRASES)
