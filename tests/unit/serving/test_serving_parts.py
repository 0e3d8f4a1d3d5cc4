"""Parts of the service by themselves: addresses, tokens, lease, queue, names, callbacks, the watched folder."""

from __future__ import annotations

import ipaddress
import json
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from audiogrid.config.resolve import resolve
from audiogrid.core.errors import InputError, RetryableError
from audiogrid.probing.tables import read_table
from audiogrid.records.chunks import Chunk, Seam, ShardFacts
from audiogrid.records.finished_shard import FinishedShard
from audiogrid.records.run_folder import RunFolder
from audiogrid.serving import addresses
from audiogrid.serving.callbacks import key_of, signature
from audiogrid.serving.inspection import table_of
from audiogrid.serving.job_folder import TABLE, JobFolder
from audiogrid.serving.job_queue import JobQueue, file_system_of, is_network
from audiogrid.serving.lease import Lease
from audiogrid.serving.long_lane import BatchRun, LongJob, deliver
from audiogrid.serving.recipes import Recipe
from audiogrid.serving.tokens import Tokens
from audiogrid.serving.watching import SCANS, WatchedFolder
from audiogrid.serving.web.file_names import free_name, shown_name, stored_name
from audiogrid.serving.web.guard import host_of, is_loopback
from places import SCRIPTS


