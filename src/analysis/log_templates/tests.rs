//! Grouping, counting and judging of log lines.

use proptest::prelude::*;

use super::*;

const SPANS: Spans =
    Spans { incident: SignedDuration::from_mins(60), baseline: SignedDuration::from_mins(180) };

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn texts(templates: &[LogTemplate]) -> Vec<&str> {
    templates.iter().map(|template| template.text.as_str()).collect()
}

fn clustered(lines: &[(i64, &str, InWindow)]) -> Vec<LogTemplate> {
    cluster(lines.iter().map(|&(second, line, window)| (at(second), line, window)), SPANS)
}

#[test]
fn a_new_error_stands_before_a_surge_and_a_surge_before_the_usual() {
    let mut lines = Vec::new();
    lines.extend((0..120).map(|second| (second, "render 17 took 12 ms", InWindow::Incident)));
    lines.extend((0..360).map(|second| (second, "render 18 took 13 ms", InWindow::Baseline)));
    lines.extend((0..50).map(|second| (second, "ledger 3 timeout after 5 s", InWindow::Incident)));
    lines.extend((0..9).map(|second| (second, "ledger 4 timeout after 6 s", InWindow::Baseline)));
    lines.extend([
        (7, "TypeError: no tax rate", InWindow::Incident),
        (5, "TypeError: no tax rate", InWindow::Incident),
    ]);
    lines.extend((0..90).map(|second| (second, "heartbeat 1", InWindow::Baseline)));
    let templates = clustered(&lines);
    assert_eq!(
        texts(&templates),
        [
            "TypeError: no tax rate",
            "ledger <*> timeout after <*> s",
            "heartbeat <*>",
            "render <*> took <*> ms"
        ]
    );
    let trends: Vec<_> = templates.iter().map(|template| template.trend).collect();
    assert_eq!(
        trends,
        [TemplateTrend::New, TemplateTrend::Surged, TemplateTrend::Vanished, TemplateTrend::Steady]
    );
    let error = &templates[0];
    assert_eq!((error.incident_count, error.baseline_count, error.expected), (2, 0, 0.0));
    assert_eq!((error.first_at, error.last_at), (Some(at(5)), Some(at(7))));
    assert_eq!((templates[1].incident_count, templates[1].expected), (50, 3.0));
}

#[test]
fn a_few_lines_more_are_no_surge_and_twice_as_many_rare_lines_neither() {
    let lines = |incident: i64, baseline: i64| {
        let mut lines: Vec<_> =
            (0..incident).map(|second| (second, "cache miss", InWindow::Incident)).collect();
        lines.extend((0..baseline).map(|second| (second, "cache miss", InWindow::Baseline)));
        clustered(&lines)[0].trend
    };
    assert_eq!(lines(2, 3), TemplateTrend::Steady, "2 where 1 was expected");
    assert_eq!(lines(1_200, 3_000), TemplateTrend::Steady, "a fifth more is traffic");
    assert_eq!(lines(200, 300), TemplateTrend::Surged, "200 where 100 were expected");
}

#[test]
fn without_a_baseline_nothing_is_called_new() {
    let spans = Spans { baseline: SignedDuration::ZERO, ..SPANS };
    let lines = [(at(1), "TypeError: no tax rate", InWindow::Incident)];
    assert_eq!(cluster(lines.into_iter(), spans)[0].trend, TemplateTrend::Steady);
}

#[test]
fn failures_with_different_names_stay_apart_and_names_at_the_front_do_not() {
    let errors = clustered(&[
        (1, "render of invoice for order failed with TypeError in step tax", InWindow::Incident),
        (2, "render of invoice for order failed with RangeError in step tax", InWindow::Incident),
    ]);
    assert_eq!(errors.len(), 2);
    let people = ["ann", "bob", "cid", "dan", "eve", "fay"].map(|name| format!("{name} logged in"));
    let lines: Vec<_> = people.iter().map(|line| (1, line.as_str(), InWindow::Incident)).collect();
    assert_eq!(texts(&clustered(&lines)), ["<*> logged in"]);
}

