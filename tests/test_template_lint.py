"""Lints template.yaml as each of its options makes it, by `sam validate --lint` and by cfn-lint in Regions of every partition.

Both also read the template as it stands (tests/run.sh); here the conditions are decided first, so that nothing stays
behind one that a linter does not try.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cfnlint.api import lint

from cloudformation import TEMPLATE
from test_template_options import chosen, every_option

# One with every service, one of another geography, and one of each other partition.
REGIONS = ["us-east-1", "eu-central-1", "us-gov-west-1", "cn-north-1"]
SAM = Path(sys.executable).parent / "sam"


def by_cfn_lint(text: str) -> list[str]:
    return [f"{match.rule.id} {match.message}" for match in lint(text, config={"regions": REGIONS})]


def by_sam(folder: Path, text: str) -> str:
    """Runs `sam validate --lint` without network; gives what it said if it found something."""
    template = folder / "template.json"
    template.write_text(text, encoding="utf-8")
    # SAM asks PyPI for a newer SAM unless it believes that it just did.
    (folder / "metadata.json").write_text(json.dumps({"lastVersionCheck": time.time()}), encoding="utf-8")
    variables = {
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "SAM_CLI_TELEMETRY": "0",
        "__SAM_CLI_APP_DIR": str(folder),
        "PATH": os.environ["PATH"],
    }
    command = [SAM, "validate", "--lint", "--template", template]
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=120, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


@every_option
def test_the_template_is_clean_with_this_option(tmp_path, parameters):
    text = json.dumps(chosen(parameters).decided())
    assert by_cfn_lint(text) == []
    assert by_sam(tmp_path, text) == ""


def test_the_template_is_clean_in_regions_of_every_partition():
    assert by_cfn_lint(TEMPLATE.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("resource", "key", "value", "rule"),
    [
        ("AlarmQueue", "VisibilityTimeout", "soon", "E3012"),
        ("ReportBucket", "BucketEncryption", {"None": True}, "E3002"),
        ("HeartbeatAlarm", "TreatMissingData", "alarming", "E3030"),
        ("AlarmQueueMapping", "EventSourceArn", {"Ref": "AlarmTopic2"}, "E1020"),
    ],
)
def test_a_fault_in_what_an_option_makes_is_found(tmp_path, resource, key, value, rule):
    document = chosen({"ThroughQueue": "true"}).decided()
    document["Resources"][resource]["Properties"][key] = value
    text = json.dumps(document)
    assert any(found.startswith(rule) for found in by_cfn_lint(text)), by_cfn_lint(text)
    assert rule in by_sam(tmp_path, text)
