//! Documents for tests: the three target cards.

use serde_json::Value;

use crate::alarm::AlarmState;
use crate::finding::VerdictKind;
use crate::report::data::{AlarmData, Data};
use crate::report::document::{Detail, Document, FORMAT, Line, Marks, Section, Span, Topic};
use crate::report::readers::LogQuotes;

const CONSOLE: &str = "https://us-east-1.console.aws.amazon.com";

/// A cause is shown.
pub(crate) fn cause_shown() -> Document {
    Document {
        push: "invoice-render: 36% of requests failing, still. Cause shown: version 58, serving since 03:02 UTC."
            .to_owned(),
        verdict: Line(vec![bold("CAUSE SHOWN"), text(" · change, logs and metrics agree")]),
        statement: vec![
            Line::text("Version 58, at 50% of traffic since 03:02, throws a TypeError."),
            Line::text("Version 57 beside it is healthy."),
        ],
        sections: vec![
            section("Why", Marks::Bullets, {
                let mut facts = facts_of_the_bad_deploy();
                facts.push(
                    Line::text("Ruled out: throttles 0, timeouts 0, traffic normal ").with(metric("M2")),
                );
                facts
            }),
            section(
                "Next",
                Marks::Numbers,
                vec![
                    Line::text("Look (safe): errors of version 58 ").with(logs()),
                    Line::text(
                        "⚠ Changes prod: all of \"live\" back to 57, which is still published. Command in thread.",
                    ),
                ],
            ),
        ],
        footer: vec![
            Line::text("9 of 9 quotes and numbers re-read in AWS data"),
            Line::text("Sonnet 4.6 (for retired 3.5 Sonnet v2) · 6 calls"),
            Line::text("$0.14 · 38 s · run 7f3a9c · v0.1.0"),
        ],
        ..invoice_render()
    }
}

/// No model answered.
pub(crate) fn facts_only() -> Document {
    Document {
        push: "invoice-render: 36% of requests failing, still. No AI answer. Lead: version 58, serving since 03:02 UTC."
            .to_owned(),
        verdict: Line(vec![bold("FACTS ONLY"), text(" · no AI model answered, no cause judged")]),
        statement: vec![
            Line::text("Lead (computed): version 58."),
            Line::text("It began serving 2 s before the first error; 57 beside it has none."),
        ],
        sections: vec![
            section("What the data says", Marks::Bullets, {
                let mut facts = facts_of_the_bad_deploy();
                facts.push(Line::text("Normal: throttles, timeouts, duration, traffic ").with(metric("M2")));
                facts
            }),
            section(
                "Next",
                Marks::Numbers,
                vec![
                    Line::text("Look (safe): errors of version 58 ").with(logs()),
                    Line::text("⚠ Changes prod, your call: stop the shift to 58. Command in thread."),
                ],
            ),
        ],
        footer: vec![
            Line::text("This is final: no AI conclusion follows. Recovery posts."),
            Line::text(
                "No AI: Sonnet 4.6 throttled 5 times in 41 s (quota 1/min); Haiku 4.5 access denied · run 7f3a9c · v0.1.0",
            ),
        ],
        data: data("invoice-render-errors", "facts_only", None),
        ..invoice_render()
    }
}

/// Nothing can be shown.
pub(crate) fn cannot_be_shown() -> Document {
    Document {
        format: FORMAT,
        run_id: "b20e11".to_owned(),
        state: AlarmState::Alarm,
        recovered: false,
        push: "partner-gateway: p99 4.2 s (normal 0.7-1.1), still slow. Cause cannot be shown: logs closed to the agent."
            .to_owned(),
        title: Line(vec![bold("partner-gateway-p99"), text(" · prod · us-east-1")]),
        condition: Line::text("Still slow at 03:04 · began ").with(time("2026-11-24T02:54:00Z")),
        verdict: Line(vec![bold("CAUSE CANNOT BE SHOWN")]),
        statement: vec![
            Line::text("It is slow, not failing."),
            Line::text("Nothing we can see changed before 02:54, and its logs are closed to us."),
        ],
        impact: vec![
            Line::text("p99 4.2 s · normal 0.7-1.1 · alarm at 2.0"),
            Line::text("failed 0.1% (normal) · 212 requests/min (normal)"),
            Line::text("▂▂▂▂▆▇▇█▇▇█▇█▇▇ p99 per min, 02:50-03:04"),
        ],
        sections: vec![
            section(
                "Checked, normal",
                Marks::Bullets,
                vec![
                    Line::text("CPU 31%, memory 48%, 4 of 4 tasks up ").with(metric("M2-M4")),
                    Line::text("No deploy or task restart since 21 Nov ").with(change()),
                    Line::text("No alarm on its load balancer or database [A1]"),
                ],
            ),
            section(
                "Not visible",
                Marks::Bullets,
                vec![
                    Line::text(
                        "Logs /ecs/partner-gateway: access denied. Missing: logs:StartQuery (statement in thread)",
                    ),
                    Line::text("Time inside the partner's API: no metric, no trace"),
                    Line::text("Account changes after 02:51 (CloudTrail lag)"),
                ],
            ),
            section(
                "Next",
                Marks::Numbers,
                vec![
                    Line::text("Look (safe): these logs, if you may ").with(logs()),
                    Line::text("Check the partner's status page; we cannot"),
                ],
            ),
        ],
        limits: vec![Line::text("No runbook linked: tag the alarm \"runbook\"")],
        links: vec![],
        footer: vec![
            Line::text("6 of 6 facts re-read · 2 unproven guesses removed"),
            Line::text("Sonnet 4.6 (for retired 3.5 Sonnet v2) · 7 calls"),
            Line::text("$0.17 · 52 s · run b20e11 · v0.1.0"),
        ],
        details: vec![],
        log_quotes: LogQuotes::Full,
        kept: None,
        data: data("partner-gateway-p99", "investigated", Some(VerdictKind::CannotBeShown)),
    }
}

