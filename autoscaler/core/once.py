"""A property that is worked out once and kept; every decision asks for several, each of a fresh observation.

It is `functools.cached_property` without the lock that Python 3.11 takes for it, which costs more than most answers.
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class once(Generic[T]):  # noqa: N801  # it is used as `property` is
    """For a class whose objects never change: the first asking works it out, whichever thread that is."""

    def __init__(self, work_out: Callable[[Any], T]) -> None:
        self._work_out = work_out
        self.__doc__ = work_out.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> "once[T]": ...

    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

    def __get__(self, instance: object | None, owner: type) -> "once[T] | T":
        if instance is None:
            return self
        value = instance.__dict__[self._name] = self._work_out(instance)  # found there from now on, without asking here
        return value
