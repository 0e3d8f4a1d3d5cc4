"""Routes for single channels: from the configuration to keys, shards, figures and what transcripts say."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audiogrid.comparing.comparison import _models, _same_keys
from audiogrid.config.resolve import resolve
from audiogrid.config.routes import Route, unknown_languages
from audiogrid.core.atomic_files import write_json
from audiogrid.core.errors import InputError
from audiogrid.core.json_values import to_json
from audiogrid.core.language_codes import CODES
from audiogrid.decoding.revisions import complete_options, store_keys
from audiogrid.export.provenance import model_names
from audiogrid.merging.merge_bundle import BundleFacts, provenance
from audiogrid.planning.apply_routes import RoutedRecordings, apply_routes
from audiogrid.planning.bundles_and_shards import plan_recordings, probed_recordings
from audiogrid.planning.plan_summary import ModelSpeed, plan_summary_lines
from audiogrid.planning.store_preview import StoreLookup
from audiogrid.records.chunks import Chunk
from audiogrid.records.identified_languages import HeardWindow, Identified
from audiogrid.records.plan import Plan, Recording, Settings, TrackSettings
from audiogrid.records.plan_files.reader import read_plan
from audiogrid.records.plan_files.writer import write_plan
from audiogrid.records.results import empty_result
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.store import Store
from audiogrid.reporting.report_data import read_estimate, read_report_data
from audiogrid.splitting.cut_cache import KnownCuts, write_cuts
from audiogrid.splitting.split_bundle import SplitJob, split_bundle
from audiogrid.transcribing.shard_job import collect
from media import write_wav
from speech import hiss

SETTINGS = Settings("base", {"base": "b", "tiny.en": "t"}, complete_options({}), 5, 60, 600, 1, 0)
ALL = frozenset(CODES)
KNOWN = {"base": ALL - {"yue"}, "tiny.en": frozenset({"en"})}
AGENT = Route({"channel": 1}, "tiny.en", {"language": "en"})
CALLER = Route({"channel": 2}, "", {"language": "es", "prompt": "Hola", "beam_size": 5})


def call(name: str = "call", minutes: float = 1.0, **more: Any) -> Recording:
    one = Recording(name, f"in/{name}.wav", 1, 2, round(minutes * 960_000), 2, "split", -(-int(minutes) // 5))
    return replace(one, **more)


def routed(
    one: Recording, *routes: Route, found: Identified | None = None, settings: Settings = SETTINGS
) -> RoutedRecordings:
    return apply_routes([one], routes, {one.recording: found} if found else {}, settings, KNOWN)


def settled(one: Recording, *routes: Route, **more: Any) -> Recording:
    return routed(one, *routes, **more).recordings[0]


def heard(language: str, **more: Any) -> Identified:
    return Identified(language, 0.9, {language: 0.9}, [HeardWindow(0.0, 20.0, language, 0.9)], **more)


def test_each_channel_has_the_first_route_that_fits_it():
    one = settled(call(), AGENT, CALLER, Route({}, "tiny.en"))
    assert one.settings_of(0) == TrackSettings("tiny.en", {"language": "en"})
    assert one.settings_of(1) == TrackSettings("", {"language": "es", "prompt": "Hola", "beam_size": 5})
    # A route for whole recordings that stands before is the first one for every channel.
    assert settled(call(), Route({"channels": 2}, "tiny.en"), CALLER) == replace(call(), model="tiny.en")
    # What no route names is as without routes; the run's model is spelt as none.
    assert settled(call(), Route({"channel": 2}, "tiny.en")).by_channel == {"1": TrackSettings("tiny.en", {})}
    assert settled(call(), Route({"channel": [1, 2]}, "base")) == call()
    # Channels that are decoded alike are a recording like any other.
    assert settled(call(), Route({"channel": [1, 2]}, "tiny.en")) == replace(call(), model="tiny.en")
    assert settled(call(channels=1), AGENT) == call(channels=1, model="tiny.en", options={"language": "en"})


def test_other_conditions_count_too():
    long_only = Route({"channel": 1, "min_minutes": 2, "column": {"site": "Leeds"}}, "tiny.en")
    assert settled(call(), long_only) == call()
    one = settled(call(minutes=3, columns={"site": "leeds"}), long_only)
    assert one.by_channel == {"0": TrackSettings("tiny.en", {})}


def test_what_is_not_split_meets_no_condition_on_a_channel():
    mix = call(channels_mode="mix")
    result = routed(mix, AGENT, Route({"channel": 3}, "tiny.en"))
    assert result.recordings == [mix]
    assert result.warnings == [
        "route 1 (channel 1) matches no recording; no recording has its channels split "
        "(channels: split, for all or in the table)",
        "route 2 (channel 3) matches no recording; no recording has its channels split "
        "(channels: split, for all or in the table)",
    ]
    assert routed(call(), AGENT, Route({"channel": [4, 3]}, "tiny.en")).warnings == [
        "route 2 (channel 4 or 3) matches no recording; recordings whose channels are split have 2 at most"
    ]


def test_a_language_that_is_given_is_that_of_all_channels():
    # In the table: it wins over routes. In the configuration: routes win.
    table = settled(call(options={"language": "en"}), CALLER)
    assert (table.settings_of(0).options, table.settings_of(1).options["language"]) == ({"language": "en"}, "en")
    run = replace(SETTINGS, options={**SETTINGS.options, "language": "en"})
    english = Route({"channel": 1, "language": "en"}, "tiny.en")
    one = settled(call(), english, CALLER, settings=run)
    assert (one.settings_of(0).model, one.settings_of(1).options["language"]) == ("tiny.en", "es")


def test_what_was_heard_of_all_channels_decides_nothing_about_one_that_was_named():
    plain = Route({"channel": 1}, "tiny.en")
    one = settled(call(), plain, found=heard("es"))
    assert one.settings_of(0) == TrackSettings("tiny.en", {})
    assert one.settings_of(1) == TrackSettings("", {"language": "es"})
    assert one.identified == {"language": "es", "probability": 0.9, "languages": {"es": 0.9}}
    # Where the route asks for that language, it is meant.
    spanish = Route({"channel": 2, "language": "es"}, "", {"prompt": "Hola"})
    assert settled(call(), spanish, found=heard("es")).settings_of(1).options == {"prompt": "Hola", "language": "es"}
    # Nobody says that all of it is decoded as one language where that is not so.
    both = heard("en", second="es", second_share=0.4, is_multilingual=True)
    assert settled(call(), AGENT, CALLER, found=both).remarks == [
        "multilingual: en, and es in 40% of what was listened to"
    ]
    assert settled(call(), AGENT, found=both).remarks[0].startswith("multilingual: en, and es in 40% of what was liste")
    fixed = replace(SETTINGS, options=complete_options({"code_switching": False}))
    one_language = settled(call(), AGENT, found=both, settings=fixed)
    assert "all of it is decoded as en" in one_language.remarks[0]


def test_a_channel_whose_model_does_not_know_its_language_is_named():
    (refused,) = routed(call(), AGENT, Route({"channel": 2}, "tiny.en", {"language": "es"})).refused
    assert "The language of channel 2 is es (given), but model tiny.en knows English only" in refused.reason
    by_ear = routed(call(), Route({"channel": 2, "language": "fr"}, "tiny.en"), found=heard("fr")).refused[0].reason
    assert "The language of channel 2 is fr (identified)" in by_ear
    alike = routed(call(), Route({"channel": [1, 2]}, "tiny.en", {"language": "es"})).refused[0].reason
    assert alike.startswith("Its language is es (given)")


def test_only_languages_that_a_channel_depends_on_are_found_out():
    def wanted(*routes: Route) -> list[str]:
        return [
            one.recording
            for one in unknown_languages([call("a"), call("b", channels_mode="mix")], routes, always=False)
        ]

    assert wanted(Route({"channel": 2, "language": "es"}, "tiny.en")) == ["a"]
    assert wanted(AGENT, CALLER) == []
    # The second channel needs it, the first has its route already.
    assert wanted(AGENT, Route({"language": "es"}, "tiny.en")) == ["a", "b"]
    assert wanted(AGENT, CALLER, Route({"language": "es"}, "tiny.en")) == ["b"]


@pytest.mark.parametrize("channel", [1, [2], [1, 2], 1024])
def test_a_channel_is_a_number_from_1_or_several(channel):
    given = resolve({"routes": [{"when": {"channel": channel}, "model": "tiny"}]})["routes"][0]["when"]
    assert given == {"channel": channel}
    assert str(Route(given)).startswith("channel ")


@pytest.mark.parametrize(
    "when, words",
    [
        ({"channel": 0}, ["routes.1.when.channel", "0"]),
        ({"channel": []}, ["routes.1.when.channel", "empty"]),
        ({"channel": [1, 0]}, ["routes.1.when.channel"]),
        ({"channel": "left"}, ["routes.1.when.channel", "'left'", "whole number"]),
        ({"channel": True}, ["routes.1.when.channel", "True"]),
        ({"channel": 1.5}, ["routes.1.when.channel", "1.5"]),
        ({"channel": 3, "channels": [1, 2]}, ["routes.1.when", "2 channel(s)", "channel 3", "nothing can match"]),
    ],
)
def test_a_mistake_is_told(when, words):
    with pytest.raises(InputError) as caught:
        resolve({"routes": [{"when": when, "model": "tiny"}]})
    for word in words:
        assert word in str(caught.value)


def entry(name: str, seconds: int, **more: Any) -> dict[str, Any]:
    facts = {"recording": name, "path": f"in/{name}.mp3", "size": 1000, "mtime_ns": 5, "duration": seconds * 16_000}
    return {**facts, "channels": 1, "channels_mode": "mix", **more}


def test_plans_without_such_routes_are_to_the_byte_what_they_were(tmp_path):
    # Written at commit 9c3461d, before channels could have routes, for these very recordings and routes.
    settings = Settings("base", {"base": "m", "big": "n"}, {"beam_size": 1, "language": "auto"}, 5, 60, 600, 1, 0)
    recordings = probed_recordings(
        {
            "recordings": [
                entry("talk", 700, language="fr", columns={"site": "x"}),
                entry("call", 400, channels=2, channels_mode="split"),
                entry("stereo", 30, channels=2),
            ]
        },
        5,
    )
    routes = [
        Route({"channels": 2, "max_minutes": 1}, "big", {"beam_size": 5}),
        Route({"channels": 2}, "", {"prompt": "Hello"}),
    ]
    done = apply_routes(recordings, routes, {}, settings, dict.fromkeys(settings.models, ALL)).recordings
    plan = plan_recordings(done, settings)
    # As plans were written when they were one document.
    document = to_json(plan)
    del document["divided"]
    for one in document["recordings"]:
        for name in ("by_channel", "left_out", "audio_tracks", "version"):
            if not one[name]:
                del one[name]
    # The revision of the decoding code came later; so did the search for crosstalk, whose number (now 2) is
    # in the spec of a bundle with split channels, and of its shards: it is split again, and what is still the same is
    # not decoded again.
    text = f"{json.dumps({'schema': 2, **document}, ensure_ascii=False)}\n".replace(', "revision": 0', "")
    written = hashlib.sha256(text.encode()).hexdigest()
    assert written == "88d3a1465635d09b58014f639f98c911b78524e33bf103edc26c7029ebbe119a"
    assert [bundle.spec for bundle in plan.bundles] == ["fab2a0f41a30a3d65f1fe9d2b891c72c"]
    assert [shard.spec for shard in plan.shards] == [
        "7672811d7666b06963dd69d062841865",
        "ec7d071c4ebb9a09753f846bd49696ba",
    ]
    assert plan.options_for(done[1], 1) == plan.options_for(done[1])
    assert to_json(routes)[0] == {
        "when": {"channels": 2, "max_minutes": 1},
        "model": "big",
        "options": {"beam_size": 5},
    }


def planned(*recordings: Recording, previous: Plan | None = None, routes: tuple[Route, ...] = (AGENT, CALLER)) -> Plan:
    done = apply_routes(recordings, routes, {}, SETTINGS, KNOWN).recordings
    return plan_recordings(done, SETTINGS, previous)


def test_a_shard_has_one_model_where_a_recording_has_two(tmp_path):
    plan = planned(call(minutes=10))
    assert [(shard.model, shard.chunks, shard.audio) for shard in plan.shards] == [
        ("tiny.en", ["call.c0.0000", "call.c0.0001"], 9_600_000),
        ("base", ["call.c1.0000", "call.c1.0001"], 9_600_000),
    ]
    assert plan.shards_of_bundle == {"b0001": ["s0001", "s0002"]}
    one = plan.recordings[0]
    assert (plan.models_of(one), plan.model_of(one, 0), plan.model_of(one, 1)) == (
        ["tiny.en", "base"],
        "tiny.en",
        "base",
    )
    assert (plan.options_for(one, 1)["beam_size"], plan.options_for(one, 0)["language"]) == (5, "en")
    write_plan(plan, tmp_path / "plan.json")
    assert read_plan(tmp_path / "plan.json") == plan
    # Arithmetic counts like a model.
    half = planned(call(), routes=(Route({"channel": 2}, "", {"compute_type": "float32"}),))
    assert [(shard.model, shard.compute_type) for shard in half.shards] == [("base", "auto"), ("base", "float32")]


def test_specs_follow_what_a_channel_is_decoded_with():
    def specs(*recordings: Recording, routes: tuple[Route, ...]) -> list[str]:
        return [shard.spec for shard in planned(*recordings, routes=routes).shards]

    def prompt(channel: int | list[int], text: str) -> Route:
        return Route({"channel": channel, "column": {"site": text}}, "", {"prompt": text})

    a, b = call("a", columns={"site": "x"}), call("b", columns={"site": "y"})
    every = [
        specs(a, b, routes=()),
        specs(a, b, routes=(prompt(1, "x"),)),
        specs(a, b, routes=(prompt(2, "x"),)),
        specs(a, b, routes=(prompt(1, "y"),)),
        specs(a, b, routes=(prompt(1, "x"), prompt(2, "y"))),
        specs(a, b, routes=(prompt([1, 2], "x"),)),
    ]
    assert all(len(one) == 1 for one in every) and len({one[0] for one in every}) == len(every)
    # Another prompt for one channel is another spec for the shard that has it, and for no other.
    first = planned(a)
    second = planned(a, previous=first, routes=(AGENT, replace(CALLER, options={"language": "es"})))
    assert second.bundles == first.bundles
    assert (second.shards[0], second.shards[1].shard) == (first.shards[0], first.shards[1].shard)
    assert second.shards[1].spec != first.shards[1].spec
    # A shard that would have two models is dealt anew.
    before = planned(a, routes=())
    assert [shard.shard for shard in planned(a, previous=before).shards] == ["s0002", "s0003"]


def test_figures_are_told_per_model(tmp_path):
    plan = planned(call(minutes=60), call("mix", 60, channels_mode="mix"))
    assert plan.audio_by_model() == {"tiny.en": 57_600_000, "base": 115_200_000}
    lines = plan_summary_lines(plan, {"base": ModelSpeed(10.0, "measured"), "tiny.en": ModelSpeed(20.0, "guessed")}, 1)
    assert lines[3:6] == [
        "shards       1 for model base (2 recording(s), 2.00 h)",
        "             1 for model tiny.en (1 recording(s), 1.00 h)",
        "estimate     0.25 core-hours (measured; guessed), about 15 min on 1 core(s)",
    ]
    folder = RunFolder(tmp_path)
    speeds = {"base": {"per_core": 10.0, "source": "m"}, "tiny.en": {"per_core": 20.0, "source": "g"}}
    write_json(folder.estimate, {"speeds": speeds, "cores": 1})
    assert set(read_report_data(folder, plan).models) == {"base", "tiny.en"}
    assert set(read_report_data(folder, planned(call(), routes=())).models) == {"base"}
    expected = read_estimate(folder, plan, 3 * 3600)
    assert expected is not None and expected.core_seconds == 3600 / 20 + 7200 / 10


def test_plans_are_compared_channel_by_channel():
    one, other = planned(call()), planned(call(), routes=(AGENT,))
    assert _same_keys(one, planned(call())) and not _same_keys(one, other)
    assert list(_models(one)) == ["tiny.en", "base"]


@pytest.fixture
def cut(tmp_path: Path) -> tuple[Recording, list[Chunk]]:
    """A recording of two channels whose bundle is split."""
    sound = [hiss(20, 500, seed=seed) for seed in (1, 2)]
    path = write_wav(tmp_path / "call.wav", np.stack(sound, axis=1))
    state = path.stat()
    facts = {"path": str(path), "size": state.st_size, "mtime_ns": state.st_mtime_ns, "duration": 20 * 16_000}
    one = replace(call(), **facts)
    job = SplitJob(one.recording, one.path, one.size, one.mtime_ns, "split", one.duration, one.chunks)
    manifest = split_bundle([job], tmp_path / "chunks" / "b0001", "b0001")
    write_cuts(tmp_path / "results" / "old", [job], manifest)
    return one, manifest.chunks


def preview_store(plan, cuts, store):
    """What the store holds of a whole plan."""
    lookup = StoreLookup(plan.settings, store)
    lookup.add(plan.recordings, cuts, plan.shards)
    return lookup.found


def test_jobs_keys_and_foresight_are_those_of_a_channel(tmp_path, cut):
    one, (agent, caller) = cut
    plan = planned(one)
    works = [collect(plan, shard, tmp_path / "chunks", Store(tmp_path / "store")) for shard in plan.shards]
    assert [[job.name for job in work.jobs] for work in works] == [["call.c0.0000"], ["call.c1.0000"]]
    assert [work.jobs[0].options["language"] for work in works] == ["en", "es"]
    keys = [work.jobs[0].key for work in works]
    assert keys == [
        store_keys(agent, "t", {"language": "en"})[0],
        store_keys(caller, "b", {"language": "es", "prompt": "Hola", "beam_size": 5})[0],
    ]
    store, cuts = Store(tmp_path / "store"), KnownCuts(tmp_path / "results").of("b0001", plan.recordings)
    assert preview_store(plan, cuts, store).waiting == {"tiny.en": 320_000, "base": 320_000}
    store.put(keys[0], empty_result(10, "en"), {})
    after = preview_store(plan, cuts, store)
    assert (after.waiting, after.stored_chunks, after.shards) == ({"base": 320_000}, 1, 1)


def test_a_transcript_says_what_each_channel_was_made_with():
    def made(plan: Plan) -> dict[str, Any]:
        return provenance(plan, plan.recordings[0], BundleFacts([]))

    two = made(planned(call()))
    assert "model" not in two and "options" not in two
    assert [(one["channel"], one["model"], one["options"]["language"]) for one in two["channels"]] == [
        (1, {"name": "tiny.en", "hash": "t"}, "en"),
        (2, {"name": "base", "hash": "b"}, "es"),
    ]
    assert model_names({"provenance": two}) == "tiny.en, base"
    # One model with two prompts is one model.
    assert model_names({"provenance": made(planned(call(), routes=(CALLER,)))}) == "base"
    usual = made(planned(call(), routes=()))
    assert "channels" not in usual and usual["model"] == {"name": "base", "hash": "b"}
    assert model_names({"provenance": usual}) == "base" and model_names({}) == ""
