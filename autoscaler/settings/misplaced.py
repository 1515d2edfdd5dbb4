"""Secrets in a file that is not for secrets."""

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from autoscaler import errors
from autoscaler.settings import by_name, store_url, variables
from autoscaler.settings.values import SECRET_NAMES, SOURCE_SECRET_NAMES
from autoscaler.yamlfile.node import Node

_SECRETS: tuple[tuple[str, ...], ...] = (*(("cloud", name) for name in SECRET_NAMES), ("server", "token"))
_ADDRESSES: tuple[tuple[str, ...], ...] = (
    ("store",),
    ("cloud", "proxy"),
    *(("cloud", "endpoints", name) for name in ("iam", "ddm", "cloud_eye", "rds")),
)


def taken_out(tree: Node) -> tuple[Node, list[errors.Problem]]:
    """The tree without its secrets, and a problem for each."""
    problems: list[errors.Problem] = []
    sources, webhooks = _names(tree, "sources"), _names(tree, by_name.KEY)
    for keys in (
        *_SECRETS,
        *(("sources", name, secret) for name in sources for secret in SOURCE_SECRET_NAMES),
        *((by_name.KEY, name, "secret") for name in webhooks),
    ):
        found = tree.at(*keys)
        if found is not None:
            problems.append(found.place.problem(f"a secret does not belong in this file; {_remedy(keys)}"))
            tree = _without(tree, keys)
    proxies = (("sources", sources), (by_name.KEY, webhooks))
    for keys in (*_ADDRESSES, *((key, name, "proxy") for key, names in proxies for name in names)):
        found = tree.at(*keys)
        if found is not None and (_store_has_password if keys == ("store",) else _has_password)(found.value):
            problems.append(found.place.problem(f"an address in this file holds no password; {_address_remedy(keys)}"))
            tree = tree if keys == ("store",) else _without(tree, keys)  # a store has more to be told about
    return tree, problems


def _names(tree: Node, key: str) -> tuple[str, ...]:
    """Of what has names of its own under a key."""
    found = tree.at(key)
    return tuple(found.value) if found is not None and isinstance(found.value, Mapping) else ()


def _remedy(keys: tuple[str, ...]) -> str:
    name = variables.variable_name(keys)
    return f"set {name}, or write a file of that name into {variables.SECRETS_DIR}"


def _address_remedy(keys: tuple[str, ...]) -> str:
    if keys[-1] in {"proxy", "store"}:
        return _remedy(keys)
    return "take it out, as credentials are variables such as AUTOSCALER_CLOUD__PASSWORD"


def _store_has_password(value: object) -> bool:
    """A name alone is none: the server may know its user by a file, or a certificate."""
    return isinstance(value, str) and store_url.has_password(value)


def _has_password(value: object) -> bool:
    if not isinstance(value, str) or "@" not in value:
        return False
    try:
        return "@" in urlsplit(value).netloc
    except ValueError:
        return "@" in value


def _without(tree: Node, keys: tuple[str, ...]) -> Node:
    if not isinstance(tree.value, Mapping):
        return tree
    rest = {name: child for name, child in tree.value.items() if name != keys[0]}
    if len(keys) > 1 and keys[0] in tree.value:
        rest[keys[0]] = _without(tree.value[keys[0]], keys[1:])
    return replace(tree, value=rest)
