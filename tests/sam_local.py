"""README's "By hand", word for word: `sam build`, then `sam local invoke` in Docker against the emulator on this machine.

Two things differ from a person's machine. No image is pulled: where AWS's own base image is not there, one made of this
machine's files stands in under the name that SAM looks for, and is removed at the end. And unless SAM_BUILD_MODE says
"release", the build is cargo's dev profile, linked by this machine's C compiler and with the workspace's features: the
very binary that the step `build` left, so that AWS's SDKs are not compiled a second time. A release build is linked by
zig for Lambda's glibc and optimised: `SAM_BUILD_MODE=release tests/run.sh sam-local` tries that one.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest

from emulator_process import ROOT, TARGET, running
from rie import deployed, granted_actions

BUILD = "sam build"
INVOKE = "sam local invoke InvestigateFunction -e events/sns-metric-alarm.json"
VARIABLES = "events/env-vars/emulator.json"
PORT = "4600"
MACHINE = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
REPOSITORY = "public.ecr.aws/lambda/provided"
BASE = f"{REPOSITORY}:al2023-{MACHINE}"
# What SAM makes of the base image: the same with its runtime interface emulator in it.
WITH_EMULATOR = f"{REPOSITORY}:al2023-rapid-{MACHINE}"
STANDS_IN = "sre-agent.stands-in"
BUILD_SECONDS = 3600
INVOKE_SECONDS = 300


def loud(text: str) -> None:
    """Says something that must be read whether or not the test passes."""
    print(f"\n{text}\n", flush=True)


def docker(*arguments: str, check: bool = True) -> str:
    """Runs the Docker client and gives what it printed."""
    done = subprocess.run(["docker", *arguments], check=check, capture_output=True, text=True)
    return done.stdout.strip()


def libraries(program: Path) -> set[Path]:
    """Gives the shared libraries that a program is loaded with, the loader among them."""
    said = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    return {Path(found) for found in re.findall(r"(/\S+) \(0x", said)}


def lay_out(root: Path, function: Path) -> None:
    """Lays out what SAM's additions and the function need: a shell, mv, chmod, the libraries, certificates, folders."""
    for folder in ("bin", "etc/pki/tls", "tmp", "opt", "var/task", "var/runtime"):
        (root / folder).mkdir(parents=True)
    needed = libraries(function)
    for name in ("sh", "mv", "chmod"):
        program = Path(shutil.which(name) or "").resolve()
        shutil.copy(program, root / "bin" / name)
        needed |= libraries(program)
    for library in needed:
        copy = root / library.relative_to("/")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library.resolve(), copy)
    (root / "etc/nsswitch.conf").write_text("hosts: files dns\n", encoding="utf-8")
    shutil.copy(certifi.where(), root / "etc/pki/tls/cert.pem")


@contextlib.contextmanager
def base_image(folder: Path, function: Path) -> Iterator[None]:
    """Makes sure that the base image is there: AWS's own where it was pulled before, else one that stands in for it."""
    label = docker("image", "inspect", "--format", f'{{{{index .Config.Labels "{STANDS_IN}"}}}}', BASE, check=False)
    present = docker("image", "ls", "--quiet", BASE)
    if present and not label:
        loud(f"AWS's own base image {BASE} is on this machine and is used.")
        yield
        return
    lay_out(folder / "root", function)
    (folder / "Dockerfile").write_text(
        "FROM scratch\nCOPY root/ /\n"
        "ENV PATH=/bin LAMBDA_TASK_ROOT=/var/task LAMBDA_RUNTIME_DIR=/var/runtime\n"
        f"LABEL {STANDS_IN}=true\nWORKDIR /var/task\n",
        encoding="utf-8",
    )
    loud(
        f"NOT AWS'S IMAGE: {BASE} is built here from this machine's shell, libraries and certificates,\n"
        "because no image is pulled in tests. Whether the function runs on AWS's own image is not shown by this step."
    )
    # A container keeps its image alive; the name of the one with the emulator is from an older base otherwise.
    docker("image", "rm", "--force", WITH_EMULATOR, check=False)
    docker("build", "--quiet", "--tag", BASE, str(folder))
    try:
        yield
    finally:
        docker("image", "rm", "--force", WITH_EMULATOR, BASE, check=False)


