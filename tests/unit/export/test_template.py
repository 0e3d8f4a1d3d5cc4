"""Pages: nothing gets into one as code, plots hold what they are given."""

from __future__ import annotations

import re

import pytest
from jinja2 import UndefinedError

from audiogrid.export import charts
from audiogrid.export.template import asset, clock, environment, render, span

HOSTILE = "</script><script>alert(1)</script>\"'&<img src=x onerror=alert(1)>"


def page(source: str, **context: object) -> str:
    return environment().from_string(source).render(**context)


def test_what_is_put_into_a_page_is_escaped_also_inside_scripts():
    made = page(
        '{% set scripts = ["table.js"] %}{% extends "base.html" %}{% block main %}<p title="{{ x }}">{{ x }}</p>'
        '<script type="application/json">{{ [x] | tojson }}</script>{% endblock %}',
        x=HOSTILE,
    )
    assert "<img" not in made
    assert made.count("<script") == 2
    assert "alert(1)" in made


def test_only_the_scripts_of_the_page_may_run_and_no_network_is_allowed():
    made = page('{% set scripts = ["table.js"] %}{% extends "base.html" %}')
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', made)
    assert policy is not None
    assert "default-src 'none'" in policy[1]
    assert policy[1].count("sha256-") == 1
    assert asset("table.js") in made
    assert not re.search(r"(src|href)=[\"']?https?:", made)
    assert "script-src 'none'" in page('{% extends "base.html" %}')


def test_a_value_that_is_missing_is_an_error():
    with pytest.raises(UndefinedError):
        page("{{ nothing }}")
    assert render("base.html").startswith("<!doctype html>")


def test_times_as_people_read_them():
    assert [clock(s) for s in (0, 59.9, 61, 3600, 36_061)] == ["0:00", "0:59", "1:01", "1:00:00", "10:01:01"]
    assert [span(s) for s in (0.44, 12, 185, 7800)] == ["0.4 s", "12 s", "3 min 05 s", "2 h 10 min"]


def test_ticks_are_round_and_inside():
    assert [tick.label for tick in charts.ticks(0, 1, "{:.1f}".format)] == ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
    assert [tick.label for tick in charts.time_ticks(7300, clock)] == ["0:00", "30:00", "1:00:00", "1:30:00", "2:00:00"]
    assert charts.ticks(1, 1, str) == []


def test_a_long_timeline_is_a_small_plot():
    spans = [charts.Span("w", n, n + 0.9, "k0", f"task {n}") for n in range(50_000)]
    plot = charts.timeline(spans, 50_000, clock)
    assert len(plot.lanes) == 1
    assert 1 <= len(plot.lanes[0].marks) < 1500
    last = plot.lanes[0].marks[-1]
    assert last.start + last.width == pytest.approx(100, abs=0.2)
    few = charts.timeline(spans[:3], 3, clock)
    assert [mark.title for mark in few.lanes[0].marks] == ["task 0", "task 1", "task 2"]


def test_a_histogram_counts_every_value_once():
    plot = charts.histogram([(0.0, 2), (0.5, 1), (1.0, 1), (2.0, 1), (-1.0, 1)], 0, 1, 10, "{:.1f}".format)
    assert sum(int(column.title.split(": ")[1].split()[0]) for column in plot.columns) == 6
    assert max(column.height for column in plot.columns) == 100


def test_intervals_lie_on_their_axis():
    plot = charts.intervals([("a", 1, 2, 3, "2"), ("b", 2, 4, 5, "4")], str)
    assert [(mark.start, mark.width) for mark in plot.lanes[0].marks] == [(0, 50), (25, 0)]
    assert plot.lanes[1].marks[0].start + plot.lanes[1].marks[0].width == 100


def test_bars_of_nothing_are_no_error():
    assert charts.bars([]).lanes == []
    assert charts.bars([("a", 0, "0")]).lanes[0].marks[0].width == 0
