"""What each stage is told, and which models a configuration needs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from audiogrid.config.resolve import resolve
from audiogrid.config.run_settings import RunSettings
from audiogrid.core.errors import InputError
from audiogrid.models.registry import load_registry
from audiogrid.records.plan import Plan, Recording, Settings
from places import ROOT


def settings(**given: Any) -> RunSettings:
    return RunSettings(resolve(given), load_registry(ROOT / "config" / "models.yaml"))


def plan(run: RunSettings, *, on_cluster: bool = False) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(run.plan_settings(1, on_cluster=on_cluster))
    return value


def test_what_changes_text_is_in_the_plan_and_what_changes_speed_is_not() -> None:
    before = plan(settings())
    for change in ({"language": "en"}, {"prompt": "x"}, {"compute_type": "float32"}, {"decoding": {"beam_size": 2}}):
        assert plan(settings(**change)) != before
    for change in (
        {"device": "cpu"},
        {"workers": {"processes": 3}},
        {"formats": ["srt"]},
        {"prices": {"core_hour": 2}},
    ):
        assert plan(settings(**change)) == before


@pytest.mark.parametrize(
    ("given", "on_cluster", "expected"),
    [({}, False, 1), ({}, True, 8), ({"mpi": {"tasks": 4}}, True, 1), ({"shards": {"at_least": 3}}, True, 3)],
)
def test_shards_spread_over_a_cluster(given: dict[str, Any], on_cluster: bool, expected: int) -> None:
    assert plan(settings(**given), on_cluster=on_cluster)["shards_at_least"] == expected


def test_ranks_share_a_shard() -> None:
    assert plan(settings(mpi={"tasks": 4}))["shard_minutes"] == 4 * plan(settings())["shard_minutes"]


def test_a_comparison_merges_for_itself() -> None:
    run = settings(formats=["srt"], chunk_texts=True)
    assert json.loads(run.merge_settings())["formats"] == ["srt"]
    assert json.loads(run.merge_settings("/compare/x")) | {"subtitles": 0} == {
        **{"formats": ["json"], "chunk_texts": False, "search": False, "allow_gaps": False},
        "subtitles": 0,
    }


def test_subtitles_have_the_date_of_publishing_unless_they_have_their_own() -> None:
    def date(**more: Any) -> str:
        options = json.loads(settings(**more).merge_settings()).get("format_options", {})
        return str(options.get("vtt", {}).get("date", ""))

    dated = {"to": "s3://out", "date": "2026-05-31"}
    assert date() == date(publish="s3://out") == ""
    assert date(publish=dated) == "2026-05-31"
    assert date(publish=dated, format_options={"vtt": {"date": "1999"}}) == "1999"


def test_settings_of_speakers_count_where_a_recording_has_speakers() -> None:
    def with_columns(**columns: str) -> Plan:
        one = Recording("a", "in/a.wav", 1, 1, 16000, 1, "mix", 1, columns=columns)
        return Plan(Settings("base", {"base": "m"}, {}, 5, 60, 30, 1, 0), [one], [], [])

    plain, asked = settings(), settings(speakers="auto")
    assert plain.merge_settings("", with_columns()) == asked.merge_settings("", with_columns(speakers="none"))
    assert plain.merge_settings("", with_columns()) == plain.merge_settings() == asked.merge_settings()
    for run, columns in ((asked, {}), (plain, {"speakers": "2"}), (plain, {"rttm": "a.rttm"})):
        found = json.loads(run.merge_settings("", with_columns(**columns)))
        assert found == json.loads(run.merge_settings()) | {"speakers": run.settings["speakers"]}
    # A comparison judges words.
    assert asked.merge_settings("/compare/x", with_columns()) == plain.merge_settings("/compare/x")


def test_models_of_routes_rollout_and_comparison() -> None:
    variants = {"turbo": {"model": "turbo"}, "small": {"model": "small"}}
    routes = [{"when": {"language": "en"}, "model": "tiny.en"}]
    run = settings(variants=variants, rollout={"variant": "small"}, routes=routes)
    assert list(run.models) == ["base", "tiny.en", "small"]
    assert list(run.identifying_model) == ["base"] and run.identifies
    assert set(run.all_models) == {"base", "tiny.en", "small", "large-v3-turbo"}
    told = plan(run)
    assert told["rollout"]["model"] == "small" and told["routes"][0]["model"] == "tiny.en"
    compared = json.loads(run.compare_settings(1, on_cluster=False))
    assert list(compared) == ["current", "turbo", "small"] == list(run.compared_variants())
    assert "rollout" not in compared["turbo"] and compared["turbo"]["routes"] == told["routes"]


def test_the_variant_of_a_run_changes_its_own_settings() -> None:
    run = settings(variants={"v": {"language": "de"}}, variant="v")
    assert plan(run)["options"]["language"] == "de"
    assert run.of_variant("current")["language"] == "de"


def test_an_unknown_model_of_a_variant_is_named() -> None:
    run = settings(variants={"v": {"model": "bsae"}})
    with pytest.raises(InputError, match=r"variants\.v\."):
        _ = run.variant_models
