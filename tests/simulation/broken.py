"""Broken pieces of the daemon: a line of a module as a careless hand might have left it, in place of the good one."""

from dataclasses import dataclass
from inspect import getsource, isfunction
from types import ModuleType

import pytest


@dataclass(frozen=True)
class Break:
    """One line of a module, and what it might have been."""

    module: ModuleType
    line: str
    broken: str

    def load(self, patch: pytest.MonkeyPatch) -> None:
        """Put the functions of the broken copy, those of its classes too, in the place of the good ones."""
        source = getsource(self.module)
        assert source.count(self.line) == 1, f"{self.module.__name__} has no single {self.line!r}"
        copy = ModuleType(self.module.__name__)
        exec(source.replace(self.line, self.broken), copy.__dict__)  # noqa: S102  # the project's own source
        for name, good in list(vars(self.module).items()):
            bad = vars(copy).get(name)
            if isinstance(good, type) and good.__module__ == self.module.__name__:
                _change_class(patch, good, bad)
                setattr(copy, name, good)  # what the broken functions make is of the classes that there are
            elif isfunction(good) and good.__module__ == self.module.__name__:
                patch.setattr(self.module, name, bad)


def _change_class(patch: pytest.MonkeyPatch, good: type, bad: object) -> None:
    for name, was in list(vars(good).items()):
        if isfunction(was) and (name == "__call__" or not name.startswith("__")):
            patch.setattr(good, name, vars(bad)[name])
