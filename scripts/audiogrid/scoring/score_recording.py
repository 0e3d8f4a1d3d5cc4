"""Scores the transcripts of one recording: errors against its reference, differences from the baseline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from audiogrid.scoring.alignment import Alignment, align, errors_per_block
from audiogrid.scoring.differing_passages import Passage, most_different
from audiogrid.scoring.normalising import normalised_tokens, unit
from audiogrid.scoring.word_starts import TimedTokens, timed_tokens

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Reference tokens per block (about a window of speech); the bootstrap draws blocks where recordings are few.
BLOCK = {"words": 30, "characters": 90}
# Most passages per recording and condition, so that one bad recording does not fill the page.
PASSAGES = 2


@dataclass(frozen=True)
class Score:
    """Errors of one text against another. ``errors``: per block of its tokens."""

    substitutions: int
    deletions: int
    insertions: int
    errors: NDArray[np.float64]

    @property
    def total(self) -> int:
        """All errors."""
        return self.substitutions + self.deletions + self.insertions


@dataclass(frozen=True)
class TimedPassage:
    """A passage and the second at which it begins in the recording."""

    passage: Passage
    at: float


@dataclass
class ScoredRecording:
    """Scores of one recording under one condition.

    ``tokens``: per block of the text that errors are counted against. ``scores``: variant -> errors against the
    reference (empty without one). ``apart``: variant -> differences from the baseline, per block of ``base_tokens``.
    """

    recording: str
    condition: str
    path: str
    language: str
    columns: Mapping[str, str]
    unit: str
    seconds: float
    tokens: NDArray[np.float64] | None
    scores: dict[str, Score]
    base_tokens: NDArray[np.float64]
    apart: dict[str, Score]
    passages: list[TimedPassage] = field(default_factory=list)


def _score(alignment: Alignment, size: int) -> tuple[Score, NDArray[np.float64]]:
    errors, tokens = errors_per_block(alignment.by_position(), len(alignment.reference), size)
    score = Score(alignment.count("substitute"), alignment.count("delete"), alignment.count("insert"), errors)
    return score, tokens


def spoken_language(documents: Mapping[str, Mapping[str, Any]], options: Mapping[str, Any]) -> str:
    """Returns the language in which texts are compared: the given one, or the one that most variants identified.

    ``options``: decoding options of the baseline.
    """
    if options.get("task") == "translate":
        return "en"
    given = options.get("language", "auto")
    if given != "auto":
        return str(given)
    heard = Counter(str(document["language"] or "") for document in documents.values())
    return min(heard, key=lambda language: (-heard[language], language))


def score_recording(
    recording: str,
    condition: str,
    columns: Mapping[str, str],
    documents: Mapping[str, Mapping[str, Any]],
    language: str,
    reference: str | None,
) -> ScoredRecording:
    """Returns the scores of one recording. ``documents``: variant -> transcript, the baseline's first."""
    size = BLOCK[unit(language)]
    texts = {name: timed_tokens(document, language) for name, document in documents.items()}
    baseline = next(iter(documents))
    apart: dict[str, Score] = {}
    differing: dict[str, Alignment] = {}
    base_tokens: NDArray[np.float64] | None = None
    for name, text in texts.items():
        differing[name] = align(texts[baseline].tokens, text.tokens)
        apart[name], base_tokens = _score(differing[name], size)
    assert base_tokens is not None
    judged = ScoredRecording(
        recording=recording,
        condition=condition,
        path=documents[baseline]["path"],
        language=language,
        columns=columns,
        unit=unit(language),
        seconds=documents[baseline]["duration"],
        tokens=None,
        scores={},
        base_tokens=base_tokens,
        apart=apart,
    )
    shown = differing
    if reference is not None:
        wanted = normalised_tokens(reference, language)
        shown = {name: align(wanted, text.tokens) for name, text in texts.items()}
        for name, alignment in shown.items():
            judged.scores[name], judged.tokens = _score(alignment, size)
    judged.passages = [
        TimedPassage(passage, _moment(shown, texts, passage.start)) for passage in most_different(shown, PASSAGES)
    ]
    return judged


def _moment(alignments: Mapping[str, Alignment], texts: Mapping[str, TimedTokens], position: int) -> float:
    """Returns the second at which a reference token is said, by the first variant with a word there or before."""
    for name, alignment in alignments.items():
        other = -1
        for span in alignment.spans:
            if span.start > position:
                break
            other = min(span.other_start + max(0, position - span.start), max(span.other_end - 1, span.other_start))
        starts = texts[name].starts
        if other >= 0 and len(starts):
            return float(starts[min(other, len(starts) - 1)])
    return 0.0


def group_recordings(
    judged: Sequence[ScoredRecording], most_values: int = 12
) -> list[tuple[str, str, list[ScoredRecording]]]:
    """Returns groups of recordings: by condition, then the original ones by language and by table column.

    Each group is a triple of kind (``condition``, ``language`` or ``column``), value and recordings. Columns with
    fewer than two or more than ``most_values`` values are left out.
    """
    found = [
        ("condition", condition, [one for one in judged if one.condition == condition])
        for condition in dict.fromkeys(one.condition for one in judged)
    ]
    original = [one for one in judged if one.condition == judged[0].condition] if judged else []
    columns = dict.fromkeys(column for one in original for column in one.columns)
    for column in ("language", *columns):
        by_value: dict[str, list[ScoredRecording]] = {}
        for one in original:
            value = one.language if column == "language" else one.columns.get(column, "")
            by_value.setdefault(value, []).append(one)
        if 2 <= len(by_value) <= most_values:
            kind = column if column == "language" else f"column {column}"
            found += [(kind, value, members) for value, members in sorted(by_value.items())]
    return found
