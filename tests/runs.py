"""Settings that commands of a run get, and reading what the run left behind."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np

from audiogrid.decoding.options import DecodeOptions

# Options that a GPU chooses in another way than a CPU, as this one chooses them with Whisper base.
AS_ON_A_CPU = {"encoder": "ctranslate2", "encoder_margin": 4.0, "merged_pairs": 650}


def one_shard(chunk_minutes: float) -> str:
    """Settings of `plan.py`: everything in one shard, in English.

    Simulated GPUs give the same bytes as the CPU.
    """
    return json.dumps(
        {
            "options": vars(DecodeOptions(language="en", **AS_ON_A_CPU)),
            "chunk_minutes": chunk_minutes,
            "bundle_minutes": 60,
            "shard_minutes": 600,
            "shards_at_least": 1,
            "chunks_per_shard": 0,
        }
    )


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def transcripts(run: Path) -> dict[str, str]:
    """Name -> SHA-256 of every transcript."""
    return {
        path.relative_to(run).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((run / "transcripts").rglob("*"))
        if path.is_file()
    }


def stored(store: Path) -> dict[str, tuple[int, int]]:
    """Key -> inode and modification time of every result in a store."""
    return {
        path.stem: (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in store.glob("??/*.json")
        if not path.name.endswith(".error.json")
    }


def decoded(run: Path, stage: str = "") -> Counter[str]:
    """How many times each chunk was decoded, or done by another stage (``aligned``), over all attempts of a run."""
    counts: Counter[str] = Counter()
    for path in (run / "journal" / stage).glob("*.jsonl"):
        for line in path.read_text().splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if entry["event"] == "chunk" and entry["status"] == "decoded":
                counts[entry["chunk"]] += 1
    return counts


def jobs(folder: Path) -> Counter[str]:
    """Rules of the jobs that the latest Snakemake in ``folder`` finished."""
    latest = max((folder / ".snakemake" / "log").glob("*.snakemake.log"), key=lambda path: path.stat().st_mtime_ns)
    return Counter(re.findall(r"Finished jobid: \d+ \(Rule: (\w+)\)", latest.read_text(errors="replace")))


def text(run: Path, recording: str) -> str:
    return (run / "transcripts" / f"{recording}.txt").read_text()


def ledger(run: Path) -> dict[str, list[dict[str, str]]]:
    """Rows of ``ledger.tsv`` by recording, after a check: they tile each recording, and documents hold the same."""
    found: dict[str, list[dict[str, str]]] = {}
    for row in table(run / "ledger.tsv"):
        found.setdefault(row["recording"], []).append(row)
    for rows in found.values():
        assert [row["start"] for row in rows] == ["0", *(row["end"] for row in rows[:-1])]
        assert all(int(row["start"]) < int(row["end"]) for row in rows)
    for row in table(run / "summary.tsv"):
        mine = [one for one in found[row["recording"]] if one["reason"] != "cut_off"]
        assert round(int(mine[-1]["end"]) / 16_000, 3) == float(row["duration_s"])
        path = run / "transcripts" / f"{row['recording']}.json"
        if path.is_file():
            spans = json.loads(path.read_text())["ledger"]
            assert [(str(one["start"]), str(one["end"]), one["kind"], one.get("reason", "")) for one in spans] == [
                (one["start"], one["end"], one["kind"], one["reason"]) for one in found[row["recording"]]
            ]
    return found


def seconds_of(rows: list[dict[str, str]]) -> dict[str, float]:
    """Seconds by kind and reason, such as ``no_speech/silence``, of the rows of a ledger."""
    sums: dict[str, float] = {}
    for row in rows:
        name = "/".join(filter(None, (row["kind"], row["reason"])))
        sums[name] = sums.get(name, 0.0) + (int(row["end"]) - int(row["start"])) / 16_000
    return sums


def share_with_words(rows: list[dict[str, str]], pcm: np.ndarray) -> tuple[float, float]:
    """How much of what is to be heard in a recording the ledger calls speech with words, and how much of its silence.

    ``pcm``: int16 at 16 kHz; what is louder than -50 dBFS over 30 ms is to be heard.
    """
    frames = pcm[: len(pcm) // 480 * 480].astype(float).reshape(-1, 480)
    is_heard = np.sqrt((frames**2).mean(axis=1)) > 32768 * 10 ** (-50 / 20)
    has_words = np.zeros(frames.shape, bool).ravel()
    for row in rows:
        if row["kind"] == "speech_with_words":
            has_words[int(row["start"]) : int(row["end"])] = True
    share = has_words.reshape(frames.shape).mean(axis=1)
    return float(share[is_heard].mean()), float(share[~is_heard].mean())


def second_model(folder: Path, base: Path) -> None:
    """Whisper base under another name and with another hash: the same weights, and a space in its config."""
    folder.mkdir()
    for name in ("model.bin", "tokenizer.json", "vocabulary.txt"):
        (folder / name).symlink_to((base / name).resolve())
    (folder / "config.json").write_text((base / "config.json").read_text() + " ")
