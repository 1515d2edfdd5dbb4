"""The Kubernetes manifests: strictly read, hardened, of one piece, and with a configuration that the daemon accepts."""

import shutil
from pathlib import Path
from typing import Any

import pytest

import autoscaler
from tests.deploy import files, shapes
from tests.e2e.processes import finished

FOLDER = files.DEPLOY / "kubernetes"
MANIFESTS = {path.name: path for path in sorted(FOLDER.glob("*.yaml"))}


def manifest(name: str) -> dict[str, Any]:
    return files.read(FOLDER / name)


def pod() -> dict[str, Any]:
    return dict(manifest("deployment.yaml")["spec"]["template"]["spec"])


def container() -> dict[str, Any]:
    (only,) = pod()["containers"]
    return dict(only)


@pytest.mark.parametrize("path", MANIFESTS.values(), ids=MANIFESTS)
def test_a_manifest_has_no_key_twice_and_none_that_is_unknown(path):
    found = files.read(path)

    assert files.problems(found, shapes.KINDS[found["kind"]]) == []


WRONG = {
    "a key twice": "a: 1\na: 2\n",
    "a key twice further in": "a: [{b: 1, b: 2}]\n",
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_a_key_that_stands_twice_is_refused(text, tmp_path):
    (tmp_path / "wrong.yaml").write_text(text)

    with pytest.raises(ValueError, match="twice"):
        files.read(tmp_path / "wrong.yaml")


def test_a_key_or_value_that_is_unknown_is_found():
    wrong = {"kind": "Service", "apiVersion": "v2", "spec": {"ports": [{"port": "9178"}], "selektor": {}}}

    assert files.problems(wrong, shapes.KINDS["Service"]) == [
        ".apiVersion: 'v2'",
        ".spec.ports[0].port: '9178'",
        ".spec.selektor: unknown",
    ]


def test_all_but_the_example_of_a_secret_are_applied_together():
    assert set(manifest("kustomization.yaml")["resources"]) == MANIFESTS.keys() - {
        "kustomization.yaml",
        "secret.example.yaml",
    }


def test_the_pod_may_do_nothing_that_it_need_not():
    security = pod()["securityContext"]

    assert (security["runAsNonRoot"], security["runAsUser"], security["fsGroup"]) == (True, 10001, 10001)
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod()["automountServiceAccountToken"] is False
    assert set(container()["resources"]["requests"]) == {"cpu", "memory"}
    assert set(container()["resources"]["limits"]) == {"memory"}


def test_there_is_never_a_second_pod_beside_the_store():
    spec = manifest("deployment.yaml")["spec"]

    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert manifest("pvc.yaml")["spec"]["accessModes"] == ["ReadWriteOncePod"]


def test_the_probes_ask_what_the_daemon_answers():
    api = (files.CHECKOUT / "docs/api.md").read_text()
    paths = {name: container()[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")}

    assert paths == {"startup": "/-/healthy", "liveness": "/-/healthy", "readiness": "/-/ready"}
    assert all(f"`GET {path}`" in api for path in paths.values())


def test_what_one_manifest_names_another_has():
    labels = manifest("deployment.yaml")["spec"]["template"]["metadata"]["labels"]
    volumes = {one["name"]: one for one in pod()["volumes"]}

    assert manifest("deployment.yaml")["spec"]["selector"]["matchLabels"] == labels
    assert manifest("service.yaml")["spec"]["selector"] == labels
    assert manifest("networkpolicy.yaml")["spec"]["podSelector"]["matchLabels"] == labels
    assert {one["name"] for one in container()["volumeMounts"]} == set(volumes)
    assert volumes["state"]["persistentVolumeClaim"]["claimName"] == manifest("pvc.yaml")["metadata"]["name"]
    assert volumes["secrets"]["secret"]["secretName"] == manifest("secret.example.yaml")["metadata"]["name"]
    assert volumes["config"]["configMap"]["name"] == manifest("configmap.yaml")["metadata"]["name"]
    assert {one["key"] for one in volumes["config"]["configMap"]["items"]} == set(manifest("configmap.yaml")["data"])
    assert pod()["serviceAccountName"] == manifest("serviceaccount.yaml")["metadata"]["name"]
    assert manifest("service.yaml")["spec"]["ports"][0]["targetPort"] == container()["ports"][0]["name"]


def test_the_image_is_this_version():
    assert container()["image"] == f"ddm-autoscaler:{autoscaler.__version__}"


def mounted(volume: Path, contents: dict[str, str]) -> Path:
    """Files as the kubelet shows them: links into a folder whose name changes."""
    (volume / "..2026_11_24").mkdir(parents=True)
    (volume / "..data").symlink_to("..2026_11_24")
    for path, text in contents.items():
        (volume / "..2026_11_24" / path).parent.mkdir(exist_ok=True)
        (volume / "..2026_11_24" / path).write_text(text)
    for name in {Path(path).parts[0] for path in contents}:
        (volume / name).symlink_to(Path("..data") / name)
    return volume


def test_the_daemon_accepts_what_the_pod_shows_it(tmp_path):
    data = manifest("configmap.yaml")["data"]
    items = next(one for one in pod()["volumes"] if one["name"] == "config")["configMap"]["items"]
    config = mounted(tmp_path / "config", {one["path"]: data[one["key"]] for one in items})
    example = manifest("secret.example.yaml")["stringData"]
    own = {name: value.replace("change-me", "an-own-long-secret") for name, value in example.items()}
    secrets = mounted(tmp_path / "secrets", own)
    (variable,) = container()["env"]
    mounts = {one["name"]: one["mountPath"] for one in container()["volumeMounts"]}
    assert (variable["name"], variable["value"]) == ("AUTOSCALER_SECRETS_DIR", mounts["secrets"])

    environment = {"AUTOSCALER_SECRETS_DIR": str(secrets), "AUTOSCALER_STORE": "sqlite:////state/autoscaler.db"}
    done = finished("check", "--config", str(config / "autoscaler.yaml"), environment=environment)
    assert done.code == 0, done.said
    assert "orders" in done.stdout
    assert (config / "autoscaler.yaml").read_text().count("mode_ceiling: observe") == 1, "nothing acts to begin with"

    shutil.rmtree(secrets)
    assert finished("check", "--config", str(config / "autoscaler.yaml"), environment={}).code == 2


def test_the_paths_are_those_of_the_image():
    dockerfile = (files.CHECKOUT / "Dockerfile").read_text()

    for path in ("/etc/ddm-autoscaler", "/state"):
        assert path in {one["mountPath"] for one in container()["volumeMounts"]}
    assert "/etc/ddm-autoscaler/autoscaler.yaml" in dockerfile
    assert "sqlite:////state/autoscaler.db" in dockerfile
    assert f":{container()['ports'][0]['containerPort']}" in dockerfile
