import pytest
import yaml

from audiogrid.config.resolve import load_schema, resolve
from audiogrid.core.errors import InputError
from audiogrid.decoding.options import DecodeOptions
from places import ROOT


def test_an_empty_configuration_has_every_default():
    config = resolve({})
    assert config["chunk_minutes"] == 5
    assert config["shards"] == {"minutes": 600, "at_least": "auto", "chunks_per_shard": 0}


def test_the_shipped_configuration_spells_out_the_defaults():
    shipped = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    assert resolve(shipped) == resolve({})


def test_a_section_can_be_given_in_part():
    assert resolve({"shards": {"minutes": 30}})["shards"]["at_least"] == "auto"


@pytest.mark.parametrize("given", ["srt,vtt", "srt vtt", ["srt", "vtt"]])
def test_formats_as_people_type_them(given):
    assert resolve({"formats": given})["formats"] == ["srt", "vtt"]


def test_a_run_named_like_a_number():
    assert resolve({"run": 2024})["run"] == "2024"


@pytest.mark.parametrize("given", ["true", "True", "yes", True])
def test_a_switch_as_people_type_it(given):
    assert resolve({"allow_gaps": given})["allow_gaps"] is True


def test_a_folder_named_like_a_number():
    assert resolve({"recordings": 2024})["recordings"] == "2024"


def test_a_whole_number_with_a_decimal_point_is_a_whole_number():
    found = resolve({"subtitles": {"max_line_chars": 40.0}})["subtitles"]["max_line_chars"]
    assert (found, type(found)) == (40, int)


def test_norwegian_survives_yaml():
    assert resolve(yaml.safe_load("language: no"))["language"] == "no"


def test_languages_as_people_write_them():
    settings = resolve(
        {
            "language": "German",
            "routes": [{"when": {"language": ["pt_BR", False], "column": {"language": "eng"}}, "language": "zh-Hant"}],
            "variants": {"x": {"language": "Deutsch"}},
        }
    )
    assert settings["language"] == settings["variants"]["x"]["language"] == "de"
    [route] = settings["routes"]
    assert route == {"when": {"language": ["pt", "no"], "column": {"language": "en"}}, "language": "zh"}


@pytest.mark.parametrize(
    "given, words",
    [
        ({"modle": "base"}, ["'modle'", "did you mean 'model'"]),
        ({"shards": {"minuts": 3}}, ["'minuts' in 'shards'", "'minutes'"]),
        ({"chunk_minutes": 99}, ["chunk_minutes", "99", "at most 30"]),
        ({"chunk_minutes": "five"}, ["chunk_minutes", "'five'", "number"]),
        ({"formats": ["strt"]}, ["formats", "'strt'", "'srt'"]),
        ({"formats": []}, ["formats", "empty"]),
        ({"language": "jp"}, ["language", "'jp'", "did you mean 'ja'"]),
        (
            {"routes": [{"when": {"language": ["de", "dk"]}, "model": "base"}]},
            ["routes.1.when.language", "'dk'", "'da'"],
        ),
        ({"variants": {"x": {"language": "gr"}}}, ["variants.x.language", "'gr'", "'el'"]),
        ({"device": "gpu"}, ["device", "'gpu'", "cuda"]),
        ({"run": "../up"}, ["run", "'../up'", "letters"]),
        ({"run": "a/b"}, ["run", "'a/b'"]),
        ({"run": "-rf"}, ["run", "'-rf'"]),
        ({"recordings": ""}, ["recordings", "empty"]),
        ({"speakers": "many"}, ["speakers", "'many'", "none, auto or a whole number"]),
        ({"decoding": {"code_switching": "maybe"}}, ["choose one of auto, true, false"]),
        ({"format_options": {"vtt": {"date": "31.5.2026"}}}, ["'31.5.2026'", "2026-05-31"]),
        ({"decoding": {"beam": 5}}, ["'beam' in 'decoding'", "beam_size"]),
    ],
)
def test_a_mistake_names_key_value_and_fix(given, words):
    with pytest.raises(InputError) as caught:
        resolve(given)
    for word in words:
        assert word in str(caught.value)


def test_all_mistakes_are_told_at_once():
    with pytest.raises(InputError, match="3 mistake"):
        resolve({"modle": "x", "device": 3, "chunk_minutes": -1})


def test_decoding_options_and_schema_agree():
    rules = load_schema()["properties"]["decoding"]["properties"]
    elsewhere = {"language", "prompt", "hotwords", "compute_type"}
    defaults = {key: value for key, value in vars(DecodeOptions()).items() if key not in elsewhere}
    assert {key: rule["default"] for key, rule in rules.items()} == {
        key: list(value) if isinstance(value, tuple) else value for key, value in defaults.items()
    }


def test_sections_on_a_command_line_hold_strings_only():
    settings = resolve(
        {"mpi": {"tasks": "4"}, "workers": {"chunk_timeout_minutes": "0.3"}, "shards": {"at_least": "auto"}}
    )
    assert settings["mpi"] == {"tasks": 4, "launcher": "auto", "silence_seconds": 120}
    assert settings["workers"]["chunk_timeout_minutes"] == 0.3
    assert settings["shards"]["at_least"] == "auto"
    for spelt in (["0", "1"], [0, 1], "[0, 1]"):
        assert resolve({"accept_revisions": spelt})["accept_revisions"] == [0, 1]
    with pytest.raises(InputError, match=r"mpi\.tasks: 'many'"):
        resolve({"mpi": {"tasks": "many"}})
