"""The one Temporal runtime of a process: it logs with us, and answers Prometheus where the settings ask for that."""

import logging
import socket

from temporalio.client import Client
from temporalio.common import MetricMeter
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)

from orchestrator.addresses import split
from orchestrator.errors import SettingsError
from orchestrator.settings import Settings, variable_name

__all__ = ["meter_of", "native_logs", "open_runtime", "reserved"]

_NODE_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3_600.0)
_MODEL_BUCKETS = (
    0.1,
    0.25,
    0.5,
    1.0,
    2.0,
    3.0,
    5.0,
    7.5,
    10.0,
    15.0,
    20.0,
    30.0,
    45.0,
    60.0,
    90.0,
    120.0,
    300.0,
    600.0,
)
_FIRST_TOKEN_BUCKETS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0, 20.0, 30.0, 60.0)
_RATE_WAIT_BUCKETS = (0.01, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3_600.0)
_RUN_BUCKETS = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1_800.0, 7_200.0, 43_200.0, 86_400.0, 604_800.0, 2_592_000.0)


def open_runtime(settings: Settings) -> Runtime:
    """A runtime that every client of this process should use; it answers Prometheus if the settings say where.

    Raises:
        SettingsError: Nothing can listen there.
    """
    if settings.metrics_address is None:
        return Runtime(telemetry=TelemetryConfig(logging=native_logs()))
    # The SDK's own endpoint only logs that its port is taken, and the worker would go on without metrics.
    reserved(settings.metrics_address, variable_name("metrics_address")).close()
    metrics = PrometheusConfig(
        bind_address=settings.metrics_address,
        counters_total_suffix=True,
        durations_as_seconds=True,
        histogram_bucket_overrides={
            "orchestrator_node_seconds": _NODE_BUCKETS,
            "orchestrator_model_seconds": _MODEL_BUCKETS,
            "orchestrator_model_first_token_seconds": _FIRST_TOKEN_BUCKETS,
            "orchestrator_model_rate_wait_seconds": _RATE_WAIT_BUCKETS,
            "orchestrator_run_seconds": _RUN_BUCKETS,
        },
    )
    try:
        return Runtime(telemetry=TelemetryConfig(logging=native_logs(), metrics=metrics))
    except (RuntimeError, ValueError) as error:
        raise SettingsError(
            f"{variable_name('metrics_address')}: metrics cannot be served at {settings.metrics_address}: {error}."
        ) from error


def native_logs() -> LoggingConfig:
    """Has the SDK's native part log through Python: by itself it writes lines of another form, between ours."""
    return LoggingConfig(
        filter=TelemetryFilter(core_level="WARN", other_level="ERROR"),
        forwarding=LogForwardingConfig(
            logger=logging.getLogger("temporalio.core"),
            append_target_to_name=False,
            prepend_target_on_message=False,
            append_log_fields_to_message=False,
        ),
    )


def meter_of(client: Client) -> MetricMeter:
    """What the runtime of ``client`` counts with."""
    return (client.service_client.config.runtime or Runtime.default()).metric_meter


def reserved(address: str, variable: str) -> socket.socket:
    """A socket that listens at ``address``; ``variable`` is the setting it comes from.

    Raises:
        SettingsError: The address is taken, or is not this machine's.
    """
    host, port = split(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # As the SDK's own endpoint does at [::]: where pods have IPv6 addresses as well, some ask by IPv4.
    both = host == "::" and socket.has_dualstack_ipv6()
    try:
        return socket.create_server((host, port), family=family, dualstack_ipv6=both)
    except OSError as error:
        raise SettingsError(f"{variable}: nothing can listen at {address}: {error.strerror}.") from error
