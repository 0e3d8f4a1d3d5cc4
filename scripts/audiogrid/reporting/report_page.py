"""Renders ``report.html``: one page about a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.export.charts import Histogram, Lanes, Span, bars, histogram, timeline
from audiogrid.export.ledger_chart import REASONS_IN_ORDER, ledger_shares, named
from audiogrid.export.template import clock, number, percent, render, span
from audiogrid.records.prices import Prices
from audiogrid.reporting.attempts import Attempt, clock_at_work, spans_at_work
from audiogrid.reporting.bundle_sum import LEDGERS, LISTED, PASSAGES, STEP
from audiogrid.reporting.report_data import ReportData
from audiogrid.reporting.speaker_figures import speaker_figures

_LANES = 48
# Words of a passage that is searched for.
_SEARCHED = 8
# From this many recordings on a histogram replaces the bar per recording.
_MANY = LEDGERS


def _share(row: Mapping[str, Any], part: str, whole: str) -> float | None:
    return float(row[part]) / float(row[whole]) if row.get(whole) else None


def _number(value: Any) -> float | None:
    return float(value) if value not in ("", None) else None


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the row of a recording as the page shows it."""
    duration = float(row["duration_s"])
    return {
        "name": row["recording"],
        "path": row["path"],
        "page": row.get("page", ""),
        "status": row["status"],
        "duration": duration,
        "language": row["language"],
        "words": row["words"],
        "low": float(row["low_confidence_share"]) if row["words"] else None,
        **{name: _number(row.get(name)) for name in ("expected_errors", "expected_errors_low", "expected_errors_high")},
        "flagged": _share(row, "flagged", "windows"),
        "redecoded": _share(row, "redecoded", "windows"),
        "silence": max(0.0, 1 - float(row["speech_s"]) / duration) if duration else None,
        "hard": row["hard_seams"],
        "speakers": row.get("speakers", ""),
        "model": row.get("model", ""),
        "variant": row.get("variant", ""),
        "note": row["note"],
        "shown": row.get("shown", ""),
    }


def _address(passage: Mapping[str, Any], is_searchable: bool) -> str:
    """Returns where a passage can be read and heard: its page, or the search for its words where its page is in a zip.

    Returns an empty address where there is neither.
    """
    page = str(passage["page"])
    if not page.endswith(".zip"):
        return f"{quote(page)}#t={passage['start']}"
    words = " ".join(str(passage["text"]).replace('"', " ").split()[:_SEARCHED])
    return "search.html#q=" + quote(f'"{words}"', safe="") if is_searchable and words else quote(page)


