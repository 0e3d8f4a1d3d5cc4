"""IIIF manifests (Presentation API 3.0): a recording and its subtitles as players of libraries show them.

After recipes 0002, 0003 and 0219 of the IIIF Cookbook: the recording is painted on a canvas that lasts as long as it
does, and the WebVTT file supplements it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from audiogrid.archiving.bag_options import BagOptions
from audiogrid.archiving.media_types import media_type, sound_type
from audiogrid.archiving.ro_crate import recording_name
from audiogrid.archiving.run_account import Described, RunAccount
from audiogrid.core.json_values import readable_json

#: The folder of the manifests in the bag.
FOLDER = "iiif"
#: The manifest of all manifests.
COLLECTION = f"{FOLDER}/collection.json"
_CONTEXT = "http://iiif.io/api/presentation/3/context.json"
_RIGHTS = re.compile(r"https?://(creativecommons\.org/(licenses|publicdomain)|rightsstatements\.org/vocab)/.+")
# A canvas with a picture needs a shape; the recording is fitted into it.
_SHAPE = {"width": 1280, "height": 720}
_READ_BY_PEOPLE = ("txt", "docx", "html", "srt", "ttml")


def base_url(account: RunAccount, options: BagOptions) -> str:
    """Returns the address that stands for ``data/``, with a slash at its end.

    Without one of the user's it is a name that no web server can have (RFC 2606).
    """
    given = options.base_url.rstrip("/")
    return f"{given}/" if given else f"https://{_host(account.name)}.invalid/"


def _host(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60].strip("-") or "run"


def manifest_name(described: Described) -> str:
    """Returns where the manifest of a recording lies in the bag."""
    return f"{FOLDER}/{described.id}.json"


def _label(text: str, language: str = "none") -> dict[str, list[str]]:
    return {language: [text]}


def _metadata(described: Described, account: RunAccount) -> list[dict[str, Any]]:
    rows = [
        ("Recording", described.id),
        ("Language", described.language),
        ("Words", str(described.row.get("words", ""))),
        ("Transcribed by", f"Whisper {described.row['model']}, run by audiogrid" if described.row.get("model") else ""),
        ("Transcribed on", account.day),
    ]
    return [{"label": _label(name, "en"), "value": _label(value)} for name, value in rows if value]


def _rights(options: BagOptions) -> dict[str, Any]:
    """Returns a license that IIIF knows. Its names of licenses begin with http, also where browsers use https."""
    known = _RIGHTS.fullmatch(options.license)
    return {"rights": options.license.replace("https://", "http://", 1)} if known else {}


def manifest(described: Described, account: RunAccount, options: BagOptions) -> bytes:
    """Returns the manifest of a recording that has a transcript."""
    base = base_url(account, options)
    own = f"{base}{quote(manifest_name(described))}"
    kind = sound_type(described.recording.path if described.suffix else described.title)
    is_video = kind.startswith("video/")
    canvas = f"{own}/canvas"
    media = described.web or f"{base}{quote(recording_name(described))}"
    body = {"id": media, "type": "Video" if is_video else "Sound", "format": kind, "duration": described.seconds}
    painted = {
        "id": f"{canvas}/page/painting",
        "type": "Annotation",
        "motivation": "painting",
        "body": {**body, **(_SHAPE if is_video else {})},
        "target": canvas,
    }
    links = [
        _link(f"{base}{quote(described.files[kind])}", kind) for kind in _READ_BY_PEOPLE if kind in described.files
    ]
    return _written(
        {
            "@context": _CONTEXT,
            "id": own,
            "type": "Manifest",
            "label": _label(described.title),
            "metadata": _metadata(described, account),
            "requiredStatement": {
                "label": _label("Transcript", "en"),
                "value": _label("Made by a machine. Words may be wrong or missing.", "en"),
            },
            **_rights(options),
            **({"rendering": links} if links else {}),
            "items": [
                {
                    "id": canvas,
                    "type": "Canvas",
                    "label": _label(described.title),
                    "duration": described.seconds,
                    **(_SHAPE if is_video else {}),
                    "items": [{"id": f"{canvas}/page", "type": "AnnotationPage", "items": [painted]}],
                    **_captions(described, base, canvas),
                }
            ],
        }
    )


def _link(address: str, kind: str) -> dict[str, Any]:
    return {"id": address, "type": "Text", "label": _label(kind), "format": media_type(f"x.{kind}")}


def _captions(described: Described, base: str, canvas: str) -> dict[str, Any]:
    if "vtt" not in described.files:
        return {}
    body = {
        "id": f"{base}{quote(described.files['vtt'])}",
        "type": "Text",
        "format": "text/vtt",
        "label": _label("Machine-made subtitles", "en"),
        **({"language": described.language} if described.language else {}),
    }
    page = {
        "id": f"{canvas}/captions",
        "type": "AnnotationPage",
        "items": [
            {
                "id": f"{canvas}/captions/vtt",
                "type": "Annotation",
                "motivation": "supplementing",
                "body": body,
                "target": canvas,
            }
        ],
    }
    return {"annotations": [page]}


def collection(recordings: Iterable[Described], account: RunAccount, options: BagOptions) -> bytes:
    """Returns the collection of the manifests of a run."""
    base = base_url(account, options)
    items = [
        {"id": f"{base}{quote(manifest_name(one))}", "type": "Manifest", "label": _label(one.title)}
        for one in recordings
    ]
    return _written(
        {
            "@context": _CONTEXT,
            "id": f"{base}{COLLECTION}",
            "type": "Collection",
            "label": _label(options.title or f"Transcripts of {account.name}", "none"),
            **_rights(options),
            "items": items,
        }
    )


def _written(value: dict[str, Any]) -> bytes:
    return readable_json(value)
