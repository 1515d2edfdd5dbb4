"""Where settings come from, which source counts, and exactly what is said about mistakes."""

# ruff: noqa: E501 - a message stands on one line, as it is printed

from pathlib import Path
from typing import Any

import pytest

from autoscaler import errors, settings

SECRETS = {
    "AUTOSCALER_CLOUD__USERNAME": "ursula",
    "AUTOSCALER_CLOUD__PASSWORD": "hunter2",
    "AUTOSCALER_CLOUD__DOMAIN": "acme",
}
REGION = "cloud: {region: eu-de, dialect: otc}\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "autoscaler.yaml"


@pytest.fixture
def secrets_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "secrets"
    folder.mkdir()
    return folder


def load(config: Path, text: str, **environ: str) -> settings.Settings:
    config.write_text(text)
    return settings.load(config, {**SECRETS, **environ})


def told(config: Path, text: str, environ: dict[str, str]) -> list[str]:
    config.write_text(text)
    with pytest.raises(errors.BadConfig) as refused:
        settings.load(config, environ)
    return str(refused.value).replace(f"{config.parent}/", "").splitlines()


def test_what_is_left_out_has_the_documented_default(config):
    found = load(config, "cloud: {region: cn-north-4}\n")
    assert found.cloud.dialect is settings.Dialect.HUAWEI
    assert found.cloud.ddm_api is settings.DdmApi.V2
    assert found.cloud.credentials is settings.CredentialKind.PASSWORD
    assert found.cloud.endpoints == settings.EndpointSettings()
    assert found.store_file == config.parent / "state/autoscaler.db"
    assert found.listen == "127.0.0.1:9178"
    assert found.mode_ceiling.value == "enforce"
    assert (found.log_level, found.log_format) == (settings.LogLevel.INFO, settings.LogFormat.JSON)
    assert [entry.pattern for entry in found.policy_patterns] == ["policies/*.yaml"]
    assert found.token is None
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("text", "api"),
    [("dialect: otc", "v3"), ("dialect: otc, ddm_api: v2", "v2"), ("dialect: huawei, ddm_api: v3", "v3")],
)
def test_the_api_follows_from_the_dialect_unless_it_is_said(config, text, api):
    assert load(config, f"cloud: {{region: eu-de, {text}}}\n").cloud.ddm_api.value == api


def test_the_environment_goes_before_secret_files_and_these_before_yaml(config, secrets_dir):
    text = "cloud: {region: eu-de, dialect: otc, project_id: yaml}\nlog: {level: error}\n"
    (secrets_dir / "AUTOSCALER_CLOUD__PROJECT_ID").write_text("file")
    (secrets_dir / "AUTOSCALER_CLOUD__REGION").write_text("eu-nl")
    found = load(config, text, AUTOSCALER_SECRETS_DIR=str(secrets_dir), AUTOSCALER_CLOUD__PROJECT_ID="variable")
    assert found.cloud.project_id == "variable"
    assert found.cloud.region == "eu-nl"
    assert found.cloud.dialect is settings.Dialect.OTC
    assert found.log_level is settings.LogLevel.ERROR


def test_a_secret_file_for_a_nested_key_is_read_and_loses_its_last_newline_only(config, secrets_dir):
    config.write_text(REGION)
    for name, content in (("USERNAME", "ursula\n"), ("PASSWORD", " hunter2\n\n"), ("DOMAIN", "acme\r\n")):
        (secrets_dir / f"AUTOSCALER_CLOUD__{name}").write_bytes(content.encode())
    cloud = settings.load(config, {"AUTOSCALER_SECRETS_DIR": str(secrets_dir)}).cloud
    assert [secret.get_secret_value() for secret in (cloud.username, cloud.password, cloud.domain) if secret] == [
        "ursula",
        " hunter2\n",
        "acme",
    ]


def test_names_that_kubernetes_keeps_in_a_secret_mount_are_left_alone(config, secrets_dir):
    (secrets_dir / "..data").mkdir()
    (secrets_dir / ".hidden").write_text("x")
    assert load(config, REGION, AUTOSCALER_SECRETS_DIR=str(secrets_dir)).warnings == ()


def test_a_file_that_is_not_named_like_a_variable_is_a_warning(config, secrets_dir):
    (secrets_dir / "cloud__password").write_text("x")
    (warning,) = load(config, REGION, AUTOSCALER_SECRETS_DIR=str(secrets_dir)).warnings
    assert warning == (
        f"{secrets_dir}/cloud__password: ignored; a secret file is named like its variable, did you mean "
        "AUTOSCALER_CLOUD__PASSWORD?"
    )


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("AUTOSCALER_CLOUD__PASWORD", b"x", "means nothing, did you mean AUTOSCALER_CLOUD__PASSWORD?"),
        ("AUTOSCALER_CLOUD__PASSWORD", b"", "cannot be read (empty); it must be a small UTF-8 file with the value"),
        ("AUTOSCALER_LOG__LEVEL", b"loud", "'loud' is not allowed; allowed: debug, info, warning, error"),
    ],
)
def test_a_mistake_in_a_secret_file_names_the_file(config, secrets_dir, name, content, expected):
    (secrets_dir / name).write_bytes(content)
    environ = {**SECRETS, "AUTOSCALER_SECRETS_DIR": str(secrets_dir)}
    assert told(config, REGION, environ) == [f"secrets/{name}: {expected}"]


