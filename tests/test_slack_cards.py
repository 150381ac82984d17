"""The cards of real runs in the emulator's channel, as a phone shows them, beside the cards that they aim at.

The pictures stay in target/test-logs/cards: the channel, and each card beside its target (tests/fixtures/cards), which
has other numbers and names.
"""

import base64
import html
import re

import pytest

import browser
from emulator_process import ROOT, TARGET
from slack_runs import channel

PICTURES = TARGET / "test-logs" / "cards"
TARGETS = ROOT / "tests" / "fixtures" / "cards"
PHONE = 390
MOST_COLUMNS = 55
FULL = ["--depth", "full"]
# Scenario, what is wrong with it, options of the run, and the verdict on the card.
RUNS = {
    "cause-shown": ("lambda-bad-deploy", [], FULL, "CAUSE SHOWN"),
    "facts-only": ("lambda-bad-deploy", ["--throttle-model", "forever"], [*FULL, "--deadline", "12"], "FACTS ONLY"),
    "cannot-be-shown": ("rds-cpu", [], FULL, "CAUSE CANNOT BE SHOWN"),
}
STYLE = """
body{margin:0;background:#fff;font:14px system-ui,sans-serif;width:1000px}
main{display:flex;gap:24px;align-items:flex-start;padding:12px}
pre{font:13px/1.5 ui-monospace,Menlo,Consolas,monospace;background:#f6f6f6;padding:12px;margin:0}
img{border:1px solid #ddd;display:block}h2{font-size:14px;margin:0 0 8px}
"""

pytestmark = pytest.mark.skipif(not browser.found(), reason="SKIPPED: no Chromium on this machine")


@pytest.fixture(scope="module")
def tab():
    """Starts the browser once."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with browser.running() as page:
        yield page


def columns(text):
    """Gives the lines of a mrkdwn text as Slack shows them, without the reader's own time."""
    text = re.sub(r" \(<!date[^>]*>\)", "", text)
    text = re.sub(r"<(?:[^|>]*\|)?([^>]*)>", r"\1", text)
    return html.unescape(re.sub(r"[*`]", "", text)).split("\n")


@pytest.mark.parametrize("name", RUNS)
def test_a_card_fits_a_phone_and_is_kept_beside_its_target(name, tab, tmp_path):
    scenario, trouble, options, verdict = RUNS[name]
    with channel(scenario, tmp_path, trouble, options) as emulator:
        card, *rest = emulator.received("slack")
        tab.events.clear()
        tab.show(PHONE)
        tab.open(f"{emulator.endpoint}/slack")
        assert tab.value("document.documentElement.scrollWidth") <= PHONE, f"{name} scrolls sideways"
        tab.picture(PICTURES / f"{name}-channel.png")
        # The card as it stands in the channel, its thread folded.
        tab.value(
            "document.querySelectorAll('.thread, .count, details, article ~ article').forEach((part) => part.remove())"
        )
        assert verdict in tab.value("document.body.innerText")
        tab.picture(PICTURES / f"{name}.png")
        assert tab.complaints() == []
        assert {address for address in tab.requests() if not address.startswith("data:")} == {f"{emulator.endpoint}/slack"}

    blocks = card["body"]["blocks"]
    for block in blocks:
        for line in columns((block.get("text") or block["elements"][0])["text"]):
            assert len(line) <= MOST_COLUMNS, line
    assert len(card["text"]) <= 120
    # Whatever the verdict: details in the thread, the metric as a picture below them.
    assert rest and all(each["thread_ts"] == card["ts"] for each in rest)
    assert [len(each["files"]) for each in rest] == [0] * (len(rest) - 1) + [1]
    beside(tab, name, card["text"])


def beside(tab, name, push):
    """Keeps one picture with the card on the left and its target on the right."""
    wanted, target = (TARGETS / f"{name}.txt").read_text(encoding="utf-8").split("\n\n", 1)
    picture = base64.b64encode((PICTURES / f"{name}.png").read_bytes()).decode()
    page = PICTURES / f"{name}-beside-target.html"
    page.write_text(
        f"<!doctype html><meta charset=utf-8><title>{name}</title><style>{STYLE}</style><main>"
        f"<div><h2>Real run</h2><p>Push: {html.escape(html.unescape(push))}</p><img src='data:image/png;base64,{picture}'></div>"
        f"<div><h2>Target</h2><p>Push: {html.escape(wanted)}</p><pre>{html.escape(target)}</pre></div></main>",
        encoding="utf-8",
    )
    tab.show(1000)
    tab.open(page.as_uri())
    tab.picture(PICTURES / f"{name}-beside-target.png")
