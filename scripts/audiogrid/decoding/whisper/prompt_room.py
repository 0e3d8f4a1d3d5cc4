"""How much of hotwords and prompt the model reads: both share half of its text context, and the rest is cut off."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TypeVar

#: Tokens of text that Whisper has room for, what it writes included.
CONTEXT = 448
# Names of words that a sentence quotes from each end of a list.
_QUOTED = 2

Token = TypeVar("Token")


def room_for_prompt(start_tokens: int, context: int = CONTEXT) -> int:
    """Returns how many tokens of hotwords and prompt fit. ``start_tokens``: tokens that start a transcript."""
    # The other half of the context is kept for the text; two tokens are faster-whisper's own.
    return context // 2 - 1 - start_tokens - 2


def fitting(hotwords: Sequence[Token], prompt: Sequence[Token], room: int) -> tuple[list[Token], list[Token]]:
    """Returns the tokens that fit: the first ones of the hotwords, then the last ones of the prompt."""
    first = list(hotwords[:room])
    left = room - len(first)
    return first, list(prompt[len(prompt) - left :] if len(prompt) > left else prompt)


def _entries(text: str) -> list[tuple[str, int]]:
    """Returns the hotwords, parted by commas if there are any, else by spaces, each with its end in the text."""
    pattern = r"[^,;，；、\n]+" if re.search(r"[,;，；、\n]", text) else r"\S+"
    return [(match[0].strip(), match.end()) for match in re.finditer(pattern, text) if match[0].strip()]


def _shortened(names: Sequence[str]) -> str:
    if len(names) <= 2 * _QUOTED:
        return ", ".join(names)
    return f"{', '.join(names[:_QUOTED])} ... {', '.join(names[-_QUOTED:])}"


def prompt_remarks(
    encode: Callable[[str], list[int]], decode: Callable[[list[int]], str], room: int, prompt: str, hotwords: str
) -> list[str]:
    """Returns a sentence for hotwords, and one for a prompt, that the model does not read in full."""
    hotwords, prompt = hotwords.strip(), prompt.strip()
    hot = encode(" " + hotwords) if hotwords else []
    previous = encode(" " + prompt) if prompt else []
    kept_hot, kept_previous = fitting(hot, previous, room)
    limit = f"the model reads {room} tokens of hotwords and prompt together"
    remarks = []
    if len(kept_hot) < len(hot):
        # A letter of several tokens may be cut in the middle.
        read = len(decode(kept_hot).rstrip("\ufffd").removeprefix(" "))
        entries = _entries(hotwords)
        left_out = [name for name, end in entries if end > read]
        remarks.append(
            f"hotwords: {len(entries) - len(left_out)} of {len(entries)} are used, {limit}; "
            f"not used: {_shortened(left_out)}; shorten the list, the important ones first"
        )
    if len(kept_previous) < len(previous):
        words = prompt.split()
        used = len(decode(kept_previous).split()) if kept_previous else 0
        advice = "shorten it or the hotwords, which go first" if hot else "shorten it"
        remarks.append(f"prompt: the last {used} of {len(words)} words are used, {limit}; {advice}")
    return remarks


@cache
def remarks_for_model(folder: Path, prompt: str, hotwords: str) -> tuple[str, ...]:
    """Returns the ``prompt_remarks`` of the model in ``folder``; none where it has no tokenizer of its own."""
    if not (prompt.strip() or hotwords.strip()) or not (folder / "tokenizer.json").is_file():
        return ()
    from tokenizers import Tokenizer

    from audiogrid.models.languages import known_languages

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    # English-only models start with one token, others with three: start, language, task.
    room = room_for_prompt(1 if known_languages(folder) == {"en"} else 3)

    def encode(text: str) -> list[int]:
        return list(tokenizer.encode(text, add_special_tokens=False).ids)

    return tuple(prompt_remarks(encode, tokenizer.decode, room, prompt, hotwords))
