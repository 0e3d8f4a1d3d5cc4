"""A running service: OpenAI's client, jobs, uploads that break, rubbish."""

from __future__ import annotations

import concurrent.futures
import http.client
import http.server
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import requests

from audiogrid.records.store import Store
from media import write_media
from servers import Server

pytestmark = [pytest.mark.service, pytest.mark.workflow]


@pytest.fixture
def client(server: Server) -> Any:
    import httpx
    import openai

    return openai.OpenAI(
        base_url=f"{server.url}/v1", api_key="none", max_retries=0, http_client=httpx.Client(trust_env=False)
    )


class TestOpenAiClient:
    def test_every_format_says_the_same_words(self, client: Any, clips: list[Path]) -> None:
        def ask(**options: Any) -> Any:
            return client.audio.transcriptions.create(model="whisper-1", file=clips[0], **options)

        plain = ask()
        assert len(plain.text.split()) > 5
        assert ask(response_format="text").strip() == plain.text
        verbose = ask(response_format="verbose_json", timestamp_granularities=["word", "segment"], language="en")
        assert verbose.text == plain.text
        assert verbose.language == "english"
        assert [word.word for word in verbose.words] == plain.text.split()
        assert 0 <= verbose.segments[0].start < verbose.segments[-1].end <= float(verbose.duration) + 0.01
        assert all(first.end <= second.end for first, second in zip(verbose.words, verbose.words[1:], strict=False))
        assert ask(response_format="srt").startswith("1\n00:00:0")
        assert ask(response_format="vtt").startswith("WEBVTT")

    def test_a_stream_adds_up_to_the_text(self, client: Any, clips: list[Path]) -> None:
        events = list(client.audio.transcriptions.create(model="whisper-1", file=clips[0], stream=True))
        assert [event.type for event in events[-1:]] == ["transcript.text.done"]
        assert "".join(event.delta for event in events[:-1]) == events[-1].text

    def test_translations_and_models(self, client: Any, clips: list[Path]) -> None:
        assert client.audio.translations.create(model="base", file=clips[0]).text
        assert [model.id for model in client.models.list()] == ["auto", "whisper-1", "base"]
        assert client.models.retrieve("base").id == "base"

    def test_temperature_is_ignored_and_the_answer_says_so(self, client: Any, clips: list[Path]) -> None:
        answer = client.audio.transcriptions.with_raw_response.create(model="base", file=clips[0], temperature=0.7)
        assert answer.headers["x-audiogrid-ignored"] == "temperature"

    def test_errors_are_those_that_the_client_knows(self, client: Any, clips: list[Path], tmp_path: Path) -> None:
        import openai

        text = tmp_path / "notes.mp3"
        text.write_text("this is no sound\n" * 100)
        ask = client.audio.transcriptions.create
        with pytest.raises(openai.BadRequestError) as refused:
            ask(model="whisper-1", file=text)
        assert refused.value.code == "invalid_file"
        assert "cannot be transcribed" in str(refused.value)
        with pytest.raises(openai.NotFoundError) as unknown:
            ask(model="gpt-4o-transcribe", file=clips[0])
        assert unknown.value.param == "model"
        with pytest.raises(openai.BadRequestError) as wrong:
            ask(model="whisper-1", file=clips[0], response_format="docx")
        assert wrong.value.param == "response_format"
        with pytest.raises(openai.BadRequestError, match="language"):
            ask(model="whisper-1", file=clips[0], language="klingon")


