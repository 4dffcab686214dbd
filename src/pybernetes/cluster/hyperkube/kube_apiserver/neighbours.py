"""How the controllers and the scheduler beside an API server are: what ComponentStatuses tell of them.

As upstream does, they are looked for on this machine, at the ports that they have if nobody says otherwise.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable

from pybernetes.apiserver.endpoints import components
from pybernetes.cluster.hyperkube.ports import flags

# How long an answer may take, in seconds.
PATIENCE = 20.0
HTTP_OK = range(200, 400)


def checks() -> dict[str, Callable[[], Awaitable[components.Condition]]]:
    """By the names that ComponentStatuses have."""
    return {
        "controller-manager": lambda: _ask(flags.CONTROLLER_MANAGER),
        "scheduler": lambda: _ask(flags.SCHEDULER),
    }


async def _ask(port: int) -> components.Condition:
    # Slow to import, and hardly ever asked for.
    import aiohttp

    url = f"https://127.0.0.1:{port}/healthz"
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE)) as session,
            session.get(url, ssl=False) as answer,
        ):
            text = await answer.text()
            if answer.status in HTTP_OK:
                return components.Condition(True, text)
            return components.Condition(False, f"HTTP probe failed with statuscode: {answer.status}")
    except TimeoutError:
        return components.Condition(None, error=f'Get "{url}": context deadline exceeded')
    except aiohttp.ClientConnectorError as error:
        why = os.strerror(error.os_error.errno).lower() if error.os_error.errno else str(error)
        return components.Condition(None, error=f'Get "{url}": dial tcp 127.0.0.1:{port}: connect: {why}')
    except aiohttp.ClientError as error:
        return components.Condition(None, error=f'Get "{url}": {error}')
