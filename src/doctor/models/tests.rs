//! What the account shows, and what is made of it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::doctor::{Examination, Identity};
use crate::evidence::Status;
use crate::gather::telemetry::TelemetryError;
use crate::model::quota::ListedQuota;
use crate::model::{ErrorClass, Failure, Provider};

const SONNET: &str = "us.anthropic.claude-sonnet-4-6";
const OLD: &str = "us.anthropic.claude-3-5-sonnet-20241022-v2:0";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn offered(id: &str) -> OfferedModel {
    OfferedModel { id: id.into(), lifecycle: Lifecycle::Active, end_of_life: None, on_demand: false }
}

fn profile_of(id: &str) -> Profile {
    let base = ModelId::from(id);
    let regions = ["us-east-1", "us-east-2", "us-west-2"];
    Profile {
        id: id.into(),
        arn: format!("arn:aws:bedrock:us-east-1:123456789012:inference-profile/{id}"),
        active: true,
        model_arns: regions
            .map(|region| format!("arn:aws:bedrock:{region}::foundation-model/{}", base.base()))
            .to_vec(),
    }
}

/// An account in which Sonnet 4.6 works.
fn account() -> Account {
    let gates = Availability {
        agreement: Some("AVAILABLE".into()),
        authorized: true,
        entitled: true,
        in_region: true,
    };
    Account {
        region: "us-east-1".into(),
        now: at("2026-11-24T03:05:30Z"),
        identity: Ok(Identity {
            account: "123456789012".into(),
            arn: "arn:aws:iam::123456789012:user/sre".into(),
        }),
        offered: Ok(vec![offered("anthropic.claude-sonnet-4-6")]),
        profiles: Ok(vec![profile_of(SONNET)]),
        quotas: Ok(vec![ListedQuota {
            name: "Cross-region model inference requests per minute for Anthropic Claude Sonnet 4.6".into(),
            code: "L-00000000".into(),
            value: 200.0,
            adjustable: true,
        }]),
        availability: BTreeMap::from([("anthropic.claude-sonnet-4-6".to_owned(), Ok(gates))]),
        keys: BTreeMap::new(),
        calls: BTreeMap::new(),
    }
}

fn levels(model: &str, account: &Account) -> (bool, Vec<Level>, String) {
    let judged = judge(&ModelId::from(model), account);
    let text = judged.checks.iter().map(|check| check.reason.clone()).collect::<Vec<_>>().join(" | ");
    (judged.ready, judged.checks.iter().map(|check| check.level).collect(), text)
}

fn unseen<T>(operation: &'static str) -> Result<T, TelemetryError> {
    Err(TelemetryError { status: Status::Denied, operation, reason: "no".into() })
}

#[test]
fn a_model_whose_gates_are_open_is_ready() {
    let (ready, levels, text) = levels(SONNET, &account());
    assert!(ready);
    assert_eq!(levels, [Level::Good, Level::Good], "{text}");
    assert_eq!(judge(&ModelId::from(SONNET), &account()).why(), None);
}

#[test]
fn each_closed_gate_makes_a_model_unusable_and_names_itself() {
    type Change = fn(&mut Account);
    let rows: &[(&str, Change, &str)] = &[
        ("not listed", |account| account.offered = Ok(Vec::new()), "does not offer it"),
        (
            "retired",
            |account| account.offered.as_mut().unwrap()[0].end_of_life = Some(at("2026-10-14T00:00:00Z")),
            "end of its life on 2026-10-14",
        ),
        ("no profile", |account| account.profiles = Ok(Vec::new()), "no such inference profile"),
        ("inactive profile", |account| account.profiles.as_mut().unwrap()[0].active = false, "not active"),
        ("not authorized", |account| gate(account).authorized = false, "not authorized"),
        ("not entitled", |account| gate(account).entitled = false, "not entitled"),
        (
            "no agreement",
            |account| gate(account).agreement = Some("NOT_AVAILABLE".into()),
            "no Marketplace agreement",
        ),
        ("pending", |account| gate(account).agreement = Some("PENDING".into()), "still being processed"),
        ("no quota", |account| account.quotas.as_mut().unwrap()[0].value = 0.0, "quota is 0"),
        (
            "nobody",
            |account| {
                account.identity = unseen("sts:GetCallerIdentity");
                account.offered = unseen("bedrock:ListFoundationModels");
                account.profiles = unseen("bedrock:ListInferenceProfiles");
                account.quotas = unseen("servicequotas:ListServiceQuotas");
            },
            "without credentials",
        ),
    ];
    for (name, change, words) in rows {
        let mut account = account();
        change(&mut account);
        let (ready, _, text) = levels(SONNET, &account);
        assert!(!ready, "{name}: {text}");
        assert!(text.contains(words), "{name}: {text}");
    }
}

