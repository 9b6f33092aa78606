"""A relay for the containers of `sam local`.

Containers have a network of their own, and the sandbox answers on loopback only. The relay listens
on the container engine's bridge, for its containers alone, and passes everything on to the sandbox.
It runs only on request (`python -m sandbox relay`) and ends with the sandbox (`down`).
"""

import argparse
import asyncio
import http.client
import json
import os
import socket
import subprocess
import sys
import time

from sandbox.paths import SOURCES, SandboxError
from sandbox.process import Server

SANDBOX_HOST = "sandbox.internal"  # the name of the sandbox inside a container
SANDBOX_ACCOUNT = "000000000000"
IP_FREEBIND = getattr(
    socket, "IP_FREEBIND", 15
)  # to bind before the bridge exists: it appears with its first container (Linux, ip(7))


def start_relay(server: Server) -> tuple[str, ...]:
    """Start the relay if it does not run. Return the options that direct `sam local` to it.

    Raises SandboxError if no container engine answers.
    """
    server.request_json("/_ministack/health")
    gateway = find_bridge(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"))
    if not _is_reachable(gateway, server.port):
        _start_relay_process(server, gateway)
    return tuple(
        word
        for name in (SANDBOX_HOST, f"{SANDBOX_ACCOUNT}.{SANDBOX_HOST}")
        for word in ("--add-host", f"{name}:{gateway}")
    )


def find_bridge(engine: str) -> str:
    """Return the host's address on the engine's default network.

    Source: Docker Engine API, NetworkInspect.
    """
    if not engine.startswith("unix://"):
        raise SandboxError(
            f"the container engine is asked through a unix socket, and DOCKER_HOST is {engine}"
        )
    connection = http.client.HTTPConnection("engine")
    connection.sock = socket.socket(socket.AF_UNIX)
    try:
        connection.sock.connect(engine.removeprefix("unix://"))
        connection.request("GET", "/networks/bridge")
        return str(json.load(connection.getresponse())["IPAM"]["Config"][0]["Gateway"])
    except (OSError, LookupError, ValueError) as error:
        raise SandboxError(
            f"no container engine with a bridge answers on {engine} ({error}); start one, or set "
            "DOCKER_HOST"
        ) from error
    finally:
        connection.close()


def _is_reachable(gateway: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((gateway, port)) == 0


def _start_relay_process(server: Server, gateway: str) -> None:
    log = server.folder / "relay.log"
    with log.open("wb") as out:
        command = [sys.executable, "-m", "sandbox.relay", gateway, str(server.port)]
        process = subprocess.Popen(
            command,
            cwd=server.folder,
            env=os.environ | {"PYTHONPATH": str(SOURCES)},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    for _ in range(100):
        if "listens" in log.read_text():
            return
        if process.poll() is not None:
            raise SandboxError(f"the relay did not start: {log.read_text()[-300:]}")
        time.sleep(0.05)
    raise SandboxError(f"the relay did not listen within 5 s; see {log}")


async def pass_connections(gateway: str, port: int) -> None:
    """Pass on what arrives at the gateway's port, until the sandbox has stopped."""
    listening = socket.socket()
    listening.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((gateway, port))

    async def passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_copy_stream(reader, inner_writer), _copy_stream(inner_reader, writer))

    async with await asyncio.start_server(passed_on, sock=listening):
        print("listens", flush=True)
        while Server(port).find_pid():  # noqa: ASYNC110  -- another process's end is no event
            await asyncio.sleep(1)


async def _copy_stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


if __name__ == "__main__":
    said = argparse.ArgumentParser(prog="python -m sandbox.relay", description=__doc__)
    said.add_argument("gateway")
    said.add_argument("port", type=int)
    arguments = said.parse_args()
    asyncio.run(pass_connections(arguments.gateway, arguments.port))
