"""Texts with which the official image is started on an export.

Docker Compose, with Prometheus beside it, and Kubernetes.
"""

import string
from collections.abc import Sequence

from export.models_config import CONTAINER_ROOT, MODELS

IMAGE = "tensorflow/serving:latest"
PROMETHEUS_IMAGE = "prom/prometheus:latest"
METRICS_PATH = "/monitoring/prometheus/metrics"
MONITORING_FILE = "monitoring.config"
# With which an export is served, wherever.
FLAGS = (
    "--model_config_file_poll_wait_seconds=1",
    "--allow_version_labels_for_unavailable_models=true",
    "--enable_batching=true",
    "--enable_per_model_batching_parameters=true",
)
CORS = "--rest_api_enable_cors_support=true"

MONITORING = f"""prometheus_config {{
  enable: true
  path: "{METRICS_PATH}"
}}
"""

PROMETHEUS = f"""# What Prometheus of compose.yaml reads.
global:
  scrape_interval: 15s
scrape_configs:
  - job_name: tensorflow_serving
    metrics_path: {METRICS_PATH}
    static_configs:
      - targets: ["serving:8501"]
"""

# The image has neither curl nor wget. The model is ready when the server says
# that a version of it is; the HTTP status alone would not tell.
CHECK = (
    "exec 3<>/dev/tcp/127.0.0.1/8501"
    " && printf 'GET /v1/models/$model HTTP/1.0\\r\\n\\r\\n' >&3"
    " && grep -q '\"AVAILABLE\"' <&3"
)

COMPOSE = string.Template("""\
# TensorFlow Serving on this folder: docker compose up
# REST on 8501, gRPC on 8500, Prometheus on 9090; there is no password, so they
# are open to this machine alone: take 127.0.0.1 away to open them to others.
services:
  serving:
    image: $image
    restart: unless-stopped
    command:
$flags
$cors
    ports:
      - "127.0.0.1:8500:8500"
      - "127.0.0.1:8501:8501"
    volumes:
      # The folder, not its files: a file renamed into it is seen.
      - type: bind
        source: .
        target: $root
        read_only: true
    healthcheck:
      test:
        - CMD
        - bash
        - -c
        - |-
          $check
      interval: 5s
      timeout: 5s
      retries: 3
      start_period: 120s
  prometheus:
    image: $prometheus
    restart: unless-stopped
    depends_on:
      - serving
    ports:
      - "127.0.0.1:9090:9090"
    volumes:
      - type: bind
        source: ./prometheus.yml
        target: /etc/prometheus/prometheus.yml
        read_only: true
""")

KUBERNETES = string.Template("""\
# TensorFlow Serving on an export: kubectl apply -f kubernetes.yaml
# The volume tfvae-export holds the export folder, which is written elsewhere.
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: tfvae-export
spec:
  accessModes:
    - ReadOnlyMany
  resources:
    requests:
      storage: 10Gi
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: tfvae-serving
  labels:
    app: tfvae-serving
spec:
  replicas: 1
  selector:
    matchLabels:
      app: tfvae-serving
  template:
    metadata:
      labels:
        app: tfvae-serving
      annotations:
        prometheus.io/scrape: "true"
        prometheus.io/port: "8501"
        prometheus.io/path: $metrics_path
    spec:
      containers:
        - name: serving
          image: $image
          args:
$flags
$cors
          ports:
            - name: grpc
              containerPort: 8500
            - name: rest
              containerPort: 8501
          readinessProbe:
            exec:
              command:
                - bash
                - -c
                - |-
                  $check
            periodSeconds: 5
            timeoutSeconds: 5
          # The ports open once every model is loaded.
          startupProbe:
            tcpSocket:
              port: grpc
            periodSeconds: 5
            failureThreshold: 120
          livenessProbe:
            tcpSocket:
              port: grpc
          volumeMounts:
            - name: export
              mountPath: $root
              readOnly: true
      volumes:
        - name: export
          persistentVolumeClaim:
            claimName: tfvae-export
            readOnly: true
---
apiVersion: v1
kind: Service
metadata:
  name: tfvae-serving
spec:
  selector:
    app: tfvae-serving
  ports:
    - name: grpc
      port: 8500
      targetPort: grpc
    - name: rest
      port: 8501
      targetPort: rest
""")


def compose(models: Sequence[str], *, cors: bool) -> str:
    """Returns compose.yaml.

    Args:
      models: their names; the first one's state is the service's health.
      cors: whether pages of other origins, as the explorer, may call REST.
    """
    return _fill(COMPOSE, models, cors=cors, indent=6)


def kubernetes(models: Sequence[str], *, cors: bool) -> str:
    """Returns a manifest for Kubernetes: a volume, a deployment, a service.

    Args:
      models: as for `compose`.
      cors: as for `compose`.
    """
    return _fill(KUBERNETES, models, cors=cors, indent=12)


def _fill(
    template: string.Template, models: Sequence[str], *, cors: bool, indent: int
) -> str:
    flags = (
        f"--model_config_file={CONTAINER_ROOT}/{MODELS}",
        f"--monitoring_config_file={CONTAINER_ROOT}/{MONITORING_FILE}",
        *FLAGS,
    )
    blanks = " " * indent
    mark, why = ("", "") if cors else ("# ", "  # for the explorer's page")
    return template.substitute(
        image=IMAGE,
        prometheus=PROMETHEUS_IMAGE,
        metrics_path=METRICS_PATH,
        root=CONTAINER_ROOT,
        flags="\n".join(f"{blanks}- {flag}" for flag in flags),
        cors=f"{blanks}{mark}- {CORS}{why}",
        check=string.Template(CHECK).substitute(model=models[0]),
    )
