"""Runs `sre-agent emulate` beside a test and gives its address.

As a program: `emulator_process.py SCENARIO COMMAND...` runs the command with EMULATOR_ENDPOINT set.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
import tomllib
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
COMMAND_LINE = Path(os.environ.get("SRE_AGENT_CLI_BINARY", TARGET / "debug" / "sre-agent"))
START_SECONDS = 30
ANNOUNCEMENT = "listening on "


class Emulator:
    """A running emulator: what it was started with, and what it received."""

    def __init__(self, scenario: Path, endpoint: str):
        self.scenario = scenario
        self.endpoint = endpoint

    def received(self, what: str) -> list:
        """Gives one of the emulator's lists: slack, published, objects, requests or unsupported."""
        with urllib.request.urlopen(f"{self.endpoint}/emulator/{what}", timeout=10) as answer:
            return json.load(answer)

    def settings(self) -> dict:
        """Gives the scenario's own description."""
        return tomllib.loads((self.scenario / "scenario.toml").read_text(encoding="utf-8"))

    def secrets(self) -> list[str]:
        """Gives the secrets planted in the scenario."""
        truth = tomllib.loads((self.scenario / "truth.toml").read_text(encoding="utf-8"))
        return truth["secrets"]["values"]


@contextlib.contextmanager
def running(scenario: Path, allowed: Iterable[str] = (), options: Iterable[str] = ()) -> Iterator[Emulator]:
    """Starts the emulator on a free port, waits until it listens, and stops it at the end.

    With actions in `allowed`, it denies every other one, as AWS denies what a role does not grant.
    """
    grants = [word for action in sorted(allowed) for word in ("--allow", action)]
    process = subprocess.Popen(
        [COMMAND_LINE, "emulate", scenario, "--port", "0", *grants, *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    # Read on a thread: a pipe that nobody empties would stop the emulator in the middle of the test.
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=lambda: [lines.put(line) for line in process.stderr], daemon=True).start()
    try:
        yield Emulator(scenario, _address(lines, process))
    finally:
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _address(lines: queue.Queue[str], process: subprocess.Popen) -> str:
    said = []
    ends = time.monotonic() + START_SECONDS
    while time.monotonic() < ends:
        try:
            line = lines.get(timeout=0.2)
        except queue.Empty:
            if process.poll() is not None and lines.empty():
                break
            continue
        said.append(line)
        if ANNOUNCEMENT in line:
            return line.split(ANNOUNCEMENT, 1)[1].split()[0]
    raise RuntimeError(f"the emulator did not start listening within {START_SECONDS} s, it said:\n{''.join(said)}")


def main() -> int:
    """Runs a command with an emulator beside it and returns the command's exit code."""
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    with running(Path(sys.argv[1])) as emulator:
        return subprocess.run(sys.argv[2:], env=os.environ | {"EMULATOR_ENDPOINT": emulator.endpoint}).returncode


if __name__ == "__main__":
    sys.exit(main())
