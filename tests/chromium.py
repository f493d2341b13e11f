"""Headless Chromium over the DevTools protocol: open a page, ask it things, take its picture."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
)
START_S = 60


def find() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for name in names if (path := shutil.which(name))), None)


class Page:
    """One tab."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._events: set[str] = set()

    async def command(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._ids)
        await self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while (reply := await self._receive()).get("id") != number:
            pass
        assert "error" not in reply, reply
        return reply["result"]

    async def open(self, url: str) -> None:
        """Go to an address and wait until it has loaded."""
        await self.command("Page.enable")
        await self.command("Page.navigate", url=url)
        while "Page.loadEventFired" not in self._events:
            await self._receive()

    async def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression, awaited when it is a promise.

        It runs as if a person had clicked, without which a browser plays no sound.
        """
        result = await self.command(
            "Runtime.evaluate",
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def until(self, expression: str, timeout_s: float = 40) -> Any:
        """Return the value of an expression once it is true to JavaScript."""
        value = None
        async with asyncio.timeout(timeout_s):
            while not value:
                # A page that is just being loaded anew answers with an error.
                with contextlib.suppress(AssertionError):
                    value = await self.evaluate(expression)
                await asyncio.sleep(0.1)
        return value

    async def _receive(self) -> dict[str, Any]:
        message = json.loads(await self._socket.recv())
        self._events.add(message.get("method", ""))
        return message

    async def show_as(self, width: int, height: int, scheme: str) -> None:
        """Give the tab a size and a colour scheme."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await self.command("Emulation.setEmulatedMedia", features=features)
        await self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    async def screenshot(self) -> bytes:
        """Return a PNG of what the tab shows."""
        result = await self.command("Page.captureScreenshot", format="png")
        return base64.b64decode(result["data"])


@contextlib.asynccontextmanager
async def browser(binary: str, folder: Path, url: str) -> AsyncIterator[Page]:
    """Open a page in a fresh browser that keeps its files in an empty folder."""
    process = await asyncio.create_subprocess_exec(
        binary,
        *FLAGS,
        f"--user-data-dir={folder}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(START_S):
            port = await _debugging_port(process)
            async with httpx.AsyncClient(trust_env=False) as http:
                tabs = (await http.get(f"http://127.0.0.1:{port}/json/list")).json()
        address = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
        async with connect(address, max_size=32 << 20, proxy=None) as socket:
            page = Page(socket)
            async with asyncio.timeout(START_S):
                await page.open(url)
            yield page
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.communicate()


async def _debugging_port(process: asyncio.subprocess.Process) -> int:
    assert process.stderr is not None
    async for line in process.stderr:
        if b"DevTools listening on ws://" in line:
            return int(line.split(b"ws://")[1].split(b"/")[0].rsplit(b":", 1)[1])
    raise AssertionError("Chromium ended before it listened")