fn gate(account: &mut Account) -> &mut Availability {
    account.availability.values_mut().next().unwrap().as_mut().unwrap()
}

#[test]
fn what_ends_soon_or_is_legacy_still_works_and_warns() {
    let life = |lifecycle, end: Option<&str>| {
        let mut account = account();
        let model = &mut account.offered.as_mut().unwrap()[0];
        model.lifecycle = lifecycle;
        model.end_of_life = end.map(at);
        let (ready, levels, text) = levels(SONNET, &account);
        assert!(ready);
        (levels[0], text)
    };
    let (level, text) = life(Lifecycle::Active, Some("2027-01-22T03:05:30Z"));
    assert_eq!(level, Level::Warning);
    assert!(text.contains("in 59 days"), "{text}");
    assert_eq!(life(Lifecycle::Active, Some("2027-01-23T03:05:30Z")).0, Level::Good);
    let (level, text) = life(Lifecycle::Legacy, Some("2027-04-08T00:00:00Z"));
    assert_eq!(level, Level::Warning);
    assert!(text.contains("legacy, end of life 2027-04-08"), "{text}");
}

#[test]
fn the_default_model_is_known_to_be_retired_even_where_nothing_can_be_listed() {
    let mut account = account();
    account.offered = unseen("bedrock:ListFoundationModels");
    account.profiles = unseen("bedrock:ListInferenceProfiles");
    let (ready, _, text) = levels(OLD, &account);
    assert!(!ready);
    assert!(text.contains("end of its life on 2026-03-01"), "{text}");
    let (ready, _, text) = levels(SONNET, &account);
    assert!(ready, "{text}");
    assert_eq!(unread(&account).len(), 2);
    assert!(unread(&account).iter().all(|note| note.level == Level::Note && note.fix.is_some()));
}

#[test]
fn a_model_that_needs_a_profile_is_told_which() {
    let (ready, _, text) = levels("anthropic.claude-sonnet-4-6", &account());
    assert!(!ready);
    assert!(text.contains("through a profile only"), "{text}");
    let fixes: Vec<_> = judge(&ModelId::from("anthropic.claude-sonnet-4-6"), &account())
        .checks
        .into_iter()
        .filter_map(|check| check.fix)
        .collect();
    assert_eq!(fixes, [format!("Use {SONNET} instead.")]);
}

#[test]
fn a_call_that_was_answered_outweighs_the_lists_and_a_refused_one_is_diagnosed() {
    let mut account = account();
    account.profiles = Ok(Vec::new());
    account.calls.insert(ModelId::from(SONNET), Ok(()));
    assert!(levels(SONNET, &account).0);

    let failure = Failure {
        class: ErrorClass::AccessDenied,
        operation: "Converse".into(),
        model: Some(SONNET.into()),
        attempts: 1,
        waited: Duration::ZERO,
        request_id: None,
        message: "AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/r/s is not authorized to perform: \
                  bedrock:InvokeModel on resource: arn:aws:bedrock:us-east-2::foundation-model/anthropic.claude-sonnet-4-6 \
                  with an explicit deny in a service control policy"
            .into(),
    };
    account.profiles = Ok(vec![profile_of(SONNET)]);
    account.calls.insert(ModelId::from(SONNET), Err(failure));
    let (ready, _, text) = levels(SONNET, &account);
    assert!(!ready);
    assert!(text.contains("service control policy of the organization denies"), "{text}");
    assert!(text.contains("its Region is us-east-2"), "{text}");
}

