"""Variants, rollouts and what a comparison is made of, from the configuration to the plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from audiogrid.config.resolve import resolve
from audiogrid.config.sampling import is_rolled_out
from audiogrid.config.variants import CURRENT, parse_comparison, parse_rollout, with_variant
from audiogrid.core.errors import InputError
from audiogrid.decoding.revisions import complete_options
from audiogrid.planning.bundles_and_shards import plan_recordings, probed_recordings
from audiogrid.planning.plan_settings import apply_rollout, make_settings

VARIANTS = {"turbo": {"model": "turbo", "decoding": {"beam_size": 5}}, "plain": None}


def test_a_variant_changes_what_it_names_and_nothing_else():
    settings = resolve({"variants": VARIANTS, "decoding": {"patience": 2.0}, "language": "en"})
    changed = with_variant(settings, "turbo")
    assert changed["model"] == "turbo"
    assert changed["decoding"] == {**settings["decoding"], "beam_size": 5}
    assert changed["decoding"]["patience"] == 2.0
    assert {key for key in settings if settings[key] != changed[key]} == {"model", "decoding"}
    assert with_variant(settings, "plain") == with_variant(settings, CURRENT) == with_variant(settings, "") == settings


def test_what_is_compared():
    settings = resolve({"variants": VARIANTS})
    assert parse_comparison(settings).variants == [CURRENT, "turbo", "plain"]
    chosen = resolve({"variants": VARIANTS, "compare": {"variants": ["plain", "turbo"], "baseline": "turbo"}})
    assert parse_comparison(chosen).variants == ["turbo", "plain"]
    assert parse_comparison(chosen).baseline == "turbo"


@pytest.mark.parametrize(
    "given, words",
    [
        ({"variants": {"../x": {}}}, ["'../x'", "letters"]),
        ({"variants": {"a": {"modell": "x"}}}, ["'modell' in 'variants.a'", "'model'"]),
        ({"variants": {"a": {"decoding": {"beam": 3}}}}, ["'beam' in 'variants.a.decoding'"]),
        ({"variants": {"current": {}}}, ["'current'", "another"]),
        ({"variants": {"a": {"language": "englisch"}}}, ["variants.a.language", "'englisch'"]),
        ({"variants": {"turbo": {}}, "variant": "turb"}, ["variant", "'turb'", "'turbo'"]),
        ({"rollout": {"variant": "x"}}, ["rollout.variant", "'x'"]),
        ({"rollout": {"share": "200 %"}}, ["rollout.share", "200 %"]),
        ({"compare": {"sample": "some"}}, ["compare.sample", "'some'", "90 min"]),
        ({"compare": {"variants": ["y"]}}, ["compare.variants", "'y'"]),
        ({"conditions": ["fog"]}, ["conditions", "'fog'", "telephone"]),
    ],
)
def test_a_mistake_names_key_value_and_fix(given, words):
    with pytest.raises(InputError) as caught:
        resolve(given)
    for word in words:
        assert word in str(caught.value)


def test_as_typed_on_a_command_line():
    settings = resolve({"variants": {"a": {"decoding": {"beam_size": "5"}}}, "conditions": "mp3 32, telephone"})
    assert settings["variants"]["a"]["decoding"]["beam_size"] == 5
    assert settings["conditions"] == ["mp3 32", "telephone"]


@pytest.fixture
def staged(tmp_path, monkeypatch):
    """Two folders that count as models."""
    monkeypatch.setattr("audiogrid.planning.plan_settings.model_hash", lambda folder: f"hash of {folder.name}")
    return [tmp_path / "base", tmp_path / "turbo"]


def probed():
    facts = {"size": 1, "mtime_ns": 1, "duration": 16_000 * 60, "channels": 1, "channels_mode": "mix"}
    rows = [
        {"recording": f"r{n}", "path": f"r{n}.wav", "language": "es" if n == 3 else None, **facts} for n in range(60)
    ]
    return {"recordings": rows, "rejected": []}


def planned(settings, model_dirs: list[Path], rolled_out=None):
    options = {**settings["decoding"], **{k: settings[k] for k in ("language", "prompt", "hotwords", "compute_type")}}
    rest = {"chunk_minutes": 5, "bundle_minutes": 60, "shard_minutes": 600, "shards_at_least": 1, "chunks_per_shard": 0}
    wanted = {"options": options, **rest, **({"rollout": rolled_out} if rolled_out else {})}
    made = make_settings(wanted, model_dirs)
    return plan_recordings(apply_rollout(probed_recordings(probed(), 5), made, wanted), made)


def test_a_rollout_is_for_its_share_what_promotion_is_for_all(staged):
    given = {"variants": VARIANTS, "rollout": {"variant": "turbo", "share": "30 %"}}
    settings = resolve(given)
    found = parse_rollout(settings)
    assert found is not None and found.share == 0.3
    variant = with_variant(settings, "turbo")
    options = {**variant["decoding"], **{k: variant[k] for k in ("language", "prompt", "hotwords", "compute_type")}}
    decided = {"variant": "turbo", "share": found.share, "model": "turbo", "options": options}
    now, alone = planned(settings, staged, decided), planned(settings, staged)
    promoted = planned(variant, staged[::-1])
    assert parse_rollout(resolve({**given, "variant": "turbo"})) is None
    shares = {recording.recording for recording in now.recordings if recording.variant == "turbo"}
    assert shares == {f"r{n}" for n in range(60) if is_rolled_out(f"r{n}", 0.3)} and 5 < len(shares) < 30
    for name in now.recording:
        # What the store key is made of: the model, and the options whatever their order.
        for one, other in ((now, promoted),) if name in shares else ((now, alone),):
            mine, theirs = one.recording[name], other.recording[name]
            assert one.models[one.model_of(mine)] == other.models[other.model_of(theirs)]
            assert one.options_for(mine) == other.options_for(theirs)
    assert now.options_for(now.recording["r3"])["language"] == "es"
    assert {shard.model for shard in now.shards} == {"base", "turbo"}


def test_options_are_complete_and_as_in_keys():
    assert complete_options({"beam_size": 2})["careful_beam_size"] == 5
