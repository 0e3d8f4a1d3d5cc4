"""Whom the service answers, and what it refuses before it accepts: without workers, in this process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from audiogrid.config.resolve import resolve
from audiogrid.models.registry import load_registry
from audiogrid.serving.recipes import Recipes
from audiogrid.serving.service import Service
from audiogrid.serving.tokens import Tokens
from audiogrid.serving.web.app import build
from audiogrid.serving.web.resumable import ResumableUploads
from places import ROOT

FILE = {"file": ("talk.wav", b"RIFF")}


class Access:
    """An application with two tokens; ``ask`` sends a request as one of their holders."""

    def __init__(self, folder: Path, *, needs_token: bool = True, **settings: Any) -> None:
        from starlette.testclient import TestClient

        configuration = resolve({"service": {"min_free": 0, **settings}})
        recipes = Recipes(configuration, load_registry(ROOT / "config" / "models.yaml"), folder / "models")
        self.service = Service(configuration, recipes, folder, folder / "store")
        tokens = Tokens(folder)
        self.tokens = {name: tokens.add(name) for name in ("anna", "ben")}
        uploads = self.uploads = ResumableUploads(self.service)
        app = build(self.service, tokens, "127.0.0.1", uploads, lambda: "", lambda: 0, needs_token=needs_token)
        self.client = TestClient(app, base_url="http://localhost")

    def ask(self, method: str, path: str, who: str = "", headers: dict[str, str] | None = None, **options: Any) -> Any:
        given = {"Authorization": f"Bearer {self.tokens[who]}"} if who else {}
        return self.client.request(method, path, headers={**given, **(headers or {})}, **options)


@pytest.fixture
def access(tmp_path: Path) -> Iterator[Access]:
    yield Access(tmp_path, hosts=["speech.example.org"])


def test_nothing_but_health_and_the_page_without_a_token(access: Access) -> None:
    for path in ("/healthz", "/readyz", "/", "/session"):
        assert access.ask("GET", path).status_code == 200
    for method, path in (
        ("GET", "/metrics"),
        ("GET", "/v1/models"),
        ("GET", "/v1/jobs"),
        ("POST", "/v1/jobs"),
        ("POST", "/v1/audio/transcriptions"),
        ("POST", "/v1/uploads"),
        ("GET", "/v1/callback-key"),
    ):
        refused = access.ask(method, path)
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")
        assert access.ask(method, path, headers={"Authorization": "Bearer ag-wrong"}).status_code == 401
        assert access.ask(method, path, headers={"Cookie": 'audiogrid="ag-wrong'}).status_code == 401


def test_jobs_and_uploads_are_those_of_one_token(access: Access) -> None:
    access.service.queue.add("a" * 24, "anna", "short", {"name": "x", "model": "auto", "task": "transcribe"})
    assert access.ask("GET", f"/v1/jobs/{'a' * 24}", "anna").status_code == 200
    for method, path in (
        ("GET", ""),
        ("DELETE", ""),
        ("GET", "/events"),
        ("GET", "/transcript.json"),
        ("GET", "/media"),
    ):
        assert access.ask(method, f"/v1/jobs/{'a' * 24}{path}", "ben").status_code == 404
    assert access.ask("GET", "/v1/jobs", "ben").json() == {"jobs": []}
    upload = access.ask("POST", "/v1/uploads", "anna", json={"name": "x.wav", "size": 4}).headers["Location"]
    part = {"Content-Range": "bytes 0-3/4"}
    assert access.ask("PUT", upload, "ben", headers=part, content=b"RIFF").status_code == 404
    assert access.ask("PUT", upload, "anna", headers=part, content=b"RIFF").status_code == 200
    taken = access.ask("POST", "/v1/jobs", "ben", json={"upload": upload.rsplit("/", 1)[1]})
    assert taken.status_code == 404
    keys = {who: access.ask("GET", "/v1/callback-key", who).json()["key"] for who in ("anna", "ben")}
    assert keys["anna"] != keys["ben"]


def test_names_and_origins(access: Access) -> None:
    assert access.ask("GET", "/v1/models", "anna", {"Host": "speech.example.org"}).status_code == 200
    for host in ("evil.example", "localhost.evil.example", "", "speech.example.org.evil"):
        assert access.ask("GET", "/healthz", headers={"Host": host}).status_code == 421
    for headers in (
        {"Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://localhost:9"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        assert access.ask("POST", "/v1/jobs", "anna", headers, files=FILE).status_code == 403
    assert access.ask("GET", "/v1/jobs", "anna", {"Origin": "http://localhost"}).status_code == 200


def test_a_removed_token_is_refused_at_once(access: Access) -> None:
    assert access.ask("GET", "/v1/jobs", "ben").status_code == 200
    Tokens(access.service.state).remove("ben")
    assert access.ask("GET", "/v1/jobs", "ben").status_code == 401


def test_what_is_refused_before_it_is_accepted(tmp_path: Path) -> None:
    full = Access(tmp_path / "full", max_queued_per_client=1)
    full.service.queue.add("a" * 24, "anna", "short", {"name": "x"})
    late = full.ask("POST", "/v1/jobs", "anna", files=FILE)
    assert late.status_code == 429 and int(late.headers["Retry-After"]) > 0
    assert late.json()["error"]["type"] == "rate_limit_error"
    crowded = Access(tmp_path / "crowded", max_queued=1)
    crowded.service.queue.add("a" * 24, "ben", "short", {"name": "x"})
    assert crowded.ask("POST", "/v1/jobs", "anna", files=FILE).status_code == 429
    disk = Access(tmp_path / "disk", min_free=10_000_000_000)
    assert disk.ask("POST", "/v1/jobs", "anna", files=FILE).status_code == 507
    assert disk.ask("POST", "/v1/uploads", "anna", json={"name": "x", "size": 5}).status_code == 507
    small = Access(tmp_path / "small", max_upload=0.001)
    assert small.ask("POST", "/v1/jobs", "anna", files={"file": ("x.wav", b"0" * 2000)}).status_code == 413
    # All files of a form together, also where none announces its size.
    several = {name: (f"{name}.txt", b"0" * 700) for name in ("file", "text")}
    assert small.ask("POST", "/v1/jobs", "anna", files=several).status_code == 413
    # Nothing of what was refused stays.
    assert not list(tmp_path.glob("*/jobs/*/*"))


def test_the_page_gets_a_cookie_that_scripts_cannot_read(access: Access) -> None:
    assert access.ask("POST", "/session", content=b"wrong").status_code == 401
    accepted = access.ask("POST", "/session", content=access.tokens["anna"].encode())
    cookie = accepted.headers["Set-Cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie
    assert access.ask("GET", "/v1/jobs").status_code == 200
    answer = access.ask("GET", "/")
    assert answer.headers["X-Content-Type-Options"] == "nosniff" and answer.headers["X-Frame-Options"] == "DENY"
    assert "http://" not in answer.text.replace("http://www.w3.org", "") and "https://" not in answer.text


def test_a_link_to_the_page_is_followed_and_nothing_else(access: Access) -> None:
    clicked = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert access.ask("GET", "/", headers=clicked).status_code == 200
    assert access.ask("GET", "/", headers={**clicked, "Sec-Fetch-Mode": "no-cors"}).status_code == 403
    assert access.ask("GET", "/v1/jobs", "anna", headers=clicked).status_code == 403


def test_what_anybody_may_send_is_short(access: Access) -> None:
    assert access.ask("POST", "/session", content=b"0" * 10_000).status_code == 413
    for number in range(3):
        assert access.ask(f"MADE{number}", "/v1/jobs").status_code == 401
    figures = access.ask("GET", "/metrics", "anna").text
    assert 'method="other"' in figures and "MADE" not in figures


def test_unfinished_uploads_of_one_client_do_not_refuse_another(
    access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audiogrid.serving.web.resumable._MOST", 1)
    wish = {"name": "recording.tsv", "size": 4}
    begun = access.ask("POST", "/v1/uploads", "anna", json=wish)
    assert access.ask("POST", "/v1/uploads", "anna", json=wish).status_code == 429
    assert access.ask("POST", "/v1/uploads", "ben", json=wish).status_code == 201
    place = begun.headers["Location"]
    whole = {"Content-Range": "bytes 0-3/4"}
    assert access.ask("PUT", place, "anna", whole, content=b"RIFF").status_code == 200
    # Complete: a job may hold it by now, so it does not change any more.
    assert access.ask("PUT", place, "anna", whole, content=b"XXXX").status_code == 200
    folder = access.service.state / "taken"
    folder.mkdir()
    (folder / "_recording.tsv").write_bytes(b"another part")
    assert access.uploads.take("anna", begun.json()["id"], folder) == ("recording.tsv", "__recording.tsv", 4)
    assert (folder / "__recording.tsv").read_bytes() == b"RIFF"
    assert (folder / "_recording.tsv").read_bytes() == b"another part"


def test_uploads_that_nobody_goes_on_with_are_removed(access: Access) -> None:
    access.ask("POST", "/v1/uploads", "anna", json={"name": "x", "size": 4})
    broken = access.service.state / "uploads" / "without_facts"
    broken.mkdir()
    access.uploads.remove_old()
    assert len(list(broken.parent.iterdir())) == 2
    for path in [*broken.parent.glob("*/*"), *broken.parent.iterdir()]:
        os.utime(path, (1, 1))
    access.uploads.remove_old()
    assert list(broken.parent.iterdir()) == []


def test_requests_that_are_no_form(access: Access) -> None:
    for content, kind, status in (
        (b"", "", 400),
        (b"RIFF", "audio/wav", 415),
        (b"x", "multipart/form-data", 415),
        (b"x", "multipart/form-data; boundary=y", 400),
        (b"--y\r\n" + b"".join(b"h%d: x\r\n" % i for i in range(99)), "multipart/form-data; boundary=y", 400),
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"[" * 60_000, "application/json", 400),
    ):
        answer = access.ask("POST", "/v1/jobs", "anna", {"Content-Type": kind}, content=content)
        assert answer.status_code == status, (content[:9], answer.text)
        assert answer.json()["error"]["message"]
    assert access.ask("PATCH", "/v1/jobs", "anna").status_code == 405
    assert access.ask("GET", "/v1/nothing", "anna").status_code == 404
    assert access.ask("GET", "/v1/jobs/..%2f..%2fetc", "anna").status_code == 404
    missing = {"Content-Range": "bytes 0-3/4"}
    assert access.ask("PUT", "/v1/uploads/..%2fx", "anna", headers=missing, content=b"RIFF").status_code == 404
