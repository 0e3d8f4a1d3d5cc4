"""Results copied to object storage."""

from __future__ import annotations

import pytest

from audiogrid.core.errors import InputError
from audiogrid.remote.publishing import check_target, is_published, publish, target
from audiogrid.remote.service_protocol import RemoteError


def test_publishing_sends_what_changed(buckets, published):
    buckets.client.create_bucket(Bucket="out")
    to = target("s3://out/x/", "talks")
    first = publish(published, to)
    assert is_published(published, to) and not is_published(published, target("s3://out/y", "talks"))
    assert sorted(first.fresh) == sorted(name.removeprefix("x/talks/") for name in buckets.names("out"))
    assert set(first.fresh) == {
        "transcripts/a.txt",
        "transcripts/a.chunks/1.txt",
        "summary.tsv",
        "report.html",
        "run_config.yaml",
    }
    page = buckets.client.head_object(Bucket="out", Key="x/talks/report.html")
    assert page["ContentType"] == "text/html; charset=utf-8"

    (published / "summary.tsv").write_text("more")
    # A run that was killed before it could publish is noticed.
    assert not is_published(published, to)
    buckets.client.put_object(Bucket="out", Key="x/talks/report.html", Body=b"somebody else's")
    buckets.client.delete_object(Bucket="out", Key="x/talks/transcripts/a.txt")
    second = publish(published, to)
    assert sorted(second.fresh) == ["report.html", "summary.tsv", "transcripts/a.txt"]
    assert publish(published, to).fresh == []


def test_what_cannot_be_published_is_named_and_tried_again(buckets, published):
    to = target("s3://not-there/x", "talks")
    with pytest.raises(RemoteError, match="bucket does not exist"):
        check_target(to)
    done = publish(published, to)
    assert done.refused and len(done.failed) == 5 and not is_published(published, to)
    assert any("bucket does not exist" in reason for reason in done.failed.values())

    buckets.client.create_bucket(Bucket="not-there")
    assert len(publish(published, to).fresh) == 5


@pytest.mark.parametrize("given", ["https://host/x", "/data/results", "s3://"])
def test_where_nothing_can_be_published(given):
    with pytest.raises(InputError):
        target(given, "talks")
