"""Word errors with and without speakers (cpWER and WER) of English dialogues whose words are known.

    python benchmarks/speaker_words.py --minutes 3
    python benchmarks/speaker_words.py --meeteval      (pip install meeteval: its figures must be the same)

Decoded with `base` in one chunk, speakers found as in a run. Voices: the English reader of Debian's
``asterisk-core-sounds-en-wav``, a synthesised one (hibari-tts), and those of Debian's ``flite`` (three people's voices,
concatenated). cpWER takes the words of each speaker together; what it has more than WER is what speakers add. The third
figure gives the decoded words to those who spoke at that time in truth.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from functools import cache
from itertools import groupby
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests"), str(Path(__file__).parent)]

from decoding_sets import prompt_files, read_audio  # noqa: E402
from speaker_sets import RATE, Recording, arranged, levelled, trimmed  # noqa: E402
from speakers import embedded  # noqa: E402

from audiogrid.decoding.engine import ChunkAudio, Engine  # noqa: E402
from audiogrid.decoding.options import DecodeOptions  # noqa: E402
from audiogrid.embedding.networks.sessions import open_networks  # noqa: E402
from audiogrid.embedding.voices import Turn, find_speakers  # noqa: E402
from audiogrid.embedding.word_speakers import speakers_of_words  # noqa: E402
from audiogrid.records.results import Word  # noqa: E402
from audiogrid.scoring.alignment import align  # noqa: E402
from audiogrid.scoring.normalising import normalised_tokens  # noqa: E402
from audiogrid.scoring.speaker_errors import speaker_errors  # noqa: E402
from speech import say, sentences  # noqa: E402

Voice = list[tuple[np.ndarray, str]]
DIALOGUES = (
    ("reader", "hibari"),
    ("reader", "rms"),
    ("slt", "rms"),
    ("hibari", "awb"),
    ("reader", "hibari", "rms"),
    ("reader", "slt", "awb", "hibari"),
)


@cache
def voice(name: str) -> Voice:
    """Prompts of a voice with their texts."""
    if name == "reader":
        found = [(trimmed(read_audio(path)), text) for path, text in sorted(prompt_files("en"))]
        return [(pcm, text) for pcm, text in found if pcm is not None and 1.5 * RATE < len(pcm) < 9 * RATE]
    seed = sum(name.encode())
    texts = [text for text, _ in zip(sentences(seed), range(40), strict=False)]
    if name == "hibari":
        return [(levelled(say(text).astype(float)), text) for text in texts]
    found = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        for text in texts:
            subprocess.run(["flite", "-voice", name, "-t", text, "-o", str(path)], check=True)
            found.append((trimmed(read_audio(path)), text))
    return [(pcm, text) for pcm, text in found if pcm is not None]


def by_speaker(words: list[tuple[object, str]]) -> dict[object, list[str]]:
    """Normalised words of every speaker, from texts in order of time."""
    texts: dict[object, list[str]] = {}
    for who, run in groupby(words, key=lambda pair: pair[0]):
        texts.setdefault(who, []).append(" ".join(text.strip() for _, text in run))
    return {who: normalised_tokens(" ".join(parts), "en") for who, parts in texts.items()}


def rates(reference: list[tuple[object, str]], words: list[tuple[object, str]]) -> tuple[float, float]:
    """WER and cpWER in percent."""
    plain = [normalised_tokens(" ".join(text.strip() for _, text in one), "en") for one in (reference, words)]
    return 100 * align(*plain).rate, 100 * speaker_errors(by_speaker(reference), by_speaker(words)).rate


def check_meeteval(reference: list[tuple[object, str]], words: list[tuple[object, str]]) -> float:
    """cpWER in percent as meeteval counts it."""
    from meeteval.wer import cp_word_error_rate

    sides = [{str(who): " ".join(one) for who, one in by_speaker(side).items()} for side in (reference, words)]
    return 100 * cp_word_error_rate(*sides).error_rate


def true_words(recording: Recording, voices: list[Voice]) -> list[tuple[object, str]]:
    """What is said in a recording: voice and text of each prompt, in order."""
    pairs = zip(recording.turns, recording.said, strict=True)
    return [(who, voices[who][which][1]) for (_, _, who), which in pairs]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "base")
    parser.add_argument("--speakers", type=Path, default=ROOT / "models" / "speakers")
    parser.add_argument("--overlap", type=float, default=0.0, help="share of turns that begin before the last one ends")
    parser.add_argument("--meeteval", action="store_true", help="count with meeteval, too")
    arguments = parser.parse_args()
    engine, networks = Engine(arguments.model, threads=1, batch_size=8), open_networks(arguments.speakers)
    options = DecodeOptions.from_mapping({"language": "en"})
    rows = []
    print("| dialogue | voices found | words | WER | cpWER | cpWER - WER | with the true turns |")
    print("|---|---|---|---|---|---|---|")
    for number, names in enumerate(DIALOGUES):
        voices = [voice(name) for name in names]
        prompts = [[pcm for pcm, _ in one] for one in voices]
        recording = arranged(
            ", ".join(names), prompts, arguments.minutes, 40 + number, narrow=False, overlap=arguments.overlap
        )
        reference = true_words(recording, voices)
        audio = ChunkAudio(recording.pcm, (0, len(recording.pcm)), options)
        decoded: list[Word] = [
            word for _, result in engine.decode([audio]) for segment in result.segments for word in segment.words
        ]
        found = find_speakers(embedded(recording.pcm, networks, 300))
        true = [Turn(*turn) for turn in recording.turns]
        given = [
            [(one.speaker, word.text) for word, one in zip(decoded, speakers_of_words(decoded, turns), strict=True)]
            for turns in (found.turns, true)
        ]
        wer, cpwer = rates(reference, given[0])
        with_true = rates(reference, given[1])[1]
        rows.append((wer, cpwer, with_true))
        print(
            f"| {recording.name} | {len(found.voices)} of {len(names)} | {sum(len(t.split()) for _, t in reference)} "
            f"| {wer:.2f} | {cpwer:.2f} | {cpwer - wer:.2f} | {with_true:.2f} |"
            + (f" meeteval: {check_meeteval(reference, given[0]):.2f}" if arguments.meeteval else ""),
            flush=True,
        )
    wer, cpwer, with_true = np.mean(rows, axis=0)
    print(f"\nmean: WER {wer:.2f} %, cpWER {cpwer:.2f} %, {cpwer - wer:.2f} points more; true turns {with_true:.2f} %")


if __name__ == "__main__":
    main()