def test_a_secrets_directory_that_is_missing_is_an_error(config):
    environ = {**SECRETS, "AUTOSCALER_SECRETS_DIR": "/nowhere/at/all"}
    assert told(config, REGION, environ) == [
        "environment: AUTOSCALER_SECRETS_DIR: /nowhere/at/all cannot be listed (No such file or directory); name a directory of secret files"
    ]


def test_lists_and_mappings_come_as_json(config):
    found = load(
        config,
        REGION,
        AUTOSCALER_POLICY_FILES='["a.yaml", "b.yaml"]',
        AUTOSCALER_CLOUD__ENDPOINTS='{"ddm": "http://127.0.0.1:9001/"}',
    )
    assert [entry.pattern for entry in found.policy_patterns] == ["a.yaml", "b.yaml"]
    assert found.cloud.endpoints == settings.EndpointSettings(ddm="http://127.0.0.1:9001")
    assert found.cloud.region == "eu-de"


def test_an_empty_variable_is_one_that_is_not_set(config):
    assert load(config, REGION, AUTOSCALER_CLOUD__PROXY="", AUTOSCALER_FOO="").cloud.proxy is None


def test_what_kubernetes_injects_is_ignored_with_a_warning(config):
    found = load(config, REGION, AUTOSCALER_PORT_9178_TCP="tcp://10.0.0.1:9178", AUTOSCALER_SERVICE_HOST="10.0.0.1")
    assert [warning.split(":")[1].strip() for warning in found.warnings] == [
        "AUTOSCALER_PORT_9178_TCP",
        "AUTOSCALER_SERVICE_HOST",
    ]


def test_variables_of_other_parts_are_left_alone(config):
    assert load(config, REGION, AUTOSCALER_URL="http://x", AUTOSCALER_CLOCK="x@1").warnings == ()


ENVIRONMENT = {
    "a variable that means nothing": ({"AUTOSCALER_FOO": "1"}, "AUTOSCALER_FOO: means nothing; take it out"),
    "one that nearly means something": (
        {"AUTOSCALER_CLOUD__REGON": "x"},
        "AUTOSCALER_CLOUD__REGON: means nothing, did you mean AUTOSCALER_CLOUD__REGION?",
    ),
    "one underscore too few": (
        {"AUTOSCALER_CLOUD_REGION": "x"},
        "AUTOSCALER_CLOUD_REGION: means nothing, did you mean AUTOSCALER_CLOUD__REGION?",
    ),
    "small letters": (
        {"AUTOSCALER_cloud__region": "x"},
        "AUTOSCALER_cloud__region: means nothing; take it out",
    ),
    "a key that a source does not have": (
        {"AUTOSCALER_SOURCES__PROM__TOKN": "x"},
        "AUTOSCALER_SOURCES__PROM__TOKN: means nothing, did you mean AUTOSCALER_SOURCES__PROM__TOKEN?",
    ),
    "a source that is not JSON": (
        {"AUTOSCALER_SOURCES__PROM": "x"},
        'AUTOSCALER_SOURCES__PROM: is not JSON, as a list or mapping must be; such as ["policies/*.yaml"]',
    ),
    "a source with a password in its address is not shown": (
        {"AUTOSCALER_SOURCES": '{"prom": {"type": "prometheus", "url": "http://u:hunter2@h"}}'},
        "AUTOSCALER_SOURCES.prom.url: holds credentials; set the source's token, or its username and password, as variables",
    ),
    "a list that is not JSON": (
        {"AUTOSCALER_POLICY_FILES": "policies/*.yaml"},
        'AUTOSCALER_POLICY_FILES: is not JSON, as a list or mapping must be; such as ["policies/*.yaml"]',
    ),
    "an unknown key in JSON": (
        {"AUTOSCALER_LOG": '{"levl": "info"}'},
        "AUTOSCALER_LOG.levl: is not a key here, did you mean level?; allowed: level, format",
    ),
    "a wrong word": (
        {"AUTOSCALER_LOG__FORMAT": "xml"},
        "AUTOSCALER_LOG__FORMAT: 'xml' is not allowed; allowed: json, text",
    ),
    "a secret of the wrong type is not shown": (
        {"AUTOSCALER_CLOUD": '{"secret_key": 123456789}'},
        "AUTOSCALER_CLOUD.secret_key: '***' is not allowed; it must be a text (a number or a word like true needs quotes)",
    ),
    "a proxy with a password is not shown": (
        {"AUTOSCALER_CLOUD__PROXY": "ftp://u:hunter2@h"},
        "AUTOSCALER_CLOUD__PROXY: is no http:// or https:// address; write scheme, host and, where needed, port",
    ),
    "an endpoint with a password is not shown": (
        {"AUTOSCALER_CLOUD__ENDPOINTS__IAM": "https://u:hunter2@h"},
        "AUTOSCALER_CLOUD__ENDPOINTS__IAM: holds more than scheme, host and port; write such as https://ddm.eu-de.otc.t-systems.com",
    ),
}


@pytest.mark.parametrize(("environ", "expected"), ENVIRONMENT.values(), ids=ENVIRONMENT)
def test_a_mistake_in_a_variable_names_the_variable(config, environ, expected):
    assert told(config, REGION, {**SECRETS, **environ}) == [f"environment: {expected}"]


