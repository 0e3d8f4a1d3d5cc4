"""``README.md`` of a bag: what a person finds who opens it years later."""

from __future__ import annotations

import re
from collections.abc import Collection

from audiogrid import __version__
from audiogrid.archiving.bag_options import BagOptions
from audiogrid.archiving.run_account import RunAccount
from audiogrid.core.text import clean_text

# Folders and files, with what they are; those that a bag lacks are left out.
_CONTENTS = {
    "report.html": "an overview for reading: open it in a browser",
    "search.html": "a page that searches all transcripts; it reads `search/`",
    "transcripts": "the transcripts, in several formats, a name for each recording",
    "recordings": "the recordings themselves",
    "summary.tsv": "a table of the recordings: length, language, words, doubt",
    "ledger.tsv": "what became of every second of every recording",
    "failed.tsv": "recordings without a transcript, or with a gap, and why",
    "rejected.tsv": "files that could not be read as recordings, and why",
    "run_config.yaml": "the configuration, versions of programs, and the command",
    "iiif": "IIIF manifests (Presentation API 3.0), and a collection of them",
    "mets": "a METS file for each recording, with PREMIS events",
    "workflow": "the Snakemake workflow that made the transcripts",
    "ro-crate-metadata.json": "a description of every file for machines (Workflow Run RO-Crate)",
}
_MARKS = re.compile(r"([\\`*_{}\[\]<>()#|])")


def _words(text: str) -> str:
    """Returns a text that Markdown shows as it is."""
    return _MARKS.sub(r"\\\1", " ".join(clean_text(text).split()))


def readme(account: RunAccount, options: BagOptions, present: Collection[str]) -> str:
    """Returns the text. ``present``: names of files in the bag."""
    tops = {name.split("/")[0] for name in present} | {"ro-crate-metadata.json", "iiif"}
    tops |= {"mets"} if options.mets else set()
    delivered = len(account.recordings) - account.missing
    hours = sum(one.seconds for one in account.recordings) / 3600
    words = sum(int(one.row.get("words") or 0) for one in account.recordings)
    version = account.versions.get("audiogrid", __version__)
    lines = [
        f"# {_words(options.title or f'Transcripts of {account.name}')}",
        "",
        f"Transcripts of {delivered} of {len(account.recordings)} recording(s), {hours:.1f} hours, {words} words.",
        f"They were made by a machine on {account.day}: audiogrid {version} with Whisper "
        f"({_words(', '.join(account.models))}). Words may be wrong or missing, and some may never have been said.",
        "",
        *([f"Responsible: {_words(options.responsible_party)}", ""] if options.responsible_party else []),
        *([f"License: {_words(options.license)}", ""] if options.license else []),
        "| name | what it is |",
        "|---|---|",
        *(f"| `{name}` | {meaning} |" for name, meaning in _CONTENTS.items() if name in tops),
        "",
        "The folder above is a bag (BagIt, RFC 8493): its manifests have the checksums of all files, and any BagIt "
        "validator tells whether they are still as they were.",
    ]
    return "\n".join(lines) + "\n"
