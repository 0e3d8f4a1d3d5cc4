"""Addresses of remote recordings, and the form of them that may be shown and kept.

``s3://bucket/key``, ``gs://bucket/key`` and ``az://container/blob`` hold the name of the object as it
is, without percent-encoding. ``https://`` is a URL. Passwords and query strings of URLs can open doors,
so results, logs and messages have the ``public`` form without them.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

from audiogrid.core.errors import InputError
from audiogrid.remote.storage_services import SPELLINGS, WEB

_REMOTE = re.compile(rf"({'|'.join(SPELLINGS)})://", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
# Letters of all scripts are no bucket names; what is refused here would only fail later, with a worse message.
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,221}")
_HOST = re.compile(r"[A-Za-z0-9_.-]+|[0-9a-f:.]+(%\w+)?")
# Parts of a query that sign it (Amazon, Google, CloudFront; Azure below) and change with every signature. Anything else
# may be what tells two files apart.
_SIGNING = re.compile(
    r"x-(amz|goog)-.*|awsaccesskeyid|googleaccessid|key-pair-id|policy|expires|signature", re.IGNORECASE
)
_AZURE_SIGNING = {"sv", "sig", "se", "sp", "sr", "st", "spr", "sip", "ss", "srt", "skoid", "sktid", "skt", "ske", "sks"}
_AZURE_SIGNING |= {"skv", "sdd", "ses", "saoid", "suoid", "scid"}


@dataclass(frozen=True)
class Address:
    """Where an object lies. ``bucket``: bucket, container or host; ``key``: name of the object.

    ``public``: what may be shown. ``url``: of a web address, all of it, secrets included.
    """

    scheme: str
    bucket: str
    key: str
    public: str
    url: str = field(default="", repr=False)

    @property
    def is_web(self) -> bool:
        """Whether this is a URL of a web server, which holds single files and cannot list them."""
        return self.scheme in WEB

    @property
    def root(self) -> str:
        """Scheme and bucket or host: the service that has to answer."""
        return f"{self.scheme}://{self.bucket}"

    @property
    def is_private(self) -> bool:
        """Whether ``public`` does not suffice to reach the object."""
        return self.is_web and self.url != self.public

    @property
    def stem(self) -> str:
        """Name of the object without folders and without its last suffix."""
        name = self.key.rstrip("/").rsplit("/", 1)[-1] or self.bucket
        head, dot, suffix = name.rpartition(".")
        return head if dot and head and suffix else name

    def sibling(self, key: str) -> Address:
        """Another object of the same bucket."""
        return Address(self.scheme, self.bucket, key, f"{self.root}/{key}")


def is_remote(text: str) -> bool:
    """Whether a path is an address that this package reads."""
    return _REMOTE.match(text) is not None


def unknown_scheme(text: str) -> str | None:
    """The scheme of an address that nothing here reads, such as ``ftp``; ``None`` for paths and known addresses."""
    if is_remote(text) or not _SCHEME.match(text):
        return None
    return text.partition("://")[0]


def parse(text: str) -> Address:
    """The address that ``text`` spells; raises ``InputError`` (without secrets in it) when it spells none."""
    scheme = text.partition("://")[0].lower()
    if scheme in WEB:
        return _web(text)
    scheme = SPELLINGS.get(scheme, scheme)
    bucket, _, key = text.partition("://")[2].partition("/")
    if not _BUCKET.fullmatch(bucket):
        # What stands here by mistake may be a key and its secret.
        shown = "what stands before the @" if "@" in bucket else repr(bucket)
        raise InputError(
            f"{scheme}://: {shown} is not the name of a bucket; write {scheme}://bucket/name of the object"
        )
    return Address(scheme, bucket, key, f"{scheme}://{bucket}/{key}")


def parse_public(text: str) -> Address:
    """Like ``parse``, for what is shown and kept as it is; an address with secrets in it is an ``InputError``."""
    address = parse(text)
    if address.is_private:
        raise InputError(
            f"recordings: the address {address.public} has a query, a user or a password, which may be secret, and "
            "configurations are kept: write it into a table (.tsv with a column path) and name the table"
        )
    return address


def _web(text: str) -> Address:
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").encode("idna").decode() if parts.hostname else ""
        port = parts.port
    except ValueError:
        host = ""
    if not _HOST.fullmatch(host):
        scheme = text.partition("://")[0].lower()
        raise InputError(f"{scheme}://: this address has no valid host; write {scheme}://host/path/to/file")
    place = f"[{host}]" if ":" in host else host
    place += f":{port}" if port else ""
    scheme = parts.scheme.lower()
    public = urlunsplit((scheme, place, parts.path or "/", "", ""))
    if told := _identifying_parameters(parts.query):
        # Which of several files behind one path is meant; the hash gives nothing away.
        public += f"#{hashlib.sha256(repr(told).encode()).hexdigest()[:12]}"
    return Address(scheme, place, unquote(parts.path).lstrip("/"), public, urlunsplit(parts._replace(fragment="")))


def _identifying_parameters(query: str) -> list[tuple[str, str]]:
    """The parameters of a query without those that sign it."""
    given = parse_qsl(query, keep_blank_values=True)
    azure = {"sig", "sv"} <= {name for name, _ in given}
    return [
        (name, value)
        for name, value in given
        if not _SIGNING.fullmatch(name) and not (azure and name in _AZURE_SIGNING)
    ]
