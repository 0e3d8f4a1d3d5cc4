"""Builds the Snakemake command line that ``make run`` and ``audiogrid run`` print and start."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import yaml

from audiogrid.core.errors import InputError
from audiogrid.remote.address import is_remote, parse_public

SAMPLES_RUN = "samples"
PROFILE = "profiles/local"
_TABLES = {".tsv", ".csv"}
_GLOB_CHARACTERS = re.compile(r"[*?\[]")
# Characters that need no escape in a double-quoted YAML scalar. PyYAML refuses or folds others, such as lone surrogates
# (bytes of a file name that are not UTF-8) and line separators.
_PLAIN = re.compile(r"[ !#-\[\]-~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


# Strings that Snakemake reads as they are without quotes, except for the words below.
_SIMPLE = re.compile(r"(\.{0,2}/)?[A-Za-z_][\w./-]*", re.ASCII)
_NOT_STRINGS = {"true", "false", "yes", "no", "on", "off", "nan", "inf", "infinity", "null", "none"}


def quote_config_value(text: str, *, always: bool = False) -> str:
    """Returns ``text`` quoted so that ``--config key=value`` reads it as exactly this string.

    Snakemake strips quotes from both ends of a value and then tries int, float, bool and YAML on it:
    ``1.0``, ``a: b`` or ``[x]`` would become something else. A double-quoted YAML scalar stays a
    string, whatever it holds, and blanks around it keep its quotes. ``always``: quote simple strings, too.
    """
    if not always and _SIMPLE.fullmatch(text) and text.lower() not in _NOT_STRINGS:
        return text

    def spell(character: str) -> str:
        if character in '"\\':
            return "\\" + character
        if _PLAIN.match(character):
            return character
        code = ord(character)
        return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"

    return ' "' + "".join(map(spell, text)) + '" '


def run_name(recordings: str) -> str:
    """A safe name under ``results/`` for a folder, glob or table; ``samples`` for none.

    ``/data/My talks/`` gives ``My_talks``, ``/data/talks/*.mp3`` gives ``talks``, ``calls.tsv`` gives ``calls``.
    """
    if not recordings:
        return SAMPLES_RUN
    if is_remote(recordings):
        address = parse_public(recordings)
        path = Path("/", address.bucket, address.key)
    else:
        path = Path(recordings)
    if _GLOB_CHARACTERS.search(str(path)) and not path.exists():
        parts = path.parts
        fixed = next(i for i, part in enumerate(parts) if _GLOB_CHARACTERS.search(part))
        path = Path(*parts[:fixed])
    # Only where needed: resolve() would replace the name of a link. `.` and `..` have no name of their own.
    if path.name in ("", "..") or ".." in path.parts:
        path = path.resolve()
    name = path.stem if path.suffix.lower() in _TABLES else path.name
    # Accents are removed: `Gespräche` gives `Gesprache`. Names in other scripts would be empty; they get a hash below.
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    safe = re.sub(r"[^\w.-]+", "_", plain, flags=re.ASCII).strip("._-")[:80]
    if safe or not name:
        return safe or "recordings"
    return f"recordings-{hashlib.sha256(name.encode(errors='surrogatepass')).hexdigest()[:6]}"


def run_name_of(sources: Sequence[str]) -> str:
    """Returns ``run_name`` of one source; of several, that of the folder they share (``talks/*.mp3``: ``talks``)."""
    if len(sources) == 1:
        return run_name(sources[0])
    if not sources or any(is_remote(source) for source in sources):
        return run_name(sources[0]) if sources else SAMPLES_RUN
    return run_name(os.path.commonpath([Path(source).absolute().parent for source in sources]))


def free_run_name(recordings: str | Sequence[str], results: Path) -> str:
    """Returns ``run_name_of``, with a hash appended if a run of other recordings has that name already.

    ``/a/talks`` and ``/b/talks`` must not write into one folder. ``run_config.yaml`` says what a run
    transcribed; a folder without one belongs to no run.
    """
    sources = _sources(recordings)
    name = run_name_of(sources)
    try:
        used = yaml.safe_load((results / name / "run_config.yaml").read_text())["config"]["recordings"]
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return name
    if not sources or not isinstance(used, str | list) or _places(_sources(used)) == _places(sources):
        return name
    return f"{name}-{hashlib.sha256(_places(sources).encode(errors='surrogatepass')).hexdigest()[:6]}"


def _sources(recordings: str | Sequence[str]) -> list[str]:
    if isinstance(recordings, str):
        return [recordings] if recordings else []
    return [str(source) for source in recordings]


def _places(sources: Sequence[str]) -> str:
    """Absolute paths, a line each; a glob's characters are left as they are."""
    return "\n".join(
        parse_public(source).public if is_remote(source) else str(Path(source).absolute()) for source in sources
    )


def parse_words(text: str) -> list[str]:
    """Returns the words of ``ARGS`` of make. Raises ``InputError`` when a quote is not closed."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise InputError(f"ARGS={text!r} cannot be read: {error}. Quote it like words on a command line") from error


def split_arguments(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Splits words into arguments for Snakemake and the values of its ``--config`` options.

    Snakemake keeps only the last ``--config``, so that those of the user have to be joined with ours.
    """
    arguments: list[str] = []
    config: list[str] = []
    in_config = False
    for word in words:
        if word in ("--config", "-C"):
            in_config = True
        elif word.startswith("--config="):
            config.append(word.removeprefix("--config="))
            in_config = True
        elif in_config and not word.startswith("-") and "=" in word:
            config.append(word)
        else:
            in_config = False
            arguments.append(word)
    return arguments, config


def has_config_file(arguments: Sequence[str]) -> bool:
    """Whether ``--configfile`` is among the arguments of Snakemake."""
    return any(word.split("=")[0] in ("--configfile", "--configfiles") for word in arguments)


def snakemake_arguments(
    recordings: str | Sequence[str],
    run: str,
    words: Sequence[str],
    results: Path = Path("results"),
    start: Sequence[str] = ("--profile", PROFILE),
) -> list[str]:
    """Returns the arguments of the ``snakemake`` that transcribes ``recordings`` (none: what the configuration says).

    ``words``: further arguments of Snakemake. ``start``: workflow and profile. With a ``--configfile`` in ``words``
    and neither recordings nor a name, that file decides both.
    """
    arguments, config = split_arguments(words)
    sources = _sources(recordings)
    for source in sources:
        if is_remote(source):
            parse_public(source)
    ours: list[str] = []
    if sources:
        ours.append(f"recordings={quote_sources(sources)}")
    if run or not has_config_file(arguments):
        ours.append(f"run={quote_config_value(run or free_run_name(sources, results))}")
    return [*start, *arguments, *config_tail([*ours, *config])]


def quote_sources(sources: Sequence[str]) -> str:
    """Returns one source, or a list of several, spelt as a value of ``--config``."""
    if len(sources) == 1:
        return quote_config_value(sources[0])
    return f"[{', '.join(quote_config_value(source, always=True).strip() for source in sources)}]"


def config_tail(values: Sequence[str]) -> list[str]:
    """Returns ``--config`` and its values. It has to come last: it takes all words after it, targets too."""
    return ["--config", *values] if values else []
