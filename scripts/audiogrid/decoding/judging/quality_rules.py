"""The rules that send a window to the careful pass. Each is a function of one reading's evidence.

Sources: [W] Radford et al. 2022 (Whisper), section 4.5 and its reference decoder; [C] NVIDIA NeMo Curator and
Speech Data Processor, text filters for Whisper's hallucinations; [F] faster-whisper; [M] measured for this
project: windows that lost three quarters of their words had ordinary compression ratios (0.9 to 1.3) and
log-probabilities (-0.2 to -0.3), and only their words per second of speech gave them away.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from statistics import median

from audiogrid.decoding.judging.scoring import Evidence, echo_share, plain_words, rate, repeats
from audiogrid.decoding.options import DecodeOptions

USUAL_RATE = 13.0
"""Letters per second of speech where a chunk is too short to tell: 150 words of 5 letters a minute."""

_SHORT = 1.5
"""Seconds of speech below which a rate says little."""


def usual_rate(readings: list[Evidence], options: DecodeOptions) -> float:
    """Median letters per second over the windows of a chunk, each counted by its seconds of speech.

    Windows that lost words, as their times or their rate say, do not count, and 20 s at the usual rate of all
    speakers are added, so that a chunk of a few bad windows is not its own excuse.
    """
    weighted = [USUAL_RATE] * 20
    for one in readings:
        if options.min_rate <= rate(one) <= options.max_rate and one.unspoken_seconds == 0:
            weighted += [rate(one)] * round(one.speech_seconds)
    return median(weighted)


def too_few_letters(evidence: Evidence, usual: float, options: DecodeOptions) -> bool:
    """Speech has fewer letters per second than the chunk's median, or any language, allows [M]."""
    if evidence.speech_seconds < _SHORT:
        return False
    return rate(evidence) < max(options.min_rate, options.min_rate_ratio * usual)


def too_many_letters(evidence: Evidence, usual: float, options: DecodeOptions) -> bool:
    """More letters per second than the chunk's median, or any speaker, allows [M]."""
    if evidence.speech_seconds < _SHORT:
        return False
    return rate(evidence) > min(options.max_rate, options.max_rate_ratio * usual)


def impossible_rate(evidence: Evidence, usual: float, options: DecodeOptions) -> bool:
    """More than 40 letters per second, however short the window [C]."""
    return rate(evidence) > options.hard_rate


def compressible(evidence: Evidence, usual: float, options: DecodeOptions) -> bool:
    """Text deflates by more than 2.4: it repeats itself [W]."""
    return evidence.compression_ratio > options.max_compression_ratio


def unsure(evidence: Evidence, usual: float, options: DecodeOptions) -> bool:
    """The mean log-probability is low [W]; stricter than Whisper's -1.0, because this is only a flag."""
    return evidence.avg_logprob < options.min_logprob


def loop(evidence: Evidence, usual: float, options: DecodeOptions) -> bool:
    """A phrase is said again and again in a row, or ten words occur more than three times [C]."""
    words = plain_words(evidence.text)
    tens = Counter(tuple(words[first : first + 10]) for first in range(len(words) - 9))
    return repeats(evidence.text) >= options.min_repeats or any(count > 3 for count in tens.values())


def runaway(evidence: Evidence, usual: float, options: DecodeOptions) -> bool:
    """The window did not end by itself but at the limit of tokens [W]."""
    return evidence.capped


def speech_without_words(evidence: Evidence, usual: float, options: DecodeOptions) -> bool:
    """Voice activity goes on for longer than speakers pause, and no word lies in it [M]."""
    if not evidence.text.strip():
        return evidence.speech_seconds >= 0.3
    return evidence.unspoken_seconds > 0


def words_without_speech(evidence: Evidence, usual: float, options: DecodeOptions) -> bool:
    """Too much of the words' time lies where voice activity found nobody speaking [F]."""
    return evidence.unheard_share > options.max_unheard_share


def echo(evidence: Evidence, usual: float, options: DecodeOptions) -> bool:
    """The text is (nearly) nothing but the prompt or the hotwords [F]."""
    primer = f"{options.prompt} {options.hotwords}"
    return echo_share(evidence.text, primer) >= options.echo_share


def language_flip(evidence: Evidence, usual: float, options: DecodeOptions) -> bool:
    """The window sounds like another language than the one it was decoded in [C]."""
    return evidence.other_language >= options.flip_probability


def maybe_invented(evidence: Evidence, usual: float, options: DecodeOptions) -> bool:
    """Words, but voice activity was faint, or the model itself heard no speech [W]."""
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


def flags(evidence: Evidence, usual: float, options: DecodeOptions) -> list[str]:
    """Names of the rules that fire on a reading, in a fixed order."""
    return [name for name, rule in RULES.items() if rule(evidence, usual, options)]


def invented(evidence: Evidence, options: DecodeOptions) -> str:
    """Why the words of a kept reading are dropped after all; empty if they stay.

    Whisper's own rule (no speech likely and log-probability low) [W]; faint voice activity with an unsure
    reading; and stock phrases where voice activity is faint or short or the model itself heard nobody.
    """
    if not evidence.text.strip():
        return ""
    faint = evidence.voice < options.faint_voice
    if evidence.no_speech_prob > options.no_speech_probability and evidence.avg_logprob < options.no_speech_logprob:
        return "the model heard no speech"
    if faint and evidence.avg_logprob < options.min_logprob:
        return "voice activity was faint and the reading unsure"
    if is_stock_phrase(evidence.text) and (
        faint or evidence.no_speech_prob > options.no_speech_probability / 2 or evidence.speech_seconds < 0.3
    ):
        return "a phrase that Whisper writes into silence, and voice activity was faint"
    return ""


def is_stock_phrase(text: str) -> bool:
    """Whether the text is nothing but what Whisper writes where nobody speaks.

    After Koenecke et al. 2024 and Barański et al. 2025 ("bag of hallucinations"). People say these things
    too: it is used only together with other doubts.
    """
    return " ".join(re.findall(r"\w+", text.lower())) in STOCK_PHRASES


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
