"""Which recording gets which model and options."""

from __future__ import annotations

from dataclasses import replace

import pytest

from audiogrid.config.resolve import resolve
from audiogrid.config.routes import (
    Route,
    configured_models,
    identifying_model,
    needs_identification,
    parse_routes,
    unknown_languages,
)
from audiogrid.core.errors import InputError
from audiogrid.core.language_codes import CODES
from audiogrid.decoding.revisions import complete_options
from audiogrid.models.languages import known_languages
from audiogrid.models.registry import load_registry
from audiogrid.planning.apply_routes import apply_routes
from audiogrid.planning.plan_settings import settle_recordings
from audiogrid.records.identified_languages import HeardWindow, Identified, judge, unknown
from audiogrid.records.plan import Recording, Settings
from places import ROOT

REGISTRY = load_registry(ROOT / "config" / "models.yaml")
SETTINGS = Settings(
    model="base",
    models={"base": "b", "tiny.en": "t", "medium": "m"},
    options={"language": "auto", "prompt": "", "compute_type": "auto"},
    chunk_minutes=5,
    bundle_minutes=60,
    shard_minutes=600,
    shards_at_least=1,
    chunks_per_shard=0,
)
ALL = frozenset(CODES)
KNOWN = {"base": ALL - {"yue"}, "medium": ALL - {"yue"}, "tiny.en": frozenset({"en"})}
ENGLISH = Route({"language": "en"}, "tiny.en", {"compute_type": "int8"})
INDIAN = Route({"language": ["hi", "bn", "ta"]}, "medium")


def recording(name: str = "a", minutes: float = 1.0, **more: object) -> Recording:
    return replace(Recording(name, f"in/{name}.wav", 1, 2, round(minutes * 960_000), 1, "mix", 1), **more)  # type: ignore[arg-type]


def heard(language: str, probability: float = 0.9) -> Identified:
    return Identified(language, probability, {language: probability}, [HeardWindow(0.0, 20.0, language, probability)])


def routed(one: Recording, routes: list[Route], found: Identified | None = None, settings: Settings = SETTINGS):
    return apply_routes([one], routes, {one.recording: found} if found else {}, settings, KNOWN)


def settled(one: Recording, routes: list[Route], found: Identified | None = None, settings: Settings = SETTINGS):
    return routed(one, routes, found, settings).recordings[0]


def test_without_routes_a_recording_stays_as_it_is():
    one = recording(options={"language": "fr"}, columns={"site": "x"})
    assert settled(one, []) == one


def test_the_first_route_that_fits_applies():
    assert settled(recording(options={"language": "en"}), [ENGLISH, Route({}, "medium")]).model == "tiny.en"
    assert settled(recording(options={"language": "ta"}), [ENGLISH, INDIAN]).model == "medium"
    assert settled(recording(options={"language": "fr"}), [ENGLISH, INDIAN]).model == ""
    assert settled(recording(options={"language": "fr"}), [ENGLISH, Route({}, "medium")]).model == "medium"
    # The run's own model is spelt as no model: such a recording is that of a run without routes.
    assert settled(recording(), [Route({}, "base")]) == recording()


@pytest.mark.parametrize(
    "when, fits",
    [
        ({"min_minutes": 10}, True),
        ({"min_minutes": 10.1}, False),
        ({"max_minutes": 10}, True),
        ({"min_minutes": 1, "max_minutes": 9}, False),
        ({"channels": 2}, True),
        ({"channels": [1, 3]}, False),
        ({"column": {"Site": "paris"}}, True),
        ({"column": {"site": ["Rome", "PARIS "]}}, True),
        ({"column": {"site": "Rome"}}, False),
        ({"column": {"year": 2024}}, True),
        ({"column": {"absent": "x"}}, False),
        ({"column": {"language": "en"}}, True),
        ({"column": {"recording": "a"}}, True),
        ({"language": "en", "column": {"site": "Paris"}}, True),
        ({"language": "fr", "column": {"site": "Paris"}}, False),
        ({}, True),
    ],
)
def test_conditions(when, fits):
    one = recording(minutes=10, channels=2, options={"language": "en"}, columns={"site": "Paris", "year": "2024"})
    assert (settled(one, [Route(when, "medium")]).model == "medium") is fits


def test_the_table_wins_over_the_route_and_the_route_over_the_run():
    route = Route({}, "", {"prompt": "of the route", "hotwords": "river", "beam_size": 3})
    own = settled(recording(options={"prompt": "of the row"}), [route])
    assert {**SETTINGS.options, **own.options} == {
        **SETTINGS.options,
        "prompt": "of the row",
        "hotwords": "river",
        "beam_size": 3,
    }


