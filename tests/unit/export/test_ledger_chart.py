"""The bars of ledgers: music is told from the rest of what is no speech."""

from __future__ import annotations

from audiogrid.export.ledger_chart import ledger_bar, ledger_shares

SECOND = 16_000
SPANS = [
    {"start": 0, "end": 100 * SECOND, "kind": "speech_with_words"},
    {"start": 100 * SECOND, "end": 150 * SECOND, "kind": "no_speech", "reason": "music"},
    {"start": 150 * SECOND, "end": 200 * SECOND, "kind": "no_speech", "reason": "noise"},
]


def test_the_bar_of_a_recording_shows_music() -> None:
    bar = ledger_bar(SPANS)
    assert bar is not None
    marks = [(mark.start, mark.width, mark.kind) for mark in bar.lanes[0].marks]
    assert marks == [(0, 50, "k2"), (50, 25, "k3"), (75, 25, "faint")]
    assert "no speech (music)" in bar.lanes[0].marks[1].title
    assert bar.legend == {"k2": "speech with words", "k3": "no speech (music)", "faint": "no speech"}


def test_a_ledger_without_music_has_no_entry_for_it() -> None:
    bar = ledger_bar([*SPANS[:1], {**SPANS[1], "reason": "sound"}])
    assert bar is not None and bar.legend == {"k2": "speech with words", "faint": "no speech"}


def test_shares_tell_music_from_noise() -> None:
    totals = {("no_speech", "music"): 3 * SECOND, ("no_speech", "noise"): SECOND}
    shares = ledger_shares([("talk", totals, "")])
    assert shares is not None
    assert [(mark.width, mark.kind) for mark in shares.lanes[0].marks] == [(75, "k3"), (25, "faint")]
    assert [mark.title.split(":")[0] for mark in shares.lanes[0].marks] == ["no speech (music)", "no speech (noise)"]
