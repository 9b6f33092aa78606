"""Chromium opens a page that attacks a sandbox: `make test-browser`.

The browser is not among the project's tools: Debian's package `chromium` brings it. Its name for
attackers' hosts is resolved to loopback by an option, as their own DNS would.
"""

import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from urllib.parse import unquote

import pytest

from tests.browser.attack import list_attack, list_made, write_page
from tests.conftest import ACCOUNT, Sandbox

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
PAGE_SECONDS = 60


@pytest.fixture(scope="module")
def target(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return start_sandbox()


@pytest.fixture(scope="module")
def browser() -> str:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert found, f"no browser is on PATH; install one of {', '.join(BROWSERS)}, and run this again"
    return found


@contextmanager
def serve_page(page: str) -> Iterator[tuple[int, "Queue[str]"]]:
    """Serve the page on loopback; yield the port, and what pages say when they are done."""
    said: Queue[str] = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/done?"):
                said.put(unquote(self.path.partition("?")[2]))
            body = page.encode() if self.path == "/" else b""
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1], said
    finally:
        server.shutdown()
        server.server_close()


def build_command(browser: str, folder: Path, *words: str) -> list[str]:
    return [
        browser,
        "--headless",
        "--no-sandbox",  # of Chromium's own, which containers and root lack
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        f"--user-data-dir={folder}",
        "--host-resolver-rules=MAP *.example 127.0.0.1",
        *words,
    ]


@contextmanager
def open_page(browser: str, folder: Path, url: str) -> Iterator[None]:
    command = build_command(browser, folder, "--remote-debugging-port=0", url)
    with (folder / "browser.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.parametrize("host", ["attacker.example", "127.0.0.1"])
@pytest.mark.parametrize("key", ["test", ACCOUNT])
def test_a_page_in_chromium_makes_no_role_and_runs_no_code(
    target: Sandbox, browser: str, tmp_path: Path, host: str, key: str
):
    proof, folder = tmp_path / "proof", tmp_path / "browser"
    folder.mkdir()
    page = write_page(target.port, list(list_attack(key, proof)))

    with serve_page(page) as (port, said), open_page(browser, folder, f"http://{host}:{port}/"):
        answers = json.loads(said.get(timeout=PAGE_SECONDS))

    assert list_made(target, proof) == []
    # The requests left the browser: it hides the answer, and would say if it had sent nothing.
    assert answers == ["opaque"] * 3
    assert target.client("sts").get_caller_identity()["Account"] == ACCOUNT


@pytest.mark.parametrize("host", ["rebound.example", "127.0.0.1"])
def test_chromium_reads_no_credentials_from_an_address_that_it_opens(
    target: Sandbox, browser: str, tmp_path: Path, host: str
):
    url = f"http://{host}:{target.port}/_sandbox/notebook?profile=userA"
    command = build_command(browser, tmp_path, "--dump-dom", url)

    shown = subprocess.run(
        command, capture_output=True, text=True, timeout=PAGE_SECONDS, check=False
    )

    assert "The sandbox" in shown.stdout
    assert ("is not" if host == "rebound.example" else "answers no web page") in shown.stdout