NOT_HERE = "a secret does not belong in this file; set {0}, or write a file of that name into AUTOSCALER_SECRETS_DIR"
NOT_A_PASSWORD = "an address in this file holds no password; "
YAML: dict[str, tuple[str, list[str]]] = {
    "no cloud": (
        "log: {level: info}\n",
        ["1:1: cloud.region: is missing; it says: code of the region, such as eu-de or cn-north-4"],
    ),
    "no region": (
        "cloud:\n  dialect: otc\n",
        ["1:1: cloud.region: is missing; it says: code of the region, such as eu-de or cn-north-4"],
    ),
    "a list": ("- cloud\n", ["1:1: the file must hold a mapping of keys, such as cloud: {region: eu-de}"]),
    "an unknown key": (
        REGION + "logs: {}\n",
        [
            "2:1: logs: is not a key here, did you mean log?; allowed: cloud, store, server, mode_ceiling, log, sources, webhooks, policy_files"
        ],
    ),
    "a source of another type": (
        REGION + "sources: {prom: {type: influx, url: 'http://h:9090'}}\n",
        ["2:24: sources.prom.type: 'influx' is not allowed; allowed: prometheus"],
    ),
    "a source without an address": (
        REGION + "sources: {prom: {type: prometheus}}\n",
        ["2:11: sources.prom.url: is missing; it says: its address, with the path that it is behind, if any"],
    ),
    "a source whose variables cannot be named": (
        REGION + "sources: {my-prom: {type: prometheus, url: 'http://h:9090'}}\n",
        ["2:11: sources.my-prom: is no name for a source; it is made of small letters, digits and single underscores"],
    ),
    "a source with the name of the one that is always there": (
        REGION + "sources: {cloud_eye: {type: prometheus, url: 'http://h:9090'}}\n",
        ["2:11: sources.cloud_eye: is the source that is always there; give this one another name"],
    ),
    "secrets of a source": (
        REGION + "sources: {prom: {type: prometheus, url: 'http://u:hunter2@h:9090', token: hunter2}}\n",
        [
            "2:41: sources.prom.url: holds credentials; set the source's token, or its username and password, as variables",
            "2:75: sources.prom.token: a secret does not belong in this file; set AUTOSCALER_SOURCES__PROM__TOKEN, or write a file of that name into AUTOSCALER_SECRETS_DIR",
        ],
    ),
    "an address of a source with a query": (
        REGION + "sources: {prom: {type: prometheus, url: 'http://h:9090?a=b'}}\n",
        [
            "2:41: sources.prom.url: holds more than scheme, host, port and path; write such as http://prometheus.example:9090"
        ],
    ),
    "authorities of a source that are not there": (
        REGION + "sources: {prom: {type: prometheus, url: 'https://h', ca_file: ca.pem}}\n",
        [
            "2:63: sources.prom.ca_file: there is no file ca.pem; write the path of a PEM file, relative to autoscaler.yaml"
        ],
    ),
    "webhooks by name": (
        REGION + "webhooks: {pager: {url: 'https://h'}}\n",
        [
            "2:11: webhooks: it must be a list, each with a name, such as [{name: pager, url: https://pager.example/hook}]"
        ],
    ),
    "webhooks that are no list": (
        REGION + "webhooks: pager\n",
        ["2:11: webhooks: 'pager' is not allowed; it must be a mapping of keys"],
    ),
    "a webhook that is no mapping": (
        REGION + "webhooks: [pager]\n",
        ["2:12: webhooks[0]: it must be a mapping of keys, such as {name: pager, url: …}"],
    ),
    "a webhook without a name": (
        REGION + "webhooks: [{url: 'https://h'}]\n",
        ["2:12: webhooks[0].name: is missing; its variables are named after it"],
    ),
    "a webhook whose name is a number": (
        REGION + "webhooks: [{name: 7, url: 'https://h'}]\n",
        ["2:19: webhooks[0].name: it must be a text, such as pager"],
    ),
    "another driver of postgresql": (
        REGION + "store: postgresql://db/autoscaler\n",
        [
            "2:8: store: is no store; write sqlite:///state/autoscaler.db, sqlite:////absolute/path.db or postgresql+psycopg://USER@HOST:5432/DATABASE"
        ],
    ),
    "a server without a database": (
        REGION + "store: postgresql+psycopg://db/\n",
        ["2:8: store: names no database; write postgresql+psycopg://USER@HOST:5432/DATABASE"],
    ),
    "a database without a server": (
        REGION + "store: postgresql+psycopg:///autoscaler\n",
        ["2:8: store: names no server; write postgresql+psycopg://USER@HOST:5432/DATABASE"],
    ),
    "an option of the server that we set ourselves": (
        REGION + "store: postgresql+psycopg://db/autoscaler?options=-cfsync\n",
        [
            "2:8: store: has an option that is not known; allowed are host, passfile, sslcert, sslkey, sslmode, sslrootcert"
        ],
    ),
    "a port of the server that is none": (
        REGION + "store: postgresql+psycopg://db:postgres/autoscaler\n",
        [
            "2:8: store: is no address of a database; write postgresql+psycopg://USER@HOST:5432/DATABASE, with %40 for an @ in a name or password and so on"
        ],
    ),
    "targets belong elsewhere": (
        REGION + "targets: {}\n",
        ["2:1: targets: belongs to a policy file; name that file in policy_files"],
    ),
    "another kind of store": (
        REGION + "store: autoscaler.db\n",
        [
            "2:8: store: is no store; write sqlite:///state/autoscaler.db, sqlite:////absolute/path.db or postgresql+psycopg://USER@HOST:5432/DATABASE"
        ],
    ),
    "a store in memory": (
        REGION + "store: 'sqlite:///:memory:'\n",
        ["2:8: store: names no plain file; write sqlite:///FILE without ? and #"],
    ),
    "a region that is no word": (
        "cloud: {region: 'eu-de.example'}\n",
        ["1:17: cloud.region: is no region; write its code, such as eu-de or cn-north-4"],
    ),
    "a project that is a number": (
        "cloud: {region: eu-de, dialect: otc, project_id: 012}\n",
        ["1:50: cloud.project_id: 12 is not allowed; it must be a text (a number or a word like true needs quotes)"],
    ),
    "an endpoint with a path": (
        "cloud: {region: eu-de, dialect: otc, endpoints: {iam: 'https://iam.example/v3'}}\n",
        [
            "1:55: cloud.endpoints.iam: holds more than scheme, host and port; write such as https://ddm.eu-de.otc.t-systems.com"
        ],
    ),
    "an endpoint of another scheme": (
        "cloud: {region: eu-de, dialect: otc, endpoints: {ddm: ddm.example}}\n",
        ["1:55: cloud.endpoints.ddm: is no http:// or https:// address; write scheme, host and, where needed, port"],
    ),
    "a port alone": (
        REGION + "server: {listen: 9178}\n",
        ["2:18: server.listen: is no address to listen on; write HOST:PORT such as 127.0.0.1:9178 or [::1]:9178"],
    ),
    "no host": (
        REGION + "server: {listen: ':9178'}\n",
        ["2:18: server.listen: has no host; write 0.0.0.0:PORT to listen on every address"],
    ),
    "IPv6 without brackets": (
        REGION + "server: {listen: '::1:9178'}\n",
        ["2:18: server.listen: is no address to listen on; write HOST:PORT such as 127.0.0.1:9178 or [::1]:9178"],
    ),
    "a port beyond all": (
        REGION + "server: {listen: 'localhost:70000'}\n",
        ["2:18: server.listen: is no address to listen on; write HOST:PORT such as 127.0.0.1:9178 or [::1]:9178"],
    ),
    "names that are no host's": (
        REGION + "server: {hosts: ['https://a.example', 'a.example:443', '*', 'a.*.example', 'a..example']}\n",
        [
            "2:18: server.hosts[0]: is no host name; write it without scheme and port, such as autoscaler.example.com",
            "2:39: server.hosts[1]: is no host name; write it without scheme and port, such as autoscaler.example.com",
            "2:56: server.hosts[2]: is no host name; write it without scheme and port, such as autoscaler.example.com",
            "2:61: server.hosts[3]: is no host name; write it without scheme and port, such as autoscaler.example.com",
            "2:76: server.hosts[4]: is no host name; write it without scheme and port, such as autoscaler.example.com",
        ],
    ),
    "a ceiling that is no mode": (
        REGION + "mode_ceiling: off\n",
        ["2:15: mode_ceiling: 'off' is not allowed; allowed: enforce, observe"],
    ),
    "a missing authorities file": (
        "cloud: {region: eu-de, dialect: otc, ca_file: ca.pem}\n",
        ["1:47: cloud.ca_file: there is no file ca.pem; write the path of a PEM file, relative to autoscaler.yaml"],
    ),
    "a password in the file": (
        "cloud: {region: eu-de, dialect: otc, password: hunter2}\n",
        [f"1:48: cloud.password: {NOT_HERE.format('AUTOSCALER_CLOUD__PASSWORD')}"],
    ),
    "a token in the file": (
        REGION + "server: {token: hunter2}\n",
        [f"2:17: server.token: {NOT_HERE.format('AUTOSCALER_SERVER__TOKEN')}"],
    ),
    "a password in a proxy": (
        "cloud: {region: eu-de, dialect: otc, proxy: 'http://u:hunter2@p:3128'}\n",
        [
            f"1:45: cloud.proxy: {NOT_A_PASSWORD}set AUTOSCALER_CLOUD__PROXY, or write a file of that name into AUTOSCALER_SECRETS_DIR"
        ],
    ),
    "a password in an endpoint": (
        "cloud: {region: eu-de, dialect: otc, endpoints: {rds: 'https://u:hunter2@h'}}\n",
        [
            f"1:55: cloud.endpoints.rds: {NOT_A_PASSWORD}take it out, as credentials are variables such as AUTOSCALER_CLOUD__PASSWORD"
        ],
    ),
    "a password in a store": (
        REGION + "store: postgresql+psycopg://u:hunter2@h/db\n",
        [
            f"2:8: store: {NOT_A_PASSWORD}set AUTOSCALER_STORE, or write a file of that name into AUTOSCALER_SECRETS_DIR",
        ],
    ),
    "a password in the options of a store": (
        REGION + "store: postgresql+psycopg://u@h/db?password=hunter2\n",
        [
            f"2:8: store: {NOT_A_PASSWORD}set AUTOSCALER_STORE, or write a file of that name into AUTOSCALER_SECRETS_DIR",
            "2:8: store: has an option that is not known; allowed are host, passfile, sslcert, sslkey, sslmode, sslrootcert",
        ],
    ),
    "a store that is a number": (
        REGION + "store: 5\n",
        [
            "2:8: store: is no store; write sqlite:///state/autoscaler.db, sqlite:////absolute/path.db or postgresql+psycopg://USER@HOST:5432/DATABASE"
        ],
    ),
    "a policy file that is a number": (
        REGION + "policy_files: [5]\n",
        ["2:16: policy_files[0]: 5 is not allowed; it must be a text (a number or a word like true needs quotes)"],
    ),
    "no policy files": (REGION + "policy_files: []\n", ["2:15: policy_files: is empty; name at least one file"]),
}


