"""How well languages are identified, and what it costs to choose models by language.

    .venv/bin/python benchmarks/languages.py identify              accuracy and seconds per recording
    .venv/bin/python benchmarks/languages.py routing --count 200   two models against one, from an empty store
    .venv/bin/python benchmarks/languages.py switching             which sets are taken to be in several languages; cost

Speech: the prompts of Debian's ``asterisk-core-sounds-*`` packages in five languages, put together to recordings of at
least a minute (``identify``), or taken as they come, a few to a recording of about ten seconds (``routing``). The
second model is Whisper base under another name: what is measured is routing, not a better or smaller model.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import wave
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
sys.path.insert(0, str(Path(__file__).parent))

from decoding_sets import RATE, SETS, VOICES, prompts
from overhead import measured, workspace

ROOT = Path(__file__).resolve().parents[1]
MODEL = ROOT / "models" / "base"


def write(path: Path, pcm: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(pcm.astype("<i2").tobytes())
    return path


def pieces(language: str, seconds: float, count: int) -> list[np.ndarray]:
    """Returns up to ``count`` different stretches of prompts of one language, each of ``seconds``."""
    whole = prompts(language, count * seconds / 60 * 1.1, seed=17).pcm
    size = int(seconds * RATE)
    return [whole[first : first + size] for first in range(0, len(whole) - size + 1, size)][:count]


def identify(per_language: int, seconds: float, windows: list[int]) -> None:
    """Prints how often the language is right by the number of windows, in one process of one thread."""
    import os

    from audiogrid.transcribing.worker import worker_environment

    os.environ.update(worker_environment(1))
    from audiogrid.decoding.whisper.model import Model
    from audiogrid.planning.identify_languages import identify_file

    folder = workspace("languages")
    files = [
        (language, write(folder / "in" / f"{language}-{number}.wav", pcm))
        for language in VOICES
        for number, pcm in enumerate(pieces(language, seconds, per_language))
    ]
    model = Model(MODEL, "cpu", "auto", 1, 8)
    print(f"{len(files)} recordings of {seconds:.0f} s")
    for wanted in windows:
        right: Counter[str] = Counter()
        least, wrong = 1.0, []
        began, cpu = time.perf_counter(), time.process_time()
        for language, path in files:
            found = identify_file(model, path, int(seconds * RATE), wanted, 0.25)
            right[language] += found.language == language
            if found.language == language:
                least = min(least, found.probability)
            else:
                wrong.append(f"{path.name} as {found.language} ({found.probability})")
            if found.is_multilingual:
                wrong.append(f"{path.name} taken for multilingual ({found.second} {found.second_share})")
        wall, busy = time.perf_counter() - began, time.process_time() - cpu
        print(
            f"windows {wanted}: {sum(right.values())} of {len(files)} right, least probability {least:.2f}, "
            f"{wall / len(files):.2f} s wall and {busy / len(files):.2f} s CPU per recording; "
            f"{'; '.join(wrong) or 'none wrong'}",
            flush=True,
        )


def switching(sets: list[str], minutes: float) -> None:
    """Prints how many chunks of each set are taken to be in several languages, and the CPU time that this takes."""
    from decoding_sets import load

    from audiogrid.decoding.options import DecodeOptions
    from audiogrid.decoding.passes.code_switching import EncodedWindow, split_by_language
    from audiogrid.decoding.passes.prepare import prepare
    from audiogrid.decoding.whisper.model import Model
    from decoding import chunks

    model, options = Model(MODEL, "cpu", "auto", 1, 8), DecodeOptions()
    print("| set | chunks | in several languages | windows before, after | encoder, CPU s | language search, CPU s |")
    print("|---|---|---|---|---|---|")
    for name in sets:
        clip = load(name, minutes, ROOT / "bench-data" / "decoding")
        parts = chunks(clip)
        several, before, after, encoder, finding = 0, 0, 0, 0.0, 0.0
        for pcm in parts:
            ready = prepare(pcm, options, model.features)
            start = time.process_time()
            encoded = model.encode_features(ready.features)
            encoder += time.process_time() - start
            windows = [
                EncodedWindow(*one) for one in zip(ready.layouts, encoded, model.languages(encoded), strict=True)
            ]
            start = time.process_time()
            found = split_by_language(model, pcm, windows, ready.speech, ready.probabilities, 30 * RATE, "auto")
            finding += time.process_time() - start
            several += any(window.language for window in found)
            before, after = before + len(windows), after + len(found)
            if not any(window.language for window in found):
                assert found == windows, "a chunk in one language was changed"
        counts = f"{len(parts)} | {several} | {before}, {after}"
        print(f"| {name} | {counts} | {encoder:.1f} | {finding:.1f} |", flush=True)


def routing(count: int, seconds: float) -> None:
    """Measures the same recordings with one model, with two by identified language, and with two by given language."""
    source = workspace("routing-in") / "in"
    names = []
    for language in VOICES:
        for number, pcm in enumerate(pieces(language, seconds, count // len(VOICES))):
            names.append((write(source / f"{language}-{number:03d}.wav", pcm), language))
    ways = {"one": (False, False), "two-heard": (True, False), "two-given": (True, True)}
    for name, (routed, given) in ways.items():
        folder = workspace(f"routing-{name}")
        second = folder / "second"
        second.mkdir()
        for file in ("model.bin", "tokenizer.json", "vocabulary.txt"):
            (second / file).symlink_to((MODEL / file).resolve())
        (second / "config.json").write_text((MODEL / "config.json").read_text() + " ")
        (folder / "models").unlink()
        (folder / "models").mkdir()
        (folder / "models" / "base").symlink_to(MODEL.resolve())
        rows = ["path\tlanguage", *(f"{path}\t{language if given else ''}" for path, language in names)]
        (folder / "list.tsv").write_text("\n".join(rows) + "\n")
        config: dict[str, object] = {"run": "x", "recordings": "list.tsv"}
        if routed:
            config["routes"] = [{"when": {"language": ["en", "es"]}, "model": "second"}]
        (folder / "r.json").write_text(json.dumps(config))
        wall, cpu, _, output = measured(folder, "--configfile", "r.json")
        told = [line for line in output.splitlines() if line.startswith(("identified", "shard", "planned"))]
        print(f"{name}: {len(names)} recordings, {wall:.0f} s wall, {cpu:.0f} s CPU; {'; '.join(told)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "what", nargs="*", default=["identify", "routing"], choices=["identify", "routing", "switching"]
    )
    parser.add_argument("--per-language", type=int, default=6, help="recordings of each language (identify)")
    parser.add_argument("--windows", type=int, nargs="+", default=[1, 6], help="stretches to listen to (identify)")
    parser.add_argument(
        "--seconds", type=float, default=0, help="length of a recording (default 90, or 10 for routing)"
    )
    parser.add_argument("--sets", default=",".join(SETS), help="sets of benchmarks/decoding.py (switching)")
    parser.add_argument("--minutes", type=float, default=10, help="length of each set (switching)")
    parser.add_argument("--count", type=int, default=200, help="recordings (routing)")
    arguments = parser.parse_args()
    if "identify" in arguments.what:
        identify(arguments.per_language, arguments.seconds or 90, arguments.windows)
    if "switching" in arguments.what:
        switching(arguments.sets.split(","), arguments.minutes)
    if "routing" in arguments.what:
        routing(arguments.count, arguments.seconds or 10)


if __name__ == "__main__":
    main()