def environment() -> dict[str, str]:
    """Gives SAM's environment: this project's tools first, and for the dev profile the options that share its build."""
    tools = f"{TARGET / 'venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    told = {**os.environ, "PATH": tools, "SAM_CLI_TELEMETRY": "0"}
    if told.pop("SAM_BUILD_MODE", "debug") == "debug":
        # The same target folder and the same features as the step `build`: nothing is compiled twice.
        told |= {
            "SAM_BUILD_MODE": "debug",
            "CARGO_LAMBDA_COMPILER": "cargo",
            "CARGO_LAMBDA_COMPILER_EXTRA_ARGS": "--workspace --locked",
        }
    return told


def by_hand() -> list[str]:
    """Gives the commands of README's section "By hand", in order, with continued lines joined."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.split("\n## By hand\n", 1)[1].split("\n## ", 1)[0]
    (block, *_) = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    return block.replace("\\\n", " ").strip().splitlines()


def on_this_machine(command: str) -> list[str]:
    """Adds to a command of SAM what README says a PC needs."""
    words = shlex.split(command)
    return [*words, "--parameter-overrides", "Architecture=x86_64"] if MACHINE == "x86_64" else words


@pytest.fixture(scope="module")
def built() -> Path:
    """Runs README's `sam build` and gives the binary that came of it."""
    assert BUILD in by_hand()
    done = subprocess.run(on_this_machine(BUILD), cwd=ROOT, env=environment(), timeout=BUILD_SECONDS)
    assert done.returncode == 0
    binary = ROOT / ".aws-sam" / "build" / "InvestigateFunction" / "bootstrap"
    # cargo-lambda takes the binary out of the folder in which other steps look for it.
    left = os.environ.get("SRE_AGENT_LAMBDA_BINARY")
    if left and not Path(left).exists():
        shutil.copy(binary, left)
    return binary


def test_the_alarm_becomes_a_card_with_its_cause_shown(built, tmp_path):
    (command,) = [line for line in by_hand() if line.startswith(INVOKE)]
    assert VARIABLES in command and "--add-host host.docker.internal:host-gateway" in command
    scenario = ROOT / "scenarios" / "lambda-bad-deploy"
    allowed = granted_actions(deployed(scenario))
    with running(scenario, allowed, ["--listen", "0.0.0.0"]) as emulator, base_image(tmp_path, built):
        # Another run on this machine may hold README's port.
        port = emulator.endpoint.rsplit(":", 1)[1]
        variables = tmp_path / "variables.json"
        variables.write_text((ROOT / VARIABLES).read_text(encoding="utf-8").replace(PORT, port), encoding="utf-8")
        words = [str(variables) if word == VARIABLES else word for word in on_this_machine(command)]
        done = subprocess.run(
            [*words, "--skip-pull-image"],
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=INVOKE_SECONDS,
        )
        print(done.stdout, done.stderr)
        # SAM's own code is 0 even where the function could not start.
        assert done.returncode == 0 and done.stdout.strip()
        slack, unsupported = emulator.received("slack"), emulator.received("unsupported")
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    assert "errorType" not in answer, answer
    card = json.dumps(slack, ensure_ascii=False)
    assert "CAUSE SHOWN" in card and "invoice-render-errors" in card, card
    assert unsupported == []


def test_the_variables_are_those_that_readmes_emulator_is_started_with():
    (serve,) = [line for line in by_hand() if "emulate" in line]
    assert f"--port {PORT}" in serve and "--listen 0.0.0.0" in serve
    assert f":{PORT}" in (ROOT / VARIABLES).read_text(encoding="utf-8")
