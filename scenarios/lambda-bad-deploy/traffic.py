"""Tells the story of lambda-bad-deploy as a list of invocations, from which metrics and logs are made.

Traffic has a daily and a weekly rhythm. Version 58 takes half of it from 03:02:38 and fails on about seven in ten of
its invoices; version 57 beside it fails on none. A font cache that turned slow half an hour earlier is innocent.
"""

import math
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

SEED = 7
UTC = timezone.utc
AS_OF = datetime(2026, 11, 24, 3, 5, 30, tzinfo=UTC)
LAST_MINUTE_END = datetime(2026, 11, 24, 3, 5, tzinfo=UTC)
HISTORY_START = datetime(2026, 11, 10, 3, 5, tzinfo=UTC)
DENSE_START = datetime(2026, 11, 24, 2, 27, tzinfo=UTC)
SHIFT = datetime(2026, 11, 24, 3, 2, 38, tzinfo=UTC)
FONTS_SLOW = datetime(2026, 11, 24, 2, 32, tzinfo=UTC)
# Stretches in which every invocation is told one by one; elsewhere only counts are.
STRETCHES = [
    (datetime(2026, 11, 17, 1, 6, tzinfo=UTC), datetime(2026, 11, 17, 3, 6, tzinfo=UTC)),
    (datetime(2026, 11, 23, 1, 6, tzinfo=UTC), datetime(2026, 11, 23, 3, 6, tzinfo=UTC)),
    (datetime(2026, 11, 23, 22, 45, tzinfo=UTC), AS_OF),
]
# Failures of 14 days: minute and how many. None has to do with the incident; two is the worst minute.
OLD_FAILURES = [
    ("2026-11-11T09:41", 1),
    ("2026-11-12T17:03", 1),
    ("2026-11-14T16:21", 2),
    ("2026-11-16T11:58", 1),
    ("2026-11-18T08:30", 1),
    ("2026-11-19T09:08", 2),
    ("2026-11-21T20:47", 1),
    ("2026-11-24T00:47", 1),
]
# Of the incident's minutes: invocations, those on version 58, and its failures. 03:02 counts from the shift on for 58.
INCIDENT = {
    datetime(2026, 11, 24, 3, 2, tzinfo=UTC): (119, 27, 22),
    datetime(2026, 11, 24, 3, 3, tzinfo=UTC): (116, 58, 41),
    datetime(2026, 11, 24, 3, 4, tzinfo=UTC): (118, 60, 43),
    datetime(2026, 11, 24, 3, 5, tzinfo=UTC): (59, 30, 21),
}
BEFORE_SHIFT = 77
RETRY_SHARE = 0.0042
SLOW_FONT_SHARE = 0.005
SLOW_FONT_SHARE_LATER = 0.021
ENVIRONMENT_LIFE = timedelta(minutes=105)
ENVIRONMENT_IDLE = timedelta(minutes=6)


@dataclass
class Environment:
    """One execution environment: a log stream, reused by invocations one after the other."""

    version: str
    stream: str
    born: datetime
    free_at: datetime
    memory: int


@dataclass
class Invocation:
    """One run of the function."""

    start: datetime
    version: str
    failure: str | None = None
    duration: float = 0.0
    warnings: list = field(default_factory=list)
    init: float | None = None
    stream: str = ""
    memory: int = 0
    running: int = 1
    request_id: str = ""
    invoice: str = ""
    pages: int = 1
    title: int | None = None
    # Position among version 58's failures, by which the planted lines are placed.
    failure_number: int | None = None

    @property
    def failed(self):
        """Tells whether Lambda counts it as an error."""
        return self.failure is not None


@dataclass
class Story:
    """All that happened: counts a minute by offset from `HISTORY_START`, and single invocations."""

    counts: dict
    errors: dict
    invocations: list
    old_failures: list


class Dice:
    """Draws from one seeded source, with nothing but its `random()`, which Python keeps the same between releases."""

    def __init__(self, seed):
        self.source = random.Random(seed)

    def share(self):
        """Draws from 0 to 1."""
        return self.source.random()

    def between(self, low, high):
        """Draws evenly from `low` to `high`."""
        return low + (high - low) * self.share()

    def bell(self):
        """Draws from a normal distribution around 0 with deviation 1."""
        return math.sqrt(-2.0 * math.log(1.0 - self.share())) * math.cos(2.0 * math.pi * self.share())

    def shuffled(self, items):
        """Returns the items in another order."""
        keyed = sorted((self.share(), place) for place in range(len(items)))
        return [items[place] for _, place in keyed]

    def hexadecimal(self, length):
        """Draws hexadecimal digits; never twelve decimal ones in a row, which would read as an account id."""
        while True:
            text = "".join("0123456789abcdef"[int(self.share() * 16)] for _ in range(length))
            run = longest = 0
            for letter in text:
                run = run + 1 if letter.isdigit() else 0
                longest = max(longest, run)
            if longest < 12:
                return text

    def uuid(self):
        """Draws a random UUID, version 4."""
        text = self.hexadecimal(32)
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[int(self.share() * 4)]}{text[17:20]}-{text[20:]}"


def minute_count(dice, at):
    """Draws how many invocations a minute has: a trough at 04:00 UTC, a peak at 16:00, quieter at the weekend."""
    hour = at.hour + at.minute / 60
    level = 147.0 + 30.0 * math.cos(2.0 * math.pi * (hour - 16.0) / 24.0)
    if at.weekday() >= 5:
        level *= 0.82
    return max(1, round(level + 3.2 * dice.bell()))


