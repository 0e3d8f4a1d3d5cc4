"""Speed and memory of ``split``: one long stereo MP3 to chunks, on one core, everything included.

    .venv/bin/python benchmarks/split.py              1 h, seven runs, median seconds and peak memory
    .venv/bin/python benchmarks/split.py --hours 10 --runs 1
    .venv/bin/python benchmarks/split.py --channels split

The recording is synthesised speech (44.1 kHz, two channels, 128 kbit/s), made once and kept in
``bench-data/``. Its file is in the page cache, as it is for a job that has just
been given its input; ``split`` waits for its output to reach the disk.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "bench-data"
RATE = 44_100
CHUNK_MINUTES = 5

SENTENCES = [
    "The committee met on Tuesday and agreed on almost everything that had been left open in the spring.",
    "Nobody had expected that the river would rise so quickly, and yet the bridges held.",
    "If you look at the second column, you will see that the costs fell by a third.",
    "We walked for hours through the old part of the town, past markets, workshops and quiet courtyards.",
    "She asked whether the experiment could be repeated with a larger sample, and he said that it could.",
    "Most of the trains were late that morning.",
    "In the archive there are letters, maps, and a great many photographs that no one has ever described.",
    "The recipe is simple: flour, water, salt, and a good deal of patience.",
    "After the break, the speaker returned to the question with which she had begun.",
    "Perhaps the most surprising result is that the smaller of the two engines used more fuel.",
    "They repaired the roof before the winter came, but the windows had to wait until May.",
    "Every measurement was taken twice, once in the morning and once at night.",
]


def spoken_sentences() -> list[np.ndarray]:
    """Returns each sentence in four readings: int16 at 44.1 kHz."""
    from hibari import Hibari

    found = []
    for voice in ("heart", "michael"):
        try:
            speaker = Hibari(voice=voice)
        except (KeyError, ValueError, FileNotFoundError):
            speaker = Hibari()
        for seed in (1, 2):
            for sentence in SENTENCES:
                sound = speaker(sentence, speed=1.0 + 0.1 * (seed - 1), seed=seed)
                count = len(sound) * RATE // speaker.sample_rate
                at = np.arange(count) * speaker.sample_rate / RATE
                found.append((np.interp(at, np.arange(len(sound)), sound) * 20_000).astype(np.int16))
    return found


def make_recording(hours: float) -> Path:
    """Returns a stereo MP3 of ``hours``; beyond one hour, the first hour is repeated packet by packet."""
    path = DATA / f"split-{hours:g}h.mp3"
    if path.exists():
        return path
    DATA.mkdir(exist_ok=True)
    unfinished = path.with_suffix(".part")
    if hours > 1:
        repeat_recording(make_recording(1), unfinished, hours)
    else:
        speak_recording(unfinished, hours)
    unfinished.replace(path)
    return path


def repeat_recording(source: Path, path: Path, hours: float) -> None:
    """Writes the packets of ``source`` again and again, with continuous times."""
    import av

    with av.open(str(path), "w", format="mp3") as container:
        stream, end = None, 0
        while True:
            with av.open(str(source)) as original:
                if stream is None:
                    stream = container.add_stream_from_template(original.streams.audio[0])
                offset = end
                for packet in original.demux(audio=0):
                    if packet.pts is None:
                        continue
                    packet.pts += offset
                    packet.dts = packet.pts
                    end = packet.pts + packet.duration
                    if float(end * packet.time_base) > hours * 3600:
                        return
                    packet.stream = stream
                    container.mux(packet)


def speak_recording(path: Path, hours: float) -> None:
    """Writes sentences in random order with pauses of 0.15 to 1.2 s and a little noise, panned left and right."""
    import av

    random = np.random.default_rng(1)
    sentences = spoken_sentences()
    with av.open(str(path), "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=RATE, layout="stereo", bit_rate=128_000)
        done, total = 0, round(hours * 3600 * RATE)
        while done < total:
            sentence = sentences[random.integers(len(sentences))]
            pause = np.zeros(round(random.uniform(0.15, 1.2) * RATE), dtype=np.int16)
            mono = np.concatenate([sentence, pause])[: total - done]
            pan = random.uniform(0.5, 1.0)
            hiss = random.integers(-30, 30, (len(mono), 2))
            stereo = (np.stack([mono * pan, mono * (1.5 - pan)], axis=1) + hiss).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(stereo.reshape(1, -1), format="s16", layout="stereo")
            frame.sample_rate, frame.pts = RATE, done
            container.mux(stream.encode(frame))
            done += len(mono)
        container.mux(stream.encode(None))


def write_spec(path: Path, hours: float, channels: str) -> Path:
    """Writes the spec of one recording that ``scripts/split.py`` reads. Returns its path."""
    facts = path.stat()
    recording = {
        "recording": "talk",
        "path": str(path),
        "size": facts.st_size,
        "mtime_ns": facts.st_mtime_ns,
        "channels_mode": channels,
        "duration": round(hours * 3600 * 16_000),
        "chunks": round(hours * 60 / CHUNK_MINUTES),
    }
    spec = DATA / "split-spec.json"
    spec.write_text(json.dumps({"bundle": "b0001", "recordings": [recording]}))
    return spec


def measure(spec: Path, core: int) -> tuple[float, float, float]:
    """Runs the command pinned to ``core``. Returns wall seconds, CPU seconds and peak memory in MB."""
    output = DATA / "split-chunks"
    shutil.rmtree(output, ignore_errors=True)
    command = [sys.executable, str(ROOT / "scripts" / "split.py"), "--spec", str(spec), "--output", str(output)]
    started = time.perf_counter()
    process = subprocess.Popen(command, preexec_fn=lambda: os.sched_setaffinity(0, {core}), stderr=subprocess.PIPE)
    # Not from getrusage: its peak counts what this process held when it forked.
    memory = 0.0
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        memory = max(memory, peak_memory(process.pid))
        time.sleep(0.01)
    wall = time.perf_counter() - started
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.stderr is not None
    if process.returncode:
        raise SystemExit(f"split failed: {process.stderr.read().decode()}")
    process.stderr.close()
    return wall, usage.ru_utime + usage.ru_stime, memory


def peak_memory(pid: int) -> float:
    """Returns the peak resident memory of a process in MB so far; 0 when it has just ended."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--channels", choices=["mix", "split"], default="mix")
    parser.add_argument("--core", type=int, default=min(os.sched_getaffinity(0)))
    options = parser.parse_args()
    path = make_recording(options.hours)
    with path.open("rb") as file:
        while file.read(1 << 20):
            pass
    spec = write_spec(path, options.hours, options.channels)
    results = [measure(spec, options.core) for _ in range(options.runs)]
    manifest = json.loads((DATA / "split-chunks" / "manifest.json").read_text())
    kinds = [chunk["right"]["kind"] for chunk in manifest["chunks"]]
    wall, cpu, memory = zip(*results, strict=True)
    print(f"{options.hours:g} h stereo MP3, channels: {options.channels}, one core, {options.runs} runs")
    print(f"wall    median {statistics.median(wall):.2f} s  (least {min(wall):.2f}, most {max(wall):.2f})")
    print(f"cpu     median {statistics.median(cpu):.2f} s")
    print(f"memory  peak {max(memory):.0f} MB")
    print(f"chunks  {len(kinds)}, seams: " + ", ".join(f"{kinds.count(k)} {k}" for k in sorted({*kinds} - {"edge"})))
    shutil.rmtree(DATA / "split-chunks")


if __name__ == "__main__":
    main()