@contextmanager
def web_server(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """Yields the address of a server on loopback that answers GET with ``answer`` until the client leaves."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(OSError):
                answer(self)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


class TestAddresses:
    @pytest.mark.parametrize(
        "address",
        "127.0.0.1 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 0.0.0.0 100.64.0.1 224.0.0.1 ::1 fe80::1 fc00::1 "
        "::ffff:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::7f00:1 2002:7f00:1:: :: ::127.0.0.1 fec0::1 64:ff9b:1::1 "
        "::ffff:0:7f00:1".split(),
    )
    def test_private_ones(self, address: str) -> None:
        assert not addresses.is_public(ipaddress.ip_address(address))

    @pytest.mark.parametrize("address", "93.184.216.34 2606:2800:220:1::1 64:ff9b::5db8:d822".split())
    def test_public_ones(self, address: str) -> None:
        assert addresses.is_public(ipaddress.ip_address(address))

    @pytest.mark.parametrize("host", "localhost 127.1 2130706433 0x7f.1 [::1] 127.0.0.1.".split())
    def test_every_spelling_of_this_machine_is_refused(self, host: str) -> None:
        with (
            pytest.raises((InputError, RetryableError), match=r"private network|not known|not a web address"),
            addresses.request("GET", f"http://{host}:9/x", allow_private=False),
        ):
            pass

    @pytest.mark.parametrize("url", ["ftp://x/y", "http://", "https://x:0/", "http://a b/", "x", "http://h:99999/"])
    def test_what_is_no_web_address(self, url: str) -> None:
        with pytest.raises(InputError):
            addresses.checked_url(url)

    def test_a_name_that_changes_its_address_reaches_nothing_inside(self, monkeypatch: pytest.MonkeyPatch) -> None:
        answers = iter(["93.184.216.34", "127.0.0.1"])
        connected = []

        def look_up(host: str, port: int, **_: Any) -> list[Any]:
            if host == "rebinding.example":
                host = next(answers)
            connected.append(host)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]

        def connect(address: Any, *_: Any, **__: Any) -> Any:
            connected.append(f"to {address[0]}")
            raise OSError("no network in tests")

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        monkeypatch.setattr("urllib3.util.connection.create_connection", connect)
        with (
            pytest.raises(RetryableError),
            addresses.request("GET", "http://rebinding.example/x", allow_private=False),
        ):
            pass
        # It was asked once, and the connection went to the address that was checked.
        assert connected == ["93.184.216.34", "to 93.184.216.34"]

    @pytest.mark.parametrize("host", ["x" * 64 + ".example", "a..example"])
    def test_names_that_no_host_can_have(self, host: str) -> None:
        with (
            pytest.raises(InputError, match="no valid name"),
            addresses.request("GET", f"http://{host}/", allow_private=False),
        ):
            pass

    def test_a_server_that_sends_a_byte_now_and_then_is_left(self, tmp_path: Path) -> None:
        stop = threading.Event()

        def answer(request: BaseHTTPRequestHandler) -> None:
            if request.path == "/content":
                request.send_response(200)
                # No number of bytes, though Python calls it a digit.
                request.send_header("Content-Length", "\xb2")
                request.end_headers()
            else:
                request.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
            while not stop.wait(0.05):
                request.wfile.write(b"0")

        with web_server(answer) as place:
            with (
                pytest.raises(RetryableError, match="too slow"),
                addresses.request("GET", f"{place}/headers", allow_private=True, seconds=0.3),
            ):
                pass
            # The content arrives as it is sent, so that its speed can be judged.
            with addresses.request("GET", f"{place}/content", allow_private=True, seconds=5) as answered:
                assert len(next(iter(answered.blocks()))) < 100
            asked = []
            with pytest.raises(InputError, match="not wanted"):
                addresses.fetch(
                    f"{place}/content",
                    tmp_path / "x",
                    most=1000,
                    allow_private=True,
                    is_wanted=lambda: bool(asked.append(1)),
                )
            assert asked == [1]
            stop.set()

    def test_redirects_are_checked_and_endless_files_end(self, tmp_path: Path) -> None:
        def answer(request: BaseHTTPRequestHandler) -> None:
            request.send_response(302 if request.path == "/inside" else 200)
            if request.path == "/inside":
                request.send_header("Location", "http://169.254.169.254/secret")
            request.end_headers()
            while request.path != "/inside":
                request.wfile.write(b"0" * 65536)

        with web_server(answer) as place:
            with pytest.raises(InputError, match="more than the 1 MB"):
                addresses.fetch(f"{place}/endless", tmp_path / "x", most=1_000_000, allow_private=True)
            checked = []
            genuine = addresses.resolve

            def resolve(host: str, port: int, *, allow_private: bool) -> str:
                checked.append(host)
                return genuine(host, port, allow_private=host == "127.0.0.1")

            addresses.resolve = resolve
            try:
                with pytest.raises(InputError, match="private network"):
                    addresses.fetch(f"{place}/inside", tmp_path / "x", most=1_000_000, allow_private=False)
            finally:
                addresses.resolve = genuine
            assert checked == ["127.0.0.1", "169.254.169.254"]


class TestTokens:
    def test_the_file_holds_no_token_and_only_its_owner_reads_it(self, tmp_path: Path) -> None:
        tokens = Tokens(tmp_path / "state")
        token = tokens.add("phone")
        file = tmp_path / "state" / "tokens.json"
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        assert token not in file.read_text() and stat.S_IMODE(file.stat().st_mode) == 0o600
        assert tokens.owner(token) == "phone" and tokens.owner(token[:-1]) is None and tokens.owner("") is None
        with pytest.raises(InputError, match="already"):
            tokens.add("phone")
        for name in ("", "local", "watch", "../x", "a b"):
            with pytest.raises(InputError):
                tokens.add(name)
        # Another process removes it: a running server refuses it from then on.
        Tokens(tmp_path / "state").remove("phone")
        assert tokens.owner(token) is None

    def test_beyond_loopback_the_service_does_not_start_without_one(self, tmp_path: Path) -> None:
        (tmp_path / "models").mkdir()
        argv = [
            sys.executable,
            "-c",
            "from audiogrid.serving.server import *; serve(ServerOptions(host='0.0.0.0'), {})",
        ]
        environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
        done = subprocess.run(argv, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert "audiogrid serve token add NAME" in done.stderr


class TestLease:
    def test_one_server_per_folder(self, tmp_path: Path) -> None:
        first = Lease(tmp_path)
        with pytest.raises(InputError, match=rf"process {os.getpid()} on {socket.gethostname()}"):
            Lease(tmp_path)
        first.release()
        Lease(tmp_path).release()

    def test_that_of_another_host_counts_until_it_is_silent(self, tmp_path: Path) -> None:
        (tmp_path / "server.json").write_text(json.dumps({"host": "elsewhere", "pid": 7, "beat": time.time()}))
        with pytest.raises(InputError, match="process 7 on elsewhere"):
            Lease(tmp_path)
        Lease(tmp_path, now=time.time() + 120).release()

    def test_without_locks_the_heartbeat_counts_on_this_host_too(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: Any) -> None:
            raise OSError("no locks")

        monkeypatch.setattr("fcntl.flock", refuse)
        held = {"host": socket.gethostname(), "pid": os.getppid(), "beat": time.time()}
        (tmp_path / "server.json").write_text(json.dumps(held))
        with pytest.raises(InputError, match=f"process {os.getppid()} on"):
            Lease(tmp_path)

    def test_a_server_that_was_taken_over_ends(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        ended = threading.Event()
        monkeypatch.setattr("audiogrid.serving.lease._BEAT_SECONDS", 0.01)
        monkeypatch.setattr("os.kill", lambda pid, _: ended.set() if pid == os.getpid() else None)
        lease = Lease(tmp_path)
        later = {"host": "elsewhere", "pid": 7, "beat": time.time()}
        # Until the heartbeat does not write over it in between.
        while not ended.wait(0.05):
            (tmp_path / "server.json").write_text(json.dumps(later))
        lease.release()
        assert json.loads((tmp_path / "server.json").read_text()) == later


class TestQueue:
    def test_a_request_that_is_sent_twice_is_one_job(self, tmp_path: Path) -> None:
        queue = JobQueue(tmp_path)
        first = queue.add("a", "me", "short", {"name": "x"}, "key")
        assert queue.add("b", "me", "short", {"name": "x"}, "key").id == first.id == "a"
        assert queue.add("c", "you", "short", {"name": "x"}, "key").id == "c"
        assert queue.open_jobs() == 2 and queue.open_jobs("me") == 1
        assert not queue.update("a", only_from=("running",), status="done")
        assert queue.update("a", only_from=("queued",), status="running", fields={"more": 1})
        found = queue.get("a")
        assert found and (found.status, dict(found.fields)) == ("running", {"name": "x", "more": 1})
        queue.close()
        assert [one.id for one in JobQueue(tmp_path).with_status("queued")] == ["c"]

    def test_a_watched_file_is_noted_with_its_job_or_not_at_all(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        queue = JobQueue(tmp_path)
        queue.add("a", "watch", "short", {}, watched=("talk.mp3", "1"))
        assert queue.watched()["talk.mp3"]["job"] == "a"
        with pytest.raises(TypeError):
            queue.add("b", "watch", "short", {"not JSON": object()}, watched=("talk.mp3", "2"))
        assert queue.watched()["talk.mp3"]["stamp"] == "1" and queue.get("b") is None
        # Nothing is left open.
        assert queue.add("c", "me", "short", {}).id == "c"

    def test_clients_take_turns(self, tmp_path: Path) -> None:
        queue = JobQueue(tmp_path)
        for number in range(300):
            queue.add(f"a{number}", "anna", "short", {})
        queue.add("b0", "ben", "short", {})
        queue.add("b1", "ben", "long", {})
        assert [one.id for one in queue.in_turns("short", 4)] == ["a0", "b0", "a1", "a2"]

    def test_places_on_network_file_systems_are_known(self) -> None:
        mounts = "/dev/sda1 / ext4 rw 0 0\nserver:/x /data nfs4 rw 0 0\nnone /data/fast\\040disk xfs rw 0 0\n"
        assert file_system_of(Path("/data/x"), mounts) == "nfs4"
        assert file_system_of(Path("/data/fast disk/x"), mounts) == "xfs"
        assert file_system_of(Path("/database"), mounts) == "ext4"
        assert is_network("nfs4") and is_network("lustre") and is_network("9p") and not is_network("ext4")

    def test_without_a_local_disk_there_is_no_log_beside_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("audiogrid.serving.job_queue.file_system_of", lambda _: "nfs4")
        queue = JobQueue(tmp_path)
        queue.add("a", "me", "short", {})
        assert not list(tmp_path.glob("*-wal")) and queue.get("a")


class TestNames:
    @pytest.mark.parametrize(
        ("given", "shown", "stored"),
        [
            ("talk.MP3", "talk.MP3", "talk.mp3"),
            ("../../etc/passwd", "passwd", "passwd"),
            (r"C:\x\दिन.wav", "दिन.wav", "दिन.wav"),
            ("a\n\x1b[31m.wav", "a[31m.wav", "a_31m.wav"),
            ("", "recording", "recording"),
            ("-rf .wav", "-rf .wav", "_rf_.wav"),
            ("x.$(touch y)", "x.$(touch y)", "x.__touch_y_"),
        ],
    )
    def test_of_files(self, given: str, shown: str, stored: str) -> None:
        assert shown_name(given) == shown
        assert stored_name(given) == stored

    def test_of_files_beside_others(self) -> None:
        assert free_name("a/talk.TXT", {"talk.txt", "_talk.txt"}) == "__talk.txt"
        assert free_name("recording.tsv", {TABLE}) == "_recording.tsv"

    def test_of_hosts(self) -> None:
        assert [host_of(one) for one in ("localhost:80", "[::1]:80", "EXAMPLE.org.")] == [
            "localhost",
            "::1",
            "example.org",
        ]
        assert is_loopback("127.0.0.2") and is_loopback("::1") and not is_loopback("localhost.evil.example")

    def test_of_columns_in_a_table(self) -> None:
        assert table_of([{"path": 'a"b', "x": "1\n2\t3"}]) == '"path"\t"x"\n"a""b"\t"1 2 3"\n'

    @pytest.mark.parametrize(
        "name", ["two  spaces.wav", "5.00\u202fPM.wav", "講演\u3000一.wav", "tab\t.wav", "line\nend.wav"]
    )
    def test_of_files_with_odd_spaces_in_a_table(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_bytes(b"RIFF")
        (tmp_path / "t.tsv").write_text(table_of([{"path": str(tmp_path / name)}]))
        ((source, _),), rejected = read_table(tmp_path / "t.tsv", "mix")
        assert not rejected and source.path == str(tmp_path / name)


def test_callbacks_are_signed_with_a_key_per_owner(tmp_path: Path) -> None:
    key = key_of(tmp_path, "me")
    assert key == key_of(tmp_path, "me") != key_of(tmp_path, "you")
    assert signature("key", b"{}", 5) == signature("key", b"{}", 5) != signature("key", b"{ }", 5)
    assert stat.S_IMODE((tmp_path / "callback.key").stat().st_mode) == 0o600


class TestWatchedFolder:
    def test_a_file_that_grows_waits(self, tmp_path: Path) -> None:
        watched = WatchedFolder(tmp_path)
        file = tmp_path / "talk.mp3"
        for size in range(1, 4):
            file.write_bytes(b"0" * size)
            assert watched.ready({}) == []
        found = [watched.ready({}) for _ in range(SCANS)]
        assert [one.path for one in found[-1]] == ["talk.mp3"]
        known = {"talk.mp3": {"stamp": found[-1][0].stamp, "job": "a", "outputs": []}}
        assert watched.ready(known) == []
        (tmp_path / ".hidden.mp3").write_bytes(b"0")
        (tmp_path / "link.mp3").symlink_to("/etc/passwd")
        assert not any(watched.ready(known) for _ in range(SCANS + 2))

    def test_nothing_of_a_person_is_overwritten(self, tmp_path: Path) -> None:
        watched = WatchedFolder(tmp_path)
        (tmp_path / "talk.txt").write_text("mine")
        written = watched.deliver("talk.mp3", {"txt": b"ours", "srt": b"1"}, [])
        assert [name for name, _ in written] == ["talk.mp3.txt", "talk.srt"]
        (tmp_path / "talk.srt").write_text("edited")
        again = watched.deliver("talk.mp3", {"txt": b"new", "srt": b"2"}, [list(one) for one in written])
        assert [name for name, _ in again] == ["talk.mp3.txt", "talk.mp3.srt"]
        assert (tmp_path / "talk.srt").read_text() == "edited" and (tmp_path / "talk.txt").read_text() == "mine"
        watched.withdraw([list(one) for one in again])
        assert not (tmp_path / "talk.mp3.txt").exists()


class TestRunsOfTheService:
    def test_nothing_that_names_people_goes_from_one_client_to_another(self, tmp_path: Path) -> None:
        named = {"count": 2, "link": "/shared/voices.json"}
        settings = resolve({"corrections": "/shared/corrections", "speakers": named})
        recipe = Recipe("auto", "transcribe", settings, "{}", "{}", (), None)
        run = BatchRun(tmp_path / "state", "r1", [LongJob("a" * 32, "talk", {"path": "/x/talk.wav"})], recipe)
        (tmp_path / "models.yaml").write_text("{}")
        run.prepare(tmp_path / "store", tmp_path / "models", tmp_path / "models.yaml")
        written = yaml.safe_load((run.root / "run.yaml").read_text())
        assert "corrections" not in written
        assert resolve(written)["speakers"] == {"count": 2}

    def test_voice_vectors_go_with_their_job(self, tmp_path: Path) -> None:
        run = RunFolder(tmp_path / "state" / "runs" / "r1" / "results" / "jobs")
        run.transcripts.mkdir(parents=True)
        run.voices.mkdir()
        edge = Seam("edge", 0, 0)
        chunks = [Chunk(f"{name}.0000", name, None, 0, 0, 1, 0, 1, edge, edge, "") for name in ("talk", "other")]
        keys = {"talk.0000": "b" * 64, "other.0000": "c" * 64}
        FinishedShard("s0001", facts=ShardFacts(chunks, keys)).write(run.voices / "s0001.json")
        document = run.transcripts / "talk.json"
        document.write_text(json.dumps({"provenance": {"chunks": [{"chunk": "talk.0000", "key": "a" * 64}]}}))
        merge = json.dumps({"formats": [], "subtitles": {}})
        deliver(str(run.root), str(tmp_path / "state"), "job1", "talk", "talk.wav", merge)
        assert JobFolder(tmp_path / "state", "job1").read_keys() == {"a" * 64, "b" * 64}