def moments(dice, at, count, low=0.0, high=60.0):
    """Draws the starts of `count` invocations between two seconds of a minute."""
    return sorted(at + timedelta(milliseconds=int(dice.between(low, high) * 1000)) for _ in range(count))


def plain_minute(dice, at, count):
    """Tells a minute in which version 57 serves all."""
    return [Invocation(start=start, version="57") for start in moments(dice, at, count)]


def incident_minute(dice, at):
    """Tells a minute in which version 58 takes its share."""
    count, on_58, failing = INCIDENT[at]
    if at < SHIFT:
        told = [Invocation(start=start, version="57") for start in moments(dice, at, BEFORE_SHIFT, high=38.5)]
        # The first invocation of 58 starts cold and fails at 03:02:40.113; the others come after it.
        told.append(Invocation(start=at + timedelta(seconds=39, milliseconds=694), version="58", failure="tax"))
        told += mixed(dice, moments(dice, at, on_58 - 1, 40.8, 59.9), failing - 1)
        rest = count - BEFORE_SHIFT - on_58
        told += [Invocation(start=start, version="57") for start in moments(dice, at, rest, 38.5, 59.9)]
    else:
        high = min(60.0, (AS_OF - at).total_seconds())
        starts = dice.shuffled(moments(dice, at, count, high=high))
        told = mixed(dice, starts[:on_58], failing)
        told += [Invocation(start=start, version="57") for start in starts[on_58:]]
    return sorted(told, key=lambda one: one.start)


def mixed(dice, starts, failing):
    """Tells invocations of version 58, of which `failing` fail."""
    fates = dice.shuffled(["tax"] * failing + [None] * (len(starts) - failing))
    return [Invocation(start=start, version="58", failure=fate) for start, fate in zip(starts, fates)]


def fill_in(dice, one):
    """Draws what an invocation did and how long it took."""
    one.request_id = dice.uuid()
    one.invoice = "inv_" + dice.hexadecimal(6)
    one.pages = 1 + int(dice.share() ** 3 * 6)
    if dice.share() < 0.04:
        one.title = int(dice.share() * 1000)
    work = math.exp(math.log(560.0 + 40.0 * one.pages) + 0.26 * dice.bell())
    retry, slow_font = dice.share(), dice.share()
    later = one.start >= FONTS_SLOW
    if one.failure == "tax":
        # It throws before anything is drawn: quick.
        work = dice.between(28.0, 96.0)
    elif one.failure == "fonts":
        work = dice.between(2011.0, 2064.0)
    else:
        if retry < RETRY_SHARE:
            wait = int(dice.between(80.0, 260.0))
            one.warnings.append(("retry", wait))
            work += wait
        if slow_font < (SLOW_FONT_SHARE_LATER if later else SLOW_FONT_SHARE):
            wait = int(dice.between(180.0, 620.0))
            one.warnings.append(("font", wait))
            work += wait
    one.duration = round(work, 2)


def place(dice, environments, one):
    """Gives an invocation an execution environment: one that is free, or a new one with a cold start."""
    environments[:] = [
        place for place in environments
        if one.start - place.free_at < ENVIRONMENT_IDLE and one.start - place.born < ENVIRONMENT_LIFE
    ]
    free = [place for place in environments if place.version == one.version and place.free_at <= one.start]
    if free:
        chosen = max(free, key=lambda place: place.free_at)
    else:
        one.init = round(dice.between(690.0, 860.0), 2)
        if one.failure == "tax" and not any(place.version == "58" for place in environments):
            one.init = 781.46
            one.duration = 421.37
        born = one.start - timedelta(milliseconds=int(one.init))
        chosen = Environment(one.version, stream_name(dice, born, one.version), born, one.start, 128)
        environments.append(chosen)
    chosen.free_at = one.start + timedelta(milliseconds=int(one.duration) + 3)
    chosen.memory = min(188, chosen.memory + int(dice.share() * 1.4))
    one.stream, one.memory = chosen.stream, chosen.memory
    one.running = sum(1 for place in environments if place.free_at > one.start)


def stream_name(dice, at, version):
    """Names a log stream as Lambda does."""
    return f"{at:%Y/%m/%d}/[{version}]{dice.hexadecimal(32)}"


def tell():
    """Tells the whole story."""
    dice = Dice(SEED)
    old = {datetime.fromisoformat(text).replace(tzinfo=UTC): count for text, count in OLD_FAILURES}
    counts, errors, invocations, old_failures = {}, {}, [], []
    minutes = (AS_OF - HISTORY_START) // timedelta(minutes=1) + 1
    for offset in range(minutes):
        at = HISTORY_START + timedelta(minutes=offset)
        count = INCIDENT[at][0] if at in INCIDENT else minute_count(dice, at)
        failing = INCIDENT[at][2] if at in INCIDENT else old.get(at, 0)
        told = any(start <= at < end for start, end in STRETCHES)
        if told:
            minute = incident_minute(dice, at) if at in INCIDENT else plain_minute(dice, at, count)
            if at in old:
                for one in dice.shuffled(minute)[:failing]:
                    one.failure = "fonts"
            invocations += minute
        else:
            for start in moments(dice, at, failing):
                old_failures.append(Invocation(start=start, version="57", failure="fonts"))
        if at < LAST_MINUTE_END:
            counts[offset] = count
            if failing:
                errors[offset] = failing
    environments, tax_failures = [], 0
    for one in invocations:
        fill_in(dice, one)
        place(dice, environments, one)
        if one.failure == "tax":
            one.failure_number = tax_failures
            tax_failures += 1
    for one in old_failures:
        fill_in(dice, one)
        one.stream, one.memory = stream_name(dice, one.start, one.version), 151
    return Story(counts, errors, invocations, old_failures)
