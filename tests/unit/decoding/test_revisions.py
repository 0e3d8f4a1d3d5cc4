"""Keys of stored results across revisions of the decoding code."""

import hashlib
import json

import pytest

from audiogrid.core.errors import InputError
from audiogrid.decoding import revisions
from audiogrid.decoding.options import DecodeOptions
from audiogrid.decoding.revisions import REVISION, complete_options, defaults, options_in, store_keys
from audiogrid.records.chunks import Chunk, Seam

CHUNK = Chunk("a.0000", "a", None, 0, 100, 900, 0, 1000, Seam("edge", 0, 0), Seam("edge", 900, 0), "ab" * 32)


def key_of_the_version_before(options):
    """The key as the version without revisions computed it, spelt out."""
    identity = {"schema": 1, "pcm": "ab" * 32, "owned": [100, 900], "model": "m", "options": options}
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_changed_default_needs_an_entry_for_its_revision():
    assert defaults(REVISION) == complete_options({}), (
        "a default of DecodeOptions differs from those of the revision: raise REVISION in decoding/revisions.py "
        "and add the option to CHANGED_DEFAULTS (or REMOVED_OPTIONS)"
    )


def test_every_revision_is_described():
    assert sorted(revisions.CHANGED_DEFAULTS) == list(range(1, REVISION + 1))
    for number, changes in revisions.CHANGED_DEFAULTS.items():
        added = changes.keys() - defaults(number - 1).keys()
        assert added <= revisions.WITHOUT_EFFECT.keys(), f"at which value do {added} leave the text as it was?"


def test_keys_of_revision_0_are_those_of_the_version_before():
    before = {name: value for name, value in defaults(0).items() if name != "code_switching"}
    assert store_keys(CHUNK, "m", {}, [0])[1] == key_of_the_version_before(before)
    assert store_keys(CHUNK, "m", complete_options({}), [0]) == store_keys(CHUNK, "m", {}, [0])


def test_an_option_that_is_set_is_the_same_in_the_key_of_every_revision():
    before = {name: value for name, value in defaults(0).items() if name != "code_switching"}
    for own in ({"beam_size": 5}, {"code_switching": True}, {"temperatures": [0.5]}, {"language": "de"}):
        assert store_keys(CHUNK, "m", own, [0])[1] == key_of_the_version_before({**before, **own})
        assert options_in(REVISION, own) == {**complete_options({}), **own}


def test_only_accepted_revisions_are_looked_for():
    assert len(store_keys(CHUNK, "m", {})) == 1
    assert len(set(store_keys(CHUNK, "m", {}, [0, REVISION]))) == 2
    assert store_keys(CHUNK, "m", {}, [0])[0] == store_keys(CHUNK, "m", {})[0]


def test_what_a_revision_could_not_do_has_no_key_there(monkeypatch):
    monkeypatch.setattr(revisions, "WITHOUT_EFFECT", {"faint_voice": 0.0})
    monkeypatch.setattr(
        revisions, "FIRST_DEFAULTS", {k: v for k, v in revisions.FIRST_DEFAULTS.items() if k != "faint_voice"}
    )
    assert options_in(0, {"faint_voice": 0.5}) is None
    assert options_in(0, {"faint_voice": 0.0}) == options_in(0, {}) == options_in(0, {"faint_voice": 0.75})
    assert len(store_keys(CHUNK, "m", {"faint_voice": 0.5}, [0])) == 1


@pytest.mark.parametrize("accepted", [[REVISION + 1], [0, -1]])
def test_a_revision_that_does_not_exist_is_an_error(accepted):
    with pytest.raises(InputError, match=f"it is at revision {REVISION}, and earlier ones are: 0"):
        store_keys(CHUNK, "m", {}, accepted)


def test_options_are_spelt_as_json_has_them():
    assert complete_options({"suppress_tokens": (1, 2)})["suppress_tokens"] == [1, 2]
    assert complete_options({}).keys() == vars(DecodeOptions()).keys()