def test_an_identified_language_is_that_of_the_recording():
    found = settled(recording(), [ENGLISH], heard("en"))
    assert (found.model, found.options["language"]) == ("tiny.en", "en")
    assert found.identified == {"language": "en", "probability": 0.9, "languages": {"en": 0.9}}
    # Of what a table or the run says nobody is told otherwise.
    assert settled(recording(options={"language": "hi"}), [INDIAN], heard("en")).options["language"] == "hi"
    run = replace(SETTINGS, options={**SETTINGS.options, "language": "bn"})
    assert settled(recording(), [INDIAN], None, run).model == "medium"
    # Where every window has its own language none is fixed.
    switching = replace(SETTINGS, options={**SETTINGS.options, "code_switching": True})
    assert "language" not in settled(recording(), [INDIAN], heard("hi"), switching).options


def test_a_multilingual_recording_says_so():
    windows = [HeardWindow(0.0, 20.0, "hi", 0.9), HeardWindow(30.0, 10.0, "en", 0.9)]
    found = judge(windows, [{"hi": 0.9, "en": 0.1}, {"hi": 0.1, "en": 0.9}], 0.25)
    assert (found.language, found.second, found.second_share) == ("hi", "en", 0.3333)
    fixed = replace(SETTINGS, options={**SETTINGS.options, "code_switching": False})
    (remark,) = settled(recording(), [INDIAN], found, fixed).remarks
    assert remark.startswith("multilingual: hi, and en in 33% of what was listened to; all of it is decoded as hi")
    # By default no language is fixed for it, so that each passage is decoded in its own.
    by_default = settled(recording(), [INDIAN], found)
    assert by_default.remarks == ["multilingual: hi, and en in 33% of what was listened to"]
    assert "language" not in by_default.options
    assert settled(recording(), [INDIAN], judge(windows, [{"hi": 0.9}, {"en": 0.9}], 0.5)).remarks == []


def test_a_language_that_nobody_could_tell_is_left_open():
    for problem in (unknown("no speech was found in it"), judge([], [], 0.25)):
        found = settled(recording(), [ENGLISH, INDIAN], problem)
        assert (found.model, found.options, found.identified) == ("", {}, None)
        assert found.remarks == ["language not identified: no speech was found in it"]


def test_undecided_windows_make_no_second_language():
    windows = [HeardWindow(0.0, 20.0, "hi", 0.9), HeardWindow(30.0, 20.0, "ur", 0.4)]
    assert judge(windows, [{"hi": 0.9}, {"ur": 0.4, "hi": 0.39}], 0.25).is_multilingual is False


def test_a_language_that_its_model_does_not_know_is_refused_before_anything_is_decoded():
    result = routed(recording(options={"language": "fr"}), [Route({}, "tiny.en")])
    assert result.recordings == []
    assert result.refused[0].path == "in/a.wav"
    assert "Its language is fr (given), but model tiny.en knows English only" in result.refused[0].reason
    by_ear = routed(recording(), [Route({}, "tiny.en")], heard("fr")).refused[0].reason
    assert "Its language is fr (identified)" in by_ear
    cantonese = routed(recording(options={"language": "yue"}), []).refused[0].reason
    assert "model base does not know this language" in cantonese


def test_a_route_that_matches_nothing_is_named_with_the_column_nobody_has():
    one = recording(columns={"site": "x"})
    result = apply_routes(
        [one], [ENGLISH, Route({"column": {"Room": "7", "site": "x"}}, "medium")], {}, SETTINGS, KNOWN
    )
    assert result.warnings == [
        "route 1 (language en) matches no recording",
        "route 2 (Room 7, site x) matches no recording; no recording has a column 'Room'",
    ]
    assert result.recordings == [one]


def test_only_languages_that_matter_are_found_out():
    recordings = [recording("a"), recording("b", minutes=30), recording("c", options={"language": "fr"})]

    def wanted(routes: list[Route], always: bool = False) -> list[str]:
        return [one.recording for one in unknown_languages(recordings, routes, always=always)]

    assert wanted([ENGLISH]) == ["a", "b"]
    assert wanted([Route({"min_minutes": 20}, "medium"), ENGLISH]) == ["a"]
    assert wanted([Route({"min_minutes": 20, "language": "en"}, "medium"), Route({}, "tiny.en")]) == ["b"]
    assert wanted([Route({}, "medium")]) == []
    assert wanted([], always=True) == ["a", "b"]


def test_routes_of_a_configuration():
    config = resolve(
        {
            "routes": [
                {"when": {"language": "en"}, "model": "tiny.en", "compute_type": "int8", "decoding": {"beam_size": 2}},
                {"when": {"column": {"site": "x"}}, "prompt": "Hello"},
            ]
        }
    )
    assert parse_routes(config, REGISTRY) == [
        Route({"language": "en"}, "tiny.en", {"beam_size": 2, "compute_type": "int8"}),
        Route({"column": {"site": "x"}}, "", {"prompt": "Hello"}),
    ]
    assert configured_models(config) == ["base", "tiny.en"]
    assert needs_identification(config, parse_routes(config, REGISTRY))
    assert not needs_identification(resolve({**config, "language": "en"}), parse_routes(config, REGISTRY))
    assert identifying_model(config, REGISTRY) == "base"
    assert identifying_model(resolve({"model": "small"}), REGISTRY) == "small"
    assert identifying_model(resolve({"model": "small.en"}), REGISTRY) == "base"
    assert identifying_model(resolve({"identify": {"model": "tiny"}}), REGISTRY) == "tiny"


