"""Builds the function's zip for each processor and a template that points at it: `make package`.

    package.py [arm64] [x86_64]        both, if none is named

Writes target/package/sre-agent-<version>-<processor>.zip, samconfig.toml, template.yaml (for the first processor named, arm64 unless told
otherwise) and template-<processor>.yaml for the other one. Whoever has the folder deploys with SAM alone:

    sam deploy --guided --template-file target/package/template.yaml

Run by the Makefile with target/venv's Python, where cargo-lambda, zig and SAM are (packaging/requirements.txt).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PACKAGE = TARGET / "package"
BINARY = "sre-agent-lambda"
# Ours by its name in the template, Rust's by its name for a target.
RUST_TARGETS = {"arm64": "aarch64-unknown-linux-gnu", "x86_64": "x86_64-unknown-linux-gnu"}
MOST_BYTES = 8_000_000


def stop(reason: str) -> None:
    """Ends the program with a reason."""
    sys.exit(f"make package: {reason}")


def check_target(processor: str) -> None:
    """Stops where Rust's standard library for a processor is neither there nor to be had."""
    target = RUST_TARGETS[processor]
    sysroot = subprocess.run(["rustc", "--print", "sysroot"], cwd=ROOT, check=True, capture_output=True, text=True)
    if (Path(sysroot.stdout.strip()) / "lib" / "rustlib" / target / "lib").is_dir():
        return
    print(f"Rust's standard library for {target} is missing: rustup target add {target}", flush=True)
    if shutil.which("rustup") is None or subprocess.run(["rustup", "target", "add", target], cwd=ROOT).returncode != 0:
        stop(
            f"no standard library for {target}. With network access run 'rustup target add {target}' "
            "(or install your distribution's rust-std for it), or build only for this machine: make package PROCESSORS=x86_64"
        )


def build(processor: str, version: str) -> Path:
    """Builds the zip for a processor and gives its path."""
    check_target(processor)
    command = ["cargo-lambda", "lambda", "build", "--release", "--locked", "--bin", BINARY]
    command += ["--output-format", "zip", "--lambda-dir", str(TARGET / "lambda" / processor)]
    command += ["--arm64"] if processor == "arm64" else ["--x86-64"]
    if subprocess.run(command, cwd=ROOT).returncode != 0:
        stop(f"the build for {processor} failed; what cargo said stands above")
    packed = PACKAGE / f"sre-agent-{version}-{processor}.zip"
    shutil.copy(TARGET / "lambda" / processor / BINARY / "bootstrap.zip", packed)
    return packed


def packaged_template(processor: str, packed: Path) -> str:
    """Gives the template with the zip in place of the sources, for this processor only."""
    text = (ROOT / "template.yaml").read_text(encoding="utf-8")

    def replaced(pattern: str, by: str, where: str) -> str:
        changed, count = re.subn(pattern, by, where, flags=re.MULTILINE)
        if count != 1:
            stop(f"template.yaml has {count} places that look like {pattern!r}, and one was expected")
        return changed

    text = replaced(r"^( +)CodeUri: \.$", rf"\1CodeUri: {packed.name}", text)
    # How to build it is of no use to those who only have the zip, and `sam build` would look for the sources.
    text = replaced(r"^    Metadata:\n      BuildMethod: rust-cargolambda\n(?:      .*\n)+", "", text)
    text = replaced(
        r"^(  Architecture:\n    Type: String\n)    Default: \w+\n    AllowedValues: \[.*\]\n",
        rf"\1    Default: {processor}\n    AllowedValues: [{processor}]\n",
        text,
    )
    return f"# Made by `make package` for {processor}; the code is in {packed.name} beside it.\n{text}"


def validate(template: Path) -> None:
    """Has SAM and cfn-lint look at a template."""
    sam = Path(sys.executable).parent / "sam"
    environment = {"AWS_DEFAULT_REGION": "us-east-1", "SAM_CLI_TELEMETRY": "0", **os.environ}
    if subprocess.run([sam, "validate", "--lint", "--template", template], cwd=ROOT, env=environment).returncode != 0:
        stop(f"{template} is not valid")


def main() -> None:
    """Builds what the command line names."""
    processors = sys.argv[1:] or list(RUST_TARGETS)
    if unknown := set(processors) - set(RUST_TARGETS):
        stop(f"there is no processor {', '.join(sorted(unknown))}; those of Lambda are {', '.join(RUST_TARGETS)}")
    # The tools of this Python before any others, for cargo-lambda looks for zig by itself.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    os.environ["CARGO_TARGET_DIR"] = str(TARGET)
    version = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]["package"]["version"]
    shutil.rmtree(PACKAGE, ignore_errors=True)
    PACKAGE.mkdir(parents=True)
    # What SAM is told about the stack stands beside the template: its name, above all, that the documentation uses.
    shutil.copy(ROOT / "samconfig.toml", PACKAGE)
    lines, too_large = [], []
    for processor in processors:
        packed = build(processor, version)
        template = PACKAGE / ("template.yaml" if processor == processors[0] else f"template-{processor}.yaml")
        template.write_text(packaged_template(processor, packed), encoding="utf-8")
        validate(template)
        with zipfile.ZipFile(packed) as archive:
            unpacked = archive.getinfo("bootstrap").file_size
        size = packed.stat().st_size
        verdict = "" if size < MOST_BYTES else f"  ABOVE {MOST_BYTES / 1e6:.0f} MB"
        too_large += [packed.name] if verdict else []
        lines.append(f"{processor:7} {packed.name}: {size / 1e6:.2f} MB, unpacked {unpacked / 1e6:.2f} MB, {template.name}{verdict}")
    print(f"\n{PACKAGE}:", *lines, sep="\n  ")
    print("\nDeploy without Rust:\n  sam deploy --guided --template-file target/package/template.yaml")
    if too_large:
        stop(f"{' and '.join(too_large)} may not be above {MOST_BYTES / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
