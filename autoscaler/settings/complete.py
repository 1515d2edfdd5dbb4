"""Whether the settings go together: what is missing for the kind of credentials, and what looks odd."""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from autoscaler import errors
from autoscaler.settings import by_name, variables, webhook_secret, written
from autoscaler.settings.keys import ConfigKeys, CredentialKind, Dialect
from autoscaler.settings.values import SECRET_NAMES, SOURCE_SECRET_NAMES
from autoscaler.yamlfile.node import Node, Place

_NEEDED = {
    CredentialKind.PASSWORD: ("username", "password", "domain"),
    CredentialKind.ACCESS_KEY: ("access_key", "secret_key"),
    CredentialKind.AGENCY: (),
}
_OPTIONAL = {CredentialKind.ACCESS_KEY: ("security_token",)}

REGIONS: Mapping[Dialect, frozenset[str]] = {
    Dialect.HUAWEI: frozenset(
        {
            *("ae-ad-1", "ap-southeast-1", "ap-southeast-3", "cn-east-2", "cn-east-3", "cn-north-1", "cn-north-4"),
            *("cn-north-9", "cn-south-1", "cn-south-2", "cn-southwest-2", "eu-west-101", "la-north-2", "la-south-2"),
            *("my-kualalumpur-1", "ru-moscow-1", "sa-brazil-1"),
        }
    ),
    Dialect.OTC: frozenset({"eu-de", "eu-nl"}),
}
"""Regions that have DDM (the vendor SDK's region table; Open Telekom Cloud's endpoint list)."""

SHORT_SECRET = 24
"""Standard Webhooks asks for 24 to 64 random bytes."""

SHORT_TOKEN = 16
"""Characters; whoever guesses has one attempt in six seconds from each address, and may have many addresses."""

PLACEHOLDER = "change-me"
"""What the examples in deploy/ have in place of secrets."""

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def problems(merged: Node, keys: ConfigKeys | None, file: Path) -> Iterator[errors.Problem]:
    """What is missing; also told where other things are wrong, so that all comes at once."""
    yield from _credentials(merged)
    yield from _placeholders(merged)
    for name in _names(merged, "sources"):
        yield from _source_credentials(merged, name)
        yield from _unsendable(merged, name)
    for name in _names(merged, by_name.KEY):
        yield from _webhook_secret(merged, name)
    if keys is not None:
        yield from _ca_file(merged, file, ("cloud", "ca_file"), keys.cloud.ca_file)
        for name, source in keys.sources.items():
            yield from _ca_file(merged, file, ("sources", name, "ca_file"), source.ca_file)
        for name, webhook in keys.webhooks.items():
            yield from _ca_file(merged, file, (by_name.KEY, name, "ca_file"), webhook.ca_file)


def _names(merged: Node, key: str) -> tuple[str, ...]:
    found = merged.at(key)
    return tuple(found.value) if found is not None and isinstance(found.value, Mapping) else ()


def _webhook_secret(merged: Node, name: str) -> Iterator[errors.Problem]:
    """Without one a receiver could not tell our events from anybody's."""
    secret = merged.at(by_name.KEY, name, "secret")
    place = Place("environment", path=variables.variable_name((by_name.KEY, name, "secret")))
    if secret is None:
        yield place.problem(
            f"is not set; the events to webhook {name} are signed with it. Set it, or write a file of that name into "
            f"{variables.SECRETS_DIR}"
        )
    elif isinstance(secret.value, str) and not webhook_secret.is_readable(secret.value):
        yield secret.place.problem("begins with whsec_ and does not go on in base64; copy it whole")


def _ca_file(merged: Node, file: Path, keys: tuple[str, ...], written: str | None) -> Iterator[errors.Problem]:
    if written is None or (path := file.parent / written).is_file():
        return
    found = merged.at(*keys)
    place = found.place if found is not None else merged.place
    yield place.problem(f"there is no file {path}; write the path of a PEM file, relative to {file.name}")


def _source_credentials(merged: Node, name: str) -> Iterator[errors.Problem]:
    """A token, or a name and a password, or nothing."""
    given = {key for key in SOURCE_SECRET_NAMES if merged.at("sources", name, key) is not None}
    variable = {key: variables.variable_name(("sources", name, key)) for key in SOURCE_SECRET_NAMES}
    for key, other in (("username", "password"), ("password", "username")):
        if key in given and other not in given:
            yield Place("environment", path=variable[other]).problem(
                f"is not set, but {variable[key]} is; set both, or neither"
            )
    if "token" in given and given != {"token"}:
        yield Place("environment", path=variable["token"]).problem(
            f"is set beside {variable[min(given - {'token'})]}; a source has a token, or a name and a password"
        )


