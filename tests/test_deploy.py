"""Manifests of Kubernetes: valid, and in agreement with the package."""

import copy
import pathlib
import re

import kubernetes_validate
import pytest
import yaml

import tfvae
from tfvae import cluster, flags, program

DEPLOY = pathlib.Path(__file__).parents[1] / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
MANIFESTS = {
    part["kind"]: part
    for part in yaml.safe_load_all(
        (DEPLOY / "kubernetes" / "train.yaml").read_text()
    )
}
JOB = MANIFESTS["Job"]["spec"]
POD = JOB["template"]["spec"]
(CONTAINER,) = POD["containers"]
LABELS = JOB["template"]["metadata"]["labels"]
ENVIRONMENT = {entry["name"]: entry.get("value") for entry in CONTAINER["env"]}
LOST = program.LOST_WORKER
KILLED = 137
PREEMPTED = program.STATUS_OF_SIGNAL["SIGTERM"]


@pytest.mark.parametrize("version", ["1.29", "1.31", "1.34", "1.37"])
@pytest.mark.parametrize("kind", MANIFESTS)
def test_manifest_follows_the_schema(kind: str, version: str) -> None:
    used = kubernetes_validate.validate(MANIFESTS[kind], version, strict=True)
    assert str(used) == version


def test_schema_is_looked_at_strictly() -> None:
    odd = copy.deepcopy(MANIFESTS["Job"])
    odd["spec"]["template"]["spec"]["securityContxt"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(odd, "1.37", strict=True)


def _addresses(index: int) -> cluster.Cluster:
    environment = {k: v for k, v in ENVIRONMENT.items() if v is not None}
    return cluster.from_environment(
        environment | {"JOB_COMPLETION_INDEX": str(index)}
    )


def test_workers_find_each_other_by_the_names_of_the_pods() -> None:
    (job,) = {MANIFESTS["Job"]["metadata"]["name"]}
    service = MANIFESTS["Service"]
    assert POD["subdomain"] == service["metadata"]["name"]
    assert service["spec"]["clusterIP"] == "None"
    (port,) = service["spec"]["ports"]
    assert CONTAINER["ports"] == [
        {"name": port["name"], "containerPort": port["port"]}
    ]
    found = _addresses(1)
    assert found.addresses == tuple(
        f"{job}-{index}.{POD['subdomain']}:{port['port']}"
        for index in range(JOB["completions"])
    )
    assert (found.index, _addresses(0).is_chief) == (1, True)


def test_numbers_of_workers_agree() -> None:
    assert JOB["completionMode"] == "Indexed"
    workers = int(ENVIRONMENT["TFVAE_NUM_WORKERS"])
    assert JOB["completions"] == JOB["parallelism"] == workers > 1


def test_labels_agree() -> None:
    (spread,) = POD["topologySpreadConstraints"]
    policy = MANIFESTS["NetworkPolicy"]["spec"]
    (rule,) = policy["ingress"]
    assert MANIFESTS["Service"]["spec"]["selector"] == LABELS
    assert spread["labelSelector"]["matchLabels"] == LABELS
    assert policy["podSelector"]["matchLabels"] == LABELS
    assert rule["from"] == [{"podSelector": policy["podSelector"]}]


def test_volumes_agree() -> None:
    claim = MANIFESTS["PersistentVolumeClaim"]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    volumes = {volume["name"]: volume for volume in POD["volumes"]}
    paths = {m["name"]: m["mountPath"] for m in CONTAINER["volumeMounts"]}
    assert set(volumes) == set(paths)
    held = volumes["runs"]["persistentVolumeClaim"]["claimName"]
    assert held == claim["metadata"]["name"]
    line = _train_line([*CONTAINER["command"], *CONTAINER["args"]])
    assert line.launch.run_dir.startswith(paths["runs"] + "/")
    assert ENVIRONMENT["HOME"] == paths["tmp"] == "/tmp"


def _train_line(command: list[str]) -> flags.CommandLine[flags.Launch]:
    """Returns what tfvae.train makes of a command."""
    python, module, name, *arguments = command
    assert (python, module, name) == ("python", "-m", "tfvae.train")
    return flags.parse(flags.Launch, ["train", *arguments], summary="")


def test_command_is_one_that_train_takes() -> None:
    line = _train_line([*CONTAINER["command"], *CONTAINER["args"]])
    assert line.launch.strategy == "multi_worker"


def _action(status: int) -> str:
    """Returns what the Job does about a container's status."""
    for rule in JOB["podFailurePolicy"]["rules"]:
        codes = rule.get("onExitCodes")
        if codes and status in codes["values"]:
            assert codes["operator"] == "In"
            assert codes["containerName"] == CONTAINER["name"]
            return rule["action"]
    return "Count"


def test_job_starts_again_what_can_go_on() -> None:
    assert POD["restartPolicy"] == "Never"
    actions = {
        program.WRONG_INPUT: "FailJob",
        program.FAILED: "FailJob",
        PREEMPTED: "Ignore",
        LOST: "Count",
        KILLED: "Count",
    }
    assert {status: _action(status) for status in actions} == actions
    assert JOB["backoffLimit"] >= 10 * JOB["completions"]
    conditions = [
        rule["onPodConditions"]
        for rule in JOB["podFailurePolicy"]["rules"]
        if rule["action"] == "Ignore" and "onPodConditions" in rule
    ]
    assert conditions == [[{"type": "DisruptionTarget", "status": "True"}]]
    assert POD["terminationGracePeriodSeconds"] >= 30
    assert POD[
        "shareProcessNamespace"
    ]  # else process 1, which ignores SIGTERM at first


def test_pods_can_do_little_else() -> None:
    security = POD["securityContext"]
    assert security["runAsNonRoot"]
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert POD["automountServiceAccountToken"] is False
    assert POD["enableServiceLinks"] is False
    resources = CONTAINER["resources"]
    assert resources["limits"] == resources["requests"]


def test_image_is_the_dockerfile_s_and_of_this_version() -> None:
    image = f"tfvae-train:{tfvae.__version__}"
    assert CONTAINER["image"] == image
    assert f"-t {image} ." in DOCKERFILE
    user = POD["securityContext"]["runAsUser"]
    assert f"USER {user}:{POD['securityContext']['runAsGroup']}\n" in DOCKERFILE
    assert f"--uid {user} " in DOCKERFILE
    copied = set(re.findall(r"^COPY (\w+) \1$", DOCKERFILE, re.MULTILINE))
    assert copied == {"tfvae", "tuning", "export"}
    (files,) = re.findall(r"^COPY (.*) \./$", DOCKERFILE, re.MULTILINE)
    assert all((DEPLOY.parent / name).is_file() for name in files.split())


def test_readme_tells_the_statuses() -> None:
    text = (DEPLOY / "README.md").read_text()
    told = [int(s) for s in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)]
    assert told == sorted({
        program.DONE, program.FAILED, program.WRONG_INPUT, LOST,
        program.INTERRUPTED, KILLED, PREEMPTED,
    })  # fmt: skip
    for name in re.findall(r"`([\w/]+\.(?:yaml|sbatch)|Dockerfile)`", text):
        assert (DEPLOY / name).is_file(), name
