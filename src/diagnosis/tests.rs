//! What is read off the embedded table, and how a known rate changes what a refusal means.

use super::*;

#[test]
fn the_embedded_table_is_read_and_holds_a_signature_for_each_class() {
    assert!(SIGNATURES.len() > 25, "{} signatures", SIGNATURES.len());
    for signature in SIGNATURES.iter() {
        assert_eq!(named(usual(signature.class)).map(|usual| usual.class), Some(signature.class));
        assert!(!signature.remedies.is_empty() && !signature.next.is_empty(), "{}", signature.name);
        for part in signature.when.iter().flatten() {
            assert_eq!(*part, normal(part), "{} would never match", signature.name);
        }
    }
}

#[test]
fn no_place_is_left_unfilled_with_or_without_details() {
    for signature in SIGNATURES.iter() {
        for text in ["", "us.anthropic.claude-sonnet-4-6"] {
            let diagnosis = filled(Some(signature), &Details::read(text, None, None));
            let all = format!("{} {} {}", diagnosis.cause, diagnosis.remedies.join(" "), diagnosis.next);
            assert!(!all.contains('{'), "{all}");
        }
    }
}

#[test]
fn a_failures_class_outweighs_its_words() {
    let failure = Failure {
        class: ErrorClass::Unavailable,
        operation: "Converse".into(),
        model: Some("us.amazon.nova-pro-v1:0".into()),
        attempts: 5,
        waited: std::time::Duration::from_secs(9),
        request_id: None,
        message: "HTTP 503 without a word about too many requests".into(),
    };
    assert_eq!(of_failure(&failure, None).name, "unavailable");
}

