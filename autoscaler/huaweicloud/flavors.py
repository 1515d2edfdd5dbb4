"""What could be bought for a group, and where it is on sale (DDM API reference, "Querying DDM Node Classes")."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autoscaler import errors
from autoscaler.core import checks
from autoscaler.core import target as targets
from autoscaler.huaweicloud.connection import DdmApi
from autoscaler.huaweicloud.gateway import PAGE, Gateway
from autoscaler.huaweicloud.groups import Group, NodeClass
from autoscaler.huaweicloud.instances import Instance
from autoscaler.huaweicloud.records import Record

_ON_SALE = "normal"  # the others: unsupported, sellout
_MOST_PAGES = 100


@dataclass(frozen=True)
class Flavor:
    """A node class on offer."""

    id: str
    code: str  # the instance's flavor_ref is one
    node_class: NodeClass
    zones: Mapping[str, str]  # zone → normal | unsupported | sellout


async def flavors(gateway: Gateway, engine_version: str) -> tuple[Flavor, ...]:
    """All flavors for an engine. The total is counted per architecture, and so are offset and limit.

    Raises:
        CloudError: they could not be read.
    """
    found: dict[str, Flavor] = {}
    offset = 0
    for _ in range(_MOST_PAGES):
        query = (("engine_version", engine_version), ("offset", str(offset)), ("limit", str(PAGE)))
        page = await gateway.get("ddm", "list_flavors", "/v3/{project}/flavors", query)
        groups = page.records("flavor_groups")
        for group in groups:
            found.update({flavor.id: flavor for flavor in _page(group, offset)})
        offset += PAGE
        if offset >= max((group.whole("total") for group in groups), default=0):
            return tuple(found.values())
    raise errors.Unreadable("DDM list_flavors: there is no end to its pages; the answer is not used")


def offer(
    target: targets.Target, api: DdmApi, instance: Instance, group: Group | None, on_offer: Sequence[Flavor]
) -> checks.Offer:
    """What of it the target's group may take.

    Raises:
        NotFound: the target's flavor is unknown, or of another class than the group's; the text names the right ones.
    """
    right = [flavor for flavor in on_offer if group is None or _same_class(flavor.node_class, group.node_class)]
    if target.flavor_id is not None:
        _check(target.flavor_id, target.name, on_offer, right, group)
        candidates = [flavor for flavor in on_offer if flavor.id == target.flavor_id]
    elif api is DdmApi.V2:
        raise errors.NotFound(f"{target.name}: flavor_id is needed by the v2 API; it takes {_named(right)}")
    else:
        candidates = [flavor for flavor in right if flavor.code == instance.flavor_code] or right
    return _offer(target, instance, group, candidates)


def _offer(
    target: targets.Target, instance: Instance, group: Group | None, candidates: Sequence[Flavor]
) -> checks.Offer:
    """Of several candidates (one class, several generations) one is the group's: a zone is good if any sells there."""
    flavor_id = candidates[0].id if len(candidates) == 1 else None
    wanted = target.zones or tuple(sorted({zone for zone in group.zones.values() if zone} if group else ()))
    if not candidates:
        return checks.Offer(None, wanted or instance.zones, sold_out=False)  # not told: the cloud itself will say
    known = {zone for flavor in candidates for zone in flavor.zones}
    allowed = wanted or tuple(zone for zone in instance.zones if zone in known) or tuple(sorted(known))
    sold = {zone for flavor in candidates for zone, status in flavor.zones.items() if status == _ON_SALE}
    sellable = tuple(zone for zone in allowed if zone in sold)
    there = tuple(sorted(known.union(instance.zones)))
    unknown = tuple(zone for zone in target.zones if zone not in there) if there else ()
    return checks.Offer(
        flavor_id, sellable, sold_out=not sellable, unknown_zones=unknown, zones=there if unknown else ()
    )


def _check(flavor_id: str, name: str, on_offer: Sequence[Flavor], right: Sequence[Flavor], group: Group | None) -> None:
    if any(flavor.id == flavor_id for flavor in right):
        return
    known = next((flavor for flavor in on_offer if flavor.id == flavor_id), None)
    if known is None:
        raise errors.NotFound(f"{name}: the cloud offers no flavor {flavor_id}; right for the group: {_named(right)}")
    has = f"{known.code} ({known.node_class})"
    needs = f"the nodes of group {group.id} have {group.node_class}" if group else "the group has another class"
    raise errors.NotFound(f"{name}: flavor {flavor_id} is {has}, but {needs}; right for it: {_named(right)}")


def _named(right: Sequence[Flavor]) -> str:
    return ", ".join(f"{flavor.id} ({flavor.code})" for flavor in right) or "none on offer"


def _same_class(offered: NodeClass, wanted: NodeClass) -> bool:
    """Sizes that the group does not tell (0, "") are not compared."""
    return all(
        not asked or asked == has
        for asked, has in (
            (wanted.cpus, offered.cpus),
            (wanted.memory, offered.memory),
            (wanted.architecture, offered.architecture),
        )
    )


def _page(group: Record, offset: int) -> list[Flavor]:
    architecture, records = group.text_or("group_type").upper(), group.records("flavors")
    if len(records) < min(PAGE, max(group.whole("total") - offset, 0)):
        raise group.unreadable(f"{len(records)} flavors came, fewer than the total of {group.whole('total')} says")
    return [_flavor(record, architecture) for record in records]


def _flavor(record: Record, architecture: str) -> Flavor:
    return Flavor(
        id=record.text("id"),
        code=record.text_or("spec_code"),
        node_class=NodeClass(record.whole("vcpus"), record.whole("ram"), architecture),
        zones={zone.text("code"): zone.text("status").lower() for zone in record.records_or_none("az_infos")},
    )
