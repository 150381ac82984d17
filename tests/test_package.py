"""The template that `make package` writes: the same stack, with the zip in place of the sources."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import cloudformation
from emulator_process import ROOT

sys.path.insert(0, str(ROOT / "packaging"))
import package  # noqa: E402


@pytest.fixture
def deployed(tmp_path, monkeypatch):
    """Reads the packaged template for a processor."""

    def read(processor: str) -> dict:
        template = tmp_path / "template.yaml"
        template.write_text(package.packaged_template(processor, Path(f"sre-agent-{processor}.zip")), encoding="utf-8")
        monkeypatch.setattr(cloudformation, "TEMPLATE", template)
        return cloudformation.Template().document

    return read


@pytest.mark.parametrize("processor", package.RUST_TARGETS)
def test_it_points_at_the_zip_and_cannot_be_deployed_for_the_other_processor(deployed, processor):
    document = deployed(processor)
    function = document["Resources"]["InvestigateFunction"]
    assert function["Properties"]["CodeUri"] == f"sre-agent-{processor}.zip"
    assert "Metadata" not in function
    architecture = document["Parameters"]["Architecture"]
    assert (architecture["Default"], architecture["AllowedValues"]) == (processor, [processor])


def test_nothing_else_is_changed(deployed):
    document = deployed("arm64")
    source = cloudformation.yaml.load((ROOT / "template.yaml").read_text(encoding="utf-8"), Loader=cloudformation._Loader)
    for each in (document, source):
        function = each["Resources"]["InvestigateFunction"]
        function.pop("Metadata", None)
        del function["Properties"]["CodeUri"]
        each["Parameters"]["Architecture"] = {}
    assert document == source
