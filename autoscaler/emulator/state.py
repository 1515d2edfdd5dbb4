"""What only an emulated cloud has: the truth to read, and faults to ask for."""

import pydantic

from autoscaler.emulator import faults, refusals
from autoscaler.emulator.calls import Answer, Call, Operation
from autoscaler.emulator.world import Refusal
from autoscaler.yamlfile import shape


def show_state(call: Call) -> Answer:
    """The truth: instances, jobs, and every mutating call that was read, in order."""
    return Answer(200, call.cloud.state(call.now))


class Control:
    """Arms faults; knows which services and operations there are."""

    def __init__(self, operations: dict[str, set[str]]) -> None:
        self._operations = operations

    def arm(self, call: Call) -> Answer:
        """Arm the fault of the body; 400 names what is wrong and what is allowed."""
        try:
            wanted = faults.Request.model_validate_json(call.raw_body)
            self.check(wanted)
            call.cloud.world.arm(wanted, call.now)
        except pydantic.ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, one['loc']))}: {shape.sentence(one, faults.Request)}" for one in error.errors()
            )
            return Answer(400, {"error": problems})
        except (ValueError, Refusal) as error:
            return Answer(400, {"error": error.message if isinstance(error, Refusal) else str(error)})
        return Answer(200, {"armed": wanted.model_dump(mode="json", exclude_none=True)})

    def check(self, wanted: faults.Request) -> None:
        """Refuse a fault that could strike nothing.

        Raises:
            ValueError: no such service or operation; the message names those there are.
        """
        if wanted.service is not None and wanted.service not in refusals.SERVICES:
            raise ValueError(f"service: there is no {wanted.service!r}; there are {', '.join(refusals.SERVICES)}")
        services = [wanted.service] if wanted.service else list(self._operations)
        known = sorted(set().union(*(self._operations[service] for service in services)))
        if wanted.operation is not None and wanted.operation not in known:
            raise ValueError(f"operation: there is no {wanted.operation!r}; there are {', '.join(known)}")

    def operations(self) -> tuple[Operation, ...]:
        """The emulator's own calls, served on the first port."""
        return (
            Operation("state", "GET", "/_emulator/state", show_state, open=True),
            Operation("faults", "POST", "/_emulator/faults", self.arm, open=True),
        )
