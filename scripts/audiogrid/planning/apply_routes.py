"""Routing: chooses models and options of recordings, or of single channels, by the routes they match."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from audiogrid.config.routes import Route, routed_tracks
from audiogrid.core.language_codes import AUTO
from audiogrid.probing.recording_source import Rejection
from audiogrid.records.identified_languages import Identified
from audiogrid.records.plan import Recording, Settings, TrackSettings, settings_key


@dataclass(frozen=True)
class RoutedRecordings:
    """Recordings with settled model and options; ``refused``: no model can decode them; ``warnings``: about routes."""

    recordings: list[Recording]
    refused: list[Rejection]
    warnings: list[str]


@dataclass(frozen=True)
class _Decoding:
    """How a track is decoded. ``heard``: its identified language, where that applies to this track."""

    chosen: TrackSettings
    heard: Identified | None


@dataclass(frozen=True)
class _RecordingFacts:
    """A recording and everything its routing depends on. ``row``: its options from the table."""

    recording: Recording
    row: Mapping[str, Any]
    found: Identified | None
    settings: Settings

    def first(self, routes: Sequence[Route], track: int | None) -> int | None:
        """Returns the index of the first route that matches a track; ``None`` where none does."""
        heard = self.found.language if self.found else ""
        language = self.recording.language or _fixed(self.settings.options) or heard or None
        return next((index for index, route in enumerate(routes) if route.fits(self.recording, language, track)), None)

    def decoding(self, route: Route) -> _Decoding:
        """Returns how a track that matches ``route`` is decoded."""
        # The language was identified on the mix of all channels, so it does not hold for a single channel.
        found = None if route.channels and not route.looks_at_language() else self.found
        options = {**self.recording.options, **route.options, **self.row}
        model = self.recording.model
        if route.model:
            model = "" if route.model == self.settings.model else route.model
        merged = {**self.settings.options, **options}
        if found is not None and found.language and not _fixed(merged) and not _switches(merged, found):
            options["language"] = found.language
        return _Decoding(TrackSettings(model, options), found)


def apply_routes(
    recordings: Sequence[Recording],
    routes: Sequence[Route],
    identified: Mapping[str, Identified],
    settings: Settings,
    known: Mapping[str, frozenset[str]],
    rows: Mapping[str, Mapping[str, Any]] | None = None,
) -> RoutedRecordings:
    """Returns the recordings with model and options settled.

    ``identified``: identified languages, by recording. ``known``: languages by model. ``rows``: options from the
    table, by recording (default: all its options). A table row wins over a route, a route over everything else. A
    recording is refused where its model does not know its language, even if only one channel is affected.
    """
    settled: list[Recording] = []
    refused: list[Rejection] = []
    matched = [0] * len(routes)
    # Most recordings of a run have the same settings: what is said of one is said of all.
    refusals: dict[Any, str | None] = {}
    for recording in recordings:
        row = recording.options if rows is None else rows[recording.recording]
        if not routes and row is recording.options and recording.recording not in identified:
            key = settings_key(recording)
            if key is not None:
                if key not in refusals:
                    refusals[key] = _refusal_reason(
                        {None: _Decoding(recording.settings_of(None), None)}, settings, known
                    )
                if refusals[key]:
                    refused.append(Rejection(recording.recording, recording.path, refusals[key] or ""))
                else:
                    settled.append(recording)
                continue
        one = _RecordingFacts(recording, row, identified.get(recording.recording), settings)
        # Without routes all tracks are decoded alike.
        tracks_of = routed_tracks(recording, routes) if routes else (None,)
        numbers = {track: one.first(routes, track) if routes else None for track in tracks_of}
        for number in set(numbers.values()):
            if number is not None:
                matched[number] += 1
        tracks = {track: one.decoding(_chosen(routes, number)) for track, number in numbers.items()}
        reason = _refusal_reason(tracks, settings, known)
        if reason:
            refused.append(Rejection(recording.recording, recording.path, reason))
            continue
        whole = (
            next(iter(tracks.values())) if _is_one(tracks) else one.decoding(_chosen(routes, one.first(routes, None)))
        )
        is_as_it_was = one.found is None and len(tracks) == 1 and whole.chosen == recording.settings_of(None)
        settled.append(recording if is_as_it_was else _settled(one, whole.chosen, tracks))
    unmatched = [index for index, count in enumerate(matched) if recordings and not count]
    return RoutedRecordings(settled, refused, [_unmatched(index + 1, routes[index], recordings) for index in unmatched])


def _chosen(routes: Sequence[Route], number: int | None) -> Route:
    return Route({}) if number is None else routes[number]


def _fixed(options: Mapping[str, Any]) -> str | None:
    given = options.get("language", AUTO)
    return None if given == AUTO else str(given)


def _switches(options: Mapping[str, Any], found: Identified) -> bool:
    """Returns whether every passage is decoded in its own language, so that none is fixed for the recording."""
    wanted = options.get("code_switching", AUTO)
    return found.is_multilingual if wanted == AUTO else bool(wanted)


def _is_one(tracks: Mapping[int | None, _Decoding]) -> bool:
    """Whether all tracks have the same model and options."""
    first, *others = tracks.values()
    return all(other.chosen == first.chosen for other in others)


def _settled(known: _RecordingFacts, whole: TrackSettings, tracks: Mapping[int | None, _Decoding]) -> Recording:
    """Returns the recording with its settings. ``whole``: of the recording; ``tracks``: of each track."""
    found, remarks = known.found, []
    if found is not None:
        languages = {_fixed({**known.settings.options, **track.chosen.options}) for track in tracks.values()}
        decoded_as = languages.pop() if len(languages) == 1 else None
        remarks = [remark for remark in (found.remark(decoded_as),) if remark]
    return replace(
        known.recording,
        model=whole.model,
        options=whole.options,
        remarks=[*known.recording.remarks, *remarks],
        identified=found.summary() if found is not None and found.language else None,
        by_channel={str(track): one.chosen for track, one in tracks.items() if one.chosen != whole},
    )


def _refusal_reason(
    tracks: Mapping[int | None, _Decoding], settings: Settings, known: Mapping[str, frozenset[str]]
) -> str:
    """Returns why a model cannot decode its track; empty where all can."""
    for track, one in tracks.items():
        model = one.chosen.model or settings.model
        given = _fixed({**settings.options, **one.chosen.options})
        heard = one.heard.language if one.heard else ""
        language = given or heard
        if not language or language in known[model]:
            continue
        whose = "Its language" if track is None or _is_one(tracks) else f"The language of channel {track + 1}"
        source = "identified" if heard == language else "given"
        only = "knows English only" if known[model] == {"en"} else "does not know this language"
        return (
            f"{whose} is {language} ({source}), but model {model} {only}: "
            "choose a multilingual model or add a route for it, or correct the language in the table."
        )
    return ""


def _unmatched(number: int, route: Route, recordings: Sequence[Recording]) -> str:
    columns = {name for recording in recordings for name in (*recording.columns, *recording.options, "recording")}
    absent = [column for column in route.when.get("column", {}) if str(column).lower() not in columns]
    hint = f"; no recording has a column {absent[0]!r}" if absent else ""
    if route.channels:
        most = max((one.channels for one in recordings if one.channels_mode == "split"), default=0)
        if not most:
            hint += "; no recording has its channels split (channels: split, for all or in the table)"
        elif most < min(route.channels):
            hint += f"; recordings whose channels are split have {most} at most"
    return f"route {number} ({route}) matches no recording{hint}"