#[test]
fn words_that_vary_without_digits_become_wildcards() {
    let templates = clustered(&[
        (1, "session of alice opened from the office", InWindow::Incident),
        (2, "session of bob opened from the office", InWindow::Incident),
    ]);
    assert_eq!(texts(&templates), ["session of <*> opened from the office"]);
    assert!(belongs("session of carol opened from the office", &templates[0]));
    assert!(!belongs("session of carol closed from the office", &templates[0]));
    assert!(!belongs("session of carol opened", &templates[0]));
}

#[test]
fn the_sample_is_the_first_line_of_the_incident() {
    let templates = clustered(&[
        (1, "took 1 ms", InWindow::Baseline),
        (9, "took 9 ms", InWindow::Incident),
        (7, "took 7 ms\n", InWindow::Incident),
    ]);
    assert_eq!(templates[0].sample.as_str(), "took 7 ms");
}

#[test]
fn severity_goes_by_words() {
    for loud in [
        "ERROR x",
        "[Error] x",
        "UpstreamTimeoutError: x",
        "java.lang.NullPointerException",
        "access denied",
        "Task timed out after 3.00 seconds",
    ] {
        assert_eq!(severity(loud), Severity::Failure, "{loud}");
    }
    assert_eq!(severity("WARN retrying upstream ledger-api"), Severity::Warning);
    for plain in ["INFO no terror here", "START RequestId: <*> Version: <*>", "mirror", ""] {
        assert_eq!(severity(plain), Severity::Plain, "{plain}");
    }
}

#[test]
fn random_words_cannot_make_thousands_of_templates() {
    let mut rng = fastrand::Rng::with_seed(1);
    let mut word = || (0..9).map(|_| rng.lowercase()).collect::<String>();
    let constant_first: Vec<String> = (0..3_000).map(|_| format!("word {}", word())).collect();
    let random: Vec<String> = (0..3_000).map(|_| format!("{} {} {}", word(), word(), word())).collect();
    for (lines, most) in [(constant_first, CROWDED), (random, MOST_LEAVES + CROWDED)] {
        let templates = cluster(lines.iter().map(|line| (at(1), line.as_str(), InWindow::Incident)), SPANS);
        assert!(templates.len() <= most, "{}", templates.len());
        assert_eq!(templates.iter().map(|template| template.incident_count).sum::<u64>(), 3_000);
    }
}

fn some_line() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        "[a-z]{1,6}",
        "[0-9]{1,4}",
        Just("ERROR".to_owned()),
        Just("TypeError:".to_owned()),
        "\\PC{0,8}"
    ];
    prop_oneof![
        prop::collection::vec(word, 0..8).prop_map(|words| words.join(" ")),
        "\\PC{0,60}",
        any::<String>(),
        "[a-c] [a-c] [a-c] [0-9]",
    ]
}

proptest! {
    #[test]
    fn every_line_is_in_one_template_and_order_does_not_matter(
        lines in prop::collection::vec((0_i64..1_000, some_line(), any::<bool>()), 0..60),
        seed in any::<u64>(),
    ) {
        let window = |incident: bool| if incident { InWindow::Incident } else { InWindow::Baseline };
        let read: Vec<_> = lines.iter().map(|(second, line, incident)| (*second, line.as_str(), window(*incident))).collect();
        let templates = clustered(&read);
        let inside = read.iter().filter(|line| line.2 == InWindow::Incident).count() as u64;
        prop_assert_eq!(templates.iter().map(|template| template.incident_count).sum::<u64>(), inside);
        prop_assert_eq!(
            templates.iter().map(|template| template.incident_count + template.baseline_count).sum::<u64>(),
            read.len() as u64
        );
        for (_, line, _) in &read {
            prop_assert!(templates.iter().any(|template| belongs(line, template)), "{:?} belongs nowhere", line);
        }
        let mut shuffled = read.clone();
        fastrand::Rng::with_seed(seed).shuffle(&mut shuffled);
        prop_assert_eq!(clustered(&shuffled), templates);
    }
}
