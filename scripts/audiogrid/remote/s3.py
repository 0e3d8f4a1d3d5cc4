"""Objects in S3 and in services that speak its protocol, through snakemake-storage-plugin-s3.

Credentials, region and endpoint: what botocore finds (``AWS_ACCESS_KEY_ID``, ``AWS_PROFILE``,
``AWS_ENDPOINT_URL``, instance roles ...) or the plugin's ``SNAKEMAKE_STORAGE_S3_...`` variables.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import botocore.exceptions
import snakemake_storage_plugin_s3 as plugin

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

_CREDENTIALS = "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY or AWS_PROFILE, and what they are allowed to do"
# Bytes that are uploaded in one request, whose answer holds the entity tag.
_AT_ONCE = 16 << 20
_TRANSIENT = {"RequestTimeout", "SlowDown", "Throttling", "ThrottlingException", "InternalError", "ServiceUnavailable"}


def _explained(error: Exception) -> RemoteError:
    """What a botocore error means; their own texts may quote signed addresses."""
    if isinstance(error, botocore.exceptions.ClientError):
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        return _refusal(code, status)
    if isinstance(error, botocore.exceptions.NoCredentialsError | botocore.exceptions.PartialCredentialsError):
        return anonymous("no credentials found", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE")
    if isinstance(error, botocore.exceptions.ParamValidationError):
        return RemoteError("missing", "No object can have this name: check its address.")
    names = {"EndpointConnectionError": "no connection", "ConnectTimeoutError": "no connection in time"}
    names |= {"ReadTimeoutError": "no answer in time", "ConnectionClosedError": "the connection broke"}
    name = type(error).__name__
    return unreachable(names.get(name, name), "check the network and AWS_ENDPOINT_URL")


def _refusal(code: str, status: int) -> RemoteError:
    if code == "NoSuchBucket":
        return RemoteError("missing", "The bucket does not exist: check its name and AWS_ENDPOINT_URL.")
    if status == 404:
        return missing()
    if status == 412:
        return changed()
    shown = code if code and code != str(status) else f"status {status}"
    if code in _TRANSIENT or status >= 500 or status in (408, 429):
        return unreachable(f"it service_errors {shown}", "wait a little")
    if status == 301 or code in ("PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraint"):
        return refused(shown, "the bucket is in another region, set AWS_DEFAULT_REGION")
    if code == "InvalidObjectState":
        return refused("it is archived", "restore the object first")
    return refused(shown, _CREDENTIALS)


_call = LibraryCalls(_explained)


class S3Service:
    """The client that the plugin makes."""

    def __init__(self) -> None:
        # Gives connections 3 s each time instead of 60; the plugin leaves no other way to say so.
        os.environ.setdefault("AWS_DEFAULTS_MODE", "standard")
        settings = plugin_settings(plugin, "s3", region=os.environ.get("AWS_REGION"))
        provider = _call.provider(plugin, settings)
        self._client = provider.s3c.meta.client

    def facts(self, address: Address) -> RemoteFacts:
        """HEAD of an object."""
        head = _call(lambda: self._client.head_object(Bucket=address.bucket, Key=address.key))
        return RemoteFacts.of(head["ContentLength"], head["LastModified"].timestamp(), head.get("ETag"))

    def list(self, address: Address) -> Iterator[tuple[str, RemoteFacts]]:
        """A request per 1,000 keys."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=address.bucket, Prefix=address.key)
        iterator = iter(pages)
        while page := _call(lambda: next(iterator, None)):
            for entry in page.get("Contents", []):
                yield (
                    entry["Key"],
                    RemoteFacts.of(entry["Size"], entry["LastModified"].timestamp(), entry.get("ETag")),
                )

    def read_from(self, address: Address, start: int, facts: RemoteFacts) -> tuple[Body, int]:
        """An open-ended range, on the condition that the object is the same."""
        condition = {"IfMatch": f'"{facts.tag}"'} if facts.tag else {}
        answer = _call(
            lambda: self._client.get_object(
                Bucket=address.bucket, Key=address.key, Range=f"bytes={start}-", **condition
            )
        )
        return Body(answer["Body"], _call), start

    def put(self, path: Path, address: Address, media_type: str) -> str:
        """Upload, large files in parts; a bucket that is not there is not made."""
        place = {"Bucket": address.bucket, "Key": address.key}
        if path.stat().st_size <= _AT_ONCE:
            answer = _call(lambda: self._client.put_object(**place, Body=path.read_bytes(), ContentType=media_type))
            return RemoteFacts.of(0, 0.0, answer.get("ETag")).tag
        kind = {"ContentType": media_type}
        _call(lambda: self._client.upload_file(str(path), **place, ExtraArgs=kind))
        return self.facts(address).tag
