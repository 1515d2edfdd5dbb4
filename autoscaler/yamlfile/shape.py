"""What pydantic found wrong, as problems with a place and a sentence that says what is allowed."""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, ClassVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from autoscaler import errors
from autoscaler.yamlfile import quantities
from autoscaler.yamlfile.node import Node

_KEY = "[key]"
"""How pydantic names a key, rather than the value under it."""

Location = tuple[str | int, ...]


class Keys(BaseModel):
    """A mapping of known keys; any other is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    refused: ClassVar[Mapping[str, str]] = {}
    """Keys that are refused by name, each with a sentence: those of later versions, and usual mix-ups."""

    secrets: ClassVar[frozenset[str]] = frozenset()
    """Keys whose values no message may show."""

    refused_types: ClassVar[Mapping[str, str]] = {}
    """Values of `type`, anywhere below, that are refused by name."""


def problems(invalid: ValidationError, model: type[BaseModel], tree: Node) -> Iterator[errors.Problem]:
    """Each error of a validation of `tree.plain()` against `model`, at its place in the tree."""
    for error in invalid.errors(include_url=False, include_input=True):
        if error["type"] == "too_short" and error["input"]:
            continue  # counted without the items that are wrong, which are told by themselves
        where, missing = locate(tree, error["loc"])
        owner = _model_at(model, error["loc"][:-1])
        if error["type"] == "extra_forbidden":
            yield where.key.problem(unknown_key(str(error["loc"][-1]), owner))
        elif error["loc"][-1:] == (_KEY,):
            yield where.key.problem(_sentence(error))
        elif missing is not None:
            yield where.key.below(missing).problem(f"is missing; {_purpose(owner, missing)}")
        else:
            if (
                owner is not None
                and issubclass(owner, Keys)
                and owner.secrets.intersection(map(str, error["loc"][-1:]))
            ):
                error["input"] = "***"
            kind = where.child("type") if error["type"] == "union_tag_invalid" else None
            yield (kind or where).place.problem(
                _refused_type(model, error) or _without_type(model, error) or _sentence(error)
            )


def _refused_type(model: type[BaseModel], error: Any) -> str | None:
    if error["type"] != "union_tag_invalid" or not issubclass(model, Keys):
        return None
    return model.refused_types.get(str(error["ctx"]["tag"]))


def _without_type(model: type[BaseModel], error: Any) -> str | None:
    """A union is told by a key that every member has: which, and what it may be."""
    if error["type"] != "union_tag_not_found":
        return None
    members = (_bare(member) for member in get_args(_bare(_at(model, error["loc"]))))
    annotations = (getattr(member, "model_fields", {}).get(_discriminator(error)) for member in members)
    tags = [str(tag) for field in annotations if field is not None for tag in get_args(field.annotation)]
    return f"has no {_discriminator(error)}; give it one of {', '.join(tags)}" if tags else None


def locate(tree: Node, location: Iterable[str | int]) -> tuple[Node, str | None]:
    """The value at pydantic's location (its union tags are skipped), and the last key where that is missing."""
    node, missing = tree, None
    for step in location:
        child = node.child(step)
        missing = str(step) if child is None and isinstance(node.value, Mapping) and step != _KEY else None
        node = child if child is not None else node
    return node, missing


def names(model: type[BaseModel] | None) -> tuple[str, ...]:
    """The keys of a model as they are written."""
    if model is None:
        return ()
    return tuple(field.alias or name for name, field in model.model_fields.items())


def unknown_key(key: str, model: type[BaseModel] | None) -> str:
    """Why a key is refused, and which are allowed."""
    if model is not None and issubclass(model, Keys) and key in model.refused:
        return model.refused[key]
    known = names(model)
    name, colon, value = key.partition(":")
    if colon and name in known:
        return f"needs a space after the colon; write {name}: {value}".rstrip()
    return f"is not a key here{nearest(key, known)}; allowed: {', '.join(known)}"


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like this one, if any is."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)), None)


def nearest(word: str, known: Iterable[str]) -> str:
    """`, did you mean X?` where something is near, or nothing."""
    near = closest(word, known)
    return f", did you mean {near}?" if near else ""


def _purpose(model: type[BaseModel] | None, key: str) -> str:
    fields = {} if model is None else {field.alias or name: field for name, field in model.model_fields.items()}
    described = fields[key].description if key in fields else None
    return f"it says: {described}" if described else "give it"


