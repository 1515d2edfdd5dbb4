"""Whether the settings go together: what is missing for the kind of credentials, and what looks odd."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from autoscaler import errors
from autoscaler.settings import variables
from autoscaler.settings.keys import ConfigKeys, CredentialKind, Dialect
from autoscaler.settings.values import SECRET_NAMES
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

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def problems(merged: Node, keys: ConfigKeys | None, file: Path) -> Iterator[errors.Problem]:
    """What is missing; also told where other things are wrong, so that all comes at once."""
    yield from _credentials(merged)
    if keys is not None and keys.cloud.ca_file is not None:
        path = file.parent / keys.cloud.ca_file
        if not path.is_file():
            found = merged.at("cloud", "ca_file")
            place = found.place if found is not None else merged.place
            yield place.problem(f"there is no file {path}; write the path of a PEM file, relative to {file.name}")


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


def warnings(keys: ConfigKeys, file: Path) -> Iterator[str]:
    """What is allowed and yet perhaps not meant."""
    cloud, endpoints = keys.cloud, keys.cloud.endpoints
    given = (endpoints.iam, endpoints.ddm, endpoints.cloud_eye, endpoints.rds)
    if cloud.region not in REGIONS[cloud.dialect] and None in given:
        yield f"{file}: cloud.region: {cloud.region} is not a known region of {cloud.dialect}{_other_dialect(keys)}"
    for url in given:
        if url is not None and url.startswith("http://") and urlsplit(url).hostname not in _LOOPBACK:
            yield f"{file}: cloud.endpoints: {url} is not encrypted; credentials would travel in clear"
    used = (*_NEEDED[cloud.credentials], *_OPTIONAL.get(cloud.credentials, ()))
    for name in SECRET_NAMES:
        if getattr(cloud, name) is not None and name not in used:
            variable = variables.variable_name(("cloud", name))
            yield f"environment: {variable}: not used, as cloud.credentials is {cloud.credentials}"


def _other_dialect(keys: ConfigKeys) -> str:
    for dialect, regions in REGIONS.items():
        if keys.cloud.region in regions:
            return f", but of {dialect}: set cloud.dialect: {dialect}"
    return "; set cloud.endpoints where its addresses differ"
