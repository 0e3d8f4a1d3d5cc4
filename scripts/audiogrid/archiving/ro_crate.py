"""``ro-crate-metadata.json``: what a run took, made and was made with, as a Workflow Run Crate.

RO-Crate 1.1 (w3id.org/ro/crate/1.1) with the profiles Process Run Crate and Workflow Run Crate 0.5
(w3id.org/ro/wfrun/workflow/0.5) and Workflow RO-Crate 1.0.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from audiogrid import __version__
from audiogrid.archiving.bag_options import BagOptions
from audiogrid.archiving.media_types import media_type, sound_type
from audiogrid.archiving.run_account import Described, RunAccount, timestamp
from audiogrid.core.json_values import readable_json
from audiogrid.core.text import clean_text
from audiogrid.export.formats import FORMATS
from audiogrid.records.bags import Packed

#: The file itself, at the root of the crate.
CRATE_NAME = "ro-crate-metadata.json"
#: What a person reads first.
README = "README.md"
#: The main file of the workflow, and the folder that it lies in.
WORKFLOW = "workflow/Snakefile"
_PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
# Where the programs of a run are at home; entities of RO-Crate should be known by an address.
_HOMES = {
    "faster-whisper": "https://github.com/SYSTRAN/faster-whisper",
    "ctranslate2": "https://github.com/OpenNMT/CTranslate2",
    "av": "https://github.com/PyAV-Org/PyAV",
    "numpy": "https://numpy.org",
}
_SNAKEMAKE = "https://w3id.org/workflowhub/workflow-ro-crate#snakemake"
_CONTEXT = ["https://w3id.org/ro/crate/1.1/context", "https://w3id.org/ro/terms/workflow-run/context"]
_PARAMETER = "https://bioschemas.org/profiles/FormalParameter/1.0-RELEASE"
_WORKFLOW_PROFILE = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
_NO_LICENSE = "No license is stated. The rights in the recordings and in their words belong to those who hold them."

Entity = dict[str, Any]


def _ref(name: str) -> dict[str, str]:
    return {"@id": name}


def file_id(name: str) -> str:
    """Returns the name of a file in the crate as an identifier: an address relative to the crate."""
    return quote(name, safe="/")


def recording_id(described: Described, files: Mapping[str, Packed]) -> str:
    """Returns the identifier of a recording: its file in the crate, its web address, or a name within the crate."""
    name = recording_name(described)
    if f"data/{name}" in files:
        return file_id(name)
    # Two recordings may come from one address, such as two tracks of it.
    return described.web if described.is_alone and described.web else f"#recording-{quote(described.id, safe='')}"


def recording_name(described: Described) -> str:
    """Returns where a recording lies in the bag if it is copied."""
    # With an ending for all, ids that differ only in theirs ("talk", "talk.wav") have different files.
    return f"recordings/{described.id}{described.suffix or '.bin'}"


def crate(account: RunAccount, options: BagOptions, files: Mapping[str, Packed], hashed: Mapping[str, Packed]) -> bytes:
    """Returns the description of a run. ``files``: of the bag, by name; ``hashed``: recordings that are not in it."""
    title = options.title or f"Transcripts of {account.name}"
    entities = [
        _descriptor(),
        _root(account, options, files, title),
        *_profiles(),
        *_license(options),
        *_party(options),
        _workflow(account, options),
        *_software(account),
        *_parameters(account),
        *_models(account),
        _action(account, options, files, title),
        *_recordings(account, files, hashed),
        *_transcripts(account, files),
        *_other_files(account, files),
    ]
    graph = [{key: _plain(value) for key, value in entity.items()} for entity in entities]
    return readable_json({"@context": _CONTEXT, "@graph": graph})


def _plain(value: Any) -> Any:
    """Returns a list of one as that one, as RO-Crate asks for."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _descriptor() -> Entity:
    return {
        "@id": CRATE_NAME,
        "@type": "CreativeWork",
        "about": _ref("./"),
        "conformsTo": [
            _ref("https://w3id.org/ro/crate/1.1"),
            _ref("https://w3id.org/workflowhub/workflow-ro-crate/1.0"),
        ],
    }


