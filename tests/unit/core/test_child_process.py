"""A child process answers, raises or dies; its parent goes on in every case."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future

import psutil
import pytest

from audiogrid.core.child_process import ChildDiedError, ChildProcess, describe_exit
from places import SCRIPTS

memory: list[str] = []


class UnpicklableError(Exception):
    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} {two}")


def remember(word: str) -> None:
    memory.append(word)


def recall(more: str) -> list[str]:
    return [*memory, more]


def fail() -> None:
    raise ValueError("wrong")


def fail_strangely() -> None:
    raise UnpicklableError("cannot", "travel")


def die() -> None:
    os.kill(os.getpid(), signal.SIGABRT)


def leave() -> None:
    os._exit(7)


def wait() -> None:
    time.sleep(60)


@pytest.fixture
def child():
    child = ChildProcess(remember, ("once",))
    yield child
    child.close()


def test_calls_are_answered_one_after_another_and_errors_travel(child):
    assert child.submit(recall, "a").result(30) == ["once", "a"]
    with pytest.raises(ValueError, match="wrong"):
        child.submit(fail).result(30)
    with pytest.raises(RuntimeError, match="UnpicklableError: cannot travel"):
        child.submit(fail_strangely).result(30)
    assert child.submit(recall, "b").result(30) == ["once", "b"]
    assert child.exit_code is None


@pytest.mark.parametrize(("call", "cause"), [(die, "died of SIGABRT"), (leave, "ended by itself with exit code 7")])
def test_a_death_is_named_also_to_whoever_calls_afterwards(call, cause):
    child = ChildProcess()
    for function, was_idle in ((call, False), (leave, True)):
        with pytest.raises(ChildDiedError, match=cause) as caught:
            child.submit(function).result(30)
        assert caught.value.was_idle == was_idle
    child.close()


def test_a_child_that_died_while_idle_is_noticed_at_the_next_call(child):
    child.submit(recall, "a").result(30)
    child.kill()
    with pytest.raises(ChildDiedError, match="SIGKILL"):
        child.submit(recall, "b").result(30)


def test_what_cannot_be_sent_is_the_error_of_the_call(child):
    with pytest.raises(Exception, match="pickle"):
        child.submit(lambda: None).result(30)
    assert child.submit(recall, "a").result(30) == ["once", "a"]


def make_lock() -> object:
    return threading.Lock()


def test_an_answer_that_cannot_travel_is_the_error_of_the_call(child):
    with pytest.raises(Exception, match="pickle"):
        child.submit(make_lock).result(30)
    assert child.submit(recall, "a").result(30) == ["once", "a"]


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_call_that_was_given_up_is_answered_without_a_trace(child):
    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.wrap_future(child.submit(time.sleep, 0.3)), 0.05)

    asyncio.run(give_up())
    child._caller.join()
    assert child.submit(recall, "a").result(30) == ["once", "a"]


def test_closing_ends_a_call(child):
    future: Future[None] = child.submit(wait)
    child.close()
    assert isinstance(future.exception(5), ChildDiedError)


PARENT = """
import os, sys, time
from audiogrid.core.child_process import ChildProcess

def work():
    print(os.getpid(), flush=True)
    time.sleep(600)

if __name__ == "__main__":
    ChildProcess().submit(work).result()
"""


def test_it_ends_with_its_parent_also_in_the_middle_of_a_call(tmp_path):
    (tmp_path / "parent.py").write_text(PARENT)
    argv = [sys.executable, str(tmp_path / "parent.py")]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    with subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    try:
        # A zombie where nobody collects it.
        deadline = time.monotonic() + 30
        while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    except psutil.NoSuchProcess:
        pass


def test_no_semaphore_is_needed(child, monkeypatch):
    """As where /dev/shm is missing or read-only."""
    import _multiprocessing

    def refuse(*given: object) -> None:
        raise FileNotFoundError("/dev/shm")

    monkeypatch.setattr(_multiprocessing, "SemLock", refuse)
    other = ChildProcess(remember, ("again",))
    assert other.submit(recall, "a").result(30) == ["again", "a"]
    other.close()


def test_exit_codes_are_put_into_words():
    assert "SIGSEGV" in describe_exit(-signal.SIGSEGV)
    assert "out of memory?" in describe_exit(-signal.SIGKILL)
    assert "exit code 3" in describe_exit(3)
    assert "lost" in describe_exit(None)
