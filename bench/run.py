"""Measures the function beside a bare one in one run, and writes docs/performance.md: `make bench`.

Everything is measured on this machine under AWS's runtime interface emulator, so only ratios and the overhead over what
AWS and the models take mean anything elsewhere. Fails where a target is missed; `--check` writes nothing.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "packaging")]

import package  # noqa: E402
import rie  # noqa: E402
from emulator_process import TARGET, running  # noqa: E402

SCENARIO = ROOT / "scenarios" / "lambda-bad-deploy"
ALARM = (ROOT / "events" / "sns-metric-alarm.json").read_bytes()
NO_ALARM = (ROOT / "events" / "sns-not-an-alarm.json").read_bytes()
PAGE = ROOT / "docs" / "performance.md"
PROCESSOR = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
STARTS = 41
RUNS = 5
SLOW_RUNS = 3
AWS_SECONDS, MODEL_SECONDS = 0.05, 2.0
MOST_INIT_RATIO, MOST_MEMORY_MB, MOST_ZIP_MB, MOST_OVERHEAD = 1.5, 40.0, 8.0, 0.10


@dataclasses.dataclass(frozen=True)
class Start:
    """How a process started, in milliseconds under the runtime emulator and alone, and its peak memory after one event in MB."""

    init_ms: float
    ready_ms: float
    peak_mb: float


@dataclasses.dataclass(frozen=True)
class Investigated:
    """One investigation: milliseconds in all and on the critical path of its requests, their number, peak memory in MB."""

    total_ms: float
    path_ms: float
    requests: int
    peak_mb: float

    @property
    def overhead_ms(self) -> float:
        """The agent's own time: what is left of the whole without the critical path."""
        return self.total_ms - self.path_ms


def build(binary: str, package_name: str) -> Path:
    """Builds a binary as it is shipped and gives the zip."""
    command = ["cargo-lambda", "lambda", "build", "--release", "--locked", "--package", package_name, "--bin", binary]
    folder = TARGET / "bench"
    for form in ("binary", "zip"):
        subprocess.run([*command, "--output-format", form, "--lambda-dir", str(folder)], cwd=ROOT, check=True)
    return folder / binary / "bootstrap.zip"


def invoke(address: str, event: bytes) -> float:
    """Sends an event and gives the milliseconds until the answer."""
    began = time.monotonic()
    with urllib.request.urlopen(urllib.request.Request(address, event, method="POST"), timeout=300) as answer:
        said = answer.read()
    took = (time.monotonic() - began) * 1000
    assert b"errorType" not in said, said
    return took


def peak_mb(bootstrap: Path) -> float:
    """Gives the most memory that the running process of this file has held."""
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and (process / "exe").resolve() == bootstrap.resolve():
                (line,) = [each for each in (process / "status").read_text().splitlines() if each.startswith("VmHWM")]
                return int(line.split()[1]) * 1024 / 1e6
        except OSError:
            continue
    raise RuntimeError(f"{bootstrap} does not run")


def variables(emulator, depth: str) -> dict[str, str]:
    """Gives the deployed function's environment, with its state in memory: the emulator has no tables."""
    told = rie.environment(emulator, rie.deployed(SCENARIO), dynamodb=emulator.endpoint)
    return told | {"SRE_AGENT_STATE_TABLE": "", "SRE_AGENT_SEED": "7", "SRE_AGENT_DEPTH": depth}


