"""What Kubernetes and Compose know of the keys that the files of deploy/ use; a key that is not here is refused.

Facts: the Kubernetes API reference (v1.29 and later), the Compose specification. The package with the whole schemas has
17,000 files, too many for a test environment; the files passed it, strictly, when they were written.
"""

import re
from typing import Any


def quantity(value: object) -> bool:
    """As Kubernetes writes amounts: 50m, 192Mi, 5Gi."""
    return isinstance(value, str) and re.fullmatch(r"\d+(m|[KMGT]i)?", value) is not None


def port(value: object) -> bool:
    """A number, or the name of a container's port."""
    if isinstance(value, str):
        return re.fullmatch(r"[a-z][a-z0-9-]{0,14}", value) is not None
    return isinstance(value, int) and 0 < value < 65536


LABELS = {str: str}
METADATA = {"name": str, "labels": LABELS}
SELECTOR = {"matchLabels": LABELS}
PROBE = {
    "httpGet": {"path": str, "port": port},
    "periodSeconds": int,
    "timeoutSeconds": int,
    "failureThreshold": int,
}
AMOUNTS = {"cpu": quantity, "memory": quantity, "storage": quantity}
CONTAINER = {
    "name": str,
    "image": str,
    "imagePullPolicy": {"Always", "IfNotPresent", "Never"},
    "env": [{"name": str, "value": str}],
    "ports": [{"name": port, "containerPort": int, "protocol": {"TCP"}}],
    "startupProbe": PROBE,
    "livenessProbe": PROBE,
    "readinessProbe": PROBE,
    "resources": {"requests": AMOUNTS, "limits": AMOUNTS},
    "securityContext": {
        "allowPrivilegeEscalation": bool,
        "readOnlyRootFilesystem": bool,
        "capabilities": {"drop": [str]},
    },
    "volumeMounts": [{"name": str, "mountPath": str, "readOnly": bool}],
}
VOLUME = {
    "name": str,
    "configMap": {"name": str, "items": [{"key": str, "path": str}]},
    "secret": {"secretName": str, "defaultMode": int},
    "persistentVolumeClaim": {"claimName": str},
    "emptyDir": {"medium": {"", "Memory"}, "sizeLimit": quantity},
}
POD = {
    "serviceAccountName": str,
    "automountServiceAccountToken": bool,
    "enableServiceLinks": bool,
    "terminationGracePeriodSeconds": int,
    "securityContext": {
        "runAsNonRoot": bool,
        "runAsUser": int,
        "runAsGroup": int,
        "fsGroup": int,
        "fsGroupChangePolicy": {"Always", "OnRootMismatch"},
        "seccompProfile": {"type": {"RuntimeDefault", "Localhost", "Unconfined"}},
    },
    "containers": [CONTAINER],
    "volumes": [VOLUME],
}


def _kind(api: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"apiVersion": {api}, "kind": {kind}, "metadata": METADATA, **more}


KINDS = {
    "ConfigMap": _kind("v1", "ConfigMap", data={str: str}),
    "Deployment": _kind(
        "apps/v1",
        "Deployment",
        spec={
            "replicas": int,
            "strategy": {"type": {"Recreate", "RollingUpdate"}},
            "revisionHistoryLimit": int,
            "selector": SELECTOR,
            "template": {"metadata": {"labels": LABELS}, "spec": POD},
        },
    ),
    "NetworkPolicy": _kind(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        spec={
            "podSelector": SELECTOR,
            "policyTypes": [{"Ingress", "Egress"}],
            "ingress": [{"from": [{"namespaceSelector": SELECTOR}], "ports": [{"port": port, "protocol": {"TCP"}}]}],
        },
    ),
    "PersistentVolumeClaim": _kind(
        "v1",
        "PersistentVolumeClaim",
        spec={
            "accessModes": [{"ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany", "ReadOnlyMany"}],
            "resources": {"requests": AMOUNTS},
        },
    ),
    "Secret": _kind("v1", "Secret", type={"Opaque"}, stringData={str: str}),
    "Service": _kind(
        "v1",
        "Service",
        spec={
            "selector": LABELS,
            "publishNotReadyAddresses": bool,
            "ports": [{"name": port, "port": int, "targetPort": port, "protocol": {"TCP"}}],
        },
    ),
    "ServiceAccount": _kind("v1", "ServiceAccount", automountServiceAccountToken=bool),
    "Kustomization": {
        "apiVersion": {"kustomize.config.k8s.io/v1beta1"},
        "kind": {"Kustomization"},
        "resources": [str],
    },
}

COMPOSE = {
    "name": str,
    "services": {
        str: {
            "image": str,
            "build": {"context": str},
            "command": [str],
            "env_file": [str],
            "environment": {str: str},
            "volumes": [lambda value: isinstance(value, str) and value.count(":") in (1, 2)],
            "ports": [lambda value: isinstance(value, str) and value.startswith("127.0.0.1:")],
            "read_only": bool,
            "tmpfs": [str],
            "cap_drop": [{"ALL"}],
            "security_opt": [{"no-new-privileges:true"}],
            "mem_limit": lambda value: re.fullmatch(r"\d+[mg]", str(value)) is not None,
            "pids_limit": int,
            "restart": {"unless-stopped"},
            "stop_grace_period": lambda value: re.fullmatch(r"\d+s", str(value)) is not None,
            "depends_on": [str],
        }
    },
    "volumes": {str: {}},
}