@pytest.mark.parametrize(("text", "expected"), YAML.values(), ids=YAML)
def test_a_mistake_in_the_file_is_told_with_its_place_and_the_remedy(config, text, expected):
    lines = told(config, text, SECRETS)
    assert lines == [f"autoscaler.yaml:{line}" for line in expected]
    assert "hunter2" not in "".join(lines)


def needs(name: str, kind: str) -> str:
    return (
        f"environment: {name}: is not set; cloud.credentials: {kind} needs it, as a variable or as a file of that name in "
        "AUTOSCALER_SECRETS_DIR"
    )


def test_missing_credentials_are_named_each_with_its_variable_beside_all_other_errors(config):
    assert told(config, "cloud: {region: eu-de, dialect: otd}\n", {}) == [
        "autoscaler.yaml:1:33: cloud.dialect: 'otd' is not allowed, did you mean otc?; allowed: huawei, otc",
        needs("AUTOSCALER_CLOUD__DOMAIN", "password"),
        needs("AUTOSCALER_CLOUD__PASSWORD", "password"),
        needs("AUTOSCALER_CLOUD__USERNAME", "password"),
    ]


def test_access_keys_need_their_two_parts(config):
    text = "cloud: {region: eu-de, dialect: otc, credentials: access_key}\n"
    assert told(config, text, {"AUTOSCALER_CLOUD__ACCESS_KEY": "AK"}) == [
        needs("AUTOSCALER_CLOUD__SECRET_KEY", "access_key")
    ]


