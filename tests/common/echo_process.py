"""The echo service as a process of its own, the way a service's ``__main__`` runs: settings from the
environment.
"""

from __future__ import annotations

import threading
from typing import Any

from services.common.clock import SystemClock
from services.common.logs import get_logger
from services.common.server import ServerBuilder, run
from tests.common.echo_service import ALLOW, SERVICE, EchoService, Response, Settings, register


def build() -> ServerBuilder:
    """The service, whose handler says when it was entered and holds a call that says ``hold`` until the
    drain.
    """
    builder = ServerBuilder(Settings(), SystemClock())

    def say(message: Any, _: object) -> Any:
        get_logger().info("entered", text=message.text)
        if message.text == "hold":
            builder.stopping.wait()
        if message.text == "stick":
            threading.Event().wait()
        return Response(text=message.text)

    return builder.add(SERVICE, register, EchoService(say), ALLOW)


if __name__ == "__main__":
    run(build)
