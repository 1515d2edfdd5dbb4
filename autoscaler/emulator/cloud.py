"""The emulated cloud as a whole: the world, its accounts, and the record of every mutating call."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from autoscaler.emulator import accounts, faults, world


@dataclass
class Mutation:
    """A mutating call that was read, whatever became of it."""

    n: int
    at: datetime
    method: str
    path: str
    body: Any
    accepted: bool = False
    job_id: str | None = None


@dataclass
class Cloud:
    """Everything the four services share. `calls` counts the requests by (service, operation)."""

    world: world.World
    accounts: accounts.Accounts
    mutations: list[Mutation] = field(default_factory=list)
    calls: dict[tuple[str, str], int] = field(default_factory=dict)
    batch_queries: list[float] = field(default_factory=list)  # real seconds, of the last minute

    @property
    def box(self) -> faults.Box:
        """The armed faults."""
        return self.world.box

    def read(self, now: datetime, *, method: str, path: str, body: Any) -> Mutation:
        """Write down a mutating call as it was read."""
        mutation = Mutation(len(self.mutations) + 1, now, method, path, body)
        self.mutations.append(mutation)
        return mutation

    def state(self, now: datetime) -> Mapping[str, Any]:
        """The truth, as `GET /_emulator/state` tells it. A node that only its job knows yet is not told."""
        return {
            "now": instant(now),
            "instances": [
                {
                    "id": instance.id,
                    "status": self.world.status(instance),
                    "groups": [
                        {"id": group.id, "nodes": [{"id": node.id, "status": node.status} for node in group.nodes]}
                        for group in instance.groups
                    ],
                }
                for instance in self.world.instances.values()
            ],
            "jobs": [
                {"id": job.id, "name": job.name, "instance_id": job.instance_id, "status": job.status}
                for job in self.world.jobs
            ],
            "mutations": [vars(mutation) | {"at": instant(mutation.at)} for mutation in self.mutations],
        }


def instant(moment: datetime) -> str:
    """RFC 3339, UTC."""
    return moment.isoformat().replace("+00:00", "Z")