def test_an_agency_needs_nothing(config):
    config.write_text("cloud: {region: eu-de, dialect: otc, credentials: agency}\n")
    assert settings.load(config, {}).cloud.credentials is settings.CredentialKind.AGENCY


ODD: dict[str, tuple[str, dict[str, str], list[str]]] = {
    "a region of the other dialect": (
        "cloud: {region: eu-de}\n",
        {},
        ["autoscaler.yaml: cloud.region: eu-de is not a known region of huawei, but of otc: set cloud.dialect: otc"],
    ),
    "an unknown region": (
        "cloud: {region: mars-1}\n",
        {},
        [
            "autoscaler.yaml: cloud.region: mars-1 is not a known region of huawei; set cloud.endpoints where its addresses differ"
        ],
    ),
    "an unknown region with all its endpoints": (
        "cloud: {region: mars-1, endpoints: {iam: 'https://a', ddm: 'https://a', cloud_eye: 'https://a', rds: 'http://127.0.0.1:1'}}\n",
        {},
        [],
    ),
    "an endpoint that is not encrypted": (
        "cloud: {region: eu-de, dialect: otc, endpoints: {ddm: 'http://ddm.example'}}\n",
        {},
        ["autoscaler.yaml: cloud.endpoints: http://ddm.example is not encrypted; credentials would travel in clear"],
    ),
    "credentials that are not used": (
        REGION,
        {"AUTOSCALER_CLOUD__ACCESS_KEY": "AK"},
        ["environment: AUTOSCALER_CLOUD__ACCESS_KEY: not used, as cloud.credentials is password"],
    ),
    "a token that others can read on its way": (
        REGION + "server: {listen: '0.0.0.0:9178'}\n",
        {"AUTOSCALER_SERVER__TOKEN": "sixteen-letters!"},
        ["autoscaler.yaml: server.listen: 0.0.0.0:9178 is not encrypted; let others reach it by a proxy with TLS only"],
    ),
    "an address that others reach, without a token": (REGION + "server: {listen: '[::]:9178'}\n", {}, []),
    "a token that stays here": (
        REGION + "server: {listen: '[::1]:9178'}\n",
        {"AUTOSCALER_SERVER__TOKEN": "sixteen-letters!"},
        [],
    ),
    "a token that is soon guessed": (
        REGION,
        {"AUTOSCALER_SERVER__TOKEN": "fifteen-letters"},
        ["environment: AUTOSCALER_SERVER__TOKEN: shorter than 16 characters, so that it can be guessed"],
    ),
    "a token that stays here, by name": (
        REGION + "server: {listen: 'localhost:9178'}\n",
        {"AUTOSCALER_SERVER__TOKEN": "sixteen-letters!"},
        [],
    ),
}


@pytest.mark.parametrize(
    "name", ["AUTOSCALER_SERVER__TOKEN", "AUTOSCALER_CLOUD__PASSWORD", "AUTOSCALER_CLOUD__SECRET_KEY"]
)
def test_what_the_examples_have_in_place_of_a_secret_is_none(config, name):
    with pytest.raises(errors.BadConfig) as refused:
        load(config, REGION, **{name: "change-me"})

    assert [str(problem) for problem in refused.value.problems] == [
        f"environment: {name}: is still the one of the example; put your own in its place"
    ]


@pytest.mark.parametrize(("text", "environ", "expected"), ODD.values(), ids=ODD)
def test_what_is_odd_is_a_warning(config, text, environ, expected):
    found = load(config, text, **environ)
    assert [warning.replace(f"{config.parent}/", "") for warning in found.warnings] == expected


