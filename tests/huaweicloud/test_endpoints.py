"""Where the services are, when nobody says; and settings that cannot be used."""

import pytest

from autoscaler import clock, errors
from autoscaler.huaweicloud import cloud, endpoints
from autoscaler.huaweicloud.connection import AccessKey, Connection, DdmApi, Dialect, Endpoints

KEY = AccessKey("AK", "secret")

PLACES = [
    (
        "huawei",
        Connection("cn-north-4", KEY),
        endpoints.Services(
            "https://iam.cn-north-4.myhuaweicloud.com",
            "https://ddm.cn-north-4.myhuaweicloud.com",
            "https://ces.cn-north-4.myhuaweicloud.com",
            "https://rds.cn-north-4.myhuaweicloud.com",
        ),
    ),
    (
        "Europe's own domain, but for Cloud Eye",
        Connection("eu-west-101", KEY),
        endpoints.Services(
            "https://iam.eu-west-101.myhuaweicloud.eu",
            "https://ddm.eu-west-101.myhuaweicloud.eu",
            "https://ces.eu-west-101.myhuaweicloud.com",
            "https://rds.eu-west-101.myhuaweicloud.eu",
        ),
    ),
    (
        "otc",
        Connection("eu-de", KEY, Dialect.OTC),
        endpoints.Services(
            "https://iam.eu-de.otc.t-systems.com",
            "https://ddm.eu-de.otc.t-systems.com",
            "https://ces.eu-de.otc.t-systems.com",
            "https://rds.eu-de.otc.t-systems.com",
        ),
    ),
    (
        "given, some with a slash or IAM's version at the end",
        Connection("r", KEY, endpoints=Endpoints("http://i:1/v3/", "http://d:2/", "http://c:3", "http://r:4")),
        endpoints.Services("http://i:1", "http://d:2", "http://c:3", "http://r:4"),
    ),
]


@pytest.mark.parametrize(("name", "connection", "expected"), PLACES, ids=[row[0] for row in PLACES])
def test_the_services_are_at(name, connection, expected):
    assert endpoints.services(connection) == expected


def test_the_api_can_be_chosen_against_the_dialect():
    assert endpoints.ddm_api(Connection("r", KEY, Dialect.OTC, DdmApi.V2)) is DdmApi.V2


BAD = [
    ("a proxy without a scheme", {"proxy": "proxy.example:3128"}, "cloud.proxy"),
    ("a proxy of another kind", {"proxy": "socks5://proxy.example:1080"}, "cloud.proxy"),
    ("certificates that are not there", {"ca_file": "/nonexistent/ca.pem"}, "cloud.ca_file"),
    ("certificates that are none", {"ca_file": __file__}, "cloud.ca_file"),
]


@pytest.mark.parametrize(("name", "settings", "path"), BAD, ids=[row[0] for row in BAD])
def test_settings_that_cannot_be_used_are_named(monitor, name, settings, path):
    with pytest.raises(errors.BadConfig) as caught:
        cloud.HuaweiCloud(Connection("r", KEY, **settings), time=clock.SystemClock(), monitor=monitor)
    assert [problem.path for problem in caught.value.problems] == [path]
