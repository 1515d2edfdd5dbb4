"""Settings from variables and from files named like them: a tree of values that know which variable they are from."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

from autoscaler import errors
from autoscaler.settings import by_name
from autoscaler.settings.keys import ConfigKeys
from autoscaler.yamlfile import node, shape
from autoscaler.yamlfile.node import Node, Place

PREFIX = "AUTOSCALER_"
SECRETS_DIR = "AUTOSCALER_SECRETS_DIR"
OTHERS = frozenset({SECRETS_DIR, "AUTOSCALER_URL", "AUTOSCALER_CLOCK"})
"""Variables that mean something to another part of the program."""

_KUBERNETES = re.compile(r"AUTOSCALER_(PORT.*|SERVICE_.*)")
"""What Kubernetes injects into every container beside a service called `autoscaler`."""

_MAX_SECRET_BYTES = 64 * 1024


@dataclass
class Found:
    """What one source holds: a tree of settings, and what is wrong or odd about it."""

    tree: Node
    problems: list[errors.Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def from_environment(environ: Mapping[str, str], under: Node) -> Found:
    """The settings among the variables; `under` is the YAML, whose mappings keep their places."""
    found = Found(Node({}, under.place, under.key))
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in OTHERS or not environ[name]:
            continue  # an empty variable is one that is not set, as in a compose file's ${X:-}
        if _KUBERNETES.fullmatch(name):
            found.warnings.append(f"environment: {name}: ignored; Kubernetes sets it for a service called autoscaler")
            continue
        _take(found, name, environ[name], place=Place("environment", path=name), under=under)
    return found


def from_secret_files(environ: Mapping[str, str], under: Node) -> Found:
    """The settings in the files of AUTOSCALER_SECRETS_DIR, named like variables."""
    found = Found(Node({}, under.place, under.key))
    folder = environ.get(SECRETS_DIR)
    if not folder:
        return found
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - names are what is wanted
    except OSError as error:
        found.problems.append(
            Place("environment", path=SECRETS_DIR).problem(
                f"{folder} cannot be listed ({error.strerror}); name a directory of secret files"
            )
        )
        return found
    for name in names:
        if not name.startswith("."):  # Kubernetes keeps its own links there
            _take_file(found, Path(folder) / name, under)
    return found


def secret_files(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """The files of AUTOSCALER_SECRETS_DIR; none where it cannot be listed, which is said where they are read."""
    folder = environ.get(SECRETS_DIR)
    try:
        names = sorted(os.listdir(folder)) if folder else []  # noqa: PTH208 - names are what is wanted
    except OSError:  # from_secret_files tells it
        return ()
    return tuple(path for name in names if not name.startswith(".") and (path := Path(folder or "") / name).is_file())


def _take_file(found: Found, path: Path, under: Node) -> None:
    place = Place(str(path))
    if not path.name.startswith(PREFIX) or path.name in OTHERS:
        near = _nearest(path.name.upper())
        found.warnings.append(f"{path}: ignored; a secret file is named like its variable{near}")
        return
    try:
        content = _secret(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        found.problems.append(place.problem(f"cannot be read ({reason}); it must be a small UTF-8 file with the value"))
        return
    _take(found, path.name, content, place=place, under=under)


def _secret(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(_MAX_SECRET_BYTES + 1)
    if len(content) > _MAX_SECRET_BYTES:
        raise ValueError(f"longer than {_MAX_SECRET_BYTES // 1024} KiB")
    text = content.decode("utf-8")
    text = text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text
    if not text:
        raise ValueError("empty")
    return text


def _take(found: Found, name: str, text: str, *, place: Place, under: Node) -> None:
    keys = tuple(name.removeprefix(PREFIX).lower().split("__"))
    kind = _kind(keys) if name == variable_name(keys) else None
    if kind is None:
        found.problems.append(place.problem(_meaningless(name, keys)))
        return
    try:
        value = _value(text, kind, place)
    except ValueError:
        found.problems.append(place.problem('is not JSON, as a list or mapping must be; such as ["policies/*.yaml"]'))
        return
    if keys == (by_name.KEY,):
        value, wrong = by_name.mapping_of(value)
        found.problems += wrong
    for depth in range(len(keys) - 1, 0, -1):
        value = _holding(keys[depth], value, under, above=keys[:depth])
    found.tree = node.merge(found.tree, Node({keys[0]: value}, found.tree.place, found.tree.key))


def _holding(key: str, value: Node, under: Node, *, above: tuple[str, ...]) -> Node:
    """A mapping around one value; it stands where the YAML has it, as that is where the rest of it is looked for."""
    written = under.at(*above)
    if written is not None:
        return Node({key: value}, written.place, written.key)
    place = under.place.below(".".join(above))
    return Node({key: value}, place, place)


def _meaningless(name: str, keys: tuple[str, ...]) -> str:
    if keys[0] in ConfigKeys.refused:
        return ConfigKeys.refused[keys[0]]
    return f"means nothing{_nearest(name) or '; take it out'}"


def _nearest(name: str) -> str:
    """Judged without the prefix, which is the same for all."""
    parts = name.removeprefix(PREFIX).split("__")
    inside = (parts[1],) if len(parts) > 2 else ()  # noqa: PLR2004 - a source's own name stands between
    near = shape.closest(name.removeprefix(PREFIX), [known.removeprefix(PREFIX) for known in variable_names(*inside)])
    return f", did you mean {PREFIX}{near}?" if near else ""


def _value(text: str, kind: Any, place: Place) -> Node:
    if _is_model(kind) or get_origin(kind) in {tuple, dict}:
        return _node(json.loads(text, parse_float=Decimal), place)
    return Node(text, place, place)


def _node(value: Any, place: Place) -> Node:
    if isinstance(value, dict):
        return Node({str(key): _node(child, place.below(key)) for key, child in value.items()}, place, place)
    if isinstance(value, list):
        return Node(tuple(_node(child, place.below(index)) for index, child in enumerate(value)), place, place)
    return Node(value, place, place)


def variable_name(keys: tuple[str, ...]) -> str:
    """The variable of a key: AUTOSCALER_CLOUD__REGION of cloud.region."""
    return PREFIX + "__".join(keys).upper()


def variable_names(*inside: str) -> tuple[str, ...]:
    """Every variable that sets a single key; below mappings of free names (`sources`) those of the names `inside`."""
    return tuple(variable_name(keys) for keys in leaves(ConfigKeys, inside=inside))


def leaves(
    model: type[BaseModel], above: tuple[str, ...] = (), inside: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    """The keys of a model that hold no further keys, as they nest."""
    for name, key in model.model_fields.items():
        kind = _bare(key.annotation)
        if _is_model(kind):
            yield from leaves(kind, (*above, name), inside)
        elif get_origin(kind) is dict:
            for free in inside:
                yield from leaves(_bare(get_args(kind)[1]), (*above, name, free), inside)
        else:
            yield (*above, name)


def _kind(keys: tuple[str, ...]) -> Any:
    """The type of a key, or None where there is no such key."""
    kind: Any = ConfigKeys
    for key in keys:
        if get_origin(kind) is dict:
            kind = _bare(get_args(kind)[1])
        elif not _is_model(kind) or key not in kind.model_fields:
            return None
        else:
            kind = _bare(kind.model_fields[key].annotation)
    return kind


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _bare(kind: Any) -> Any:
    if get_origin(kind) in {Union, UnionType}:
        return next(member for member in get_args(kind) if member is not type(None))
    return kind
