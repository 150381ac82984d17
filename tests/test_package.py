"""The template that `make package` writes: the same stack, with the zip in place of the sources."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import cloudformation
from emulator_process import ROOT

sys.path.insert(0, str(ROOT / "packaging"))
import package  # noqa: E402


def read(text: str) -> dict:
    """Reads a template with CloudFormation's short tags."""
    return cloudformation.yaml.load(text, Loader=cloudformation._Loader)


def packaged(processor: str) -> dict:
    """Gives the packaged template for a processor."""
    return read(package.packaged_template(processor, Path(f"sre-agent-{processor}.zip")))


@pytest.mark.parametrize("processor", package.RUST_TARGETS)
def test_it_points_at_the_zip_and_cannot_be_deployed_for_the_other_processor(processor):
    document = packaged(processor)
    function = document["Resources"]["InvestigateFunction"]
    assert function["Properties"]["CodeUri"] == f"sre-agent-{processor}.zip"
    assert "Metadata" not in function
    architecture = document["Parameters"]["Architecture"]
    assert (architecture["Default"], architecture["AllowedValues"]) == (processor, [processor])


def test_nothing_else_is_changed():
    document = packaged("arm64")
    source = read((ROOT / "template.yaml").read_text(encoding="utf-8"))
    for each in (document, source):
        function = each["Resources"]["InvestigateFunction"]
        function.pop("Metadata", None)
        del function["Properties"]["CodeUri"]
        each["Parameters"]["Architecture"] = {}
    assert document == source
