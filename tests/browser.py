"""A headless Chromium that is told what to do over its own protocol, and what it did: console, requests, pictures."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import websocket

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ANNOUNCEMENT = "DevTools listening on "
ANSWER_SECONDS = 60


def found() -> str | None:
    """Gives the browser of this machine, by CHROMIUM or by its usual names."""
    named = os.environ.get("CHROMIUM")
    return named or next((path for path in map(shutil.which, NAMES) if path), None)


class Page:
    """One tab, and everything that it said and asked for since it was opened."""

    def __init__(self, connection: websocket.WebSocket):
        self.connection = connection
        self.last = 0
        self.session: str | None = None
        self.events: list[dict] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)

    def call(self, method: str, **parameters):
        """Sends one command and gives its answer; what happens meanwhile is kept."""
        self.last += 1
        message = {"id": self.last, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.connection.send(json.dumps(message))
        while True:
            answer = json.loads(self.connection.recv())
            if answer.get("id") == self.last:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self.events.append(answer)

    def of(self, method: str) -> list[dict]:
        """Gives the parameters of every event of a kind."""
        return [event["params"] for event in self.events if event.get("method") == method]

    def open(self, address: str) -> None:
        """Opens an address and waits until it has loaded."""
        before = len(self.of("Page.loadEventFired"))
        self.call("Page.navigate", url=address)
        while len(self.of("Page.loadEventFired")) == before:
            self.events.append(json.loads(self.connection.recv()))

    def value(self, expression: str):
        """Gives what an expression comes to in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, f"{expression}: {answer['exceptionDetails']}"
        return answer["result"].get("value")

    def comes_true(self, expression: str) -> bool:
        """Tells whether an expression becomes true within some frames: following a link takes the browser a moment."""
        in_frames = f"""new Promise((resolve) => {{
            let frames = 60;
            const look = () => {{
                const met = Boolean({expression});
                if (met || !frames--) resolve(met); else setTimeout(look, 25);
            }};
            look();
        }})"""
        return self.value(in_frames)

    def show(self, width: int, scheme: str = "light", media: str = "screen") -> None:
        """Sets the width of the window, the colour scheme and the medium."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=844, deviceScaleFactor=1, mobile=width < 700
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", media=media, features=features)

    def script(self, allowed: bool) -> None:
        """Switches the scripts of pages that are opened from now on."""
        self.call("Emulation.setScriptExecutionDisabled", value=not allowed)

    def picture(self, path: Path) -> None:
        """Keeps a picture of the whole page."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 16_000), "scale": 1}
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(shot["data"]))

    def complaints(self) -> list[str]:
        """Gives everything that the console showed: messages, exceptions, refusals of the page's own policy."""
        said = [json.dumps(call["args"]) for call in self.of("Runtime.consoleAPICalled")]
        thrown = [json.dumps(thrown["exceptionDetails"]) for thrown in self.of("Runtime.exceptionThrown")]
        logged = [f"{entry['entry']['level']}: {entry['entry']['text']}" for entry in self.of("Log.entryAdded")]
        return said + thrown + logged

    def requests(self) -> list[str]:
        """Gives every address that was asked for."""
        return [asked["request"]["url"] for asked in self.of("Network.requestWillBeSent")]


@contextlib.contextmanager
def running() -> Iterator[Page]:
    """Starts the browser with a profile of its own and gives a tab."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            found(), "--headless=new", "--remote-debugging-port=0", f"--user-data-dir={profile}", "--no-first-run",
            "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--hide-scrollbars",
        ]
        if os.geteuid() == 0:
            # Chromium refuses to run as root, as containers do, with its sandbox.
            command.append("--no-sandbox")
        process = subprocess.Popen(
            [*command, "about:blank"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        )
        try:
            address = next(
                line.removeprefix(ANNOUNCEMENT).strip() for line in process.stderr if line.startswith(ANNOUNCEMENT)
            )
            connection = websocket.create_connection(address, timeout=ANSWER_SECONDS, suppress_origin=True)
            yield Page(connection)
            connection.close()
        finally:
            process.terminate()
            process.wait()
            process.stderr.close()
