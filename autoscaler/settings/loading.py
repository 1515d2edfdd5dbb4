"""From a configuration file, secret files and variables to settings, or to everything that is wrong with them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from autoscaler import errors
from autoscaler.settings import by_name, complete, misplaced, store_url, variables, written
from autoscaler.settings.keys import (
    USUAL_POLICY_FILES,
    CloudKeys,
    ConfigKeys,
    DdmApi,
    Dialect,
    SourceKeys,
    WebhookKeys,
)
from autoscaler.settings.values import (
    SECRET_NAMES,
    SOURCE_SECRET_NAMES,
    CloudSettings,
    EndpointSettings,
    PolicyPattern,
    Settings,
    SourceSettings,
    WebhookSettings,
)
from autoscaler.yamlfile import node, reader, shape
from autoscaler.yamlfile import schema as json_schema
from autoscaler.yamlfile.node import Node

Word = TypeVar("Word", bound=StrEnum)


class _Layer(PydanticBaseSettingsSource):
    """One source of settings that has already been read into a tree."""

    def __init__(self, settings_cls: type[BaseSettings], tree: Node) -> None:
        super().__init__(settings_cls)
        self._tree = tree

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Part of the source's contract; never called, as `__call__` gives all at once."""
        del field
        found = self._tree.child(field_name)
        return (None if found is None else found.plain()), field_name, False

    def __call__(self) -> dict[str, Any]:
        plain: dict[str, Any] = self._tree.plain()
        return plain


def load(file: Path, environ: Mapping[str, str]) -> Settings:
    """The settings of a configuration file and of the variables over it.

    Raises:
        BadConfig: with everything that is wrong with them.
    """
    sources = _sources(file, environ)
    problems = list(sources.problems)
    keys = _validated(sources, problems)
    problems += complete.problems(sources.merged, keys, file)
    if problems or keys is None:
        raise errors.BadConfig(_in_order(problems))
    return _settings(file, keys, sources.merged, (*sources.warnings, *complete.warnings(keys, file)))


@dataclass(frozen=True)
class Outline:
    """What can be said of a configuration even where it is wrong: enough to look at its policies all the same."""

    policy_patterns: tuple[PolicyPattern, ...]
    dialect: Dialect | None
    ddm_api: DdmApi | None
    sources: tuple[str, ...] | None = None  # names of metric sources besides cloud_eye; None: not known


def outline(file: Path, environ: Mapping[str, str]) -> Outline:
    """What is right in a configuration that may be wrong elsewhere."""
    try:
        merged = _sources(file, environ).merged
    except errors.BadConfig:  # it cannot be read at all, which `load` tells
        return Outline((), None, None)
    dialect = _word(merged, "dialect", Dialect) or (Dialect.HUAWEI if merged.at("cloud", "dialect") is None else None)
    given = merged.at("cloud", "ddm_api")
    ddm_api = _word(merged, "ddm_api", DdmApi) if given is not None or dialect is None else _default_api(dialect)
    patterns = merged.at("policy_files")
    items = patterns.value if patterns is not None and isinstance(patterns.value, tuple) else ()
    written_ones = tuple(PolicyPattern(item.value, item.place) for item in items if isinstance(item.value, str))
    usual = () if patterns is not None else (PolicyPattern(USUAL_POLICY_FILES, merged.place.below("policy_files")),)
    return Outline(written_ones or usual, dialect, ddm_api, _source_names(merged))


def _source_names(merged: Node) -> tuple[str, ...] | None:
    sources = merged.at("sources")
    if sources is None:
        return ()
    return tuple(sources.value) if isinstance(sources.value, Mapping) else None


def _word(merged: Node, key: str, kind: type[Word]) -> Word | None:
    found = merged.at("cloud", key)
    return next((member for member in kind if found is not None and member.value == found.value), None)


@dataclass(frozen=True)
class _Sources:
    """What the file, the secret files and the variables hold; `layers` the strongest first."""

    layers: tuple[Node, ...]
    merged: Node
    problems: tuple[errors.Problem, ...]
    warnings: tuple[str, ...]


def _sources(file: Path, environ: Mapping[str, str]) -> _Sources:
    yaml, problems = _read(file)
    secret_files = variables.from_secret_files(environ, yaml)
    environment = variables.from_environment(environ, yaml)
    return _Sources(
        layers=(environment.tree, secret_files.tree, yaml),
        merged=node.merge(node.merge(yaml, secret_files.tree), environment.tree),
        problems=(*problems, *secret_files.problems, *environment.problems),
        warnings=(*secret_files.warnings, *environment.warnings),
    )


def _read(file: Path) -> tuple[Node, list[errors.Problem]]:
    """The YAML as a tree, without the secrets that do not belong there, and a problem for each of those."""
    tree = reader.read(file)
    if not isinstance(tree.value, Mapping):
        raise errors.BadConfig(
            [tree.place.problem("the file must hold a mapping of keys, such as cloud: {region: eu-de}")]
        )
    named, problems = by_name.in_file(tree)
    rest, misplaced_ones = misplaced.taken_out(named)
    return rest, [*problems, *misplaced_ones]