@pytest.mark.parametrize(
    ("store", "expected"),
    [
        ("sqlite:///state/a.db", "state/a.db"),
        ("sqlite:///../a.db", "../a.db"),
        ("sqlite:////var/lib/a.db", "/var/lib/a.db"),
    ],
)
def test_relative_paths_are_relative_to_the_configuration_file(config, store, expected):
    found = load(config, REGION + f"store: {store}\n")
    assert found.store_file == (config.parent / expected).resolve()
    assert found.store.get_secret_value() == f"sqlite:///{found.store_file}"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://autoscaler@db.example:5432/autoscaler",
        "postgresql+psycopg://db.example/autoscaler?sslmode=verify-full&sslrootcert=/etc/ssl/db.pem",
        "postgresql+psycopg://autoscaler@/autoscaler?host=/run/postgresql",
        "postgresql+psycopg://autoscaler@/autoscaler?host=db1:5432&host=db2:5432",
        "postgresql+psycopg://autoscaler@[::1]:5432/autoscaler",
    ],
)
def test_the_store_may_be_a_postgresql_database(config, url):
    found = load(config, REGION + f"store: {url}\n")
    assert found.store.get_secret_value() == found.masked()["store"] == url
    assert found.store_file is None


def test_the_password_of_a_store_comes_from_a_variable_and_is_shown_nowhere(config):
    url = "postgresql+psycopg://autoscaler:hunter2@db.example:5432/autoscaler"
    found = load(config, REGION, AUTOSCALER_STORE=url)
    assert found.store.get_secret_value() == url
    assert found.masked()["store"] == "postgresql+psycopg://autoscaler:***@db.example:5432/autoscaler"
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:9178", "127.0.0.1", 9178), ("[::1]:0", "::1", 0), ("localhost:80", "localhost", 80)],
)
def test_the_address_to_listen_on(config, text, host, port):
    found = load(config, REGION + f"server: {{listen: '{text}'}}\n")
    assert (found.listen_host, found.listen_port, found.listen) == (host, port, text)


def test_names_under_which_it_is_asked(config):
    found = load(config, REGION + "server: {hosts: [Autoscaler.example.com, '*.internal_zone.example']}\n")
    assert found.hosts == ("autoscaler.example.com", "*.internal_zone.example")
    assert load(config, REGION, AUTOSCALER_SERVER__HOSTS='["a.example"]').hosts == ("a.example",)
    assert load(config, REGION).hosts == ()


def test_no_secret_is_ever_shown(config):
    environ: dict[str, Any] = {
        "AUTOSCALER_SERVER__TOKEN": "hunter2",
        "AUTOSCALER_CLOUD__PROXY": "http://u:hunter2@proxy:3128",
        "AUTOSCALER_CLOUD__SECRET_KEY": "hunter2",
    }
    found = load(config, REGION, **environ)
    assert "hunter2" not in repr(found) + str(found.masked()) + "".join(found.warnings)
    masked = found.masked()
    assert masked["cloud"]["password"] == "***"
    assert masked["cloud"]["access_key"] is None
    assert masked["cloud"]["proxy"] == "http://***@proxy:3128"
    assert masked["server"] == {"listen": "127.0.0.1:9178", "hosts": [], "token": "***"}


def test_policy_files_are_found_by_pattern_each_once_in_order(config):
    folder = config.parent / "policies"
    folder.mkdir()
    for name in ("b.yaml", "a.yaml", "c.txt"):
        (folder / name).touch()
    found = load(config, REGION + "policy_files: [policies/b.yaml, policies/*.yaml]\n")
    assert [path.name for path in found.find_policy_files()] == ["b.yaml", "a.yaml"]


def test_a_pattern_that_matches_nothing_is_an_error_at_its_place(config):
    found = load(config, REGION + "policy_files:\n  - nowhere/*.yaml\n")
    with pytest.raises(errors.BadConfig) as refused:
        found.find_policy_files()
    assert str(refused.value) == (
        f"{config}:3:5: policy_files[0]: nowhere/*.yaml matches no file; write a policy file there, or correct it"
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [("no.yaml", "there is no such file; check the path"), (".", "this is a directory; name a file in it")],
)
def test_a_configuration_that_is_no_file_is_one_sentence(tmp_path, name, expected):
    with pytest.raises(errors.BadConfig) as refused:
        settings.load(tmp_path / name, SECRETS)
    assert str(refused.value) == f"{tmp_path / name}: {expected}"


PROM = REGION + "sources: {prom: {type: prometheus, url: 'https://prometheus.example/path/'}}\n"


def test_what_a_source_needs_to_sign_in_comes_from_variables_and_is_shown_nowhere(config):
    found = load(
        config, PROM, AUTOSCALER_SOURCES__PROM__USERNAME="scaler", AUTOSCALER_SOURCES__PROM__PASSWORD="hunter2"
    )
    (source,) = found.sources
    assert (source.name, source.url) == ("prom", "https://prometheus.example/path")
    assert source.password is not None
    assert source.password.get_secret_value() == "hunter2"
    assert found.masked()["sources"] == {
        "prom": {
            "type": "prometheus",
            "url": "https://prometheus.example/path",
            "proxy": None,
            "ca_file": None,
            "token": None,
            "username": "***",
            "password": "***",
        }
    }
    assert "hunter2" not in repr(found)


