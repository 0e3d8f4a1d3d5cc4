"""METS with PREMIS 3: the files of a recording and the event that made its transcripts, as archives keep them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote
from xml.etree import ElementTree as Xml

from audiogrid import __version__
from audiogrid.archiving.bag_options import BagOptions
from audiogrid.archiving.media_types import media_type, sound_type
from audiogrid.archiving.ro_crate import recording_name
from audiogrid.archiving.run_account import Described, RunAccount, timestamp
from audiogrid.core.text import clean_text
from audiogrid.export.formats import FORMATS
from audiogrid.records.bags import Packed

# The section on the event, which all files of a recording share.
_EVENT = "amd-transcription"
#: The folder of the files in the bag.
FOLDER = "mets"
_METS, _PREMIS = "http://www.loc.gov/METS/", "http://www.loc.gov/premis/v3"
_XLINK, _XSI = "http://www.w3.org/1999/xlink", "http://www.w3.org/2001/XMLSchema-instance"
# Without declared prefixes ElementTree would make some up.
for _prefix, _space in (("mets", _METS), ("premis", _PREMIS), ("xlink", _XLINK), ("xsi", _XSI)):
    Xml.register_namespace(_prefix, _space)


@dataclass(frozen=True)
class _Part:
    """A file in a METS document. ``id``: within the document; ``facts``: ``None`` where its bytes were not read.

    ``is_address``: whether ``href`` is an address, or only the name of a file that the bag does not hold.
    """

    id: str
    use: str
    href: str
    label: str
    kind: str
    size: int
    facts: Packed | None
    is_address: bool = True


def mets_name(described: Described) -> str:
    """Returns where the METS file of a recording lies in the bag."""
    return f"{FOLDER}/{described.id}.xml"


def mets(
    described: Described,
    account: RunAccount,
    options: BagOptions,
    files: Mapping[str, Packed],
    hashed: Mapping[str, Packed],
) -> bytes:
    """Returns the METS file of a recording with a transcript; ``files`` and ``hashed`` as for the crate."""
    parts = list(_parts(described, files, hashed))
    ended = timestamp(account.ended)
    root = Xml.Element(_name("mets"), {"OBJID": described.id, "LABEL": clean_text(described.title)})
    head = _child(root, "metsHdr", {"CREATEDATE": ended})
    _agent(head, "CREATOR", "OTHER", _program(account), OTHERTYPE="SOFTWARE")
    if options.responsible_party:
        _agent(head, "CUSTODIAN", "ORGANIZATION", clean_text(options.responsible_party))
    for part in parts:
        own = _child(root, "amdSec", {"ID": f"amd-{part.id}"})
        _premis(_section(own, "techMD", f"tech-{part.id}", "OBJECT"), _object(part, parts))
    shared = _child(root, "amdSec", {"ID": _EVENT})
    _premis(_section(shared, "digiprovMD", "event", "EVENT"), _event(described, account, parts))
    for key, name in _agents(account, described).items():
        _premis(_section(shared, "digiprovMD", f"agent-{key}", "AGENT"), _software_agent(key, name))
    _file_section(root, parts)
    _structure(root, described, parts)
    Xml.indent(root, " ")
    text: str = Xml.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()


def _name(tag: str, space: str = _METS) -> str:
    return f"{{{space}}}{tag}"


def _child(parent: Xml.Element, tag: str, attributes: Mapping[str, str] | None = None) -> Xml.Element:
    return Xml.SubElement(parent, _name(tag), dict(attributes or {}))


def _program(account: RunAccount) -> str:
    return f"audiogrid {account.versions.get('audiogrid', __version__)}"


def _parts(described: Described, files: Mapping[str, Packed], hashed: Mapping[str, Packed]) -> Iterator[_Part]:
    copied = files.get(f"data/{recording_name(described)}")
    facts = copied or hashed.get(described.id)
    here = "../" + quote(recording_name(described))
    yield _Part(
        "recording",
        "original",
        here if copied else described.web or quote(described.title, safe=""),
        described.title,
        sound_type(described.recording.path if described.suffix else described.title),
        facts.size if facts else described.recording.size,
        facts,
        bool(copied or described.web),
    )
    for kind, name in sorted(described.files.items()):
        if (packed := files.get(f"data/{name}")) is not None:
            title = FORMATS[kind].purpose if kind in FORMATS else kind
            yield _Part(
                f"transcript-{kind}", "transcript", "../" + quote(name), title, media_type(name), packed.size, packed
            )


def _agent(head: Xml.Element, role: str, kind: str, name: str, **more: str) -> None:
    agent = _child(head, "agent", {"ROLE": role, "TYPE": kind, **more})
    _child(agent, "name").text = name


def _section(amd: Xml.Element, tag: str, name: str, kind: str) -> Xml.Element:
    wrap = _child(_child(amd, tag, {"ID": name}), "mdWrap", {"MDTYPE": f"PREMIS:{kind}"})
    return _child(wrap, "xmlData")


# A PREMIS element: its name, and its text or its children in the order of the schema.
_Tree = tuple[str, Any]


def _premis(parent: Xml.Element, tree: _Tree, kind: str = "") -> None:
    tag, content = tree
    element = Xml.SubElement(parent, _name(tag, _PREMIS))
    if tag == "object":
        element.set(_name("type", _XSI), "premis:file")
    if tag in ("object", "event", "agent"):
        element.set("version", "3.0")
    if isinstance(content, str):
        element.text = clean_text(content)
        return
    for one in content:
        _premis(element, one)


def _identifier(tag: str, value: str) -> _Tree:
    return (tag, [(f"{tag}Type", "local"), (f"{tag}Value", value)])


def _object(part: _Part, parts: list[_Part]) -> _Tree:
    fixity = [
        ("fixity", [("messageDigestAlgorithm", name), ("messageDigest", part.facts.hashes[key])])
        for key, name in (("sha256", "SHA-256"), ("sha512", "SHA-512"))
        if part.facts
    ]
    characteristics = [
        *fixity,
        ("size", str(part.size)),
        ("format", [("formatDesignation", [("formatName", part.kind)])]),
    ]
    content: list[_Tree] = [
        _identifier("objectIdentifier", part.id),
        ("objectCharacteristics", characteristics),
        ("originalName", part.label if part.id == "recording" else unquote(part.href.rsplit("/", 1)[-1])),
    ]
    if part.id != "recording":
        related = _identifier("relatedObjectIdentifier", parts[0].id)
        by = _identifier("relatedEventIdentifier", "transcription")
        content.append(
            (
                "relationship",
                [("relationshipType", "derivation"), ("relationshipSubType", "has source"), related, by],
            )
        )
    return ("object", content)


def _event(described: Described, account: RunAccount, parts: list[_Part]) -> _Tree:
    options = "; ".join(f"{name}: {value}" for name, value in account.options.items())
    made = f"Speech recognition by Whisper {described.row.get('model', '')}, with times of words. {options}"
    roles = [("source", parts[:1]), ("outcome", parts[1:])]
    return (
        "event",
        [
            _identifier("eventIdentifier", "transcription"),
            ("eventType", "transcription"),
            ("eventDateTime", timestamp(account.ended)),
            ("eventDetailInformation", [("eventDetail", made)]),
            ("eventOutcomeInformation", [("eventOutcome", str(described.row.get("status", "")))]),
            *(
                (
                    "linkingAgentIdentifier",
                    [
                        ("linkingAgentIdentifierType", "local"),
                        ("linkingAgentIdentifierValue", f"agent-{key}"),
                        ("linkingAgentRole", "executing program"),
                    ],
                )
                for key in _agents(account, described)
            ),
            *(
                (
                    "linkingObjectIdentifier",
                    [
                        ("linkingObjectIdentifierType", "local"),
                        ("linkingObjectIdentifierValue", part.id),
                        ("linkingObjectRole", role),
                    ],
                )
                for role, linked in roles
                for part in linked
            ),
        ],
    )


def _agents(account: RunAccount, described: Described) -> dict[str, str]:
    """Returns what transcribed a recording: key -> name, with versions and hashes."""
    names = [name for name in str(described.row.get("model", "")).split(", ") if name in account.models]
    models = {f"model-{index}": f"Whisper {name}, SHA-256 {account.models[name]}" for index, name in enumerate(names)}
    return {"audiogrid": _program(account), **models}


def _software_agent(key: str, name: str) -> _Tree:
    return ("agent", [_identifier("agentIdentifier", f"agent-{key}"), ("agentName", name), ("agentType", "software")])


def _file_section(root: Xml.Element, parts: list[_Part]) -> None:
    section = _child(root, "fileSec")
    groups = {use: _child(section, "fileGrp", {"USE": use}) for use in dict.fromkeys(part.use for part in parts)}
    for part in parts:
        checksum = {"CHECKSUM": part.facts.hashes["sha256"], "CHECKSUMTYPE": "SHA-256"} if part.facts else {}
        known = {"MIMETYPE": part.kind, "SIZE": str(part.size), **checksum}
        file = _child(groups[part.use], "file", {"ID": part.id, "ADMID": f"amd-{part.id} {_EVENT}", **known})
        kind = {"LOCTYPE": "URL"} if part.is_address else {"LOCTYPE": "OTHER", "OTHERLOCTYPE": "FILENAME"}
        _child(file, "FLocat", {**kind, _name("href", _XLINK): part.href})


def _structure(root: Xml.Element, described: Described, parts: list[_Part]) -> None:
    structure = _child(root, "structMap", {"TYPE": "physical"})
    folder = _child(structure, "div", {"TYPE": "Directory", "LABEL": clean_text(described.title)})
    for part in parts:
        _child(_child(folder, "div", {"TYPE": "Item", "LABEL": part.label}), "fptr", {"FILEID": part.id})