def sentence(error: Any, model: type[BaseModel]) -> str:
    """An error of `model`, as pydantic lists it, in our words: for who has no tree with places."""
    *above, last = error["loc"] or ("",)
    if error["type"] == "extra_forbidden":
        return unknown_key(str(last), _model_at(model, tuple(above)))
    if error["type"] == "missing":
        return f"is missing; {_purpose(_model_at(model, tuple(above)), str(last))}"
    return _sentence(error)


def _sentence(error: Any) -> str:
    write = _SENTENCES.get(error["type"])
    if write is not None:
        return write(error)
    context = error.get("ctx", {})
    return str(context["error"]) if "error" in context else str(error["msg"])


def _one_of(error: Any) -> str:
    allowed = [word.strip().strip("'") for word in str(error["ctx"]["expected"]).replace(" or ", ", ").split(",")]
    found = error["input"]
    close = nearest(found, allowed) if isinstance(found, str) else ""
    return f"{quantities.shown(found)} is not allowed{close}; allowed: {', '.join(allowed)}"


def _tag(error: Any) -> str:
    tag, allowed = str(error["ctx"]["tag"]), str(error["ctx"]["expected_tags"]).replace("'", "")
    return f"{quantities.shown(tag)} is not a type{nearest(tag, allowed.split(', '))}; allowed: {allowed}"


def _discriminator(error: Any) -> str:
    return str(error["ctx"]["discriminator"]).strip("'")


def _must_be(what: str) -> Callable[[Any], str]:
    return lambda error: f"{quantities.shown(error['input'])} is not allowed; it must be {what}"


def _must_be_bound(words: str, key: str) -> Callable[[Any], str]:
    return lambda error: f"{quantities.shown(error['input'])} is not allowed; it must be {words} {error['ctx'][key]}"


def _mapping(error: Any) -> str:
    found = error["input"]
    glued = re.fullmatch(r"([a-z_]+):(\S+)( .*)?", found) if isinstance(found, str) else None
    hint = f", with a space after the colon: {glued[1]}: {glued[2]}" if glued else ""
    return f"{quantities.shown(found)} is not allowed; it must be a mapping of keys{hint}"


_SENTENCES: dict[str, Callable[[Any], str]] = {
    "enum": _one_of,
    "literal_error": _one_of,
    "union_tag_invalid": _tag,
    "union_tag_not_found": lambda error: f"has no {_discriminator(error)}; give it one",
    "int_type": _must_be("a whole number"),
    "int_parsing": _must_be("a whole number"),
    "int_from_float": _must_be("a whole number"),
    "float_type": _must_be("a number"),
    "decimal_type": _must_be("a number"),
    "greater_than": _must_be_bound("more than", "gt"),
    "greater_than_equal": _must_be_bound("at least", "ge"),
    "less_than": _must_be_bound("less than", "lt"),
    "less_than_equal": _must_be_bound("at most", "le"),
    "string_type": _must_be("a text (a number or a word like true needs quotes)"),
    "bool_type": _must_be("true or false"),
    "list_type": _must_be("a list"),
    "tuple_type": _must_be("a list"),
    "dict_type": _mapping,
    "model_type": _mapping,
    "model_attributes_type": _mapping,
    "too_short": lambda _: "is empty; name at least one file",
    "string_too_short": lambda _: "is empty; write a text or leave the key out",
}


def _model_at(model: type[BaseModel], location: Location) -> type[BaseModel] | None:
    """The model that holds the keys at a location."""
    found = _bare(_at(model, location))
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None


def _at(model: type[BaseModel], location: Location) -> Any:
    """The type of the value at a location."""
    kind: Any = model
    for step in location:
        kind = _inside(kind, step)
    return kind


def _inside(kind: Any, step: str | int) -> Any:
    kind = _bare(kind)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = {field.alias or name: field.annotation for name, field in kind.model_fields.items()}
        return fields.get(str(step))
    if get_origin(kind) in {dict, Mapping}:
        return get_args(kind)[1]
    if get_origin(kind) in {tuple, list} and isinstance(step, int):
        return get_args(kind)[0]
    return _tagged(kind, str(step))


def _tagged(kind: Any, tag: str) -> Any:
    """The member of a union whose `type` is the tag."""
    for member in get_args(kind):
        field = getattr(_bare(member), "model_fields", {}).get("type")
        if field is not None and tag in get_args(field.annotation):
            return member
    return None


def _bare(kind: Any) -> Any:
    """A type without Annotated and without `| None`."""
    if get_origin(kind) is Annotated:
        return _bare(get_args(kind)[0])
    if get_origin(kind) in {Union, UnionType}:
        members = [member for member in get_args(kind) if member is not type(None)]
        return _bare(members[0]) if len(members) == 1 else kind
    return kind
