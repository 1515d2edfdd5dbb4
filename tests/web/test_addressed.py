"""Under which names the daemon is asked: a page of another site that makes its own name point here reads nothing."""

import logging

import pytest

from autoscaler.web.addressed import PROBES, TOLD, Hosts
from tests.web.conftest import unarmoured

EVERYWHERE = ("/", "/targets/orders", "/metrics", "/api/v1/targets", "/api/v1/config", "/static/live.js", "/nothing")

LOCAL = Hosts("127.0.0.1", machine="box")
OPEN = Hosts("0.0.0.0", machine="db1.example.com")  # noqa: S104  # a value
NAMED = Hosts("0.0.0.0", ("Autoscaler.example.com", "*.databases.example.com"), machine="box")  # noqa: S104  # a value

ALWAYS = (
    "127.0.0.1",
    "127.0.0.1:9178",
    "10.1.2.3:9178",  # of a pod, for the kubelet and Prometheus
    "[::1]:9178",
    "[2001:db8::1]",
    "localhost",
    "localhost:8080",  # forwarded from another port
    "LOCALHOST.:9178",
    "autoscaler.localhost:9178",
    "",
)
NEVER = (
    "evil.example",
    "evil.example:9178",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "1.2.3",
    "[::1].evil.example:80",
    "evil.example, localhost",
    "[evil.example]",
)
NOT_FOR_SALE = (
    "autoscaler:9178",
    "ddm-autoscaler.databases.svc:9178",
    "ddm-autoscaler.databases.svc.cluster.local:9178",
    "box.local",
    "host.docker.internal:9178",
)


@pytest.mark.parametrize("hosts", [LOCAL, OPEN, NAMED], ids=["local", "open", "named"])
@pytest.mark.parametrize("header", ALWAYS)
def test_addresses_and_this_machine_are_always_known(hosts, header):
    assert hosts.know(header)


@pytest.mark.parametrize("hosts", [LOCAL, OPEN, NAMED], ids=["local", "open", "named"])
@pytest.mark.parametrize("header", NEVER)
def test_a_name_that_somebody_can_buy_is_not_known(hosts, header):
    assert not hosts.know(header)


@pytest.mark.parametrize("header", NOT_FOR_SALE)
def test_names_that_nobody_outside_can_have_are_known_beyond_loopback(header):
    assert OPEN.know(header)
    assert NAMED.know(header)
    assert not LOCAL.know(header)


@pytest.mark.parametrize(
    ("header", "known"),
    [
        ("autoscaler.example.com", True),
        ("AUTOSCALER.example.com.:443", True),
        ("a.autoscaler.example.com", False),
        ("a.databases.example.com", True),
        ("a.b.databases.example.com:9178", True),
        ("databases.example.com", False),
        ("evildatabases.example.com", False),
        ("example.com", False),
    ],
)
def test_names_that_are_told_are_known(header, known):
    assert NAMED.know(header) == known


def test_the_host_that_is_listened_on_is_known_and_beyond_loopback_the_machines_own_name():
    assert Hosts("db1.example.com", machine="box").know("db1.example.com:9178")
    assert OPEN.know("db1.example.com:9178")
    assert not Hosts("localhost", machine="db1.example.com").know("db1.example.com")


@pytest.mark.parametrize("listen", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "Autoscaler.localhost"])
def test_loopback_is_asked_strictly(listen):
    assert not Hosts(listen, machine="box").know("evillocalhost")
    assert not Hosts(listen, machine="box").know("box")


@pytest.mark.parametrize("path", EVERYWHERE)
def test_under_another_name_nothing_is_read(served, path):
    answer = served.http.get(path, headers={"Host": "evil.example:9178"})

    assert answer.status_code == 421
    assert answer.json() == {
        "error": "This daemon is not known as 'evil.example': where it is meant to be, add that to server.hosts."
    }
    assert unarmoured(answer) == set()


def test_under_another_name_nothing_is_changed(served):
    headers = {"Host": "evil.example", "Authorization": "Bearer correct horse", "Origin": "http://evil.example"}
    assert served.http.post("/api/v1/pause", headers=headers).status_code == 421
    assert served.console.asked == []


@pytest.mark.parametrize("path", sorted(PROBES))
def test_probes_are_answered_under_any_name(served, path):
    assert served.http.get(path, headers={"Host": "evil.example"}).status_code == 200


def test_the_log_names_whom_it_refused_once_and_not_without_end(served, caplog):
    with caplog.at_level(logging.WARNING):
        for number in range(2 * TOLD):
            for _ in range(2):
                served.http.get("/metrics", headers={"Host": f"{number}.evil.example"})

    told = [one.getMessage() for one in caplog.records if "server.hosts" in one.getMessage()]
    assert told == [
        f"a request was refused: it asked for '{number}.evil.example', which is not in server.hosts"
        for number in range(TOLD)
    ]
