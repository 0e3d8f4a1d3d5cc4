"""Every value of the configuration given as the wrong type: one plain error that names key, value and fix."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from audiogrid.config.resolve import load_schema, resolve
from audiogrid.config.routes import configured_models, identifying_model, needs_identification, parse_routes
from audiogrid.config.run_settings import RunSettings
from audiogrid.config.variants import CURRENT, parse_comparison, parse_rollout, with_variant
from audiogrid.core.errors import InputError
from audiogrid.decoding.revisions import REVISION, check_revisions
from audiogrid.media.audio_tracks import parse_tracks
from audiogrid.merging.merge_bundle import MergeSettings
from audiogrid.models.registry import load_registry
from audiogrid.records.speakers import speaker_count
from audiogrid.remote.publishing import publish_settings, target
from audiogrid.transcribing.mpi_launch import is_mpi
from places import ROOT

REGISTRY = load_registry(ROOT / "config" / "models.yaml")
LONG_AGO = datetime.date(2024, 2, 1)


def keys(rule: Mapping[str, Any], path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of all keys at any depth; lists and named sections have one entry."""
    schema = load_schema()
    if "$ref" in rule:
        rule = schema["properties"][rule["$ref"].rsplit("/", 1)[1]]
    if path:
        yield path
    for name, inner in rule.get("properties", {}).items():
        yield from keys(inner, (*path, name))
    if isinstance(rule.get("additionalProperties"), Mapping):
        yield from keys(rule["additionalProperties"], (*path, "x"))
    if rule.get("items"):
        yield from keys(rule["items"], (*path, 0))
    for option in rule.get("oneOf", []):
        # Sections and lists among several forms of a value.
        yield from (found for found in keys(option, path) if found != path)


PATHS = sorted(set(keys(load_schema())), key=str)


def nested(path: tuple[Any, ...], value: Any) -> Any:
    for part in reversed(path):
        value = [value] if part == 0 else {part: value}
    return value


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, -(10**400)]),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["language: de", "[1", "{", "a: b: c", "null", "1e999", ".nan", "&a [*a]", "!!python/x y", "no"]),
    st.just(LONG_AGO),
    st.binary(max_size=4),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6) | st.integers() | st.none(), inner),
    max_leaves=4,
)


def check(path: tuple[Any, ...], value: Any) -> None:
    """A value is accepted, and everything that reads the configuration works, or it is one plain error."""
    try:
        settings_ = resolve(nested(path, value))
        routes = parse_routes(settings_, REGISTRY)
        needs_identification(settings_, routes)
        identifying_model(settings_, REGISTRY)
        parse_comparison(settings_)
        parse_rollout(settings_)
        run = RunSettings(settings_, REGISTRY)
        for on_cluster in (False, True):
            run.plan_settings(REVISION, on_cluster=on_cluster)
            run.compare_settings(REVISION, on_cluster=on_cluster)
        _ = MergeSettings(**json.loads(run.merge_settings())).cues
        _ = run.all_models, run.ranks, run.identifies
        check_revisions(settings_["accept_revisions"])
        parse_tracks(settings_["tracks"])
        speaker_count(settings_["speakers"])
        is_mpi(settings_["mpi"])
        if to := publish_settings(settings_["publish"]).to:
            target(to, settings_["run"])
        for name in [CURRENT, *settings_["variants"]]:
            configured_models(with_variant(settings_, name))
        # What Snakemake and the plan keep of it.
        json.dumps(settings_, allow_nan=False)
    except InputError as error:
        names = [str(part) for part in path if isinstance(part, str) and part != "x"]
        assert any(re.search(rf"\b{name}\b", str(error)) for name in names), f"no key in: {error}"
        assert all(line.strip() for line in str(error).splitlines())
        assert len(str(error)) < 4000


SIMPLE = [None, True, 7, -1.5, float("nan"), 10**400, "text", "language: de", "{", "", [], [[]], {1: 2}, LONG_AGO, b"x"]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: ".".join(map(str, path)))
def test_every_key_takes_every_type_or_says_what_is_wrong(path: tuple[Any, ...]) -> None:
    for value in SIMPLE:
        check(path, value)


@given(st.sampled_from(PATHS), values)
@settings(max_examples=150, deadline=None)
@example(("routes", 0, "when"), "language: de")
def test_any_value_at_any_key(path: tuple[Any, ...], value: Any) -> None:
    check(path, value)


@given(
    st.dictionaries(
        st.text(max_size=8) | st.integers() | st.none() | st.sampled_from(list(load_schema()["properties"])),
        values,
        max_size=4,
    )
)
@settings(max_examples=80, deadline=None)
def test_any_configuration(config: dict[Any, Any]) -> None:
    try:
        resolve(config)
    except InputError as error:
        assert "mistake" in str(error)


def test_a_configuration_that_contains_itself_is_an_error() -> None:
    config: dict[str, Any] = {"run": "x"}
    config["shards"] = config
    with pytest.raises(InputError, match="contains itself"):
        resolve(config)


def test_a_condition_that_is_text_names_the_route() -> None:
    with pytest.raises(InputError) as caught:
        resolve({"routes": [{"when": "language: de", "model": "base"}]})
    assert "routes.1.when: 'language: de'" in str(caught.value)
    assert "1 mistake(s)" in str(caught.value)


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({"accept_revisions": 7}, "must be a list of whole numbers, for example [7]"),
        ({"accept_revisions": "zero"}, "must be a list of whole numbers"),
        ({"formats": 3}, "must be a list of formats"),
        ({"routes": 3}, "must be a list of sections of keys and values"),
        ({"decoding": {"temperatures": 0.2}}, "must be a list of numbers, for example [0.2]"),
        ({"decoding": {"temperatures": 5}}, "must be a list of numbers"),
    ],
)
def test_a_single_value_where_a_list_belongs(values: dict[str, Any], wanted: str) -> None:
    with pytest.raises(InputError) as raised:
        resolve(values)
    assert str(raised.value).endswith(wanted)
