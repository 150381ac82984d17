"""The HTML report in a real browser: no console error, no request, citations that lead to their evidence, no sideways
scrolling on a phone, nothing of a log that becomes markup. Pictures of every report stay in target/test-logs/html.
"""

import json
import os
import shutil
import subprocess

import pytest

import browser
from emulator_process import COMMAND_LINE, ROOT, TARGET

PICTURES = TARGET / "test-logs" / "html"
PHONE, DESK = 390, 1280
BAD_DEPLOY = ROOT / "scenarios" / "lambda-bad-deploy"
# What an attacker would write into a log: it ends a script, a style, an attribute, a block.
ATTACK = (
    "</script><script>window.hacked=1</script></style><img src=x onerror=window.hacked=1>"
    "</pre></code><svg onload=window.hacked=1> \" onmouseover=\"window.hacked=1 javascript:window.hacked=1"
    " <a href='javascript:window.hacked=1'>x</a> <iframe src=https://evil.example></iframe> &lt;b&gt; {{7*7}}"
)
LONG = "x" * 600

pytestmark = pytest.mark.skipif(not browser.found(), reason="SKIPPED: no Chromium on this machine")


def hostile(folder):
    """Copies the scenario with an attack in every failing log line and in what the alarm says."""
    copy = folder / "hostile"
    shutil.copytree(BAD_DEPLOY, copy)
    shutil.rmtree(copy / "turns")
    logs = copy / "logs" / "invoice-render.jsonl"
    lines = [json.loads(line) for line in logs.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        line["message"] = line["message"].replace("TypeError", f"TypeError {ATTACK.replace(chr(34), chr(39))} {LONG}")
    logs.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    alarm = copy / "alarm.json"
    event = json.loads(alarm.read_text(encoding="utf-8"))
    event["NewStateReason"] += ATTACK
    event["AlarmDescription"] = f"runbook: javascript:window.hacked=1 {ATTACK}"
    alarm.write_text(json.dumps(event), encoding="utf-8")
    return copy


REPORTS = {
    "cause-shown": ([], "CAUSE SHOWN"),
    "facts-only": (["--depth", "facts"], "FACTS ONLY"),
    "cannot-be-shown": (["rds-cpu"], "CAUSE"),
    "logs-denied": (["--deny", "logs:*"], "FACTS ONLY"),
    "hostile": (["--depth", "facts"], "FACTS ONLY"),
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Makes every report once with the command line, and gives the addresses of the pages."""
    folder = tmp_path_factory.mktemp("reports")
    made = {}
    for name, (arguments, _) in REPORTS.items():
        if name == "hostile":
            arguments = [str(hostile(folder)), *arguments]
        page = folder / f"{name}.html"
        done = subprocess.run(
            [COMMAND_LINE, "demo", *arguments, "-q", "--out", folder / name, "--html", page],
            env={"PATH": os.environ["PATH"]}, cwd=ROOT, capture_output=True, text=True, timeout=300,
        )
        assert done.returncode == 0, f"{name}: {done.stdout}\n{done.stderr}"
        assert page.read_text(encoding="utf-8") == (folder / name / "report.html").read_text(encoding="utf-8")
        made[name] = page
    PICTURES.mkdir(parents=True, exist_ok=True)
    return made


@pytest.fixture(scope="module")
def tab():
    """Starts the browser once."""
    with browser.running() as page:
        yield page


@pytest.fixture(params=REPORTS)
def shown(request, pages, tab):
    """Opens a report in the tab, with nothing left of the one before; gives its name."""
    tab.events.clear()
    tab.script(True)
    tab.show(DESK)
    tab.open(pages[request.param].as_uri())
    return request.param


def test_a_report_opens_with_its_verdict_and_without_a_complaint_or_a_request(shown, pages, tab):
    assert REPORTS[shown][1] in tab.value("document.querySelector('h1').innerText")
    tab.value("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
    assert tab.complaints() == []
    assert tab.requests() == [pages[shown].as_uri()]


def test_pictures_are_kept_and_nothing_scrolls_sideways(shown, tab):
    for width in (PHONE, DESK):
        for scheme in ("light", "dark"):
            tab.show(width, scheme)
            tab.picture(PICTURES / f"{shown}-{width}-{scheme}.png")
        assert tab.value("document.documentElement.scrollWidth") <= width, f"{shown} scrolls at {width} px"
    tab.show(PHONE)
    tab.value("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
    assert tab.value("document.documentElement.scrollWidth") <= PHONE, f"{shown} scrolls when it is unfolded"
    tab.picture(PICTURES / f"{shown}-{PHONE}-unfolded.png")


# The page as a reader finds it: every fold closed, at its top.
CLOSED = "document.querySelectorAll('details').forEach((fold) => { fold.open = false; }); scrollTo(0, 0)"


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_every_citation_leads_to_its_evidence_and_unfolds_it(shown, pages, tab, script):
    tab.script(script)
    tab.open(pages[shown].as_uri())
    addresses = tab.value("[...document.querySelectorAll('a.cite')].map((link) => link.getAttribute('href'))")
    assert len(addresses) > 5
    assert tab.value("[...document.querySelectorAll('nav a[href^=\"#\"]')].every((a) => document.querySelector(a.hash))")
    for address in dict.fromkeys(addresses):
        assert address.startswith("#e-"), address
        target = f"document.getElementById({json.dumps(address[1:])})"
        tab.value(CLOSED)
        # Another place first: a browser goes nowhere for the place where it is.
        tab.value("location.hash = ''")
        assert not tab.value(f"{target}.checkVisibility()"), f"{address} was not folded"
        tab.value(f"document.querySelector('a.cite[href={json.dumps(address)}]').click()")
        seen = (
            f"{target}.checkVisibility() && {target}.getBoundingClientRect().top < innerHeight"
            f" && {target}.getBoundingClientRect().bottom > 0"
        )
        assert tab.comes_true(seen), f"{address} is not to be seen (script: {script})"
    tab.script(True)


def test_nothing_of_a_log_or_an_alarm_becomes_markup(shown, tab):
    assert tab.value("[...document.querySelectorAll('script')].length") == 1
    assert tab.value("[...document.querySelectorAll('style')].length") == 1
    strange = "img, iframe, object, embed, form, link, base, svg[onload], a[href^=javascript]"
    assert tab.value(f"document.querySelectorAll({json.dumps(strange)}).length") == 0
    names = "[...document.querySelectorAll('*')].flatMap((element) => element.getAttributeNames())"
    assert [name for name in set(tab.value(names)) if name.startswith("on") or name == "style"] == []
    links = "[...document.querySelectorAll('a')].map((link) => link.getAttribute('href'))"
    assert [link for link in tab.value(links) if not link.startswith(("#", "https://"))] == []
    assert tab.value("window.hacked") is None
    if shown == "hostile":
        assert "</script><script>window.hacked=1" in tab.value("document.body.textContent"), "the attack did not arrive"


def test_a_command_is_copied_whole(shown, tab):
    origin = {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    tab.call("Browser.grantPermissions", **origin)
    buttons = tab.value("document.querySelectorAll('button.copy').length")
    assert buttons > 0
    tab.value("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
    tab.value("document.querySelector('button.copy').click()")
    assert tab.comes_true("document.querySelector('button.copy').innerText === 'Copied'")
    copied = tab.value("navigator.clipboard.readText()")
    assert copied == tab.value("document.querySelector('.block code').textContent")


def test_paper_shows_every_fold_open_and_no_button(shown, pages, tab):
    tab.script(False)
    tab.open(pages[shown].as_uri())
    tab.show(DESK, media="print")
    folded = "[...document.querySelectorAll('.evidence .body')].filter((body) => !body.checkVisibility()).length"
    assert tab.value(folded) == 0
    assert tab.value("[...document.querySelectorAll('button')].filter((one) => one.checkVisibility()).length") == 0
    paper = tab.call("Page.printToPDF", printBackground=True)["data"]
    assert len(paper) > 10_000
    tab.show(DESK)
    tab.script(True)