def _root(account: RunAccount, options: BagOptions, files: Mapping[str, Packed], title: str) -> Entity:
    parts = [file_id(name.removeprefix("data/")) for name in sorted(files)]
    web = [one.web for one in account.recordings if one.web and recording_id(one, files) == one.web]
    complete = "" if not account.missing else f" {account.missing} of them have none; failed.tsv says why."
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": title,
        "description": f"Machine-made transcripts of {len(account.recordings)} recording(s), with times, made by "
        f"audiogrid {account.versions.get('audiogrid', __version__)} with Whisper ({', '.join(account.models)})."
        f"{complete} Nobody vouches for single words: they may be wrong or missing.",
        "datePublished": options.date or account.day,
        "license": _ref("#license") if not _is_address(options.license) else _ref(options.license),
        "conformsTo": [_ref(name) for name in _PROFILES],
        "mainEntity": _ref(WORKFLOW),
        "mentions": [_ref("#run")],
        "hasPart": [_ref(name) for name in [*parts, *web]],
        **(dict.fromkeys(("author", "publisher"), _ref("#responsible-party")) if options.responsible_party else {}),
    }


def _profiles() -> Iterator[Entity]:
    for name, (title, version) in _PROFILES.items():
        yield {"@id": name, "@type": "CreativeWork", "name": title, "version": version}


def _is_address(text: str) -> bool:
    return text.startswith(("http://", "https://")) and not any(char.isspace() for char in text)


def _license(options: BagOptions) -> Iterator[Entity]:
    text = clean_text(options.license) or _NO_LICENSE
    name = options.license if _is_address(options.license) else "#license"
    yield {"@id": name, "@type": "CreativeWork", "name": text, "description": text}


def _party(options: BagOptions) -> Iterator[Entity]:
    if options.responsible_party:
        yield {
            "@id": "#responsible-party",
            "@type": "Organization",
            "name": clean_text(options.responsible_party),
        }


def _workflow(account: RunAccount, options: BagOptions) -> Entity:
    return {
        "@id": WORKFLOW,
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
        "name": "audiogrid",
        "description": "Transcribes recordings with Whisper. Its rules call the commands of the package audiogrid.",
        "version": account.versions.get("audiogrid", __version__),
        "conformsTo": _ref(_WORKFLOW_PROFILE),
        "encodingFormat": "text/plain",
        "programmingLanguage": _ref(_SNAKEMAKE),
        "license": "MIT",
        "input": [_ref("#parameter-recordings"), *(_ref(f"#parameter-{_key(name)}") for name in account.options)],
        "output": [_ref("#parameter-transcripts")],
        "softwareRequirements": [_ref(_software_id(name)) for name in account.versions if name != "snakemake"],
        "hasPart": [_ref(_software_id(name)) for name in account.versions if name == "audiogrid"],
    }


def _software_id(name: str) -> str:
    return _HOMES.get(name) or f"#software-{_key(name)}"


def _key(name: str) -> str:
    return quote(name, safe="")


def _software(account: RunAccount) -> Iterator[Entity]:
    version = account.versions.get("snakemake")
    yield {
        "@id": _SNAKEMAKE,
        "@type": "ComputerLanguage",
        "name": "Snakemake",
        "identifier": _ref("https://snakemake.readthedocs.io"),
        "url": _ref("https://snakemake.readthedocs.io"),
        **({"version": version} if version else {}),
    }
    for name, version in account.versions.items():
        if name != "snakemake":
            yield {
                "@id": _software_id(name),
                "@type": "SoftwareApplication",
                "name": name,
                "softwareVersion": version,
                **({"url": _ref(_HOMES[name])} if name in _HOMES else {}),
            }


def _parameters(account: RunAccount) -> Iterator[Entity]:
    """What the workflow takes and gives, and the values that this run had for it."""
    formal = {"@type": "FormalParameter", "conformsTo": _ref(_PARAMETER)}
    yield {
        "@id": "#parameter-recordings",
        **formal,
        "name": "recordings",
        "description": "audio or video files",
        "additionalType": "File",
        "valueRequired": True,
    }
    yield {
        "@id": "#parameter-transcripts",
        **formal,
        "name": "transcripts",
        "description": "texts with times, in several formats",
        "additionalType": "File",
    }
    for name, value in account.options.items():
        kind = {bool: "Boolean", int: "Integer", float: "Float"}.get(type(value), "Text")
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield {"@id": f"#parameter-{_key(name)}", **formal, "name": name, "additionalType": kind}
        yield {
            "@id": f"#option-{_key(name)}",
            "@type": "PropertyValue",
            "name": name,
            "value": clean_text(text),
            "exampleOfWork": _ref(f"#parameter-{_key(name)}"),
        }


