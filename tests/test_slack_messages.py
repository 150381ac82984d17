"""Every message that Slack could get, held against two checkers that the product does not share: slackblocks and the
emulator's. `cargo test` writes the messages: those of generated documents, hostile and oversized ones among them.

Of the packages on PyPI slackblocks is the one that checks: blockkit 2.1 takes 51 blocks a message and 11 elements a
context, and slack_sdk's models take a section of any length.
"""

import json
import subprocess
import urllib.error
import urllib.request

import pytest
import slackblocks

from emulator_process import ROOT, TARGET, running
from slack_runs import CHANNEL, TOKEN

MESSAGES = ROOT / "target" / "slack-messages.jsonl"
WRITER = "the_slack_messages_of_many_documents_are_kept_for_other_checkers"
KINDS = {"card", "card without a thread", "conclusion", "reply", "details", "text"}


@pytest.fixture(scope="module")
def messages():
    """Gives the messages as the renderers are now, with what each of them is."""
    MESSAGES.unlink(missing_ok=True)
    command = ["cargo", "test", "--quiet", "--workspace", "--locked", "--lib", "--", WRITER]
    subprocess.run(command, cwd=ROOT, check=True, timeout=900)
    kept = [json.loads(line) for line in MESSAGES.read_text(encoding="utf-8").splitlines()]
    assert len(kept) > 150 and {each["what"] for each in kept} == KINDS
    return kept


def text(made):
    """Builds a text object; a member that slackblocks does not know is an error."""
    made = dict(made)
    return slackblocks.Text(made.pop("text"), type_=slackblocks.TextType(made.pop("type")), **made)


def block(made):
    """Builds a block by slackblocks, which raises where a limit of Slack's is passed."""
    made = dict(made)
    kind = made.pop("type")
    if kind == "section":
        # The one member of a section that slackblocks 3.0 does not know.
        assert made.pop("expand", True) is True
        return slackblocks.SectionBlock(text=text(made.pop("text")), **made)
    assert kind == "context" and set(made) == {"elements"}, made
    return slackblocks.ContextBlock(elements=[text(element) for element in made["elements"]])


def checked(message):
    """Builds the whole message by slackblocks and gives it as that would send it."""
    blocks = [block(made) for made in message.get("blocks", [])]
    built = slackblocks.Message(channel=CHANNEL, text=message["text"], blocks=blocks or None)
    return json.loads(built.json())


def test_slackblocks_builds_the_same_message(messages):
    for each in messages:
        message = each["message"]
        built = checked(message)
        assert built["text"] == message["text"], each["what"]
        assert [plain(made) for made in built.get("blocks", [])] == [plain(made) for made in message.get("blocks", [])]


def plain(made):
    """Gives a block without what only one side has: slackblocks gives each an id of its own and knows no `expand`."""
    return {key: value for key, value in made.items() if key not in ("block_id", "expand")}


@pytest.mark.parametrize(
    "wrong",
    [
        {"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3_001, "verbatim": True}}]},
        {"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "", "verbatim": True}}]},
        {"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x", "verbatim": True}}] * 51},
        {"blocks": [{"type": "context", "elements": [{"type": "mrkdwn", "text": "x", "verbatim": True}] * 11}]},
    ],
    ids=["long", "empty", "51 blocks", "11 elements"],
)
def test_slackblocks_refuses_what_slack_would(wrong):
    with pytest.raises(slackblocks.InvalidUsageError):
        checked({"text": "push", **wrong})


def test_the_emulators_slack_takes_every_message_by_webhook_and_by_bot(messages):
    with running(ROOT / "scenarios" / "lambda-bad-deploy") as emulator:

        def sent(path, body, **headers):
            request = urllib.request.Request(
                f"{emulator.endpoint}{path}",
                json.dumps(body).encode(),
                {"content-type": "application/json; charset=utf-8", **headers},
            )
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    return answer.read().decode()
            except urllib.error.HTTPError as error:
                return error.read().decode()

        for each in messages:
            message = each["message"]
            assert sent("/services/T00000000/B00000000/XXXX", message) == "ok", each["what"]
            said = json.loads(
                sent("/api/chat.postMessage", {"channel": CHANNEL, **message}, authorization=f"Bearer {TOKEN}")
            )
            assert said["ok"], f"{each['what']}: {said}"
        assert emulator.received("unsupported") == []
