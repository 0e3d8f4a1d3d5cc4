"""Objects in Google Cloud Storage, through the client of snakemake-storage-plugin-gcs.

Credentials: ``GOOGLE_APPLICATION_CREDENTIALS`` and whatever else Google's libraries find.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import snakemake_storage_plugin_gcs as plugin
from google.api_core import exceptions as service_errors
from google.auth import exceptions as auth_errors

from audiogrid.remote.address import Address
from audiogrid.remote.service_protocol import (
    Body,
    LibraryCalls,
    RemoteError,
    RemoteFacts,
    anonymous,
    changed,
    missing,
    plugin_settings,
    refused,
    unreachable,
)

_CREDENTIALS = "check GOOGLE_APPLICATION_CREDENTIALS and what it is allowed to do"
# Bytes per request while reading forward.
_PIECE = 8 << 20


def explained(error: Exception) -> RemoteError:
    """What an error of Google's libraries means."""
    if isinstance(error, service_errors.NotFound):
        return missing()
    if isinstance(error, service_errors.PreconditionFailed):
        return changed()
    if isinstance(error, service_errors.Unauthorized | service_errors.Forbidden):
        return refused(f"status {error.code}", _CREDENTIALS)
    if isinstance(error, auth_errors.DefaultCredentialsError | auth_errors.RefreshError):
        return anonymous("no valid credentials", "set GOOGLE_APPLICATION_CREDENTIALS")
    if isinstance(error, service_errors.ClientError) and error.code not in (408, 429):
        return refused(f"status {error.code}", "check the address")
    return unreachable(type(error).__name__)


_call = LibraryCalls(explained)


def _facts(blob: Any) -> RemoteFacts:
    # A generation is the number of one version of an object.
    return RemoteFacts.of(blob.size, blob.updated.timestamp(), str(blob.generation))


class GcsService:
    """The client that the plugin makes."""

    def __init__(self, client: Any = None) -> None:
        if client is None:
            settings = plugin_settings(plugin, "gcs")
            provider = _call.provider(plugin, settings)
            client = provider.client
        self._client = client

    def facts(self, address: Address) -> RemoteFacts:
        """Metadata of an object."""
        blob = _call(lambda: self._client.bucket(address.bucket).get_blob(address.key))
        if blob is None:
            raise missing()
        return _facts(blob)

    def list(self, address: Address) -> Iterator[tuple[str, RemoteFacts]]:
        """A request per 1,000 objects."""
        pages = _call(lambda: iter(self._client.list_blobs(address.bucket, prefix=address.key)))
        while (blob := _call(lambda: next(pages, None))) is not None:
            yield blob.name, _facts(blob)

    def read_from(self, address: Address, start: int, facts: RemoteFacts) -> tuple[Body, int]:
        """Ranges of 8 MiB, on the condition that the object is the same."""
        blob = self._client.bucket(address.bucket).blob(address.key)
        reader = blob.open("rb", chunk_size=_PIECE, if_generation_match=int(facts.tag))
        reader.seek(start)
        return Body(reader, _call), start

    def put(self, path: Path, address: Address, media_type: str) -> str:
        """Upload; a bucket that is not there is not made."""
        blob = self._client.bucket(address.bucket).blob(address.key)
        _call(lambda: blob.upload_from_filename(str(path), content_type=media_type))
        return str(blob.generation)