def _models(account: RunAccount) -> Iterator[Entity]:
    for name, sha256 in account.models.items():
        yield {
            "@id": f"#model-{_key(name)}",
            "@type": "CreativeWork",
            "name": f"Whisper {name}",
            "description": "weights of the speech recogniser",
            "identifier": f"sha256:{sha256}",
        }


def _action(account: RunAccount, options: BagOptions, files: Mapping[str, Packed], title: str) -> Entity:
    results = [file_id(name) for one in account.recordings for name in sorted(one.files.values()) if _in(name, files)]
    taken = [
        *(recording_id(one, files) for one in account.recordings),
        *(f"#model-{_key(name)}" for name in account.models),
        *(f"#option-{_key(name)}" for name in account.options),
        *(["run_config.yaml"] if _in("run_config.yaml", files) else []),
    ]
    failed = {
        "actionStatus": "http://schema.org/FailedActionStatus",
        "error": f"{account.missing} of {len(account.recordings)} recording(s) have no transcript: see failed.tsv",
    }
    return {
        "@id": "#run",
        "@type": "CreateAction",
        "name": title,
        "description": f"Run {clean_text(account.name)} of audiogrid",
        "startTime": timestamp(account.began),
        "endTime": timestamp(account.ended),
        "instrument": _ref(WORKFLOW),
        **({"agent": _ref("#responsible-party")} if options.responsible_party else {}),
        **(failed if account.missing else {"actionStatus": "http://schema.org/CompletedActionStatus"}),
        "object": [_ref(name) for name in taken],
        "result": [_ref(name) for name in results],
    }


def _in(name: str, files: Mapping[str, Packed]) -> bool:
    return f"data/{name}" in files


def _recordings(account: RunAccount, files: Mapping[str, Packed], hashed: Mapping[str, Packed]) -> Iterator[Entity]:
    for one in account.recordings:
        name = recording_id(one, files)
        packed = files.get(f"data/{recording_name(one)}") or hashed.get(one.id)
        is_file = not name.startswith("#")
        audio = f"#audio-{_key(one.id)}"
        yield {
            "@id": name,
            "@type": "File" if is_file else "CreativeWork",
            "name": one.title,
            "identifier": one.id,
            "encodingFormat": sound_type(one.recording.path if one.suffix else one.title),
            "contentSize": str(packed.size if packed else one.recording.size),
            "duration": f"PT{one.seconds}S",
            "exampleOfWork": _ref("#parameter-recordings"),
            **({"inLanguage": one.language} if one.language else {}),
            **({"sha256": packed.hashes["sha256"]} if packed else {}),
            **({"additionalProperty": _ref(audio)} if one.audio else {}),
        }
        if one.audio:
            yield {
                "@id": audio,
                "@type": "PropertyValue",
                "name": "SHA-256 of the encoded audio, without what surrounds it in the file",
                "propertyID": "sha256-of-encoded-audio",
                "value": one.audio,
            }


def _transcripts(account: RunAccount, files: Mapping[str, Packed]) -> Iterator[Entity]:
    for one in account.recordings:
        for kind, name in sorted(one.files.items()):
            if _in(name, files):
                yield {
                    **_file(name, files),
                    "name": f"{one.title} ({FORMATS[kind].purpose if kind in FORMATS else kind})",
                    "isBasedOn": _ref(recording_id(one, files)),
                    "exampleOfWork": _ref("#parameter-transcripts"),
                    **({"inLanguage": one.language} if one.language else {}),
                }


def _file(name: str, files: Mapping[str, Packed]) -> Entity:
    packed = files[f"data/{name}"]
    return {
        **({"about": _ref("./")} if name == README else {}),
        "@id": file_id(name),
        "@type": "File",
        "name": PurePosixPath(name).name,
        "encodingFormat": media_type(name),
        "contentSize": str(packed.size),
        "sha256": packed.hashes["sha256"],
    }


def _other_files(account: RunAccount, files: Mapping[str, Packed]) -> Iterator[Entity]:
    """Files that no recording has, or that only describe one."""
    told = {name for one in account.recordings for name in one.files.values()}
    told |= {recording_name(one) for one in account.recordings} | {WORKFLOW}
    for path in sorted(files):
        name = path.removeprefix("data/")
        if name not in told:
            yield _file(name, files)
