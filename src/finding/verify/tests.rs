//! Claims that hold, claims that do not, and texts that are no claim at all.

use std::collections::BTreeMap;

use super::*;
use crate::evidence::{
    Change, ChangeKind, Fact, FactKind, LogLine, LogLines, MetricId, Query, QueryRows, Statistic, Window,
};
use crate::finding::wording::{invented, number_occurs};
use crate::redact::Redacted;

fn at(text: &str) -> Timestamp {
    format!("2026-11-24T{text}Z").parse().unwrap()
}

fn window() -> Window {
    Window { start: at("02:00:00"), end: at("03:06:00") }
}

fn item(id: &str, source: Source, body: Body) -> Evidence {
    Evidence {
        id: EvidenceId::parse(id),
        source,
        title: Redacted::new("title"),
        query: Query::default(),
        window: window(),
        status: Status::Found,
        horizon: None,
        body,
    }
}

fn ledger() -> Ledger {
    let mut ledger = Ledger::default();
    let dimensions = BTreeMap::from([("FunctionName".to_owned(), "invoice-render".to_owned())]);
    ledger.push(item(
        "M1",
        Source::Metrics,
        Body::Series(Series {
            metric: MetricId { namespace: "AWS/Lambda".into(), name: "Errors".into(), dimensions },
            statistic: Statistic("Sum".into()),
            period_seconds: 60,
            unit: None,
            datapoints: vec![
                Datapoint { at: at("03:03:00"), value: 41.0 },
                Datapoint { at: at("03:04:00"), value: 43.0 },
            ],
        }),
    ));
    ledger.push(item(
        "L1",
        Source::Logs,
        Body::Logs(LogLines {
            group: "/aws/lambda/invoice-render".into(),
            pattern: String::new(),
            lines: vec![LogLine {
                at: at("03:02:40"),
                stream: "2026/11/24/[58]ab".into(),
                text: Redacted::new(
                    "ERROR Invoke Error  Cannot read properties of undefined (reading 'taxRate')",
                ),
            }],
            complete: true,
            counted: None,
            templates: Vec::new(),
        }),
    ));
    ledger.push(item(
        "C1",
        Source::Changes,
        Body::Change(Change {
            at: at("03:01:10"),
            kind: ChangeKind::Deployment,
            target: "invoice-render".into(),
            entity: "version 58".into(),
            summary: Redacted::new("version 58 of invoice-render was published"),
            details: Vec::new(),
            rollback: None,
        }),
    ));
    ledger.push(item(
        "F1",
        Source::Analysis,
        Body::Fact(Fact {
            kind: FactKind::Comparison,
            text: Redacted::new("At 03:04: version 58 fails 43 of 60, version 57 fails 0 of 58"),
            formula: "errors / invocations by version".into(),
            inputs: vec![EvidenceId::parse("M1")],
            value: None,
            display: "43 of 60 against 0 of 58".into(),
            at: Some(at("03:04:00")),
            discriminates: Some("version 58".into()),
        }),
    ));
    ledger
}

/// Evidence id, quote, and time with value.
type Cited<'a> = (&'a str, Option<&'a str>, Option<(&'a str, f64)>);

