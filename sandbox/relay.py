"""The way in for the containers of `sam local`: they have a network of their own, and the sandbox answers on loopback only.

A relay listens on the container engine's bridge, for its containers alone, and passes everything on to the sandbox. It runs
only when asked for (`python -m sandbox relay`) and ends with the sandbox (`down`).
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

from sandbox.process import ROOT, Server, Trouble

HOST = "sandbox.internal"  # what the sandbox is called inside a container
ACCOUNT = "000000000000"
BIND_TO_WHAT_IS_NOT_THERE_YET = getattr(socket, "IP_FREEBIND", 15)  # the bridge appears with its first container (Linux, ip(7))


def start(server: Server) -> tuple[str, ...]:
    """Start the relay if it does not run, and return the options that lead `sam local` to it; Trouble if no engine answers."""
    server.ask("/_ministack/health")
    gateway = bridge(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"))
    if not _reached(gateway, server.port):
        _run(server, gateway)
    return tuple(word for name in (HOST, f"{ACCOUNT}.{HOST}") for word in ("--add-host", f"{name}:{gateway}"))


def bridge(engine: str) -> str:
    """The host's address on the engine's default network (Docker Engine API, NetworkInspect)."""
    if not engine.startswith("unix://"):
        raise Trouble(f"the container engine is asked through a unix socket, and DOCKER_HOST is {engine}")
    connection = http.client.HTTPConnection("engine")
    connection.sock = socket.socket(socket.AF_UNIX)
    try:
        connection.sock.connect(engine.removeprefix("unix://"))
        connection.request("GET", "/networks/bridge")
        return str(json.load(connection.getresponse())["IPAM"]["Config"][0]["Gateway"])
    except (OSError, LookupError, ValueError) as error:
        raise Trouble(
            f"no container engine with a bridge answers on {engine} ({error}); start one, or set DOCKER_HOST"
        ) from error
    finally:
        connection.close()


def _reached(gateway: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((gateway, port)) == 0


def _run(server: Server, gateway: str) -> None:
    log = server.folder / "relay.log"
    with log.open("wb") as out:
        command = [sys.executable, "-m", "sandbox.relay", gateway, str(server.port)]
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
    for _ in range(100):
        if "listens" in log.read_text():
            return
        if process.poll() is not None:
            raise Trouble(f"the relay did not start: {log.read_text()[-300:]}")
        time.sleep(0.05)
    raise Trouble(f"the relay did not listen within 5 s; see {log}")


async def relay(gateway: str, port: int) -> None:
    """Pass on what arrives at the gateway's port, until the sandbox is gone."""
    listening = socket.socket()
    listening.setsockopt(socket.IPPROTO_IP, BIND_TO_WHAT_IS_NOT_THERE_YET, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((gateway, port))

    async def passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_pipe(reader, inner_writer), _pipe(inner_reader, writer))

    async with await asyncio.start_server(passed_on, sock=listening):
        print("listens", flush=True)
        while Server(port).running():  # noqa: ASYNC110  -- another process's end is no event
            await asyncio.sleep(1)


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
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
    told = said.parse_args()
    asyncio.run(relay(told.gateway, told.port))