def _validated(sources: _Sources, problems: list[errors.Problem]) -> ConfigKeys | None:
    """What pydantic-settings makes of the layers, the first of them the strongest."""

    class Layered(ConfigKeys):
        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *_: PydanticBaseSettingsSource, **__: PydanticBaseSettingsSource
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return tuple(_Layer(settings_cls, tree) for tree in sources.layers)

    try:
        return Layered()
    except ValidationError as invalid:
        problems += shape.problems(invalid, ConfigKeys, sources.merged)
        return None


def _in_order(problems: list[errors.Problem]) -> list[errors.Problem]:
    """Files in the order in which they came up, by place within each; each problem once."""
    files = {file: index for index, file in enumerate(dict.fromkeys(problem.file for problem in problems))}
    return sorted(dict.fromkeys(problems), key=lambda problem: (files[problem.file], problem))


def _settings(file: Path, keys: ConfigKeys, merged: Node, warnings: tuple[str, ...]) -> Settings:
    folder = file.parent.absolute()
    store_file = store_url.file_of(keys.store, folder)
    host, port = written.listen(keys.server.listen)
    return Settings(
        file=file,
        cloud=_cloud(keys.cloud, folder),
        store=SecretStr(keys.store if store_file is None else f"sqlite:///{store_file}"),
        store_file=store_file,
        listen_host=host,
        listen_port=port,
        hosts=keys.server.hosts,
        token=keys.server.token,
        mode_ceiling=keys.mode_ceiling,
        log_level=keys.log.level,
        log_format=keys.log.format,
        policy_patterns=_patterns(keys, merged),
        sources=tuple(_source(name, source, folder) for name, source in keys.sources.items()),
        webhooks=tuple(_webhook(name, webhook, folder) for name, webhook in keys.webhooks.items()),
        warnings=warnings,
    )


def _default_api(dialect: Dialect) -> DdmApi:
    """Open Telekom Cloud is about to withdraw v2's enlarge (its API reference, "APIs unavailable soon")."""
    return DdmApi.V3 if dialect is Dialect.OTC else DdmApi.V2


def _cloud(keys: CloudKeys, folder: Path) -> CloudSettings:
    return CloudSettings(
        region=keys.region,
        dialect=keys.dialect,
        ddm_api=keys.ddm_api or _default_api(keys.dialect),
        project_id=keys.project_id,
        endpoints=EndpointSettings(**keys.endpoints.model_dump()),
        credentials=keys.credentials,
        proxy=None if keys.proxy is None else SecretStr(keys.proxy),
        ca_file=None if keys.ca_file is None else folder / keys.ca_file,
        **{name: getattr(keys, name) for name in SECRET_NAMES},
    )


def _source(name: str, keys: SourceKeys, folder: Path) -> SourceSettings:
    return SourceSettings(
        name=name,
        url=keys.url,
        proxy=None if keys.proxy is None else SecretStr(keys.proxy),
        ca_file=None if keys.ca_file is None else folder / keys.ca_file,
        **{secret: getattr(keys, secret) for secret in SOURCE_SECRET_NAMES},
    )


def _webhook(name: str, keys: WebhookKeys, folder: Path) -> WebhookSettings:
    return WebhookSettings(
        name=name,
        url=SecretStr(keys.url),
        events=tuple(dict.fromkeys(keys.events)),
        targets=keys.targets,
        proxy=None if keys.proxy is None else SecretStr(keys.proxy),
        ca_file=None if keys.ca_file is None else folder / keys.ca_file,
        secret=keys.secret,
    )


def _patterns(keys: ConfigKeys, merged: Node) -> tuple[PolicyPattern, ...]:
    places = (merged.at("policy_files", index) for index in range(len(keys.policy_files)))
    fallback = merged.place.below("policy_files")
    return tuple(
        PolicyPattern(pattern, fallback if place is None else place.place)
        for pattern, place in zip(keys.policy_files, places, strict=True)
    )


def schema() -> dict[str, Any]:
    """The JSON Schema of the configuration file, in which no secret has a place."""
    whole = json_schema.generate(ConfigKeys, title="Configuration of the DDM autoscaler")
    for name in SECRET_NAMES:
        del whole["$defs"]["CloudKeys"]["properties"][name]
    for name in SOURCE_SECRET_NAMES:
        del whole["$defs"]["SourceKeys"]["properties"][name]
    del whole["$defs"]["ServerKeys"]["properties"]["token"]
    _list_webhooks(whole)
    return whole


def _list_webhooks(whole: dict[str, Any]) -> None:
    """In the file they are a list, and have their names inside."""
    webhook, listed = whole["$defs"]["WebhookKeys"], whole["properties"][by_name.KEY]
    del webhook["properties"]["secret"]
    ((pattern, item),) = listed.pop("patternProperties").items()
    name = {"type": "string", "pattern": pattern, "description": "its name, by which its variables are named"}
    webhook["properties"] = {"name": name, **webhook["properties"]}
    webhook["required"] = ["name"]  # the address, too, may come from a variable
    listed |= {"type": "array", "items": item, "default": []}