def ready_ms(binary: Path, told: dict[str, str]) -> float:
    """Gives the milliseconds from the start of a process until it asks for its first event."""
    with socket.socket() as runtime:
        runtime.bind(("127.0.0.1", 0))
        runtime.listen()
        api = f"127.0.0.1:{runtime.getsockname()[1]}"
        told = told | {"AWS_LAMBDA_RUNTIME_API": api, "AWS_LAMBDA_FUNCTION_VERSION": "1"}
        began = time.monotonic()
        process = subprocess.Popen([binary], env=told, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            runtime.settimeout(30)
            asking, _ = runtime.accept()
            with asking:
                asking.recv(1)
                return (time.monotonic() - began) * 1000
        finally:
            process.kill()
            process.wait()


def start(binary: Path, event: bytes, emulator) -> Start:
    """Starts a function; the runtime emulator starts the process at the first event, so the second one shows what that took."""
    with tempfile.TemporaryDirectory() as folder:
        rie.FUNCTION = binary
        told = variables(emulator, "full")
        with rie.function(Path(folder), told) as (address, _):
            first = invoke(address, event)
            again = min(invoke(address, event) for _ in range(3))
            return Start(first - again, ready_ms(binary, told), peak_mb(Path(folder) / "bootstrap"))


def critical_path_ms(requests: list[dict]) -> float:
    """Gives what the requests took that waited for one another: from the last back to what ended last before each began."""
    path, current = 0.0, max(requests, key=lambda each: each["answered_ms"])
    while current:
        path += current["answered_ms"] - current["arrived_ms"]
        before = [each for each in requests if each["answered_ms"] <= current["arrived_ms"] and each is not current]
        current = max(before, key=lambda each: each["answered_ms"], default=None)
        requests = before
    return path


def investigated(binary: Path, depth: str, *options: str) -> Investigated:
    """Sends the alarm to a function that has started."""
    with tempfile.TemporaryDirectory() as folder, running(SCENARIO, options=options) as emulator:
        rie.FUNCTION = binary
        with rie.function(Path(folder), variables(emulator, depth)) as (address, log):
            invoke(address, NO_ALARM)
            before = len(emulator.received("requests"))
            total = invoke(address, ALARM)
            requests = emulator.received("requests")[before:]
            assert emulator.received("slack"), log.read_text(errors="replace")
            answered = [each for each in requests if each["answered_ms"] is not None]
            return Investigated(total, critical_path_ms(answered), len(requests), peak_mb(Path(folder) / "bootstrap"))


def median(runs: list[Investigated]) -> Investigated:
    """Gives the run in the middle by its overhead."""
    return sorted(runs, key=lambda run: run.overhead_ms)[len(runs) // 2]


def met(holds: bool) -> str:
    """Says whether a target is met."""
    return "met" if holds else "**missed**"


def processor() -> str:
    """Names this machine's processor and its cores."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.machine()
    return f"{name}, {os.cpu_count()} cores"


def page() -> tuple[str, bool]:
    """Measures everything; gives the page, and whether every target is met."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    packed = build(package.BINARY, "sre-agent")
    agent = packed.parent / "bootstrap"
    hello = build("sre-agent-hello", "sre-agent-hello").parent / "bootstrap"
    starts: dict[Path, list[Start]] = {agent: [], hello: []}
    with running(SCENARIO) as emulator:
        # Turn by turn, so that whatever else the machine does weighs on both.
        for _ in range(STARTS):
            for binary, event in ((agent, NO_ALARM), (hello, b'{"a": 1}')):
                starts[binary].append(start(binary, event, emulator))
    slow = ("--latency", str(AWS_SECONDS), "--model-latency", str(MODEL_SECONDS))
    facts, report = (median([investigated(agent, depth) for _ in range(RUNS)]) for depth in ("facts", "full"))
    slow_facts, slow_report = (
        median([investigated(agent, depth, *slow) for _ in range(SLOW_RUNS)]) for depth in ("facts", "full")
    )

    init = {binary: statistics.median(each.init_ms for each in starts[binary]) for binary in starts}
    idle = {binary: statistics.median(each.peak_mb for each in starts[binary]) for binary in starts}
    ready = {binary: statistics.median(each.ready_ms for each in starts[binary]) for binary in starts}
    ratio = init[agent] / init[hello]
    memory = max(each.peak_mb for each in (facts, report, slow_facts, slow_report))
    zip_mb = packed.stat().st_size / 1e6
    hello_zip = (hello.parent / "bootstrap.zip").stat().st_size / 1e6
    overhead = slow_report.overhead_ms / slow_report.path_ms
    verdicts = [ratio <= MOST_INIT_RATIO, memory < MOST_MEMORY_MB, zip_mb < MOST_ZIP_MB, overhead < MOST_OVERHEAD]

    def row(name: str, run: Investigated) -> str:
        return (
            f"| {name} | {run.total_ms:.0f} ms | {run.path_ms:.0f} ms | {run.overhead_ms:.0f} ms "
            f"| {100 * run.overhead_ms / run.path_ms:.1f} % | {run.requests} |"
        )

    text = f"""# Performance

Written by `make bench` on {processor()}, for {PROCESSOR}.
Other machines give other milliseconds; what carries over are the ratios, since both sides were measured in turn in one
run. The function runs as it is shipped (release, linked by zig) under AWS's runtime interface emulator, against the local
AWS of `sre-agent emulate lambda-bad-deploy`.

## Against a bare function

The other side is `bench/hello`: `lambda_runtime` and nothing else, from the same lock file, built with the same options.

| | agent | bare function | ratio | target | |
|---|---|---|---|---|---|
| init, median of {STARTS} | {init[agent]:.1f} ms | {init[hello]:.1f} ms | {ratio:.2f} | at most {MOST_INIT_RATIO} | {met(verdicts[0])} |
| start to the first request for an event | {ready[agent]:.1f} ms | {ready[hello]:.1f} ms | {ready[agent] / ready[hello]:.2f} | | |
| memory after the start | {idle[agent]:.1f} MB | {idle[hello]:.1f} MB | {idle[agent] / idle[hello]:.2f} | | |
| peak memory of a full investigation | {memory:.1f} MB | | | under {MOST_MEMORY_MB:.0f} MB | {met(verdicts[1])} |
| zip | {zip_mb:.2f} MB | {hello_zip:.2f} MB | {zip_mb / hello_zip:.2f} | under {MOST_ZIP_MB:.0f} MB | {met(verdicts[2])} |

Init is the time of the first event, in which the runtime emulator starts the process, less that of the same event sent
again; the event is no alarm. It holds what the handler does for the first time; the row below it does not. Memory is the
process's peak resident set, its file's pages among it. Lambda adds the start of its machine to both sides of init, so the
ratio there is smaller.

## Against what AWS and the models take

From the event to the function's answer, in a process that has started. The critical path is computed from the emulator's
record of requests: from the last one back to what ended last before each began. The overhead is the rest: the agent's own
work, and this machine's. The state is kept in memory; a state table adds its own round trips to both sides.

| | whole | critical path | overhead | of the path | requests |
|---|---|---|---|---|---|
{row("alarm to facts, AWS and models answer at once", facts)}
{row("alarm to report, AWS and models answer at once", report)}
{row(f"alarm to facts, AWS takes {AWS_SECONDS * 1000:.0f} ms", slow_facts)}
{row(f"alarm to report, AWS takes {AWS_SECONDS * 1000:.0f} ms, a model {MODEL_SECONDS:.0f} s", slow_report)}

Target: the overhead of the last row is under {100 * MOST_OVERHEAD:.0f} % of its critical path: {met(verdicts[3])}.
"""
    return text, all(verdicts)


def main() -> int:
    """Measures, prints the page, and writes it unless only a check is wanted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    arguments = parser.parse_args()
    text, holds = page()
    print(text)
    if not arguments.check:
        PAGE.write_text(text, encoding="utf-8")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
