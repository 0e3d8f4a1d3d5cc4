"""Reads a glossary: terms that recordings may contain, how they sound, in which languages, and forms never to write."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from audiogrid.core.errors import InputError
from audiogrid.core.language_codes import AUTO, check_language, normalise_language
from audiogrid.core.text import clean_text, comparison_form

#: Columns of a glossary: name and meaning. docs/glossary.md lists them (``make docs``).
COLUMNS = {
    "term": "the term as it is to be written, of one to six words",
    "sounds": "how it sounds, spelt as somebody might mishear it; several are separated by `|`",
    "languages": "codes of the languages in which it occurs, separated by commas; empty: all",
    "never": "forms that must never be written; several are separated by `|`",
}
#: A longer file is none that a person has written.
MOST_BYTES = 20_000_000
MOST_TERMS = 200_000
MOST_WORDS = 6
#: Letters of a term or of a form of it.
LONGEST = 100
_LEAST_LETTERS = 2


@dataclass(frozen=True)
class Term:
    """A term. ``sounds``: other spellings of what is heard; ``languages``: empty for all; ``never``: forms to avoid."""

    text: str
    sounds: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    never: tuple[str, ...] = ()


@dataclass(frozen=True)
class Glossary:
    """``terms``: each once, in the order of the file. ``remarks``: sentences on lines that have no effect."""

    terms: tuple[Term, ...]
    remarks: tuple[str, ...] = ()


def read_glossary(path: Path) -> Glossary:
    """Returns the terms of a file.

    A table with tabs whose first line names the columns; without such a line, a term a line. Where another line names
    columns (a table was added at the end), they are those of the lines after it. Empty lines and those that begin with
    ``#`` are left out. Raises ``InputError`` that names file and line.
    """
    text = _text(path)
    # Other characters at which `splitlines` splits begin no line in an editor.
    every = enumerate(re.split(r"\r\n|\r|\n", text), 1)
    lines = [(number, line) for number, line in every if _has_content(line)]
    if not lines:
        raise InputError(f"{path} has no terms: write one a line, or leave the key glossary empty")
    columns = _columns(path, *lines[0])
    terms: dict[str, Term] = {}
    remarks: list[str] = []
    for number, line in lines if columns is None else lines[1:]:
        if _is_header(line):
            columns = _columns(path, number, line)
            continue
        term = _term(path, number, _cells(line, columns or ["term"]))
        if len(comparison_form(term.text)) < _LEAST_LETTERS:
            remarks.append(f"line {number}: {term.text!r} is too short to be told from other words, and is not used")
            continue
        known = terms.get(term.text)
        terms[term.text] = term if known is None else _joined(known, term)
    if not terms:
        raise InputError(f"{path} has no terms that can be used: {'; '.join(remarks) or 'only a first line'}")
    if len(terms) > MOST_TERMS:
        raise InputError(f"{path} has {len(terms):,} terms; at most {MOST_TERMS:,} can be used")
    _check_never(path, terms.values())
    return Glossary(tuple(terms.values()), tuple(remarks))


def _text(path: Path) -> str:
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise InputError(f"{path} is no ordinary file: several jobs read the glossary, so it has to stay")
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path} has more than {MOST_BYTES // 1_000_000} MB: a glossary is a list of terms")
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: correct the key glossary, or leave it empty") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder: the key glossary names a file") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error})") from None
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(f"{path}, line {line}: it is not UTF-8 text; save it as UTF-8") from None
    if "\0" in text:
        raise InputError(f"{path} is not a text")
    return text


def _has_content(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _is_header(line: str) -> bool:
    """Whether a line in the middle of a file names columns: two at least, since ``term`` alone may be a term."""
    names = [name.strip().lower() for name in line.split("\t")]
    return len(names) > 1 and "term" in names and COLUMNS.keys() >= set(names)


def _columns(path: Path, number: int, line: str) -> list[str] | None:
    """Returns the names of the columns, or ``None`` where the first line is a term already."""
    names = [name.strip().lower() for name in line.split("\t")]
    if "term" not in names:
        if len(names) > 1:
            raise InputError(
                f"{path}, line {number}: the first line of a table names its columns, among them term "
                f"(known: {', '.join(COLUMNS)})"
            )
        if set(re.split("[,;]", names[0].replace(" ", ""))) & COLUMNS.keys() > {"term"}:
            raise InputError(f"{path}, line {number}: separate the columns by tabs: a term may have commas")
        return None
    for name in names:
        if name not in COLUMNS:
            raise InputError(f"{path}, line {number}: unknown column {name!r} (known: {', '.join(COLUMNS)})")
    if len(set(names)) < len(names):
        raise InputError(f"{path}, line {number}: a column occurs twice")
    return names


def _cells(line: str, columns: Sequence[str]) -> dict[str, str]:
    cells = line.split("\t")
    found = dict(zip(columns, cells, strict=False))
    rest = [cell for cell in cells[len(columns) :] if cell.strip()]
    return {**found, "": "\t".join(rest)} if rest else found


def _term(path: Path, number: int, cells: dict[str, str]) -> Term:
    where = f"{path}, line {number}"
    if "" in cells:
        raise InputError(f"{where}: {cells['']!r} has no column")
    text = _line(cells.get("term", ""))
    if not text:
        raise InputError(f"{where}: the column term is empty")
    if len(text) > LONGEST or len(text.split()) > MOST_WORDS:
        raise InputError(f"{where}: {text[:40]!r}… is no term: at most {MOST_WORDS} words and {LONGEST} letters")
    languages = tuple(normalise_language(code) for code in cells.get("languages", "").split(",") if code.strip())
    for code in languages:
        if code == AUTO or (wrong := check_language(code)):
            raise InputError(f"{where}: languages: {wrong if code != AUTO else 'leave it empty for all languages'}")
    return Term(text, tuple(_several(cells.get("sounds", ""))), languages, tuple(_several(cells.get("never", ""))))


def _line(text: str) -> str:
    return " ".join(clean_text(text).split())


def _several(cell: str) -> Iterator[str]:
    yield from dict.fromkeys(text for part in cell.split("|") if comparison_form(text := _line(part)[:LONGEST]))


def _joined(one: Term, other: Term) -> Term:
    """Returns a term that two lines have, with what both say about it."""
    languages = (*one.languages, *other.languages) if one.languages and other.languages else ()
    return replace(
        one,
        sounds=tuple(dict.fromkeys([*one.sounds, *other.sounds])),
        languages=tuple(dict.fromkeys(languages)),
        never=tuple(dict.fromkeys([*one.never, *other.never])),
    )


def _check_never(path: Path, terms: Iterable[Term]) -> None:
    """Raise ``InputError`` where a form that must never be written is a term itself."""
    every = list(terms)
    texts = {term.text for term in every}
    for term in every:
        for form in term.never:
            if form in texts:
                raise InputError(f"{path}: {form!r} must never be written instead of {term.text!r}, but is a term, too")