class TestJobs:
    def test_a_job_from_hand_in_to_removal(self, server: Server, clips: list[Path]) -> None:
        told = server.submit(clips[1], language="en", project="Herons", hotwords="heron")
        assert (told["status"], told["lane"], told["name"]) == ("queued", "short", "clip 1.wav")
        done = server.until(told["id"])
        assert (done["status"], done["progress"], done["error"]) == ("done", 1.0, None)
        document = json.loads(server.transcript(told["id"]))
        assert (document["path"], document["recording"]) == ("clip 1.wav", "clip_1")
        for name in ("txt", "srt", "vtt", "tsv", "html", "docx", "eaf", "ttml"):
            assert server.transcript(told["id"], name)
        media = server.call("GET", f"/v1/jobs/{told['id']}/media", headers={"Range": "bytes=0-3"})
        assert (media.status_code, media.content) == (206, b"RIFF")
        store = Store(server.path / "results" / "store")
        keys = [chunk["key"] for chunk in document["provenance"]["chunks"]]
        assert all(store.has(key) for key in keys)
        removed = server.call("DELETE", f"/v1/jobs/{told['id']}").json()
        assert "its transcripts" in removed["removed"]
        assert not any(store.has(key) for key in keys)
        assert server.call("GET", f"/v1/jobs/{told['id']}").status_code == 404
        assert not list(server.state.glob(f"jobs/*/{told['id']}"))

    def test_results_that_another_job_needs_stay(self, server: Server, clips: list[Path]) -> None:
        first, second = server.submit(clips[0]), server.submit(clips[0])
        server.until(first["id"])
        server.until(second["id"])
        removed = server.call("DELETE", f"/v1/jobs/{first['id']}").json()
        assert "because other jobs or runs refer to them" in removed["kept"][0]
        assert server.transcript(second["id"])

    def test_names_of_speakers_stay_with_their_client(
        self, server: Server, clips: list[Path], tmp_path: Path, speech: Callable[..., Any]
    ) -> None:
        pcm = np.stack([speech(5.0, seed=48).pcm[:64_000], speech(5.0, seed=49).pcm[:64_000]], axis=1)
        call = write_media(tmp_path / "call.wav", pcm)
        job = server.submit(call, channels="split")["id"]
        assert server.until(job)["status"] == "done"
        plain = server.transcript(job)
        document = json.loads(plain)
        one = next(part for part in document["segments"] if part["speaker"] == "Channel 2")
        name = {"name": "Mara", "was": "Channel 2", "at": [[one["start"], one["end"]]]}
        saved = {"schema": 1, "recording": "x", "audio": document["provenance"]["audio"], "speakers": [name]}
        place = f"/v1/jobs/{job}/corrections"
        assert server.call("GET", place).status_code == 404
        told = server.call("PUT", place, json=saved)
        assert (told.status_code, told.json()["unfit"]) == (200, [])
        assert all(b"Mara" in server.transcript(job, name) for name in ("txt", "srt", "html", "ttml"))
        assert server.call("GET", place).json()["speakers"][0]["name"] == "Mara"
        for wrong, status in (({**saved, "audio": "0" * 64}, 409), ({"speakers": 3}, 422), ({}, 422)):
            refused = server.call("PUT", place, json=wrong)
            assert refused.status_code == status and str(server.path) not in refused.text
        assert server.call("PUT", place, data=b"\xff\xfe").status_code == 400
        # The next job of the same recording has the name, a run beside the service has not.
        again = server.submit(call, channels="split")["id"]
        assert server.until(again)["status"] == "done"
        assert server.transcript(again) == server.transcript(job) != plain
        assert server.call("DELETE", f"/v1/jobs/{again}").json()["kept"][0].startswith("its corrections")
        assert server.call("DELETE", place).status_code == 200
        assert server.transcript(job) == plain
        assert not list(server.state.glob("corrections/*/*"))

    def test_the_same_key_is_the_same_job(self, server: Server, clips: list[Path]) -> None:
        def send() -> str:
            files = {"file": (clips[2].name, clips[2].read_bytes())}
            answer = requests.post(
                f"{server.url}/v1/jobs", files=files, headers={"Idempotency-Key": "once"}, timeout=60
            )
            return str(answer.json()["id"])

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            ids = set(pool.map(lambda _: send(), range(4)))
        assert len(ids) == 1
        server.until(ids.pop())

    def test_events_end_with_the_job(self, server: Server, clips: list[Path]) -> None:
        told = server.submit(clips[2])
        answer = server.call("GET", told["links"]["events"])
        states = [json.loads(line[6:])["status"] for line in answer.text.splitlines() if line.startswith("data: ")]
        assert states[-1] == "done"

    def test_an_upload_goes_on_where_it_broke(self, server: Server, clips: list[Path]) -> None:
        data = clips[0].read_bytes()
        begun = server.call("POST", "/v1/uploads", json={"name": "broken.wav", "size": len(data)})
        place = begun.headers["Location"]
        half = len(data) // 2
        # The connection ends in the middle of the first part.
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as link:
            head = f"PUT {place} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(data)}\r\n"
            link.sendall(f"{head}Content-Range: bytes 0-{len(data) - 1}/{len(data)}\r\n\r\n".encode() + data[:half])
            deadline = time.monotonic() + 20
            asked = {"Content-Range": f"bytes */{len(data)}"}
            while True:
                state = server.call("PUT", place, headers=asked, allow_redirects=False)
                if state.json()["arrived"] or time.monotonic() > deadline:
                    break
        # The end of the connection is noticed, and what had arrived counts.
        while (arrived := server.call("PUT", place, headers=asked, allow_redirects=False).json()["arrived"]) < half:
            assert time.monotonic() < deadline
        assert server.call("POST", "/v1/jobs", data={"upload": begun.json()["id"]}).status_code in (400, 409, 415)
        rest = {"Content-Range": f"bytes {arrived}-{len(data) - 1}/{len(data)}"}
        while (end := server.call("PUT", place, headers=rest, data=data[arrived:])).status_code == 409:
            assert time.monotonic() < deadline
        assert end.status_code == 200, end.text
        told = server.call("POST", "/v1/jobs", json={"upload": begun.json()["id"], "language": "en"}).json()
        assert server.until(told["id"])["status"] == "done"
        assert json.loads(server.transcript(told["id"]))["path"] == "broken.wav"

    def test_hostile_names_are_data(self, server: Server, clips: list[Path]) -> None:
        for name in ("../../../etc/passwd.wav", "a\nb;$(touch x)`'\"<script>.wav", "..", "recording.tsv", "con" * 200):
            told = server.submit((name, clips[0].read_bytes()))
            assert server.until(told["id"])["status"] == "done"
            document = json.loads(server.transcript(told["id"]))
            assert "/" not in document["path"] and "\n" not in document["path"]
            assert server.transcript(told["id"], "html")
        assert not (server.path / "x").exists()
        inside = [path.resolve() for path in server.state.rglob("*")]
        assert all(path.is_relative_to(server.path) for path in inside)


