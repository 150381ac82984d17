"""Every report as JSON, held against the committed schema by a validator that we did not write."""

import copy
import json
import os
import subprocess
import tomllib

import jsonschema
import pytest

from emulator_process import COMMAND_LINE, ROOT

SCHEMA = ROOT / "docs" / "report.schema.json"
VARIABLES = {"PATH": os.environ["PATH"]}
RUNS = {
    "cause-shown": [],
    "brief": ["--depth", "brief"],
    "facts-only": ["--depth", "facts"],
    "cannot-be-shown": ["rds-cpu"],
    "everything-denied": ["--deny", "*:*"],
    "logs-denied": ["--deny", "logs:*"],
    "no-model": ["--depth", "full", "--throttle-model", "forever", "--deadline", "20"],
}


def run(*arguments):
    """Runs the command line and gives its standard output; 3 means that no model answered."""
    done = subprocess.run(
        [COMMAND_LINE, *arguments], env=VARIABLES, cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode in (0, 3), f"{arguments}: {done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def validator():
    """Gives the validator of the committed schema, which must be a schema itself."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    kind = jsonschema.validators.validator_for(schema)
    kind.check_schema(schema)
    return kind(schema)


@pytest.fixture(scope="module", params=RUNS)
def report(request, tmp_path_factory):
    """Gives the report of one run as it is written into its file."""
    folder = tmp_path_factory.mktemp(request.param)
    run("demo", *RUNS[request.param], "-q", "--out", str(folder))
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))


def test_the_command_prints_the_committed_schema():
    assert run("schema") == SCHEMA.read_text(encoding="utf-8")


def test_a_report_keeps_to_the_schema(validator, report):
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(report)] == []


def test_a_report_names_the_version_that_made_it(report):
    manifest = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))
    assert report["data"]["version"] == manifest["workspace"]["package"]["version"]


def test_a_report_holds_nothing_that_the_schema_does_not_name(validator, report):
    """What is not in the schema is not promised; here it would go unnoticed, because readers may meet new members."""
    closed = json.loads(json.dumps(validator.schema))

    def close(part):
        if isinstance(part, dict):
            if "properties" in part and "additionalProperties" not in part:
                part["additionalProperties"] = False
            for value in part.values():
                close(value)
        elif isinstance(part, list):
            for value in part:
                close(value)

    close(closed)
    errors = type(validator)(closed).iter_errors(report)
    assert [f"{error.json_path}: {error.message}" for error in errors] == []


def test_a_broken_report_is_refused(validator, report):
    for breaks in (
        lambda broken: broken.pop("run_id"),
        lambda broken: broken.update(format="1"),
        lambda broken: broken["data"].pop("evidence"),
        lambda broken: broken["data"].update(outcome=None),
        lambda broken: broken["data"]["evidence"].append({"id": "M1"}),
        lambda broken: broken.update(state="ok"),
    ):
        broken = copy.deepcopy(report)
        breaks(broken)
        assert not validator.is_valid(broken)


def test_the_sample_of_the_unit_tests_keeps_to_the_schema(validator):
    snapshot = ROOT / "src" / "report" / "snapshots" / "sre_agent__report__tests__json_report.snap"
    sample = snapshot.read_text(encoding="utf-8").split("---\n", 2)[2]
    assert [error.message for error in validator.iter_errors(json.loads(sample))] == []
