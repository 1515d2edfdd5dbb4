"""Writes a configuration for the daemon that points at an emulated cloud."""

from pathlib import Path

import yaml

from autoscaler.emulator import scenario
from autoscaler.emulator.server import Addresses

_HINT = "# Points at an emulated cloud. Its credentials are in emulator.env: set -a; . ./emulator.env; set +a\n"


def texts(wanted: scenario.Scenario, addresses: Addresses) -> dict[str, str]:
    """The files by their names: `autoscaler.yaml`, one policy file, and the credentials as variables."""
    return {
        "autoscaler.yaml": _HINT + _dump(_settings(wanted, addresses)),
        "policies/emulator.yaml": _dump({"targets": _targets(wanted)}),
        "emulator.env": "".join(f"{name}={value}\n" for name, value in _variables(wanted).items()),
    }


def write(directory: Path, wanted: scenario.Scenario, addresses: Addresses) -> list[Path]:
    """Write them below the directory, which is made where it is missing; the paths written.

    Raises:
        OSError: it cannot be written.
    """
    written = []
    for name, text in texts(wanted, addresses).items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def _settings(wanted: scenario.Scenario, addresses: Addresses) -> dict[str, object]:
    return {
        "cloud": {
            "region": wanted.region,
            "dialect": wanted.dialect,
            "project_id": wanted.project.id,
            "endpoints": vars(addresses),
            "credentials": "password",
        },
        "policy_files": ["policies/*.yaml"],
    }


def _targets(wanted: scenario.Scenario) -> dict[str, object]:
    """A target per group: `orders`, `orders-2` and so on; a name that holds the password would be masked in logs."""
    groups = [(instance, group) for instance in wanted.instances for group in instance.groups]
    return {
        "orders" + (f"-{number}" if number > 1 else ""): _target(instance, group)
        for number, (instance, group) in enumerate(groups, start=1)
    }


def _target(instance: scenario.Instance, group: scenario.Group) -> dict[str, object]:
    return {
        "instance_id": instance.id,
        "group_id": group.id,
        "flavor_id": group.flavor,
        "mode": "enforce",
        "nodes": {"min": 2, "max": 16},
        "rules": [
            {
                "name": "cpu",
                "type": "threshold",
                "metric": "ddm_cpu_util",
                "out": [{"above": 75, "for": "5m", "add": 1}],
                "in": [{"below": 30, "for": "30m", "remove": 1}],
            }
        ],
    }


def _variables(wanted: scenario.Scenario) -> dict[str, str]:
    user = wanted.user
    told = {"USERNAME": user.name, "PASSWORD": user.password, "DOMAIN": user.domain}
    return {f"AUTOSCALER_CLOUD__{name}": value for name, value in told.items()}


def _dump(data: object) -> str:
    return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=True))
