//! The budget of bytes, and what is read from rows.

use super::*;

fn budget(run: u64, day: Option<(u64, u64)>) -> ScanBudget {
    ScanBudget::new(ScanLimits { run, day, usd_per_gb: 0.005 })
}

#[test]
fn what_would_exceed_is_not_run_and_the_limit_is_named() {
    let scans = budget(5_000_000_000, None);
    let refused = scans.take(12_000_000_000).unwrap_err();
    assert_eq!(
        refused,
        "Logs Insights: about 12 GB, over the run's limit of 5 GB (budget.max_insights_bytes)"
    );
    assert_eq!(scans.scanned().tripped, Some(ScanLimit::Run));
    assert_eq!((scans.scanned().queries, scans.scanned().bytes), (0, 0));
    let scans = budget(5_000_000_000, Some((1_000_000, 20_000_000_000)));
    let refused = scans.take(1_000_001).unwrap_err();
    assert!(refused.contains("the day's limit of 20 GB (budget.max_insights_bytes_per_day)"), "{refused}");
    assert_eq!(scans.scanned().tripped, Some(ScanLimit::Day));
}

#[test]
fn queries_under_way_count_by_their_estimate_and_ended_ones_by_what_they_scanned() {
    let scans = budget(5_000_000_000, None);
    scans.take(3_000_000_000).unwrap();
    let refused = scans.take(3_000_000_000).unwrap_err();
    assert!(refused.contains("limit of 5 GB, 3 GB of it used"), "{refused}");
    scans.settle(3_000_000_000, Some(2_000_000_000));
    scans.take(3_000_000_000).unwrap();
    let spent = scans.scanned();
    assert_eq!((spent.queries, spent.bytes), (2, 5_000_000_000));
    assert!((spent.cost_usd - 0.025).abs() < 1e-12);
    // One that was refused at the start scanned nothing.
    scans.settle(3_000_000_000, None);
    assert_eq!((scans.scanned().queries, scans.scanned().bytes), (1, 2_000_000_000));
}

#[test]
fn bytes_are_written_as_people_write_them() {
    let written = [12_000_000_000, 1_250_000_000, 340_000_000, 1_200, 0].map(in_bytes);
    assert_eq!(written, ["12 GB", "1.2 GB", "340 MB", "2 KB", "0 KB"]);
}

#[test]
fn a_query_that_names_its_own_groups_is_told_from_others() {
    let names = |query: &str| NAMES_GROUPS.as_ref().unwrap().is_match(query);
    assert!(names("SOURCE logGroups(namePrefix: ['/aws'])"));
    assert!(names("# all\n source '/aws/lambda/f' | fields @message"));
    assert!(names("filter id in (SOURCE logGroups() | fields id)"));
    assert!(!names("fields source, @message | filter source = 'a' | stats count(*) by source"));
}

#[test]
fn a_row_is_one_redacted_line_and_bounded() {
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let secret = "password=hunter2hunter2";
    let text = row(&[field("count(*)", "51"), field("@message", &format!("a\nb {secret}"))]);
    assert!(text.as_str().starts_with("count(*): 51, @message: a b"), "{text}");
    assert!(!text.as_str().contains("hunter2"), "{text}");
    assert_eq!(row(&[field("m", &"x".repeat(9_000))]).as_str().chars().count(), LONGEST_ROW);
    let minute = minute(&[field("bin(1m)", "2026-11-24 03:02:00.000"), field("lines", "41")]);
    assert_eq!(minute, Some(("2026-11-24T03:02:00Z".parse().unwrap(), 41)));
}