/// Rate, calls planned, minutes and words; then the signature, and a part of its cause or first remedy.
type RateRow = (Quota, u32, u32, &'static str, &'static str, &'static str);

#[test]
fn a_refusal_within_a_run_is_a_burst_or_a_quota_too_small_by_what_is_known_of_the_rate() {
    let requests = |most| Quota { requests: Some(most), tokens: None };
    let tokens = |most| Quota { requests: None, tokens: Some(most) };
    let many = "ThrottlingException: Too many requests, please wait before trying again.";
    let long = "ThrottlingException: Too many tokens, please wait before trying again.";
    let late = "its quota of 2 requests a minute has the next place in 58 s, 12 s are left";
    let large = "the request is larger than its quota of 4000 tokens a minute";
    let never = "the request is larger than its quota of 0 requests a minute";
    let rows: &[RateRow] = &[
        (requests(1), 11, 4, many, "quota_too_small", "(1 request a minute; 11 calls planned in 4 minutes)"),
        (requests(0), 2, 4, many, "quota_too_small", "(0 requests a minute; 2 calls planned in 4 minutes)"),
        (requests(1), 2, 1, many, "quota_too_small", "2 calls planned in 1 minute)"),
        (requests(3), 11, 4, many, "throttled_burst", "More requests"),
        (requests(200), 11, 1, many, "throttled_burst", "enough for one run (200 requests a minute;"),
        (Quota::default(), 11, 4, many, "throttled_requests", "a burst, or a quota too small"),
        // What is known of the other rate says nothing.
        (tokens(1), 11, 4, many, "throttled_requests", "a burst, or a quota too small"),
        (requests(1), 11, 4, long, "throttled_tokens", "a burst, or a quota too small"),
        (tokens(10_000), 11, 4, long, "quota_too_small", "inference tokens per minute for Anthropic"),
        (tokens(10_000), 11, 4, long, "quota_too_small", "11 calls of about 66000 tokens in all planned"),
        (tokens(500_000), 11, 4, long, "throttled_burst", "more tokens at one moment"),
        // No place in time is proof enough.
        (requests(2), 2, 14, late, "quota_too_small", "no wait within the run can help"),
        (requests(0), 2, 4, never, "quota_too_small", "(0 requests a minute;"),
        (tokens(4_000), 2, 900, large, "quota_too_small", "(4000 tokens a minute;"),
    ];
    for (quota, calls, minutes, message, name, part) in rows {
        let failure = Failure { message: (*message).to_owned(), ..throttled() };
        let tokens = if *calls == 11 { 66_000 } else { 12_000 };
        let demand = Demand { quota: *quota, adjustable: None, calls: *calls, tokens, minutes: *minutes };
        let found = of_failure(&failure, Some(&demand));
        assert_eq!(
            (found.name.as_str(), found.class),
            (*name, ErrorClass::Throttled),
            "{demand:?} {message}"
        );
        assert!(
            found.cause.to_lowercase().contains(&part.to_lowercase()),
            "{part} is not in {}",
            found.cause
        );
        assert!(found.cause.contains("for Anthropic Claude Sonnet 4.6"), "{}", found.cause);
    }
}

#[test]
fn a_quota_too_small_is_told_with_whether_it_can_be_raised() {
    for (adjustable, part) in [
        (Some(true), "says that it is adjustable"),
        (Some(false), "is not adjustable"),
        (None, "where Service Quotas says"),
    ] {
        let quota = Quota { requests: Some(1), tokens: None };
        let demand = Demand { quota, adjustable, calls: 11, tokens: 66_000, minutes: 4 };
        let found = of_failure(&throttled(), Some(&demand));
        assert!(found.remedies[0].contains(part), "{:?}", found.remedies);
    }
}

#[test]
fn a_known_rate_explains_no_other_failure() {
    let demand = Demand {
        quota: Quota { requests: Some(1), tokens: Some(1) },
        adjustable: None,
        calls: 11,
        tokens: 66_000,
        minutes: 1,
    };
    let failure = Failure {
        class: ErrorClass::DailyQuota,
        message: "Too many tokens per day, please wait before trying again.".into(),
        ..throttled()
    };
    assert_eq!(of_failure(&failure, Some(&demand)).name, "daily_quota");
}

#[test]
fn a_provider_outside_aws_has_no_quota_in_service_quotas() {
    let elsewhere = ModelId::from("anthropic:claude-sonnet-4-6");
    let found =
        of_text("rate_limit_error: Number of requests has exceeded your rate limit", Some(&elsewhere));
    assert_eq!(found.name, "throttled_requests");
    assert!(found.cause.contains("\"requests per minute at anthropic\""), "{}", found.cause);
}

fn throttled() -> Failure {
    Failure {
        class: ErrorClass::Throttled,
        operation: "Converse".into(),
        model: Some("us.anthropic.claude-sonnet-4-6".into()),
        attempts: 5,
        waited: std::time::Duration::from_secs(9),
        request_id: None,
        message: "ThrottlingException: Too many requests, please wait before trying again.".into(),
    }
}

#[test]
fn a_failed_call_elsewhere_is_not_explained_with_aws() {
    for class in [
        ErrorClass::Credentials,
        ErrorClass::Throttled,
        ErrorClass::DailyQuota,
        ErrorClass::NotEnabled,
        ErrorClass::Unavailable,
        ErrorClass::AccessDenied,
        ErrorClass::InvalidIdentifier,
        ErrorClass::Unreachable,
        ErrorClass::InvalidRequest,
        ErrorClass::TimedOut,
        ErrorClass::InputTooLong,
    ] {
        let failure = Failure {
            class,
            operation: "Messages".into(),
            model: Some("anthropic:claude-sonnet-4-6".into()),
            attempts: 1,
            waited: std::time::Duration::ZERO,
            request_id: None,
            message: "overloaded_error: Overloaded".into(),
        };
        let found = of_failure(&failure, None);
        assert_eq!(found.class, class);
        let all = format!("{} {} {}", found.cause, found.remedies.join(" "), found.next);
        for word in
            ["Bedrock is", "aws sso", "Service Quotas", "bedrock:", "Cross-region", "interface endpoint"]
        {
            assert!(!all.contains(word), "{class:?}: {all}");
        }
    }
}