#[test]
fn a_throttled_call_is_a_burst_or_a_quota_too_small_by_the_quota_that_was_read() {
    for (value, adjustable, cause, fix) in [
        (
            1.0,
            true,
            "too small for one run (1 request a minute; 6 calls planned",
            "says that it is adjustable",
        ),
        (1.0, false, "too small for one run (1 request a minute; 6 calls planned", "is not adjustable"),
        (200.0, true, "A burst: more requests at one moment", "Back off"),
    ] {
        let mut account = account();
        let quotas = account.quotas.as_mut().unwrap();
        (quotas[0].value, quotas[0].adjustable) = (value, adjustable);
        let failure = Failure {
            class: ErrorClass::Throttled,
            operation: "Converse".into(),
            model: Some(SONNET.into()),
            attempts: 1,
            waited: Duration::ZERO,
            request_id: None,
            message: "ThrottlingException: Too many requests, please wait before trying again.".into(),
        };
        account.calls.insert(ModelId::from(SONNET), Err(failure));
        let judged = judge(&ModelId::from(SONNET), &account);
        let check = judged.checks.iter().find(|check| check.reason.contains(cause));
        let told = check.and_then(|check| check.fix.as_deref()).unwrap_or_default();
        assert!(told.contains(fix), "{value}: {:?}", judged.checks);
    }
}

#[test]
fn the_examination_names_the_usable_models_in_their_order_and_where_prompts_go() {
    let configured =
        [ModelId::from(OLD), ModelId::from(SONNET), ModelId::from("global.amazon.nova-2-lite-v1:0")];
    let examination = Examination::of(&account(), &configured);
    assert_eq!(examination.usable, [ModelId::from(SONNET)]);
    assert_eq!(examination.conclusion(), format!("Usable: {SONNET}"));
    let reach: Vec<&str> = examination.parts[1].checks.iter().map(|check| check.reason.as_str()).collect();
    assert_eq!(
        reach,
        [
            "us-east-1, us-east-2, us-west-2 (by the built-in table)",
            "us-east-1, us-east-2, us-west-2",
            "any commercial Region"
        ]
    );
    let nothing = Examination::of(&account(), &configured[..1]);
    assert_eq!(nothing.conclusion(), "No configured model is usable: reports will hold facts only.");
}

#[test]
fn a_model_elsewhere_is_judged_by_its_providers_key_and_by_a_call() {
    type Row = (Option<SeenKey>, Option<Result<(), Failure>>, bool, Vec<Level>, &'static str);
    const ELSEWHERE: &str = "anthropic:claude-sonnet-4-6";
    let failed = || Failure {
        class: ErrorClass::Credentials,
        operation: "Messages".into(),
        model: Some(ELSEWHERE.into()),
        attempts: 1,
        waited: Duration::ZERO,
        request_id: None,
        message: "authentication_error: invalid x-api-key".into(),
    };
    let readable = || SeenKey::Readable("/key".into());
    let unreadable = || SeenKey::Unreadable("no SSM parameter /key in this Region".into());
    let rows: Vec<Row> = vec![
        (None, None, false, vec![Level::Bad], "[providers.anthropic] is not configured"),
        (Some(unreadable()), None, false, vec![Level::Bad], "no SSM parameter /key"),
        (Some(readable()), None, true, vec![Level::Good, Level::Note], "SSM parameter /key | not in AWS"),
        (Some(SeenKey::NotWanted), None, true, vec![Level::Good, Level::Note], "asked without a key"),
        (Some(readable()), Some(Ok(())), true, vec![Level::Good, Level::Good], "answered a minimal call"),
        (
            Some(readable()),
            Some(Err(failed())),
            false,
            vec![Level::Good, Level::Bad],
            "does not take the key",
        ),
    ];
    for (key, called, wanted, wanted_levels, words) in rows {
        let mut account = account();
        // What AWS says of the account has no part in it.
        account.quotas = Ok(Vec::new());
        account.keys.extend(key.map(|key| (Provider::Anthropic, key)));
        account.calls.extend(called.map(|called| (ModelId::from(ELSEWHERE), called)));
        let (ready, levels, text) = levels(ELSEWHERE, &account);
        assert_eq!((ready, levels), (wanted, wanted_levels), "{text}");
        assert!(text.contains(words), "{words} is not in {text}");
    }
}
