"""Worker Versioning, from the two variables that Temporal's Worker Controller sets."""

import os
import re
from collections.abc import Mapping

from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import WorkerDeploymentConfig

from orchestrator.errors import SettingsError

__all__ = ["deployment"]

_NAME, _BUILD = "TEMPORAL_DEPLOYMENT_NAME", "TEMPORAL_WORKER_BUILD_ID"
_GOOD = re.compile(r"[^\s.]{1,200}")


def deployment(environment: Mapping[str, str] = os.environ) -> WorkerDeploymentConfig | None:
    """What a worker says of its version; none without the two variables: then it is not versioned.

    Runs move to the current version by themselves (AUTO_UPGRADE): what is recorded of them must replay on every build.

    Raises:
        SettingsError: One of the two is set without the other, or is no name.
    """
    name, build = environment.get(_NAME, ""), environment.get(_BUILD, "")
    if bool(name) != bool(build):
        there, missing = (_NAME, _BUILD) if name else (_BUILD, _NAME)
        raise SettingsError(f"{there} is set and {missing} is not: Worker Versioning needs both, or neither.")
    if not name:
        return None
    # The server separates name and build id by a dot in older interfaces, and refuses it in a name.
    if not _GOOD.fullmatch(name):
        raise SettingsError(f"{_NAME} must be a name without blanks and dots, and is {name!r}.")
    if len(build) > 200 or any(character.isspace() for character in build):  # noqa: PLR2004 - see _GOOD
        raise SettingsError(f"{_BUILD} must be a name without blanks, of at most 200 characters, and is {build!r}.")
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(name, build),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
    )
