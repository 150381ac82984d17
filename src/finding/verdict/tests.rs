//! The rules from checked claims to a verdict.

use super::*;
use crate::finding::claim::Claim;

fn checked(kind: ClaimKind, sources: &[Source], discriminates: bool) -> Checked {
    Checked {
        claim: Claim { text: "text".into(), kind, citations: Vec::new() },
        sources: sources.iter().copied().collect(),
        earliest: None,
        entity: Some("version 58".into()),
        discriminates,
        faults: Vec::new(),
        removed: false,
        looked_up: 1,
        held: 1,
    }
}

fn review(decision: ReviewDecision) -> Review {
    Review { decision, reason: "reason".into(), missing: String::new() }
}

const BOTH: &[Source] = &[Source::Changes, Source::Logs];

#[test]
fn a_cause_is_shown_only_with_two_sources_a_discriminating_fact_and_a_review_that_kept_it() {
    let keep = review(ReviewDecision::Keep);
    let shown = decide(&[checked(ClaimKind::Cause, BOTH, true)], Some(&keep), true);
    assert_eq!(shown.kind, VerdictKind::CauseShown);
    for (claims, review) in [
        (checked(ClaimKind::Cause, &[Source::Changes], true), Some(&keep)),
        (checked(ClaimKind::Cause, BOTH, false), Some(&keep)),
        (checked(ClaimKind::Cause, BOTH, true), Some(&review(ReviewDecision::Downgrade))),
        (checked(ClaimKind::Cause, BOTH, true), None),
    ] {
        let verdict = decide(&[claims], review, true);
        assert_eq!((verdict.kind, verdict.lacks.len()), (VerdictKind::LikelyCause, 1));
    }
}

#[test]
fn a_symptom_about_the_same_thing_lends_the_cause_its_source() {
    let claims = [
        checked(ClaimKind::Cause, &[Source::Changes], false),
        checked(ClaimKind::Symptom, &[Source::Metrics], true),
    ];
    assert_eq!(decide(&claims, Some(&review(ReviewDecision::Keep)), false).kind, VerdictKind::CauseShown);
}

#[test]
fn a_rejected_or_removed_cause_leaves_no_cause() {
    let rejected =
        decide(&[checked(ClaimKind::Cause, BOTH, true)], Some(&review(ReviewDecision::Reject)), false);
    assert_eq!(rejected.kind, VerdictKind::SymptomOnly);
    let removed = Checked { removed: true, ..checked(ClaimKind::Cause, BOTH, true) };
    assert_eq!(decide(&[removed], None, true).kind, VerdictKind::CannotBeShown);
}

#[test]
fn the_alarm_is_at_fault_only_where_the_review_agrees() {
    let fault = [checked(ClaimKind::AlarmFault, &[Source::Alarm], false)];
    assert_eq!(decide(&fault, Some(&review(ReviewDecision::Keep)), false).kind, VerdictKind::AlarmMisfired);
    assert_eq!(decide(&fault, None, false).kind, VerdictKind::SymptomOnly);
}