@pytest.mark.parametrize(
    "given, words",
    [
        ({"routes": [{"when": {"language": "englisch"}, "model": "tiny"}]}, ["routes.1.when.language", "'englisch'"]),
        ({"routes": [{"model": "tiny"}, {"when": {"lang": "en"}, "model": "tiny"}]}, ["'lang'", "routes.2.when"]),
        ({"routes": [{"when": {"language": "auto"}, "model": "tiny"}]}, ["routes.1.when.language", "leave"]),
        ({"routes": [{"when": {"language": "en"}}]}, ["routes.1", "sets nothing"]),
        ({"routes": [{"model": "tiny", "decoding": {"beam_size": 99}}]}, ["routes.1.decoding.beam_size", "99", "20"]),
        ({"routes": [{"model": "tiny", "compute_type": "int7"}]}, ["routes.1.compute_type", "'int7'", "int8"]),
        ({"routes": [{"model": "tiny", "when": {"min_minutes": 9, "max_minutes": 3}}]}, ["routes.1", "9", "3", "swap"]),
        ({"routes": {"model": "tiny"}}, ["routes", "a list"]),
        ({"routes": ["tiny"]}, ["routes.1", "section"]),
        ({"identify": {"windows": 0}}, ["identify.windows", "at least 1"]),
    ],
)
def test_a_mistake_in_routes_names_key_value_and_fix(given, words):
    with pytest.raises(InputError) as caught:
        resolve(given)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "given, words",
    [
        ({"model": "tiny.en", "language": "fr"}, ["model: 'tiny.en'", "English only", "fr", "'tiny'"]),
        ({"routes": [{"when": {"language": ["en", "hi"]}, "model": "small.en"}]}, ["routes.1.model", "hi", "'small'"]),
        ({"routes": [{"model": "small.en", "language": "de"}]}, ["routes.1.model", "de"]),
        ({"routes": [{"when": {"language": "de"}, "model": "nothing-like-it"}]}, ["nothing-like-it"]),
    ],
)
def test_models_that_cannot_do_what_they_are_to_do_are_told_at_once(given, words):
    with pytest.raises(InputError) as caught:
        parse_routes(resolve(given), REGISTRY)
    for word in words:
        assert word in str(caught.value)


def test_norwegian_survives_in_routes():
    routes = resolve({"routes": [{"when": {"language": [False, "sv"]}, "model": "tiny"}]})["routes"]
    assert routes[0]["when"]["language"] == ["no", "sv"]


def test_the_shipped_example_sends_english_to_a_small_model_and_indian_languages_to_a_larger_one():
    import yaml

    config = resolve(yaml.safe_load((ROOT / "config/examples/routes-india.yaml").read_text()))
    routes = parse_routes(config, REGISTRY)
    settings = replace(SETTINGS, model="base", models={name: name for name in configured_models(config)})
    known = dict.fromkeys(settings.models, ALL)

    def model(language: str) -> str:
        return (
            apply_routes([recording(options={"language": language})], routes, {}, settings, known).recordings[0].model
        )

    assert model("en") == "tiny.en"
    assert {model(code) for code in "hi bn ta te mr gu kn ml pa ur as ne si sd sa".split()} == {"medium"}
    assert model("fr") == ""


def test_languages_of_a_model_are_read_off_its_vocabulary(tmp_path, base_model):
    assert known_languages(base_model) == ALL - {"yue"}
    (tmp_path / "vocabulary.txt").write_text("x\n" * 51_864)
    assert known_languages(tmp_path) == {"en"}
    (tmp_path / "vocabulary.json").write_text("[" + ",".join(["0"] * 51_866) + "]")
    assert known_languages(tmp_path) == ALL
    with pytest.raises(InputError, match="vocabulary"):
        known_languages(tmp_path / "nothing")


def test_routes_choose_for_recordings_of_a_rollout_too():
    wanted = {
        "rollout": {"variant": "v", "share": 1.0, "model": "medium", "options": {"prompt": "of the variant"}},
        "routes": [{"when": {"language": "en"}, "model": "tiny.en", "options": {"prompt": "of the route"}}],
    }
    settings = replace(SETTINGS, options=complete_options(SETTINGS.options))
    table = [
        recording("a", options={"language": "en"}),
        recording("b", options={"language": "en", "prompt": "of the row"}),
        recording("c", options={"language": "fr"}),
    ]
    done = settle_recordings(table, settings, wanted, {}, KNOWN).recordings
    assert [(one.model, one.options["prompt"], one.variant) for one in done] == [
        ("tiny.en", "of the route", "v"),
        ("tiny.en", "of the row", "v"),
        ("medium", "of the variant", "v"),
    ]
