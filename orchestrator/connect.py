"""Connects to Temporal as its own client environment says: TEMPORAL_ADDRESS, TLS variables, profile file."""

import asyncio
import re
from datetime import timedelta
from typing import cast

from temporalio.client import Client
from temporalio.envconfig import ClientConfig, ClientConnectConfig
from temporalio.runtime import Runtime

from orchestrator.encryption import data_converter
from orchestrator.errors import OrchestratorError, ServerUnavailableError, SettingsError
from orchestrator.operating.traces import client_traces
from orchestrator.settings import Settings, load_settings

__all__ = ["CONNECT_TIMEOUT", "DEFAULT_ADDRESS", "connect", "connect_to", "connection_config"]

DEFAULT_ADDRESS = "localhost:7233"
CONNECT_TIMEOUT = 5.0
"""Seconds a server has to answer."""

_BAD_TLS = re.compile(r"PrivateKeyParseError|CertificateParseError|InvalidCertificate|UnknownIssuer|\bPEM\b")
_REFUSED = re.compile(r"code: (Unauthenticated|PermissionDenied)")
_REASON = re.compile(r'message: "([^"]{1,200})"|error: "([^"]{1,200})"')


def connection_config() -> ClientConnectConfig:
    """The connection that TEMPORAL_* variables and the profile file ask for; empty where they ask for nothing.

    Raises:
        SettingsError: The profile, or a file it names, cannot be read.
    """
    try:
        return ClientConfig.load_client_connect_config()
    # The loader raises an error type of the SDK's native part, which derives from Exception only.
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise SettingsError(
            f"The Temporal connection settings cannot be read: {reason}. "
            "Check the TEMPORAL_* variables and the profile file (TEMPORAL_CONFIG_FILE, TEMPORAL_PROFILE)."
        ) from error


async def connect(
    *,
    timeout: float = CONNECT_TIMEOUT,  # noqa: ASYNC109 - also bounds what the SDK does
    settings: Settings | None = None,
    runtime: Runtime | None = None,
) -> Client:
    """A client of the server that the environment names, ``localhost:7233`` when it names none.

    Args:
        timeout: Seconds the server has to answer.
        settings: Whether and how payloads are encrypted; none reads the settings of this process.
        runtime: The runtime of this process; none for the SDK's default one.

    Raises:
        ServerUnavailableError: Nothing answers there in time.
        SettingsError: The connection settings are wrong, or the server refuses them.
    """
    return await _connect(connection_config(), timeout, settings, runtime)


async def connect_to(
    address: str,
    *,
    namespace: str = "default",
    timeout: float = CONNECT_TIMEOUT,  # noqa: ASYNC109 - also bounds what the SDK does
    settings: Settings | None = None,
) -> Client:
    """A client of the server at ``address`` (``host:port``, without TLS), whatever the environment says.

    Args:
        address: Where the server listens.
        namespace: The Temporal namespace.
        timeout: Seconds the server has to answer.
        settings: Whether and how payloads are encrypted; none reads the settings of this process.

    Raises:
        ServerUnavailableError: Nothing answers there in time.
        SettingsError: ``address`` is not an address.
    """
    return await _connect({"target_host": address, "namespace": namespace}, timeout, settings, None)


async def _connect(
    config: ClientConnectConfig,
    timeout: float,  # noqa: ASYNC109 - see connect
    settings: Settings | None,
    runtime: Runtime | None,
) -> Client:
    address = config.get("target_host", DEFAULT_ADDRESS)
    if "://" in address:
        raise SettingsError(f"TEMPORAL_ADDRESS must be host:port without a scheme, and is {address!r}.")
    converter = data_converter(settings or load_settings())
    try:
        # The SDK's own timeout covers the TCP connection; a server that accepts and stays silent needs the outer one.
        async with asyncio.timeout(timeout):
            return await Client.connect(
                **cast("ClientConnectConfig", {**config, "target_host": address}),
                data_converter=converter,
                runtime=runtime,
                **client_traces(),
                connect_timeout=timedelta(seconds=timeout),
            )
    except TimeoutError as error:
        raise _unavailable(address, f"no answer within {timeout:g} seconds") from error
    except ValueError as error:
        raise SettingsError(f"TEMPORAL_ADDRESS must be host:port, and is {address!r}: {error}.") from error
    except RuntimeError as error:
        raise _explained(address, str(error)) from error


def _explained(address: str, text: str) -> OrchestratorError:
    if _BAD_TLS.search(text):
        return SettingsError(
            f"The TLS settings for Temporal at {address} are not usable. Check TEMPORAL_TLS_CLIENT_CERT_PATH, "
            "TEMPORAL_TLS_CLIENT_KEY_PATH and TEMPORAL_TLS_SERVER_CA_CERT_PATH (or the profile file)."
        )
    if _REFUSED.search(text):
        return SettingsError(
            f"Temporal at {address} refuses the credentials. Check TEMPORAL_API_KEY, TEMPORAL_NAMESPACE and the "
            "client certificate."
        )
    found = _REASON.search(text)
    return _unavailable(address, (found[1] or found[2]) if found else "the connection failed")


def _unavailable(address: str, reason: str) -> ServerUnavailableError:
    return ServerUnavailableError(
        f"No Temporal server answers at {address}: {reason}. Start one with `orchestrator dev`, or point "
        "TEMPORAL_ADDRESS to a server that runs.",
        details={"address": address, "reason": reason},
    )
