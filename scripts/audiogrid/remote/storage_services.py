"""The storage services that are known, by the scheme of their addresses: the one list of them.

Another service takes an entry here and a module with a ``Service`` class.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StorageScheme:
    """A service with buckets. ``container``: what it calls a bucket; ``extra``: of the installation, for its library.

    ``module`` and ``service``: where its ``Service`` class is. ``aliases``: other schemes that mean the same.
    """

    name: str
    container: str
    extra: str
    module: str
    service: str
    aliases: tuple[str, ...] = ()


STORAGE: dict[str, StorageScheme] = {
    "s3": StorageScheme("Amazon S3, and services like it", "bucket", "s3", "audiogrid.remote.s3", "S3Service"),
    "gs": StorageScheme("Google Cloud Storage", "bucket", "gcs", "audiogrid.remote.gcs", "GcsService", ("gcs",)),
    "az": StorageScheme("Azure Blob Storage", "container", "azure", "audiogrid.remote.azure", "AzureService"),
}
#: Schemes of single files on the web, which can be read only.
WEB = ("https", "http")
#: Every scheme as people write it -> the one it stands for.
SPELLINGS = {alias: name for name, one in STORAGE.items() for alias in (name, *one.aliases)} | {one: one for one in WEB}


def _or(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def storage_addresses() -> str:
    """Returns what an address of a place for results may look like, for messages."""
    (first, one), *others = STORAGE.items()
    return _or([f"{first}://{one.container}/prefix", *(f"{name}://..." for name, _ in others)])


def readable_schemes() -> str:
    """Returns the schemes of what can be read, for messages."""
    return ", ".join(f"{name}://" for name in (*STORAGE, WEB[0]))
