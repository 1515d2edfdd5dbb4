"""All targets, as the API and the page of the fleet show them: one answer for all who ask at about the same time."""

import json
from collections.abc import Callable

from autoscaler.ports import Console
from autoscaler.web.recent import Recent


class Overview:
    """Both are made in threads; `page` makes that of the fleet, as it is kept."""

    def __init__(self, console: Console, page: Callable[[], bytes]) -> None:
        self.targets = Recent(lambda: _all_targets(console))
        self.page = Recent(page)

    def forget(self) -> None:
        """Something was changed: who asks from now on is to see it."""
        self.targets.forget()
        self.page.forget()


_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def _all_targets(console: Console) -> bytes:
    """The answer that names them, but for its begin; the event comes first: what is missed in between is told.

    Written one by one: writing all of them at once is one step, in which no other thread goes on.
    """
    event = console.last_event()
    targets = [_COMPACT.encode(target).encode("utf-8", "replace") for target in console.targets()]
    return b'"event":%d,"targets":[%b]}' % (event, b",".join(targets))
