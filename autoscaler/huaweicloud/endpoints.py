"""Where the services are, derived from region and dialect (the vendor SDK's region tables; OTC's API examples)."""

from dataclasses import dataclass

from autoscaler.huaweicloud.connection import Connection, DdmApi, Dialect

_OTHER_DOMAIN = {
    ("eu-west-101", "iam"): "myhuaweicloud.eu",
    ("eu-west-101", "ddm"): "myhuaweicloud.eu",
    ("eu-west-101", "rds"): "myhuaweicloud.eu",
}
"""eu-west-101 is under .eu, except Cloud Eye, which the vendor's own table has under .com."""


@dataclass(frozen=True)
class Services:
    """The base URL of each service, without a slash at the end."""

    iam: str
    ddm: str
    cloud_eye: str
    rds: str


def services(connection: Connection) -> Services:
    """The given endpoints, and the region's own where none is given."""
    region, dialect, given = connection.region, connection.dialect, connection.endpoints
    return Services(
        iam=_clean(given.iam or _derived("iam", region, dialect)).removesuffix("/v3"),
        ddm=_clean(given.ddm or _derived("ddm", region, dialect)),
        cloud_eye=_clean(given.cloud_eye or _derived("ces", region, dialect)),
        rds=_clean(given.rds or _derived("rds", region, dialect)),
    )


def ddm_api(connection: Connection) -> DdmApi:
    """The given one, else v3 at otc (which withdraws v2's enlarge) and v2 at huawei."""
    return connection.ddm_api or (DdmApi.V3 if connection.dialect is Dialect.OTC else DdmApi.V2)


def _derived(service: str, region: str, dialect: Dialect) -> str:
    if dialect is Dialect.OTC:
        return f"https://{service}.{region}.otc.t-systems.com"
    domain = _OTHER_DOMAIN.get((region, service), "myhuaweicloud.com")
    return f"https://{service}.{region}.{domain}"


def _clean(url: str) -> str:
    return url.strip().rstrip("/")
