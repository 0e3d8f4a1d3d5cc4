"""Which languages a model knows."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from audiogrid.core.atomic_files import read_json
from audiogrid.core.errors import InputError
from audiogrid.core.language_codes import CODES
from audiogrid.core.visible import is_file
from audiogrid.models.registry import VOCABULARIES, Registry, is_local, is_on_hub

# Tokens of Whisper's first multilingual vocabulary.
_MULTILINGUAL_TOKENS = 51_865


def is_english_only(value: str, registry: Registry) -> bool:
    """Whether a configured model is known to be English-only before it is staged."""
    if is_local(value, registry):
        folder = Path(value).expanduser()
        return any(is_file(folder / name) for name in VOCABULARIES) and known_languages(folder) == {"en"}
    if is_on_hub(value, registry):
        return False
    return not registry.get(value).multilingual


def known_languages(folder: Path) -> frozenset[str]:
    """Codes of the languages of the model in ``folder``, by the size of its vocabulary, as in Whisper's own code.

    Below 51,865 tokens: English only; exactly so many: without Cantonese, which came with large-v3.
    Raises ``InputError`` when the folder has no vocabulary.
    """
    tokens = _vocabulary_size(folder)
    if tokens < _MULTILINGUAL_TOKENS:
        return frozenset({"en"})
    return frozenset(CODES) - ({"yue"} if tokens == _MULTILINGUAL_TOKENS else set())


def _vocabulary_size(folder: Path) -> int:
    is_json = is_file(folder / "vocabulary.json")
    file = folder / ("vocabulary.json" if is_json else "vocabulary.txt")
    try:
        state = file.stat()
        return _count_tokens(file.absolute(), (state.st_ino, state.st_size, state.st_mtime_ns))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"the vocabulary of the model in {folder} cannot be read ({error}): stage it again") from error


@lru_cache(maxsize=64)
def _count_tokens(file: Path, _: tuple[int, int, int]) -> int:
    """Returns the number of tokens in a file. The service asks for every recording; an unchanged file is read once."""
    if file.suffix == ".json":
        return len(read_json(file))
    with file.open("rb") as lines:
        return sum(1 for _ in lines)
