//! Three layers over one another, and every fault at once.

use super::*;

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn the_embedded_default_is_whole() {
    let config = Config::load(&Layers::default()).unwrap();
    let models: Vec<_> = config.models.iter().map(ModelId::as_str).collect();
    assert_eq!(
        models,
        [
            "us.anthropic.claude-3-5-sonnet-20241022-v2:0",
            "us.anthropic.claude-sonnet-4-6",
            "us.anthropic.claude-haiku-4-5-20251001-v1:0",
            "us.amazon.nova-pro-v1:0",
        ]
    );
    assert_eq!((config.max_attempts, config.max_concurrent, config.max_model_calls), (5, 4, 24));
    assert_eq!(config.publish_reserve, Duration::from_secs(15));
}

#[test]
fn a_variable_goes_over_the_document_and_an_empty_one_counts_as_unset() {
    let document =
        "format = 1\ndepth = \"facts\"\n[models]\nprimary = \"eu.some.model\"\n[budget]\nmax_cost_usd = 2.0";
    let config = Config::load(&Layers {
        document: Some(("agent.toml", document)),
        variables: variables(&[
            ("SRE_AGENT_DEPTH", "full"),
            ("SRE_AGENT_MODEL", ""),
            ("SRE_AGENT_MAX_COST_USD", " "),
        ]),
        endpoint_override: false,
    })
    .unwrap();
    assert_eq!(config.depth, Some(Depth::Full));
    assert_eq!(config.models[0].as_str(), "eu.some.model");
    assert!((config.max_cost_usd - 2.0).abs() < f64::EPSILON);
}

#[test]
fn every_fault_is_told_at_once_with_its_key() {
    let document = "format = 2\ncolour = \"red\"\n[models]\nmax_attempts = \"many\"\nprimery = \"x\"\n[deadline]\ngather_seconds = -1";
    let error = Config::load(&Layers {
        document: Some(("agent.toml", document)),
        variables: variables(&[
            ("SRE_AGENT_DEPTH", "deep"),
            ("SRE_AGENT_MODLE", "x"),
            ("SRE_AGENT_MAX_COST_USD", "cheap"),
            ("SRE_AGENT_SLACK_WEBHOOK", "hooks.example/secret-part"),
            ("SRE_AGENT_FINDINGS_TOPIC_ARN", "topic"),
            ("SRE_AGENT_AS_OF", "2026-11-24T03:05:30Z"),
        ]),
        endpoint_override: false,
    })
    .unwrap_err();
    insta::assert_snapshot!(error.to_string());
    assert!(!error.to_string().contains("secret-part"));
}

#[test]
fn an_unknown_format_is_refused_by_name() {
    let layers = Layers { document: Some(("agent.toml", "format = 2")), ..Layers::default() };
    let error = Config::load(&layers).unwrap_err();
    assert_eq!(
        error.faults,
        [Fault { key: "format".into(), reason: "format 2 is unknown; this version reads format 1".into() }]
    );
}

#[test]
fn the_clock_may_be_given_only_away_from_aws() {
    let layers = |endpoint_override| Layers {
        document: None,
        variables: variables(&[("SRE_AGENT_AS_OF", "2026-11-24T03:05:30Z"), ("SRE_AGENT_SEED", "7")]),
        endpoint_override,
    };
    let config = Config::load(&layers(true)).unwrap();
    assert_eq!(
        (config.as_of.map(|at| at.to_string()), config.seed),
        (Some("2026-11-24T03:05:30Z".into()), Some(7))
    );
    let keys: Vec<_> =
        Config::load(&layers(false)).unwrap_err().faults.into_iter().map(|fault| fault.key).collect();
    assert_eq!(keys, ["run.as_of", "run.seed"]);
}

#[test]
fn a_webhook_address_never_shows() {
    let variables =
        variables(&[("SRE_AGENT_SLACK_WEBHOOK", "https://hooks.slack.com/services/T/B/very-secret")]);
    let config = Config::load(&Layers { variables, ..Layers::default() }).unwrap();
    assert!(!format!("{config:?}").contains("very-secret"));
}

#[test]
fn quotas_and_the_days_limit_are_read_and_checked() {
    let load =
        |document| Config::load(&Layers { document: Some(("agent.toml", document)), ..Layers::default() });
    let config = load(
        "format = 1\ndepth = \"brief\"\n[models]\n[[models.quota]]\nmodel = \"us.amazon.nova-pro-v1:0\"\n\
         requests_per_minute = 2\n[budget]\nmax_cost_usd_per_day = 3.0",
    )
    .unwrap();
    assert_eq!((config.depth, config.max_cost_usd_per_day), (Some(Depth::Brief), Some(3.0)));
    let quota = config.quotas.of(&ModelId::from("us.amazon.nova-pro-v1:0"));
    assert_eq!(quota, Quota { requests: Some(2), tokens: None });
    let bad = "format = 1\n[[models.quota]]\nmodel = \"a\"\n[[models.quota]]\nmodel = \"b\"\nrequests_per_minute = 0\n\
               [budget]\nmax_cost_usd_per_day = 0.0";
    let keys: Vec<_> = load(bad).unwrap_err().faults.into_iter().map(|fault| fault.key).collect();
    assert_eq!(keys, ["budget.max_cost_usd_per_day", "models.quota", "models.quota"]);
}
