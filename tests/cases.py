"""Runs the scripts of a folder of cases (``make cases CASES=folder``) and judges what audiogrid does.

``cases.py FOLDER [NAME...]``. A case is a script, ``name.sh`` or ``name.py``, that makes an awkward input in the folder
that is its only argument. The scripts are not part of this repository, since most need tools that few machines have
(espeak-ng, ffmpeg, sox, recorded prompts); ``JUDGES`` says what is right, by the scripts' names. Every case has a copy
of the clone to itself. A case whose tools are missing is skipped. Exit code 1 if one fails, 2 if there are none.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "scripts")]

from places import ROOT  # noqa: E402
from runs import table  # noqa: E402

_CLONED = ("workflow", "scripts", "config", "profiles", "samples", "Makefile", "pyproject.toml", "constraints.txt",
           "environment.yml", "README.md")  # fmt: skip
_TOOLS = ("espeak-ng", "ffmpeg", "sox", "setpriv")
_TIMEOUT = 1_200
_USAGE = (
    "Name a folder of cases: make cases CASES=folder. A case is a script (name.sh or name.py) that makes an awkward "
    "input in the folder that is its argument. This repository has the judges of known cases, not the scripts: see "
    "tests/cases.py."
)


class FailedError(Exception):
    """What is wrong about a case."""


@dataclass(frozen=True)
class Clone:
    """A copy of the clone for one case; ``script`` is the case's, ``made`` the folder for what it makes."""

    path: Path
    script: Path

    @property
    def made(self) -> Path:
        return self.path / "made"

    def start(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """The case's script; both outputs are in ``stdout``."""
        program = [sys.executable] if self.script.suffix == ".py" else ["sh"]
        return self.command(*program, self.script, *arguments)

    def command(self, *argv: object) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        return subprocess.run(
            [str(part) for part in argv],
            cwd=self.path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )

    def make(self) -> None:
        """Make the case's input in ``made``."""
        done = self.start(self.made)
        expect(done.returncode == 0, f"the script ends with {done.returncode}: {done.stdout[-300:]}")

    def run(self, name: str = "case", **config: object) -> str:
        """A run over what was made; returns what it printed."""
        config = {"run": name, "recordings": self.made, **config}
        settings = [f"{key}={value}" for key, value in config.items()]
        done = self.command("snakemake", "--profile", "profiles/local", "--config", *settings)
        expect(done.returncode == 0, f"the run ends with {done.returncode}: {done.stdout[-300:]}")
        return done.stdout

    def text(self, recording: str, run: str = "case") -> str:
        return (self.path / "results" / run / "transcripts" / f"{recording}.txt").read_text(encoding="utf-8").lower()

    def document(self, recording: str, run: str = "case") -> dict[str, object]:
        return json.loads((self.path / "results" / run / "transcripts" / f"{recording}.json").read_text())

    def row(self, recording: str, run: str = "case") -> dict[str, str]:
        return next(r for r in table(self.path / "results" / run / "summary.tsv") if r["recording"] == recording)


def expect(condition: object, sentence: str) -> None:
    if not condition:
        raise FailedError(sentence)


def _said(text: str, *words: str) -> list[str]:
    """Which of ``words`` are missing in a text."""
    return [word for word in words if word not in text]


def dual_mono_split(clone: Clone) -> str:
    clone.make()
    clone.run(channels="split")
    for name in sorted(path.stem for path in (clone.path / "results/case/transcripts").glob("*.txt")):
        count = clone.text(name).count("electricity")
        expect(count == 1, f"{name}: the sentence is there {count} times")
        expect(
            re.search(r"same|copy|equal", clone.row(name)["note"]), f"{name}: no note that the channels are the same"
        )
    return "each sentence once, with a note"


def hotwords_too_many(clone: Clone) -> str:
    done = clone.start()
    expect(done.returncode == 0, f"the run ends with {done.returncode}")
    line = next((line for line in done.stdout.splitlines() if "hotwords" in line and "token" in line), "")
    expect(line, "not a word about hotwords that are not used")
    return line.strip()[:150]


def korean_spaces(clone: Clone) -> str:
    from audiogrid.export.formats import render_all

    document = json.loads(subprocess.run([sys.executable, clone.script], capture_output=True, check=True).stdout)
    rendered = render_all(document, ["txt", "srt"])
    right = "네 알겠습니다 내일 다시 만나요 감사합니다"
    for name, content in rendered.items():
        expect(right in " ".join(str(content).split()), f"{name}: {str(content)!r}")
    return "spaces between segments and inside cues"


def language_tags(clone: Clone) -> str:
    codes = {
        "English": "en",
        "german": "de",
        "en-US": "en",
        "pt_BR": "pt",
        "zh-CN": "zh",
        "eng": "en",
        "EN": "en",
        "jp": "ja",
    }
    found = re.findall(r"^(\S+):\n(.*(?:\n .*)*)", clone.start().stdout, re.M)
    expect({name for name, _ in found} == set(codes), f"answers for {[name for name, _ in found]} only")
    for name, answer in found:
        named = re.search(rf"'{codes[name]}'", answer)
        expect("understood" in answer or named, f"{name}: {answer.strip()[:100]}")
    return "all understood, or answered with the right code"


def mixed_languages(clone: Clone) -> str:
    from speech import word_error_rate

    clone.make()
    reference = (clone.made / "mixed.reference.txt").read_text()
    seconds = []
    for name in ("mixed1", "mixed2"):
        began = time.monotonic()
        clone.run(name, store=f"results/{name}.store", recordings=clone.made / "mixed.wav")
        seconds.append(time.monotonic() - began)
    texts = [clone.text("mixed", name) for name in ("mixed1", "mixed2")]
    wrong = 100 * word_error_rate(reference, texts[0], "other")
    expect(texts[0] == texts[1], f"two runs give two texts ({wrong:.1f} % wrong)")
    expect(wrong < 27, f"{wrong:.1f} % of the words are wrong")
    return f"{wrong:.1f} % wrong, the same text twice, {seconds[0]:.0f} and {seconds[1]:.0f} s"


def mp3_with_inner_tag(clone: Clone) -> str:
    clone.make()
    clone.run()
    missing = _said(clone.text("episode"), "gardens", "bakery", "apple trees")
    expect(not missing, f"{missing} are missing")
    row = clone.row("episode")
    expect(row["status"] == "complete", f"status {row['status']}: {row['note']}")
    return "all three sentences, complete"


def mtime_triggers(clone: Clone) -> str:
    done = clone.start()
    expect(done.returncode == 0, f"ends with {done.returncode}: the new recording has no transcript")
    return "the new recording is transcribed"


def quiet_second_speaker(clone: Clone) -> str:
    clone.make()
    clone.run()
    lost, untold = [], []
    for line in (clone.made / "expected.tsv").read_text().splitlines():
        name, sentence = line.removesuffix("\n").split("\t")
        text = clone.text(Path(name).stem)
        words = re.findall(r"[a-z]+", sentence.lower())
        if sum(word in text for word in words) < 0.6 * len(words):
            lost.append(name)
            if int(clone.row(Path(name).stem)["flagged"] or 0) == 0:
                untold.append(name)
    expect(
        len(lost) <= 2 and not untold, f"{len(lost)} of 10 far sentences are lost, {len(untold)} of them not flagged"
    )
    return f"{10 - len(lost)} of 10 far sentences are there, the others are flagged"


def run_elsewhere(clone: Clone) -> str:
    done = clone.start(clone.path, clone.path / "samples")
    expect("exit code 0" in done.stdout, f"the second run fails: {done.stdout[-300:]}")
    expect(".txt" in done.stdout.rpartition("exit code")[2], "no transcripts in the other folder")
    return "transcripts in the other folder"


def second_audio_track(clone: Clone) -> str:
    clone.make()
    clone.run()
    rows = table(clone.path / "results/case/summary.tsv")
    expect(len(rows) == 2, f"{len(rows)} recordings")
    for row in rows:
        missing = _said(clone.text(row["recording"]), "library", "old books")
        expect(not missing, f"{row['recording']}: {missing} are missing; note {row['note']!r}")
        expect("track" in row["note"], f"{row['recording']}: not told which track was taken")
    return f"the microphone is heard: {rows[0]['note']}"


def shared_store(clone: Clone) -> str:
    expect(os.geteuid() == 0, "must be run as root")
    done = clone.start(_one_sample(clone))
    expect(done.returncode == 0, f"the second user's run ends with {done.returncode}: {done.stdout[-300:]}")
    return "the second user has transcripts"


def _one_sample(clone: Clone) -> Path:
    folder = clone.path / "one"
    folder.mkdir()
    media = [
        path for path in (clone.path / "samples").rglob("*") if path.suffix in (".wav", ".mp3", ".flac", ".ogg", ".m4a")
    ]
    shutil.copy2(min(media, key=lambda path: path.stat().st_size), folder)
    return folder


def ts_timestamp_jump(clone: Clone) -> str:
    clone.make()
    clone.run()
    told = []
    for name in ("jump_1000", "jump_40000"):
        row = clone.row(name)
        seconds = float(row["duration_s"])
        expect(7 < seconds < 14, f"{name} is {seconds:.0f} s long")
        missing = _said(clone.text(name), "harbo", "mountains")
        expect(not missing, f"{name}: {missing} are missing")
        expect("timestamps jump" in row["note"], f"{name}: no note about its timestamps")
        told.append(f"{seconds:.1f} s")
    return f"{' and '.join(told)}, with a note"


def wav_header_too_short(clone: Clone) -> str:
    clone.make()
    clone.run()
    for name in ("short", "tagged"):
        missing = _said(clone.text(name), "garden", "kitchen", "chimney")
        expect(not missing, f"{name}: {missing} are missing")
    expect("header" in clone.row("short")["note"], "short: no note")
    expect(clone.row("tagged")["status"] == "complete", f"tagged: {clone.row('tagged')['note']}")
    return f"both are whole: {clone.row('short')['note']}"


JUDGES: dict[str, Callable[[Clone], str]] = {
    judge.__name__: judge
    for judge in (
        dual_mono_split,
        hotwords_too_many,
        korean_spaces,
        language_tags,
        mixed_languages,
        mp3_with_inner_tag,
        mtime_triggers,
        quiet_second_speaker,
        run_elsewhere,
        second_audio_track,
        shared_store,
        ts_timestamp_jump,
        wav_header_too_short,
    )
}


def _missing_tool(script: Path) -> str | None:
    text = script.read_text(encoding="utf-8")
    for tool in _TOOLS:
        if tool in text and shutil.which(tool) is None:
            return tool
    if "asterisk" in text and not list(Path("/usr/share/asterisk/sounds").glob("ru_*")):
        return "recorded prompts (asterisk-core-sounds-{en,es,fr,it,ru}-wav)"
    return None


@contextmanager
def _clone(script: Path) -> Iterator[Clone]:
    with tempfile.TemporaryDirectory(prefix="audiogrid-case-") as folder:
        path = Path(folder) / "clone"
        path.mkdir()
        for name in _CLONED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, path / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
            elif source.exists():
                shutil.copy2(source, path / name)
        (path / ".venv").symlink_to(sys.prefix, target_is_directory=True)
        (path / "models").mkdir()
        for model in (ROOT / "models").glob("*"):
            (path / "models" / model.name).symlink_to(model.resolve(), target_is_directory=True)
        yield Clone(path, script)


def main(arguments: list[str]) -> int:
    """Print a verdict per script; 1 if one failed."""
    if not arguments or not arguments[0]:
        print(_USAGE, file=sys.stderr)
        return 2
    folder = Path(arguments[0]).resolve()
    wanted = set(arguments[1:])
    scripts = sorted(path for path in folder.glob("*.*") if path.suffix in (".sh", ".py"))
    if not scripts:
        print(f"{folder} holds no scripts. {_USAGE}", file=sys.stderr)
        return 2
    failed = 0
    for script in scripts:
        name = script.stem
        if wanted and name not in wanted:
            continue
        if name not in JUDGES:
            print(f"?     {name}: nothing here knows what is right")
            continue
        if tool := _missing_tool(script):
            print(f"skip  {name}: needs {tool}")
            continue
        with _clone(script) as clone:
            try:
                verdict, sentence = "ok", JUDGES[name](clone)
            except FailedError as error:
                verdict, sentence = "FAIL", str(error)
            except Exception as error:
                verdict, sentence = "FAIL", f"{type(error).__name__}: {error}"
        failed += verdict == "FAIL"
        print(f"{verdict:5} {name}: {' '.join(sentence.split())}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
