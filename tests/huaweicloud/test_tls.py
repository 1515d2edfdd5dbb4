"""Certificates and tunnels: whom we trust is a setting, and a tunnel's own request is not the mutation."""

import asyncio
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from autoscaler import errors
from tests.huaweicloud.conftest import TARGET, Conversation, http, operation

JOB = {"jobId": "job-1"}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> tuple[Path, Path]:
    """A certificate for the loopback address and its key, made for this run."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the command openssl (Debian package openssl)")
    folder = tmp_path_factory.mktemp("tls")
    made, key = folder / "cert.pem", folder / "key.pem"
    wanted = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=loopback"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(made)]
    subprocess.run(["openssl", *wanted.split(), *names], check=True, capture_output=True)  # noqa: S607 - fixed
    return made, key


@pytest.fixture
def tls(certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


async def accepting(conversation: Conversation) -> None:
    while await conversation.request():
        await conversation.write(http(200, JOB))


async def resetting(conversation: Conversation) -> None:
    await conversation.request()
    conversation.reset()


async def tunnel(conversation: Conversation) -> None:
    """A proxy that makes the tunnel it is asked for."""
    seen = await conversation.request()
    assert seen is not None
    host, _, port = seen.target.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    await conversation.write(b"HTTP/1.1 200 Connection established\r\n\r\n")

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        except ConnectionError:
            pass  # one side is gone, so the other is closed too
        finally:
            sink.close()

    await asyncio.gather(pump(conversation.reader, writer), pump(reader, conversation.writer))


async def test_a_certificate_of_the_settings_is_trusted(serve, client, tls, certificate):
    server = await serve(accepting, tls=tls)
    made = client(server.url, ca_file=str(certificate[0]))
    assert (await made.cloud.add_nodes(TARGET, operation(), lambda: None)).job_id == "job-1"


async def test_a_certificate_that_nobody_vouches_for_leaves_it_unsent(serve, client, tls):
    server = await serve(accepting, tls=tls)
    asked: list[bool] = []
    with pytest.raises(errors.Unsent, match="certificate"):
        await client(server.url).cloud.add_nodes(TARGET, operation(), lambda: asked.append(True))
    assert asked == []
    assert server.requests == []


async def test_through_a_tunnel_it_is_begun_only_behind_it(serve, client, tls, certificate):
    server = await serve(accepting, tls=tls)
    proxy = await serve(tunnel)
    asked: list[tuple[int, int]] = []
    made = client(server.url, ca_file=str(certificate[0]), proxy=proxy.url)
    accepted = await made.cloud.add_nodes(
        TARGET, operation(), lambda: asked.append((len(proxy.requests), len(server.requests)))
    )
    assert accepted.job_id == "job-1"
    assert asked == [(1, 0)], "once, with the tunnel made and nothing sent through it"
    assert [seen.method for seen in proxy.requests] == ["CONNECT"]
    assert "authorization" not in proxy.requests[0].headers


async def test_a_reset_behind_a_tunnel_is_ambiguous(serve, client, tls, certificate):
    server = await serve(resetting, tls=tls)
    proxy = await serve(tunnel)
    made = client(server.url, ca_file=str(certificate[0]), proxy=proxy.url)
    with pytest.raises(errors.Ambiguous):
        await made.cloud.add_nodes(TARGET, operation(), lambda: None)
    assert len(server.requests) == 1


async def test_before_send_that_stops_it_sends_nothing_through_the_tunnel(serve, client, tls, certificate):
    server = await serve(accepting, tls=tls)
    proxy = await serve(tunnel)
    made = client(server.url, ca_file=str(certificate[0]), proxy=proxy.url)

    def stop() -> None:
        raise errors.Unsent("its deadline has passed")

    with pytest.raises(errors.Unsent, match="deadline"):
        await made.cloud.add_nodes(TARGET, operation(), stop)
    assert (server.requests, server.stray) == ([], b"")
