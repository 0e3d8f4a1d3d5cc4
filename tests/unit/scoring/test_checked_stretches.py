"""What a person has checked as a reference: where it is, what it says, and what the model had said."""

from __future__ import annotations

from typing import Any

from audiogrid.corrections.apply_passages import apply_passages
from audiogrid.corrections.entries import Passage
from audiogrid.scoring.checked_stretches import checked_stretches, checked_text, cut_to, own_text


def document(text: str) -> dict[str, Any]:
    """A word a second."""
    words = [
        {"start": float(n), "end": n + 0.5, "word": f" {word}", "probability": 0.9}
        for n, word in enumerate(text.split())
    ]
    segment = {
        "start": 0.0,
        "end": words[-1]["end"],
        "text": text,
        "words": words,
        "chunk": "talk.0000",
        "language": "en",
    }
    whole = {"recording": "talk", "language": "en", "duration": words[-1]["end"] + 0.5}
    return {**whole, "segments": [segment], "provenance": {"chunks": []}}


def passage(start: float, end: float, was: str, text: str) -> Passage:
    return Passage(start, end, was, text, when=f"{start:04}")


TEXT = " ".join(f"w{n}" for n in range(100))


def test_corrections_near_each_other_make_a_stretch() -> None:
    found = apply_passages(
        document(TEXT),
        [
            passage(5, 5.5, "w5", "five"),
            passage(10, 11.5, "w10 w11", "ten and eleven"),
            passage(20, 20.5, "w20", ""),
            passage(30, 30.5, "w30", "w30"),
            # Alone: nothing is known of the words around it.
            passage(90, 90.5, "w90", "ninety"),
        ],
    )
    assert found.unfit == []
    (stretch,) = checked_stretches(found.document)
    assert stretch == (5.0, 30.5)
    wanted = TEXT.replace("w5 ", "five ").replace("w10 w11", "ten and eleven").replace("w20 ", "").split()
    assert checked_text(found.document, [stretch]).split() == wanted[5:31]
    assert own_text(found.document, [stretch]).split() == TEXT.split()[5:31]
    other = cut_to(document(TEXT), [stretch])
    assert other["segments"][0]["text"].split() == TEXT.split()[5:31]
    assert len(checked_stretches(found.document, gap=5.0)) == 0
    assert checked_stretches(document(TEXT)) == []


def test_what_the_model_said_survives_a_second_correction() -> None:
    once = apply_passages(document("a b c"), [passage(1, 1.5, "b", "x y")])
    twice = apply_passages(once.document, [passage(1, 1.5, "x y", "z"), passage(0, 0.5, "a", "")])
    assert twice.unfit == []
    whole = [(0.0, 9.0)]
    assert (checked_text(twice.document, whole), own_text(twice.document, whole)) == ("z c", "a b c")