def raw(server: Server, data: bytes, seconds: float = 10) -> bytes:
    """The answer to bytes that are no proper request."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=seconds) as link:
        link.sendall(data)
        return link.recv(65536)


class TestBadInput:
    @pytest.mark.parametrize(
        ("fields", "files", "status", "word"),
        [
            ({}, {}, 400, "multipart"),
            ({"model": "base"}, {"file": ("empty.wav", b"")}, 400, "empty"),
            ({"modle": "base"}, {"file": ("a.wav", b"x")}, 400, "modle"),
            ({"model": "base"}, {"audio": ("a.wav", b"x")}, 400, "audio"),
            ({"temperature": "hot"}, {"file": ("a.wav", b"x")}, 400, "temperature"),
            ({"model": "../../etc"}, {"file": ("a.wav", b"x")}, 404, "not offered"),
            ({}, {"file": ("a.mp3", b"text, not sound" * 50)}, 400, "transcribed"),
        ],
    )
    def test_transcriptions(
        self, server: Server, fields: dict[str, str], files: dict[str, Any], status: int, word: str
    ) -> None:
        answer = server.call("POST", "/v1/audio/transcriptions", data=fields, files=files)
        assert answer.status_code == status, answer.text
        error = answer.json()["error"]
        assert word in error["message"] and "\n" not in error["message"]
        assert not {"Traceback", str(server.path)} & set(error["message"].split())

    @pytest.mark.parametrize(
        ("fields", "status", "word"),
        [
            ({"language": "en"}, 400, "once"),
            ({"path": "/etc/passwd"}, 422, "path"),
            ({"reference": "/etc/passwd"}, 422, "reference"),
            ({"address": "file:///etc/passwd"}, 422, "address"),
            ({"address": "s3://bucket/secret.wav"}, 422, "refused"),
            ({"address": "gopher://x"}, 422, "address"),
            ({"callback": "javascript:alert(1)"}, 422, "callback"),
            ({"upload": "../../../etc"}, 404, "no such upload"),
            ({"task": "sing"}, 422, "task"),
        ],
    )
    def test_jobs(self, server: Server, fields: dict[str, str], status: int, word: str) -> None:
        answer = server.call("POST", "/v1/jobs", files={name: (None, value) for name, value in fields.items()})
        assert answer.status_code == status, answer.text
        assert word in answer.json()["error"]["message"]

    def test_columns_are_checked_like_those_of_a_table(self, server: Server, clips: list[Path]) -> None:
        files = {"file": (clips[0].name, clips[0].read_bytes())}
        for fields, word in (({"language": "klingon"}, "language"), ({"channels": "both"}, "channels")):
            answer = server.call("POST", "/v1/jobs", data=fields, files=files)
            assert answer.status_code == 422 and word in answer.text
        misspelt = server.call("POST", "/v1/jobs", data={"langage": "en"}, files=files)
        assert misspelt.status_code == 422 and "did you mean 'language'" in misspelt.text

    def test_private_addresses_are_refused(self, server: Server) -> None:
        for address in (server.url + "/healthz", "http://169.254.169.254/latest/meta-data", "http://[::1]/x"):
            told = server.call("POST", "/v1/jobs", json={"address": address}).json()
            failed = server.until(told["id"])
            assert failed["status"] == "failed" and "private network" in failed["error"]

    def test_requests_of_other_pages_and_names_are_refused(self, server: Server, clips: list[Path]) -> None:
        files = {"file": (clips[0].name, clips[0].read_bytes())}
        foreign = server.call("POST", "/v1/jobs", files=files, headers={"Origin": "https://evil.example"})
        assert foreign.status_code == 403
        own = server.call("GET", "/v1/jobs", headers={"Origin": server.url})
        assert own.status_code == 200
        assert server.call("GET", "/v1/models", headers={"Host": "evil.example"}).status_code == 421

    def test_two_gigabytes_announced_and_rubbish_on_the_line(self, server: Server) -> None:
        head = b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        assert b" 413 " in raw(server, head + b"Content-Length: 99000000000\r\n\r\n")
        assert b" 400 " in raw(server, head + b"Content-Length: minus one\r\n\r\n")
        assert b" 400 " in raw(server, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n")
        form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF'
        host, port = server.url.removeprefix("http://").split(":")
        for _ in range(20):
            # Announced, begun, never sent.
            link = socket.create_connection((host, int(port)))
            link.sendall(head + b"Content-Length: 2000000000\r\n\r\n" + form)
            link.close()
        assert server.call("GET", "/healthz").status_code == 200

    def test_ten_thousand_requests_leave_nothing_behind(self, server: Server) -> None:
        host, port = server.url.removeprefix("http://").split(":")
        assert server.process is not None
        process = psutil.Process(server.process.pid)
        # One that reads a byte, one that says nothing: they hold nobody up.
        slow, silent = (socket.create_connection((host, int(port))) for _ in range(2))
        slow.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        slow.recv(1)
        form = {"Content-Type": "multipart/form-data; boundary=x"}
        rubbish = b'--x\r\nContent-Disposition: form-data; name="modle"\r\n\r\nbase\r\n--x--\r\n'
        kinds: list[tuple[str, str, bytes | None, dict[str, str]]] = [
            ("GET", "/v1/models", None, {}),
            ("GET", "/v1/jobs/none", None, {}),
            ("GET", "/metrics", None, {}),
            ("PUT", "/v1/uploads/none", b"x", {}),
            ("POST", "/v1/audio/transcriptions", rubbish, form),
        ]

        def ask(requests_each: int) -> Counter[int]:
            link = http.client.HTTPConnection(host, int(port), timeout=60)
            seen: Counter[int] = Counter()
            for number in range(requests_each):
                method, path, body, headers = kinds[number % len(kinds)]
                link.request(method, path, body, headers)
                answer = link.getresponse()
                answer.read()
                seen[answer.status] += 1
            link.close()
            return seen

        ask(200)
        before, folders = process.memory_info().rss, set(server.state.glob("jobs/*/*"))
        with concurrent.futures.ThreadPoolExecutor(10) as pool:
            seen = sum(pool.map(ask, [1000] * 10), Counter())
        assert seen == {200: 4000, 404: 4000, 400: 2000}
        slow.close()
        silent.close()
        assert process.memory_info().rss < before + 20_000_000
        deadline = time.monotonic() + 20
        # The server notices a moment later that the connections are closed.
        while sum(one.status == "ESTABLISHED" for one in process.net_connections()) > 2:
            assert time.monotonic() < deadline
        assert set(server.state.glob("jobs/*/*")) == folders

    def test_one_line_of_log_a_request_without_secrets(self, server: Server) -> None:
        server.call("GET", "/v1/jobs?token=hf_abcdefghijklmnopqrstuvwx")
        lines = [json.loads(line) for line in server.log.splitlines() if line.startswith('{"time"')]
        assert {"method", "path", "status", "ms", "owner"} <= lines[-1].keys()
        assert "hf_abcdefgh" not in server.log

    def test_figures(self, server: Server) -> None:
        text = server.call("GET", "/metrics").text
        for name in ("audiogrid_jobs_accepted_total", "audiogrid_job_seconds_bucket", "audiogrid_real_time_factor"):
            assert name in text


class _Listener(http.server.BaseHTTPRequestHandler):
    heard: list[tuple[dict[str, str], bytes]]
    failures: int
    file: bytes

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).heard.append((dict(self.headers), body))
        self.send_response(500 if len(type(self).heard) <= type(self).failures else 204)
        self.end_headers()

    def do_GET(self) -> None:
        if self.path == "/circle":
            self.send_response(302)
            self.send_header("Location", "/circle")
            self.end_headers()
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.file)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def listener(clips: list[Path]) -> Iterator[Any]:
    kind = type("Listener", (_Listener,), {"heard": [], "failures": 1, "file": clips[1].read_bytes()})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        made.kind = kind
        yield made
        made.shutdown()


def test_addresses_and_callbacks(own_server: Server, listener: Any) -> None:
    from audiogrid.serving.callbacks import SIGNATURE, signature

    own_server.start("--config", "language=en", "service={private_addresses: true, max_upload: 1}")
    place = f"http://127.0.0.1:{listener.server_address[1]}"
    told = own_server.call("POST", "/v1/jobs", json={"address": f"{place}/talk.wav?key=abc", "callback": place}).json()
    assert own_server.until(told["id"])["status"] == "done"
    document = json.loads(own_server.transcript(told["id"]))
    assert document["path"].startswith(f"{place}/talk.wav") and "abc" not in document["path"]
    deadline = time.monotonic() + 20
    while len(listener.kind.heard) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    headers, body = listener.kind.heard[1]
    assert json.loads(body)["status"] == "done"
    key = own_server.call("GET", "/v1/callback-key").json()["key"]
    now = int(headers[SIGNATURE].partition(",")[0][2:])
    assert headers[SIGNATURE] == signature(key, body, now)
    circle = own_server.call("POST", "/v1/jobs", json={"address": f"{place}/circle"}).json()
    assert "redirects to itself" in own_server.until(circle["id"])["error"]
    too_large = own_server.call("POST", "/v1/jobs", files={"file": ("a.wav", b"0" * 2_000_000)})
    assert too_large.status_code == 413
    assert "key=abc" not in own_server.log