def _shown(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the rows with the most errors to be expected first, without those in their order."""
    return sorted(rows, key=lambda row: -(row["expected_errors"] or 0))


def _timeline(attempts: list[Attempt]) -> Lanes | None:
    """Returns a chart of workers over time; of nodes where there are too many workers."""
    tasks = sorted((task for attempt in attempts for task in attempt.tasks.values()), key=lambda task: task.began)
    if not tasks:
        return None
    spans = spans_at_work(attempts)
    at = clock_at_work(spans)
    workers = sorted(dict.fromkeys(task.worker for task in tasks), key=lambda worker: worker.partition("/")[0])
    hosts = [worker.partition("/")[0] for worker in workers]
    counts: Counter[str] = Counter()
    names = {}
    for worker, host in zip(workers, hosts, strict=True):
        counts[host] += 1
        names[worker] = f"{host} · {counts[host]}" if len(workers) <= _LANES else host
    kinds = {shard: f"k{n % 6}" for n, shard in enumerate(dict.fromkeys(task.shard for task in tasks))}
    shown = list(dict.fromkeys(names.values()))[:_LANES]
    drawn = [
        Span(
            names[task.worker],
            at(task.began),
            at(task.began + task.seconds),
            kinds[task.shard],
            f"{task.shard}, {task.size} chunk(s) from {task.chunks[0]}: {span(task.seconds)}",
        )
        for task in sorted(
            tasks, key=lambda task: shown.index(names[task.worker]) if names[task.worker] in shown else 0
        )
        if names[task.worker] in shown
    ]
    seconds = sum(end - begin for begin, end in spans) or 1.0
    busy: dict[str, float] = {}
    for one in drawn:
        busy[one.lane] = busy.get(one.lane, 0.0) + one.end - one.start
    return timeline(
        drawn, seconds, clock, {lane: f"{percent(min(1.0, busy[lane] / seconds), 0)} busy" for lane in shown}
    )


def _confidence(data: ReportData, rows: list[dict[str, Any]]) -> tuple[Lanes | None, Histogram | None]:
    """Returns charts of doubtful words: a bar per recording, or a histogram for many recordings."""
    doubt = sorted((int(step), count) for step, count in data.sums.doubt.items())
    spoken = sum(count for _, count in doubt)
    if spoken < 2:
        return None, None
    if spoken <= _MANY and not data.is_selection:
        ordered = sorted((row for row in rows if row["low"] is not None), key=lambda row: -row["low"])
        entries = [(row["name"], row["low"], percent(row["low"])) for row in ordered]
        return bars(entries, hrefs=[row["page"] for row in ordered], top=0.05), None
    seen, top = 0, 0.1
    for step, count in doubt:
        seen += count
        if seen >= 0.99 * spoken:
            top = max(top, (step + 0.5) * STEP)
            break
    weights = [((step + 0.5) * STEP, count) for step, count in doubt]
    return None, histogram(weights, 0, top, 25, lambda value: percent(value, 0))


def _hours_by(data: ReportData, key: str) -> Lanes | None:
    """Returns a chart of hours per language, model or variant; ``None`` where there is only one."""
    hours = data.sums.hours.get(key, {})
    if len(hours) < 2:
        return None
    ordered = sorted(hours.items(), key=lambda item: -item[1])[:15]
    return bars([(name or "none", seconds, span(seconds)) for name, seconds in ordered])


def _ledger(data: ReportData) -> tuple[Lanes | None, list[tuple[str, str, str, str]]]:
    """Returns bars of what became of every second, and the sums: kind, reason, time, share."""
    sums = data.sums.totals
    whole = sum(sums.values())
    if not whole:
        return None, []
    shown = [("all recordings", sums, "")]
    if 1 < data.sums.accounted <= _MANY:
        pages = {row["recording"]: row.get("page", "") for row in data.rows}
        shown += [(name, data.sums.totals_of(name), pages.get(name, "")) for name in data.sums.ledgers]
    rows = [
        (
            named(kind),
            reason.replace("_", " "),
            span(sums[kind, reason] / SAMPLE_RATE),
            percent(sums[kind, reason] / whole),
        )
        for kind, reason in REASONS_IN_ORDER
        if sums.get((kind, reason))
    ]
    return ledger_shares(shown), rows


def _totals(data: ReportData, prices: Prices) -> list[tuple[str, str]]:
    """Returns the figures at the top of the page: value and caption."""
    spent = data.effort
    found = [(f"{number(data.sums.recordings)} of {number(data.total)}", "recordings transcribed")]
    found.append((span(data.sums.seconds), "of recordings"))
    found.append((number(data.sums.words), "words"))
    if spent.wall and spent.audio:
        found.append((span(spent.wall), "at work"))
        found.append((f"{spent.speed:.1f}×", "real time"))
    for seconds, what in ((spent.reserved_cores, "core-hours"), (spent.reserved_gpus, "GPU-hours")):
        if seconds:
            found.append((number(seconds / 3600, 2 if seconds < 36_000 else 0), what))
    if spent.memory_mb:
        found.append((f"{number(spent.memory_mb)} MB", "memory at most, per process"))
    cost = spent.cost(prices)
    if cost is not None:
        found.append((f"{_money(cost)} {prices.currency}".strip(), "at the prices of the configuration"))
    if spent.stored:
        found.append((number(spent.stored), "chunks taken from the store"))
    return found


def _money(cost: float) -> str:
    return number(cost, 2) if cost >= 1 else f"{cost:.2g}"


def _when(data: ReportData) -> str:
    """Returns when the run started and ended, in UTC."""
    if not data.attempts:
        return ""
    first = datetime.fromtimestamp(data.attempts[0].began, UTC)
    last = datetime.fromtimestamp(max(attempt.ended for attempt in data.attempts), UTC)
    same_day = first.date() == last.date()
    return f"{first:%Y-%m-%d %H:%M} to {last:{'%H:%M' if same_day else '%Y-%m-%d %H:%M'}} UTC"


def _comparison(data: ReportData) -> list[tuple[str, str, str, str]]:
    """Returns rows of expected against measured time: name, expected, measured, ratio."""
    expected, spent = data.estimate, data.effort
    if expected is None or not spent.busy_cores:
        return []
    rows = [("core time", expected.core_seconds, spent.busy_cores), ("time", expected.seconds, spent.wall)]
    return [(what, span(one), span(other), f"{other / one:.2f}×" if one else "") for what, one, other in rows]


def _text(value: Any) -> str:
    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True))


def _configuration(path: Path) -> dict[str, Any]:
    """``run_config.yaml``; empty when it cannot be read."""
    try:
        return dict(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, yaml.YAMLError):
        return {}


def _devices(data: ReportData) -> str:
    """Returns the kinds of devices used, for the methods section."""
    kinds = {("a GPU" if attempt.gpu else "CPU cores") for attempt in data.attempts if attempt.decoded}
    return " and ".join(sorted(kinds))


def render_report(data: ReportData, run: str, config: Path, prices: Prices) -> str:
    """Returns the HTML of the page. ``config``: path of ``run_config.yaml``."""
    sums = data.sums
    rows = [_row(row) for row in data.rows]
    lanes, columns = _confidence(data, rows)
    document = _configuration(config)
    ledger, shares = _ledger(data)
    attempts = [*data.attempts, *data.embedding]
    return render(
        "report.html",
        ledger=ledger,
        sums=shares,
        run=run,
        when=_when(data),
        hosts=list(dict.fromkeys(attempt.host for attempt in data.attempts)),
        data=data,
        totals=_totals(data, prices),
        comparison=_comparison(data),
        timeline=_timeline(data.attempts),
        lanes=lanes,
        columns=columns,
        languages=_hours_by(data, "language"),
        models=_hours_by(data, "model"),
        variants=_hours_by(data, "variant"),
        speakers=speaker_figures(sums.speakers, data.embedding),
        texts=sums.texts if sums.texts.asked else None,
        expected=sums.expected > 0,
        several_models=len(sums.hours.get("model", {})) > 1,
        several_variants=len(sums.hours.get("variant", {})) > 1,
        rows=_shown(rows),
        worst=[{**one, "address": _address(one, data.searchable)} for one in sums.passages[:PASSAGES]],
        packed=any(row["page"].endswith(".zip") for row in rows),
        listed=LISTED,
        windows=sums.windows,
        flagged=sums.flagged,
        redecoded=sums.redecoded,
        kept=sums.kept_careful,
        warnings=sorted((w for attempt in attempts for w in attempt.warnings), key=lambda w: w[0]),
        command=document.get("command", ""),
        versions=document.get("versions", {}),
        configuration=_text(document.get("config", {})),
        options=_text(data.options),
        devices=_devices(data),
    )
