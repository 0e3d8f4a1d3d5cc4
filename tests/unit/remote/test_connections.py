"""Google's and Azure's storage: requests, answers and errors."""

from __future__ import annotations

import io
import socket
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from audiogrid.core.errors import InputError
from audiogrid.probing.list_recordings import list_sources
from audiogrid.probing.probe import probe
from audiogrid.remote.address import parse
from audiogrid.remote.connections import service
from audiogrid.remote.publishing import publish, target
from audiogrid.remote.reader import RemoteFile
from audiogrid.remote.service_protocol import RemoteError
from bad_media import tone, write_wav
from require import require


class _Blobs:
    """As much of Azure's client as is used; entity tags are quoted in one answer and not in the other, as there."""

    def __init__(self, blobs):
        self.blobs, self.asked = blobs, []

    def get_container_client(self, container):
        def list_blobs(name_starts_with):
            return [self._properties(name, "1") for name in sorted(self.blobs) if name.startswith(name_starts_with)]

        return SimpleNamespace(list_blobs=list_blobs)

    def get_blob_client(self, container, name):
        self.asked.append((container, name))

        def properties():
            from azure.core.exceptions import ResourceNotFoundError

            if name not in self.blobs:
                raise ResourceNotFoundError
            return self._properties(name, '"1"')

        def download(offset, etag, match_condition):
            assert etag == '"1"'
            return io.BytesIO(self.blobs[name][offset:])

        def upload(file, overwrite, content_settings):
            self.blobs[name] = file.read()
            return {"etag": '"2"'}

        return SimpleNamespace(get_blob_properties=properties, download_blob=download, upload_blob=upload)

    def _properties(self, name, tag):
        when = datetime.fromtimestamp(1_700_000_000, UTC)
        return SimpleNamespace(name=name, size=len(self.blobs[name]), last_modified=when, etag=tag)


@pytest.fixture(scope="module")
def google():
    """An emulator of Google's service with a bucket."""
    try:
        import snakemake_storage_plugin_gcs  # noqa: F401
        from gcp_storage_emulator.server import create_server
    except ImportError as error:
        require("gcs", False, f"{error}; pip install -e '.[test]'")
        raise
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = create_server("127.0.0.1", port, in_memory=True, default_bucket="pile")
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
        service.cache_clear()
        yield
        service.cache_clear()
    server.stop()


def test_google_storage(google, published, tmp_path):
    sound = write_wav(tmp_path / "x.wav", tone(60.0))
    for key in ('talks/it\'s "odd" & $(x).wav', "talks/sub//ünï ☃.wav"):
        service("gs").put(sound, parse(f"gs://pile/{key}"), "audio/wav")

    report = probe(list_sources("gcs://pile/talks").sources, processes=1)

    assert [(found.path, found.duration) for found in report.recordings] == [
        ('gs://pile/talks/it\'s "odd" & $(x).wav', 960_000),
        ("gs://pile/talks/sub//ünï ☃.wav", 960_000),
    ]
    remote = RemoteFile(parse("gs://pile/talks/sub//ünï ☃.wav")).open()
    remote.seek(-100, 2)
    assert remote.read(200) == sound.read_bytes()[-100:]
    with pytest.raises(RemoteError, match="does not exist"):
        service("gs").facts(parse("gs://pile/talks/nothing.wav"))
    with pytest.raises(InputError, match=r"gs://nowhere/x: .*does not exist"):
        list_sources("gs://nowhere/x")
    to = target("gs://pile/out", "talks")
    assert len(publish(published, to).fresh) == 5
    assert publish(published, to).fresh == []


def test_azure_errors_and_requests(tmp_path):
    try:
        from azure.core import exceptions as answers

        from audiogrid.remote import azure
    except ImportError as error:
        require("azure", False, f"{error}; pip install -e '.[test]'")
        raise
    for status, kind in ((403, "refused"), (400, "refused"), (503, "unreachable"), (429, "unreachable")):
        answer = answers.HttpResponseError("https://account/x?sig=5ec4e7")
        answer.status_code = status
        found = azure.explained(answer)
        assert found.kind == kind and "5ec4e7" not in str(found)
    assert azure.explained(answers.ResourceNotFoundError()).kind == "missing"
    assert azure.explained(answers.ResourceModifiedError()).kind == "changed"
    assert azure.explained(answers.ClientAuthenticationError()).kind == "anonymous"
    assert azure.explained(answers.ServiceRequestError("no route")).kind == "unreachable"

    client = _Blobs({"talks/a #1?.wav": b"abcdefgh", "other": b""})
    storage = azure.AzureService(client)
    address = parse("az://box/talks/a #1?.wav")
    assert [key for key, _ in storage.list(parse("az://box/talks/"))] == ["talks/a #1?.wav"]
    facts = storage.facts(address)
    assert facts == dict(storage.list(address))["talks/a #1?.wav"]
    body, start = storage.read_from(address, 3, facts)
    assert (body.read(10), start) == (b"defgh", 3)
    assert client.asked == [("box", "talks/a #1?.wav")] * 2
    with pytest.raises(RemoteError, match="does not exist"):
        storage.facts(parse("az://box/nothing"))
    assert storage.put(write_wav(tmp_path / "x.wav", tone(0.1)), parse("az://box/x"), "audio/wav") == "2"
    assert client.blobs["x"].startswith(b"RIFF")