def _credentials(merged: Node) -> Iterator[errors.Problem]:
    written = merged.at("cloud", "credentials")
    word = written.value if written is not None else CredentialKind.PASSWORD.value
    if word not in {kind.value for kind in CredentialKind}:
        return
    for name in _NEEDED[CredentialKind(str(word))]:
        if merged.at("cloud", name) is None:
            yield Place("environment", path=variables.variable_name(("cloud", name))).problem(
                f"is not set; cloud.credentials: {word} needs it, as a variable or as a file of that name in "
                f"{variables.SECRETS_DIR}"
            )


def _placeholders(merged: Node) -> Iterator[errors.Problem]:
    """Secrets that everybody knows who has read the examples."""
    for keys in (("server", "token"), ("cloud", "password"), ("cloud", "secret_key")):
        secret = merged.at(*keys)
        if secret is not None and str(secret.value).strip() == PLACEHOLDER:
            yield secret.place.problem("is still the one of the example; put your own in its place")


def _unsendable(merged: Node, name: str) -> Iterator[errors.Problem]:
    """Credentials that no header can hold; HTTP's own complaint would repeat them."""
    token, username = merged.at("sources", name, "token"), merged.at("sources", name, "username")
    if token is not None and not re.fullmatch("[!-~]+", str(token.value)):
        yield token.place.problem("is no bearer token; it is made of printable ASCII characters without spaces")
    if username is not None and ":" in str(username.value):
        yield username.place.problem("holds a colon, which no name for basic authentication can")


def warnings(keys: ConfigKeys, file: Path) -> Iterator[str]:
    """What is allowed and yet perhaps not meant."""
    cloud, endpoints = keys.cloud, keys.cloud.endpoints
    given = (endpoints.iam, endpoints.ddm, endpoints.cloud_eye, endpoints.rds)
    if cloud.region not in REGIONS[cloud.dialect] and None in given:
        yield f"{file}: cloud.region: {cloud.region} is not a known region of {cloud.dialect}{_other_dialect(keys)}"
    for url in given:
        if url is not None and _is_clear(url):
            yield f"{file}: cloud.endpoints: {url} is not encrypted; credentials would travel in clear"
    for name, source in keys.sources.items():
        if (source.token is not None or source.password is not None) and _is_clear(source.url):
            yield f"{file}: sources.{name}.url: {source.url} is not encrypted; credentials would travel in clear"
    yield from _webhook_warnings(keys, file)
    listen, token = keys.server.listen, keys.server.token
    if token is not None and len(token.get_secret_value()) < SHORT_TOKEN:
        variable = variables.variable_name(("server", "token"))
        yield f"environment: {variable}: shorter than {SHORT_TOKEN} characters, so that it can be guessed"
    if token is not None and not _is_near(written.listen(listen)[0]):
        yield f"{file}: server.listen: {listen} is not encrypted; let others reach it by a proxy with TLS only"
    used = (*_NEEDED[cloud.credentials], *_OPTIONAL.get(cloud.credentials, ()))
    for name in SECRET_NAMES:
        if getattr(cloud, name) is not None and name not in used:
            variable = variables.variable_name(("cloud", name))
            yield f"environment: {variable}: not used, as cloud.credentials is {cloud.credentials}"


def _webhook_warnings(keys: ConfigKeys, file: Path) -> Iterator[str]:
    for name, webhook in keys.webhooks.items():
        if _is_clear(webhook.url):
            yield f"{file}: webhooks: {name} is told over http:// what happens, readable for all on the way; use https://"
        if webhook.secret is not None and len(webhook.secret.get_secret_value()) < SHORT_SECRET:
            variable = variables.variable_name((by_name.KEY, name, "secret"))
            yield f"environment: {variable}: shorter than {SHORT_SECRET} characters, so that it can be guessed"


def _is_near(host: str) -> bool:
    """Whether nobody but this machine can reach it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in _LOOPBACK


def _is_clear(url: str) -> bool:
    return url.startswith("http://") and urlsplit(url).hostname not in _LOOPBACK


def _other_dialect(keys: ConfigKeys) -> str:
    for dialect, regions in REGIONS.items():
        if keys.cloud.region in regions:
            return f", but of {dialect}: set cloud.dialect: {dialect}"
    return "; set cloud.endpoints where its addresses differ"