fn claim(kind: ClaimKind, text: &str, citations: &[Cited<'_>]) -> Claim {
    let citations = citations
        .iter()
        .map(|(id, quote, point)| Citation {
            evidence: EvidenceId::parse(id),
            quote: quote.map(str::to_owned),
            at: point.map(|(at, _)| at.to_owned()),
            value: point.map(|(_, value)| value),
        })
        .collect();
    Claim { text: text.into(), kind, citations }
}

fn checked(claim: &Claim) -> Checked {
    let names = BTreeSet::from(["invoice-render".to_owned()]);
    let ledger = ledger();
    check(
        claim,
        &Grounds {
            ledger: &ledger,
            onset: Some(at("03:02:00")),
            tolerance: SignedDuration::from_secs(60),
            known_names: &names,
        },
    )
}

#[test]
fn a_claim_that_cites_what_stands_there_holds() {
    let claim = claim(
        ClaimKind::Cause,
        "version 58 of invoice-render was published and {F1} fail with Cannot read properties",
        &[
            ("C1", Some("version 58 of invoice-render was published"), None),
            ("L1", Some("Cannot read properties of undefined"), None),
            ("F1", None, None),
        ],
    );
    let checked = checked(&claim);
    assert_eq!(checked.faults, Vec::<String>::new());
    assert!(!checked.removed && checked.discriminates);
    assert_eq!(checked.entity.as_deref(), Some("version 58"));
    assert_eq!(checked.sources, BTreeSet::from([Source::Metrics, Source::Logs, Source::Changes]));
    assert_eq!((checked.held, checked.looked_up), (3, 3));
}

#[test]
fn white_space_in_a_quote_is_folded_and_a_made_up_quote_is_dropped() {
    let good =
        claim(ClaimKind::Symptom, "It fails in this way", &[("L1", Some("Invoke Error Cannot read"), None)]);
    assert!(checked(&good).faults.is_empty());
    let made_up =
        claim(ClaimKind::Symptom, "It fails in this way", &[("L1", Some("connection pool exhausted"), None)]);
    let checked = checked(&made_up);
    assert!(checked.removed);
    assert_eq!(checked.faults.first().unwrap(), "L1 does not hold the words \"connection pool exhausted\"");
}

#[test]
fn a_made_up_number_or_name_removes_the_claim() {
    for text in [
        "It fails 4711 times a minute",
        "The payments-db database refuses connections",
        "DynamoDB throttles",
        "The call to api.partner.example fails",
        "worker_pool is exhausted",
    ] {
        let checked = checked(&claim(ClaimKind::Symptom, text, &[("L1", Some("Invoke Error"), None)]));
        assert!(checked.removed, "{text}: {:?}", checked.faults);
    }
}

#[test]
fn a_metric_value_is_read_again_at_its_minute() {
    let right = claim(ClaimKind::Symptom, "43 errors at 03:04", &[("M1", None, Some(("03:04", 43.0)))]);
    assert_eq!(checked(&right).faults, Vec::<String>::new());
    let wrong = claim(ClaimKind::Symptom, "It fails", &[("M1", None, Some(("03:04", 99.0)))]);
    assert_eq!(checked(&wrong).faults.first().unwrap(), "M1 at 03:04 is 43, not 99");
    let elsewhere = claim(ClaimKind::Symptom, "It fails", &[("M1", None, Some(("01:00", 43.0)))]);
    assert_eq!(checked(&elsewhere).faults.first().unwrap(), "M1 has no datapoint at 01:00");
}

#[test]
fn a_number_that_only_stands_elsewhere_in_the_series_proves_nothing() {
    let claim = claim(ClaimKind::Symptom, "There were 41 errors", &[("M1", None, Some(("03:04", 43.0)))]);
    assert!(checked(&claim).removed);
}

#[test]
fn a_cause_cannot_start_after_its_symptom() {
    let late = claim(ClaimKind::Cause, "It fails", &[("F1", None, None)]);
    let checked = checked(&late);
    assert!(checked.removed);
    assert!(checked.faults.iter().any(|fault| fault.starts_with("a cause cannot start after its symptom")));
}

#[test]
fn evidence_that_was_not_read_shows_nothing() {
    let mut ledger = ledger();
    let denied =
        Evidence { status: Status::Denied, body: Body::Nothing, ..item("L9", Source::Logs, Body::Nothing) };
    ledger.push(denied);
    let names = BTreeSet::new();
    let grounds =
        Grounds { ledger: &ledger, onset: None, tolerance: SignedDuration::ZERO, known_names: &names };
    let checked = check(&claim(ClaimKind::RuledOut, "No error text", &[("L9", None, None)]), &grounds);
    assert!(checked.removed);
}

#[test]
fn a_time_in_the_text_may_be_the_start_of_the_stored_one() {
    let claim = claim(ClaimKind::Context, "Published at 03:01", &[("C1", None, None)]);
    assert_eq!(checked(&claim).faults, Vec::<String>::new());
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_check_panic(text in "\\PC{0,80}", quote in "\\PC{0,40}", time in "\\PC{0,12}") {
        let claim = claim(ClaimKind::Cause, &text, &[("L1", Some(&quote), None), ("M1", None, Some((&time, 1.0)))]);
        let _ = checked(&claim);
    }

    #[test]
    fn a_number_that_the_evidence_lacks_never_stays(number in 100_u32..100_000) {
        // The year stands in every line that is cited.
        proptest::prop_assume!(number != 2026);
        let text = format!("It fails {number} times");
        let kept = !checked(&claim(ClaimKind::Symptom, &text, &[("L1", Some("Invoke Error"), None)])).removed;
        proptest::prop_assert!(!kept);
    }
}

#[test]
fn a_reference_to_what_was_never_read_removes_the_claim_and_never_prints_its_words() {
    for text in ["Failing at {orders-db 4711}.", "It failed {M1@04:44} times.", "See {M9}."] {
        let checked = checked(&claim(ClaimKind::Symptom, text, &[("F1", None, None)]));
        assert!(checked.removed, "{text}");
    }
    let text = "It failed {M1@03:04} times, {F1}.";
    assert!(!checked(&claim(ClaimKind::Symptom, text, &[("F1", None, None)])).removed);
}

#[test]
fn a_citation_keeps_nothing_that_was_not_compared() {
    let typed = Some(("04:44", 4711.0));
    let checked = checked(&claim(
        ClaimKind::Symptom,
        "Version 58 fails.",
        &[
            ("L1", Some("taxRate"), typed),
            ("C1", None, typed),
            ("F1", None, typed),
            ("M1", None, Some(("03:04", 43.0))),
        ],
    ));
    let kept: Vec<_> =
        checked.claim.citations.iter().map(|citation| (citation.at.as_deref(), citation.value)).collect();
    assert_eq!(kept, [(None, None), (None, None), (None, None), (Some("03:04"), Some(43.0))]);
}

#[test]
fn digits_of_ids_dates_and_times_prove_no_number() {
    let proof = "RequestId: 8f5e7f6a-2f1c of 2026-11-24 03:02:40 took 812.4 ms, memory=512MB duration:36 (45%) [58]ab";
    for proven in ["812.4", "812.4ms", "512", "36", "36.0", "45%", "58"] {
        assert!(number_occurs(proven, proof), "{proven}");
    }
    for invented in ["8", "5", "7", "24", "11", "2026", "40", "2", "4711"] {
        assert!(!number_occurs(invented, proof), "{invented}");
    }
}

#[test]
fn text_without_citations_may_name_what_the_run_knows_and_a_permission() {
    let names = BTreeSet::from(["invoice-render".to_owned()]);
    let ledger = ledger();
    let grounds =
        Grounds { ledger: &ledger, onset: None, tolerance: SignedDuration::ZERO, known_names: &names };
    for honest in [
        "the answers of the tax service that invoice-render asks",
        "who published version 58: cloudtrail:LookupEvents is not read",
        "lines of /aws/lambda/invoice-render before 57",
    ] {
        assert_eq!(invented(honest, &grounds), Vec::<String>::new(), "{honest}");
    }
    assert_eq!(invented("the 4711 rows of orders-db at 41", &grounds), ["4711", "orders-db", "41"]);
}

#[test]
fn a_claim_is_a_sentence_of_its_own_and_a_range_needs_a_computed_fact() {
    let of_fact = |text: &str| checked(&claim(ClaimKind::Symptom, text, &[("F1", None, None)]));
    let of_metric =
        |text: &str| checked(&claim(ClaimKind::Symptom, text, &[("M1", None, Some(("03:04", 43.0)))]));
    assert!(of_fact("{F1}.").removed, "a value alone says nothing");
    assert!(!of_fact("Most requests of it fail: {F1}").removed);
    assert!(!of_fact("It never fails elsewhere, as {F1} shows").removed);
    assert!(of_metric("The errors were never above 43").removed);
    let long = of_fact(&format!("It fails {}: {{F1}}", "again and ".repeat(25)));
    assert!(!long.removed && long.faults.len() == 1, "{long:?}");
}

#[test]
fn a_time_stands_in_a_stamp_and_a_stamp_in_a_log_line_names_its_milliseconds() {
    let mut ledger = ledger();
    let Some(Body::Logs(mut logs)) = ledger.get(&EvidenceId::parse("L1")).map(|item| item.body.clone())
    else {
        panic!("L1 holds log lines")
    };
    logs.lines[0].text = Redacted::new("2026-11-24T03:02:47.656Z WARN tax client fell back");
    ledger.push(item("L2", Source::Logs, Body::Logs(logs)));
    let names = BTreeSet::new();
    let grounds =
        Grounds { ledger: &ledger, onset: None, tolerance: SignedDuration::ZERO, known_names: &names };
    let said = |time: &str| {
        let text = format!("The client fell back at {time}");
        check(&claim(ClaimKind::Symptom, &text, &[("L2", Some("tax client fell back"), None)]), &grounds)
    };
    assert_eq!(said("03:02:47.656").faults, Vec::<String>::new());
    assert!(said("03:02:48").removed);
}

#[test]
fn the_row_of_a_query_can_be_quoted_and_what_it_does_not_say_cannot() {
    let mut ledger = ledger();
    let rows = QueryRows {
        groups: vec!["/shop/orders".into()],
        query: Redacted::new("filter @message like /ERROR/ | stats count(*)"),
        rows: vec![Redacted::new("count(*): 4812")],
        matched: 4_812,
        complete: true,
    };
    ledger.push(item("L2", Source::Logs, Body::Rows(rows)));
    let names = BTreeSet::new();
    let grounds =
        Grounds { ledger: &ledger, onset: None, tolerance: SignedDuration::ZERO, known_names: &names };
    let said = |text: &str, quote: &str| {
        check(&claim(ClaimKind::Symptom, text, &[("L2", Some(quote), None)]), &grounds)
    };
    let held = said("The alarm's query counts 4812 lines", "count(*): 4812");
    assert!(!held.removed && held.sources.contains(&Source::Logs), "{held:?}");
    assert!(said("The alarm's query counts 4812 lines", "count(*): 4813").removed);
    assert!(said("The alarm's query counts 9000 lines", "count(*): 4812").removed);
}