def test_a_source_may_come_from_variables_altogether(config):
    variables = {
        "AUTOSCALER_SOURCES__OTHER_ONE__TYPE": "prometheus",
        "AUTOSCALER_SOURCES__OTHER_ONE__URL": "http://127.0.0.1:9090",
        "AUTOSCALER_SOURCES__OTHER_ONE__PROXY": "http://u:hunter2@proxy:3128",
    }
    found = load(config, PROM, **variables)
    assert [source.name for source in found.sources] == ["prom", "other_one"]
    assert found.masked()["sources"]["other_one"]["proxy"] == "http://***@proxy:3128"
    assert settings.outline(config, {**SECRETS, **variables}).sources == ("prom", "other_one")


SOURCE_CREDENTIALS: dict[str, tuple[dict[str, str], list[str]]] = {
    "half of them": (
        {"USERNAME": "a"},
        ["PASSWORD: is not set, but AUTOSCALER_SOURCES__PROM__USERNAME is; set both, or neither"],
    ),
    "the other half": (
        {"PASSWORD": "hunter2"},
        ["USERNAME: is not set, but AUTOSCALER_SOURCES__PROM__PASSWORD is; set both, or neither"],
    ),
    "both kinds": (
        {"TOKEN": "hunter2", "USERNAME": "a", "PASSWORD": "b"},
        ["TOKEN: is set beside AUTOSCALER_SOURCES__PROM__PASSWORD; a source has a token, or a name and a password"],
    ),
    "a token that no header can hold": (
        {"TOKEN": "hunter2\nhunter2"},
        ["TOKEN: is no bearer token; it is made of printable ASCII characters without spaces"],
    ),
    "a name that no header can hold": (
        {"USERNAME": "a:b", "PASSWORD": "b"},
        ["USERNAME: holds a colon, which no name for basic authentication can"],
    ),
}


@pytest.mark.parametrize(("given", "expected"), SOURCE_CREDENTIALS.values(), ids=SOURCE_CREDENTIALS)
def test_credentials_of_a_source_have_to_be_whole(config, given, expected):
    environ = {f"AUTOSCALER_SOURCES__PROM__{name}": value for name, value in given.items()}
    assert told(config, PROM, {**SECRETS, **environ}) == [
        f"environment: AUTOSCALER_SOURCES__PROM__{line}" for line in expected
    ]


def test_credentials_of_a_source_in_clear_are_a_warning(config):
    found = load(config, PROM.replace("https", "http"), AUTOSCALER_SOURCES__PROM__TOKEN="hunter2")
    assert [warning.rpartition(": ")[2] for warning in found.warnings] == [
        "http://prometheus.example/path is not encrypted; credentials would travel in clear"
    ]


def test_sources_that_are_no_mapping_are_told_and_not_known(config):
    assert told(config, REGION + "sources: [prom]\n", SECRETS) == [
        "autoscaler.yaml:2:10: sources: a list is not allowed; it must be a mapping of keys"
    ]
    assert settings.outline(config, SECRETS).sources is None


PAGER_SECRET = "hunter2-hunter2-hunter2-hunter2"
PAGER = {"AUTOSCALER_WEBHOOKS__PAGER__SECRET": PAGER_SECRET}
HOOK = (
    REGION
    + "webhooks: [{name: pager, url: 'https://pager.example/hunter2?key=hunter2', events: [breaker], targets: [orders]}]\n"
)

