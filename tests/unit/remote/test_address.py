"""Addresses: what they stand for, and what of them may be shown."""

from __future__ import annotations

import re

import pytest

from audiogrid.core.errors import InputError
from audiogrid.remote.address import parse, parse_public
from audiogrid.remote.listing import glob_pattern
from audiogrid.remote.service_protocol import RemoteFacts

SIGNED = "X-Amz-Algorithm=A&X-Amz-Credential=c&X-Amz-Signature=5ec4e7"


@pytest.mark.parametrize(
    ("text", "public", "stem"),
    [
        ("s3://pile/a b/it's #1?.x.mp3", "s3://pile/a b/it's #1?.x.mp3", "it's #1?.x"),
        ("S3://pile/../a//b", "s3://pile/../a//b", "b"),
        ("gcs://pile/a.wav", "gs://pile/a.wav", "a"),
        ("az://box/folder/a", "az://box/folder/a", "a"),
        (f"https://Host/a%20b.mp3?{SIGNED}", "https://host/a%20b.mp3", "a b"),
        ("https://me:pw@host:8080/x.wav#t", "https://host:8080/x.wav", "x"),
        ("https://box.example/c/x.wav?sv=1&sp=r&sig=abc", "https://box.example/c/x.wav", "x"),
    ],
)
def test_an_address_has_a_form_that_may_be_shown(text, public, stem):
    address = parse(text)

    assert (address.public, address.stem) == (public, stem)
    assert not any(secret in repr(address) for secret in ("5ec4e7", "pw@", "abc"))


def test_queries_tell_files_apart_without_being_shown():
    first, second = parse("https://host/get?id=1&token=hush"), parse("https://host/get?id=2&token=hush")

    assert first.public != second.public
    assert first.public == parse(f"https://host/get?id=1&token=hush&{SIGNED}").public
    assert "hush" not in first.public + repr(first)


@pytest.mark.parametrize("text", ["s3://", "s3:///key", "s3://AKIA:secret@bucket/x", "https://", "https://ho st/x"])
def test_an_address_that_is_none_is_refused_without_repeating_it(text):
    with pytest.raises(InputError) as caught:
        parse(text)

    assert "secret" not in str(caught.value) and "AKIA" not in str(caught.value)


def test_a_signed_address_belongs_into_a_table():
    with pytest.raises(InputError, match="table") as caught:
        parse_public(f"https://host/x.mp3?{SIGNED}")

    assert "5ec4e7" not in str(caught.value)


def test_facts_tell_a_change_within_a_second():
    assert RemoteFacts.of(5, 1700000000.9, '"a"') != RemoteFacts.of(5, 1700000000.2, '"b"')
    assert RemoteFacts.of(5, 1700000000.9, '"a"') == RemoteFacts.of(5, 1700000000.2, '"a"')


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("a/*.wav", ["a/x.wav", "a/x.wav/below"], ["a/b/x.wav", "a/xwav"]),
        ("a/**/x.wav", ["a/x.wav", "a/b/c/x.wav"], ["b/x.wav"]),
        ("a/[bc]?", ["a/bx", "a/cy/z"], ["a/dx", "a/b"]),
    ],
)
def test_globs_over_keys(pattern, yes, no):
    matcher = re.compile(glob_pattern(pattern))
    assert all(matcher.fullmatch(key) for key in yes)
    assert not any(matcher.fullmatch(key) for key in no)
