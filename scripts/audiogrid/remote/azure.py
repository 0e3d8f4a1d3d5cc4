"""Blobs in Azure, through the client of snakemake-storage-plugin-azure.

Account: ``AZURE_STORAGE_ACCOUNT`` or ``SNAKEMAKE_STORAGE_AZURE_ACCOUNT_NAME``; credentials: what the
Azure command line, a managed identity or ``AZURE_CLIENT_ID``, ``AZURE_TENANT_ID`` and
``AZURE_CLIENT_SECRET`` give.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import snakemake_storage_plugin_azure as plugin
from azure.core import MatchConditions
from azure.core import exceptions as service_errors
from azure.storage.blob import ContentSettings

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

_CREDENTIALS = "run `az login`, or check AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET"


def explained(error: Exception) -> RemoteError:
    """What an error of Azure's libraries means; their own texts may quote addresses."""
    if isinstance(error, service_errors.ResourceNotFoundError):
        return missing()
    if isinstance(error, service_errors.ResourceModifiedError):
        return changed()
    if isinstance(error, service_errors.ClientAuthenticationError):
        return anonymous("not signed in", _CREDENTIALS)
    if isinstance(error, service_errors.HttpResponseError):
        status = error.status_code or 0
        if status in (401, 403):
            return refused(f"status {status}", _CREDENTIALS)
        if 400 <= status < 500 and status not in (408, 429):
            return refused(f"status {status}", "check the address")
    return unreachable(type(error).__name__)


_call = LibraryCalls(explained)


def _facts(properties: Any) -> RemoteFacts:
    return RemoteFacts.of(properties.size, properties.last_modified.timestamp(), properties.etag)


class AzureService:
    """The client that the plugin makes."""

    def __init__(self, client: Any = None) -> None:
        if client is None:
            account = os.environ.get("AZURE_STORAGE_ACCOUNT")
            settings = plugin_settings(plugin, "azure", account_name=account)
            if not settings.account_name and "AZURITE_CONNECTION_STRING" not in os.environ:
                raise anonymous("no account", "set AZURE_STORAGE_ACCOUNT")
            provider = _call.provider(plugin, settings)
            client = provider.bsc
        self._client = client

    def facts(self, address: Address) -> RemoteFacts:
        """Properties of a blob."""
        blob = self._client.get_blob_client(address.bucket, address.key)
        return _facts(_call(blob.get_blob_properties))

    def list(self, address: Address) -> Iterator[tuple[str, RemoteFacts]]:
        """A request per 5,000 blobs."""
        container = self._client.get_container_client(address.bucket)
        pages = _call(lambda: iter(container.list_blobs(name_starts_with=address.key or None)))
        while (blob := _call(lambda: next(pages, None))) is not None:
            yield blob.name, _facts(blob)

    def read_from(self, address: Address, start: int, facts: RemoteFacts) -> tuple[Body, int]:
        """Pieces of 4 MiB, on the condition that the blob is the same."""
        blob = self._client.get_blob_client(address.bucket, address.key)
        downloader = _call(
            lambda: blob.download_blob(
                offset=start, etag=f'"{facts.tag}"', match_condition=MatchConditions.IfNotModified
            )
        )
        return Body(downloader, _call), start

    def put(self, path: Path, address: Address, media_type: str) -> str:
        """Upload; a container that is not there is not made."""
        blob = self._client.get_blob_client(address.bucket, address.key)
        with path.open("rb") as file:
            kind = ContentSettings(content_type=media_type)
            answer = _call(lambda: blob.upload_blob(file, overwrite=True, content_settings=kind))
        return RemoteFacts.of(0, 0.0, answer["etag"]).tag