WEBHOOK_MISTAKES: dict[str, tuple[str, dict[str, str], list[str]]] = {
    "no secret": (
        HOOK,
        {},
        [
            "environment: AUTOSCALER_WEBHOOKS__PAGER__SECRET: is not set; the events to webhook pager are signed with it. Set it, or write a file of that name into AUTOSCALER_SECRETS_DIR"
        ],
    ),
    "a secret in the file": (
        HOOK.replace("}]", ", secret: hunter2}]"),
        PAGER,
        [
            "autoscaler.yaml:2:122: webhooks[0].secret: a secret does not belong in this file; set AUTOSCALER_WEBHOOKS__PAGER__SECRET, or write a file of that name into AUTOSCALER_SECRETS_DIR"
        ],
    ),
    "a written key that is cut off": (
        HOOK,
        {"AUTOSCALER_WEBHOOKS__PAGER__SECRET": "whsec_hunter2!"},
        [
            "environment: AUTOSCALER_WEBHOOKS__PAGER__SECRET: begins with whsec_ and does not go on in base64; copy it whole"
        ],
    ),
    "an event that is none": (
        HOOK.replace("breaker", "braker"),
        PAGER,
        [
            "autoscaler.yaml:2:85: webhooks[0].events[0]: 'braker' is not allowed, did you mean breaker?; allowed: decision, operation_ended, operation_unknown, operation_overdue, breaker, override, pause, reload_failed"
        ],
    ),
    "a name that no variable can have": (
        HOOK.replace("pager,", "my-pager,"),
        {},
        [
            "autoscaler.yaml:2:12: webhooks[0]: is no name for a webhook; it is made of small letters, digits and single underscores",
            "environment: AUTOSCALER_WEBHOOKS__MY-PAGER__SECRET: is not set; the events to webhook my-pager are signed with it. Set it, or write a file of that name into AUTOSCALER_SECRETS_DIR",
        ],
    ),
    "a name twice": (
        HOOK.replace("}]", "}, {name: pager, url: 'https://h'}]"),
        PAGER,
        ["autoscaler.yaml:2:122: webhooks[1].name: pager is there already, at autoscaler.yaml:2:12"],
    ),
    "no address": (
        REGION + "webhooks: [{name: pager}]\n",
        PAGER,
        [
            "autoscaler.yaml:2:12: webhooks[0].url: is missing; it says: where events are posted to; where it holds a secret itself, by AUTOSCALER_WEBHOOKS__NAME__URL"
        ],
    ),
    "credentials in the address": (
        HOOK.replace("https://", "https://u:hunter2@"),
        PAGER,
        [
            "autoscaler.yaml:2:31: webhooks[0].url: holds credentials; what is sent is signed with AUTOSCALER_WEBHOOKS__NAME__SECRET instead"
        ],
    ),
    "a fragment": (
        HOOK.replace("?key", "#key"),
        PAGER,
        [
            "autoscaler.yaml:2:31: webhooks[0].url: holds more than an address can; write such as https://receiver.example/hook, escaped"
        ],
    ),
    "no address at all": (
        HOOK.replace("https://pager.example/hunter2?key=hunter2", "pager"),
        PAGER,
        [
            "autoscaler.yaml:2:31: webhooks[0].url: is no http:// or https:// address; write scheme, host and, where needed, port"
        ],
    ),
    "a key that is none": (
        HOOK.replace("targets", "target"),
        PAGER,
        [
            "autoscaler.yaml:2:95: webhooks[0].target: is not a key here, did you mean targets?; allowed: url, events, targets, proxy, ca_file, secret"
        ],
    ),
    "certificates that are not there": (
        HOOK.replace("}]", ", ca_file: ca.pem}]"),
        PAGER,
        [
            "autoscaler.yaml:2:123: webhooks[0].ca_file: there is no file ca.pem; write the path of a PEM file, relative to autoscaler.yaml"
        ],
    ),
    "a variable of a webhook that is not there": (
        REGION,
        PAGER,
        [
            "autoscaler.yaml:1:1: webhooks.pager.url: is missing; it says: where events are posted to; where it holds a secret itself, by AUTOSCALER_WEBHOOKS__NAME__URL"
        ],
    ),
}


@pytest.mark.parametrize(("text", "environ", "expected"), WEBHOOK_MISTAKES.values(), ids=WEBHOOK_MISTAKES)
def test_mistakes_in_webhooks_are_told_in_their_place_and_show_no_secret(config, text, environ, expected):
    found = told(config, text, {**SECRETS, **environ})
    assert found == expected
    assert "hunter2" not in "".join(found)


def test_a_webhook_is_shown_without_its_secret_and_the_path_of_its_address(config):
    found = load(config, HOOK, **PAGER)
    (webhook,) = found.webhooks
    assert (webhook.name, webhook.url.get_secret_value()) == ("pager", "https://pager.example/hunter2?key=hunter2")
    assert found.masked()["webhooks"] == {
        "pager": {
            "url": "https://pager.example/***",
            "events": ["breaker"],
            "targets": ["orders"],
            "proxy": None,
            "ca_file": None,
            "secret": "***",
        }
    }
    assert "hunter2" not in repr(found)
    assert {PAGER_SECRET, webhook.url.get_secret_value()} <= set(found.secrets())
    assert found.warnings == ()


def test_a_webhook_may_leave_out_all_but_its_name_and_come_from_variables_for_the_rest(config):
    environ = {**PAGER, "AUTOSCALER_WEBHOOKS__PAGER__URL": "https://pager.example/"}
    (webhook,) = load(config, REGION + "webhooks: [{name: pager}]\n", **environ).webhooks
    assert len(webhook.events) == 8
    assert webhook.targets == ("*",)
    (same,) = load(config, REGION, **environ).webhooks
    assert same == webhook


def test_webhooks_may_be_one_variable_which_goes_over_those_of_the_file(config):
    listed = '[{"name": "pager", "url": "https://other.example/"}, {"name": "chat", "url": "https://chat.example/"}]'
    environ = {**PAGER, "AUTOSCALER_WEBHOOKS__CHAT__SECRET": PAGER_SECRET, "AUTOSCALER_WEBHOOKS": listed}
    pager, chat = load(config, HOOK, **environ).webhooks
    assert (pager.url.get_secret_value(), pager.targets) == ("https://other.example/", ("orders",))
    assert (chat.name, chat.targets) == ("chat", ("*",))


def test_what_others_could_read_or_guess_is_a_warning(config):
    environ = {"AUTOSCALER_WEBHOOKS__PAGER__SECRET": "hunter2"}
    found = load(config, HOOK.replace("https", "http"), **environ)
    assert [warning.replace(f"{config.parent}/", "") for warning in found.warnings] == [
        "autoscaler.yaml: webhooks: pager is told over http:// what happens, readable for all on the way; use https://",
        "environment: AUTOSCALER_WEBHOOKS__PAGER__SECRET: shorter than 24 characters, so that it can be guessed",
    ]
    assert load(config, HOOK.replace("https://pager.example", "http://127.0.0.1:1"), **PAGER).warnings == ()


@pytest.mark.parametrize(
    ("secret", "key"), [("plain text", b"plain text"), ("whsec_AAEC", b"\0\x01\x02"), ("größer", "größer".encode())]
)
def test_the_key_that_a_secret_stands_for(secret, key):
    assert settings.webhook_key(secret) == key
