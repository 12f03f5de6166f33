"""What `cluster/` holds for deployment: valid where it goes, with the settings of the package."""

from __future__ import annotations

import configparser
import importlib.resources
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from cvlarray.cluster.clients import read_manifest
from cvlarray.cluster.settings import environment
from cvlarray.errors import ClusterError

DEPLOYED = Path(__file__).parents[2] / "cluster"
MANIFESTS = {"daskcluster.yaml": "daskcluster", "gpu_workergroup.yaml": "daskworkergroup"}


def operator_schema(name: str) -> dict[str, Any]:
    """Return the schema by which the operator's own CRD has Kubernetes check a resource."""
    crds = importlib.resources.files("dask_kubernetes").joinpath(
        "operator/deployment/helm/dask-kubernetes-operator/crds"
    )
    crd = yaml.safe_load(crds.joinpath(f"{name}.yaml").read_text())
    (version,) = crd["spec"]["versions"]
    schema: dict[str, Any] = strict(version["schema"]["openAPIV3Schema"])
    # Kubernetes itself knows these.
    schema["properties"] |= {"apiVersion": {}, "kind": {}, "metadata": {}}
    return schema


def strict(schema: Any) -> Any:
    """Return a schema that refuses what Kubernetes would drop in silence."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: strict(value) for key, value in schema.items()}
    is_object = isinstance(schema.get("properties"), dict) and schema.get("type") == "object"
    if is_object and not schema.get("x-kubernetes-preserve-unknown-fields"):
        found["additionalProperties"] = False
    if schema.get("x-kubernetes-int-or-string"):
        found = {"type": ["integer", "string"]}
    return found


def containers(node: Any) -> list[dict[str, Any]]:
    """Return every container of a manifest."""
    if isinstance(node, dict):
        inner = [found for value in node.values() for found in containers(value)]
        return node.get("containers", []) + inner
    return [found for item in node for found in containers(item)] if isinstance(node, list) else []


@pytest.mark.parametrize(("file", "name"), MANIFESTS.items())
def test_manifests_pass_the_operators_schema(file: str, name: str) -> None:
    manifest = yaml.safe_load((DEPLOYED / "kubernetes" / file).read_text())
    schema = operator_schema(name)
    jsonschema.Draft202012Validator(schema).validate(manifest)
    manifest["spec"]["worker"]["spec"]["containers"][0]["memory"] = "4Gi"
    with pytest.raises(jsonschema.ValidationError, match="memory"):
        jsonschema.Draft202012Validator(schema).validate(manifest)


@pytest.mark.parametrize("file", MANIFESTS)
def test_containers_have_the_settings_of_the_package(file: str) -> None:
    manifest = yaml.safe_load((DEPLOYED / "kubernetes" / file).read_text())
    for container in containers(manifest):
        assert {one["name"]: one["value"] for one in container["env"]} == environment()


def test_scripts_have_the_settings_of_the_package() -> None:
    lines = (DEPLOYED / "dask.env").read_text().splitlines()
    assert dict(line.split("=", 1) for line in lines if line[0] != "#") == environment()


def test_worker_limits_leave_room_below_the_containers() -> None:
    for file in MANIFESTS:
        manifest = yaml.safe_load((DEPLOYED / "kubernetes" / file).read_text())
        (worker,) = manifest["spec"]["worker"]["spec"]["containers"]
        asked = worker["args"][worker["args"].index("--memory-limit") + 1].removesuffix("GiB")
        limit = worker["resources"]["limits"]["memory"].removesuffix("Gi")
        assert 0.8 * float(limit) <= float(asked) < float(limit)


def test_units_run_what_is_there() -> None:
    for path in (DEPLOYED / "systemd").glob("*.service"):
        unit = configparser.ConfigParser(interpolation=None, strict=False)
        unit.optionxform = str  # type: ignore[assignment,method-assign]
        unit.read(path)
        assert unit["Service"]["Restart"] == "always"
        command = unit["Service"]["ExecStart"].split()[0]
        assert Path(command).name in {"dask", "cvlarray"}


def test_batch_script_is_bash() -> None:
    bash = shutil.which("bash")
    assert bash
    subprocess.run([bash, "-n", DEPLOYED / "slurm/run.sbatch"], check=True)


def test_the_manifest_of_a_run_is_read() -> None:
    assert read_manifest(DEPLOYED / "kubernetes/daskcluster.yaml")["kind"] == "DaskCluster"
    with pytest.raises(ClusterError, match="one resource of kind DaskCluster, has 0"):
        read_manifest(DEPLOYED / "kubernetes/gpu_workergroup.yaml")
    with pytest.raises(ClusterError, match=r"can't read cluster\.manifest .*absent\.yaml"):
        read_manifest(DEPLOYED / "absent.yaml")