fn invoice_render() -> Document {
    Document {
        format: FORMAT,
        run_id: "7f3a9c".to_owned(),
        state: AlarmState::Alarm,
        recovered: false,
        push: String::new(),
        title: Line(vec![bold("invoice-render-errors"), text(" · prod · us-east-1")]),
        condition: Line::text("Still failing at 03:05 · began ").with(time("2026-11-24T03:02:00Z")),
        verdict: Line::default(),
        statement: vec![],
        impact: vec![
            Line::text("43 of 118 requests/min fail (36%)"),
            Line::text("normal 0 of ~115 · alarm at 20 · 14-day worst 2"),
            Line::text("▁▁▁▁▁▂▇▇█ errors/min, 02:57-03:05"),
        ],
        sections: vec![],
        limits: vec![
            Line::text("Not known yet: who deployed (CloudTrail lags ≤15 min)"),
            Line::text("Not checked: downstream calls (tracing is off)"),
        ],
        links: vec![
            link("Alarm", "/cloudwatch/deeplink.js?region=us-east-1#alarmsV2:alarm/invoice-render-errors"),
            link("Deploy", "/lambda/home?region=us-east-1#/functions/invoice-render?tab=versions"),
            link("Full report", "/s3/object/reports?prefix=7f3a9c.html"),
        ],
        footer: vec![],
        log_quotes: LogQuotes::Full,
        kept: None,
        details: vec![
            Detail {
                topic: Topic::Timeline,
                heading: "Timeline".to_owned(),
                items: vec![
                    Line::text("03:02:38 version 58 starts serving at 50% ").with(change()),
                    Line(vec![
                        text("03:02:40 first error, "),
                        Span::Code("TypeError: Cannot read properties of undefined (reading 'taxRate')".to_owned()),
                    ]),
                ],
                code: None,
            },
            Detail {
                topic: Topic::Commands,
                heading: "Commands".to_owned(),
                items: vec![Line::text("Check first that 57 is still published; then move the alias.")],
                code: Some(
                    "aws lambda get-function --function-name invoice-render --qualifier 57\naws lambda update-alias \
                     --function-name invoice-render --name live \\\n  --function-version 57 --routing-config '{}'"
                        .to_owned(),
                ),
            },
        ],
        data: data("invoice-render-errors", "investigated", Some(VerdictKind::CauseShown)),
    }
}

fn data(alarm: &str, outcome: &str, verdict: Option<VerdictKind>) -> Value {
    let alarm = AlarmData { name: alarm.to_owned(), ..AlarmData::default() };
    Data { outcome: outcome.to_owned(), alarm, verdict, ..Data::default() }.value()
}

fn facts_of_the_bad_deploy() -> Vec<Line> {
    vec![
        Line::text("03:02:38 version 58 starts serving at 50% ").with(change()),
        Line::text(
            "03:02:40 first error, text not seen in 14 days: \"TypeError: Cannot read properties of undefined \
             (reading 'taxRate')\" · 138 times ",
        )
        .with(link("[L1]", "/cloudwatch/home?region=us-east-1#logsV2:logs-insights$3FqueryDetail$3D~(a~'b)")),
        Line::text("At 03:05: 58 fails 43 of 60, 57 fails 0 of 58 ").with(metric("M3")),
    ]
}

fn section(heading: &str, marks: Marks, items: Vec<Line>) -> Section {
    Section { heading: heading.to_owned(), marks, items }
}

fn text(text: &str) -> Span {
    Span::Text(text.to_owned())
}

fn bold(text: &str) -> Span {
    Span::Bold(text.to_owned())
}

fn time(at: &str) -> Span {
    Span::Time(at.parse().unwrap())
}

fn link(label: &str, path: &str) -> Span {
    Span::Link { label: label.to_owned(), url: format!("{CONSOLE}{path}") }
}

fn change() -> Span {
    link("[C1]", "/lambda/home?region=us-east-1#/functions/invoice-render?tab=versions")
}

fn logs() -> Span {
    link(
        "[Logs]",
        "/cloudwatch/home?region=us-east-1#logsV2:log-groups/log-group/$252Faws$252Flambda$252Finvoice",
    )
}

fn metric(id: &str) -> Span {
    link(&format!("[{id}]"), "/cloudwatch/home?region=us-east-1&tab=graph#metricsV2:graph=~()")
}
