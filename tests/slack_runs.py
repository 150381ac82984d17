"""Real runs whose Slack is the emulator's, with a bot: what a responder's channel shows in the end."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from emulator_process import COMMAND_LINE, ROOT, Emulator, running

# The emulator's own; `emulate` serves no other.
TOKEN, CHANNEL = "xoxb-emulator", "C0123456789"


@contextlib.contextmanager
def channel(
    scenario: str, folder: Path, trouble: Iterable[str] = (), options: Iterable[str] = ()
) -> Iterator[Emulator]:
    """Serves a scenario, investigates its alarm as the Lambda would, posts as a bot, and gives the emulator."""
    home = ROOT / "scenarios" / scenario
    with running(home, options=trouble) as emulator:
        settings = emulator.settings()
        config = folder / "config.toml"
        config.write_text(
            f'format = 1\n[slack]\ntoken = "{TOKEN}"\nchannel = "{CHANNEL}"\nbase_url = "{emulator.endpoint}"\n',
            encoding="utf-8",
        )
        variables = {
            "PATH": os.environ["PATH"],
            "AWS_ENDPOINT_URL": emulator.endpoint,
            "AWS_REGION": settings["region"],
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "SRE_AGENT_CONFIG": str(config),
            "SRE_AGENT_AS_OF": settings["as_of"],
            "SRE_AGENT_SEED": str(settings["seed"]),
        }
        done = subprocess.run(
            [COMMAND_LINE, "investigate", home / "alarm.json", "--post", "-q", *options],
            env=variables, cwd=folder, capture_output=True, text=True, timeout=300,
        )
        # 3 means that no model answered.
        assert done.returncode in (0, 3), f"{scenario}: {done.stdout}\n{done.stderr}"
        assert emulator.received("unsupported") == []
        yield emulator
