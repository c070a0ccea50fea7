# The command line, the worker and the development server in one image: `docker run IMAGE run flow.yaml`, `docker run IMAGE worker`.
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
RUN python -m venv /opt/venv
COPY requirements.txt ./
# Wheels only, each with its hash: nothing is compiled here, and nothing comes in that was not locked.
RUN /opt/venv/bin/pip install --no-cache-dir --only-binary :all: --require-hashes --requirement requirements.txt
COPY pyproject.toml README.md LICENSE worker.py starter.py ./
COPY orchestrator ./orchestrator
COPY activities ./activities
COPY storage ./storage
RUN /opt/venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation . \
    && /opt/venv/bin/pip uninstall --yes setuptools pip

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="durable-llm-orchestrator" \
      org.opencontainers.image.description="A durable LLM workflow platform on Temporal" \
      org.opencontainers.image.licenses="MIT"
RUN groupadd --gid 10001 orchestrator \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /workspace --shell /usr/sbin/nologin orchestrator \
    && install --directory --owner=10001 --group=10001 /workspace /var/lib/orchestrator /var/lib/orchestrator/blobs
COPY --from=build /opt/venv /opt/venv
COPY definitions /app/definitions
COPY deploy/healthcheck.py deploy/replay_gate.py /app/
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ORCHESTRATOR_DEFINITIONS_DIR=/app/definitions \
    ORCHESTRATOR_BLOB_DIR=/var/lib/orchestrator/blobs \
    ORCHESTRATOR_STORAGE_URL=sqlite:////var/lib/orchestrator/storage.db \
    ORCHESTRATOR_DEV_DB_FILE=/var/lib/orchestrator/dev.db
USER 10001:10001
WORKDIR /workspace
VOLUME ["/var/lib/orchestrator"]
# Asks /healthz where ORCHESTRATOR_HEALTH_ADDRESS says a worker serves it; a command without it has nothing to ask.
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 CMD ["python", "/app/healthcheck.py"]
ENTRYPOINT ["orchestrator"]
CMD ["--help"]
