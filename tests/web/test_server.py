"""The server in our own loop: it binds first, says in one sentence why it cannot, and leaves the signals alone."""

import asyncio
import errno
import resource
import signal
import socket
from collections.abc import Generator

import httpx
import pytest
from starlette.responses import PlainTextResponse

from autoscaler.errors import ListenError
from autoscaler.web import server

hello = PlainTextResponse("hello")


async def test_it_answers_between_start_and_stop_on_a_free_port():
    async with server.Server(hello, host="127.0.0.1", port=0) as running:
        host, port = running.address
        assert (host, running.url) == ("127.0.0.1", f"http://127.0.0.1:{port}")
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(running.url)).text == "hello"

    with socket.create_server((host, port)):
        pass  # the address is free again


async def test_the_signals_stay_the_daemons():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    async with server.Server(hello, host="127.0.0.1", port=0):
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


async def test_an_answer_under_way_is_finished_at_the_stop():
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slow(scope, receive, send):
        asked.set()
        await go_on.wait()
        await hello(scope, receive, send)

    async with server.Server(slow, host="127.0.0.1", port=0) as running, httpx.AsyncClient(trust_env=False) as client:
        answer = asyncio.create_task(client.get(running.url))
        await asked.wait()
        stopping = asyncio.create_task(running.stop())
        await asyncio.sleep(0)
        go_on.set()

        assert (await answer).text == "hello"
        await stopping


BIG = PlainTextResponse("x" * 1_000_000)
CROWD = 1000

CROWDS = {
    "who say nothing": b"",
    "who never end their question": b"GET / HTTP/1.1\r\nHost: here\r\nX-Slow: ",
    "who asked, and keep the line": b"GET / HTTP/1.1\r\nHost: here\r\n\r\n",
    "who take nothing of a long answer": b"GET /big HTTP/1.1\r\nHost: here\r\n\r\n",
}


async def both(scope, receive, send):
    await (BIG if scope["path"] == "/big" else hello)(scope, receive, send)


@pytest.fixture
def many_files() -> Generator[None]:
    """As many open files as a crowd takes on both its ends."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * CROWD
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted if hard < 0 else min(wanted, hard)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
@pytest.mark.parametrize("says", CROWDS.values(), ids=CROWDS)
async def test_a_crowd_keeps_nobody_from_an_answer(says):
    """A probe that gets none would have the daemon restarted."""
    opened: list[socket.socket] = []
    async with server.Server(both, host="127.0.0.1", port=0) as running, httpx.AsyncClient(trust_env=False) as client:
        try:
            while len(opened) < CROWD:
                opened.append(await one_more(running.address, says))
            for _ in range(3):
                async with asyncio.timeout(5):
                    assert (await client.get(running.url)).text == "hello"
            assert open_on(running) <= server.PLACES + 1
        finally:
            for one in opened:
                one.close()


async def one_more(address: tuple[str, int], says: bytes) -> socket.socket:
    made = socket.socket()
    made.setblocking(False)  # noqa: FBT003  # its only argument
    loop = asyncio.get_running_loop()
    await loop.sock_connect(made, address)
    if says:
        await loop.sock_sendall(made, says)
    return made


def open_on(running: server.Server) -> int:
    return len(running._server.server_state.connections)  # how many it holds is told nowhere else


async def test_one_that_was_never_started_can_be_stopped():
    await server.Server(hello, host="127.0.0.1", port=0).stop()


async def test_a_taken_port_is_one_sentence_with_address_and_remedy():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ListenError) as refused:
            server.Server(hello, host="127.0.0.1", port=port)

    assert str(refused.value) == (
        f"127.0.0.1:{port} cannot be listened on (server.listen, AUTOSCALER_SERVER__LISTEN): "
        "another program has it; stop that one, or choose another"
    )


BAD_ADDRESSES = {
    "not ours": ("192.0.2.1", 0, "this machine has no such address"),
    "no such name": ("no-such-host.invalid", 0, "the host's name is not known"),
    "a port too high": ("127.0.0.1", 65536, "a port is a number from 0 to 65535"),
}


@pytest.mark.parametrize(("host", "port", "words"), BAD_ADDRESSES.values(), ids=BAD_ADDRESSES)
def test_a_bad_address_is_one_sentence(host, port, words):
    with pytest.raises(ListenError, match=words) as refused:
        server.Server(hello, host=host, port=port)

    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith(f"{host}:{port} ")


def test_a_port_for_root_only_has_its_remedy():
    # Tests may run as root, who is allowed to.
    assert "1024" in server._REMEDIES[errno.EACCES]
