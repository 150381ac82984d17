//! Three layers over one another, and every fault at once.

use super::*;
use crate::delivery::slack::BotToken;

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
        unreadable: None,
    })
    .unwrap();
    assert_eq!(config.depth, Some(Depth::Full));
    assert_eq!(config.models[0].as_str(), "eu.some.model");
    assert!((config.max_cost_usd - 2.0).abs() < f64::EPSILON);
}

#[test]
fn the_word_none_leaves_the_primary_alone() {
    let models = |fallback| {
        let variables =
            variables(&[("SRE_AGENT_MODEL", "us.some.model"), ("SRE_AGENT_FALLBACK_MODELS", fallback)]);
        Config::load(&Layers { variables, ..Layers::default() }).unwrap().models.len()
    };
    assert_eq!((models("none"), models("us.other.model"), models("")), (1, 2, 4));
}

#[test]
fn silenced_alarms_are_investigated_only_where_each_kind_is_switched_on() {
    let of = |text: &str| {
        let document = format!("format = 1\n[alarms]\n{text}");
        let layers = Layers { document: Some(("agent.toml", &document)), ..Layers::default() };
        Config::load(&layers).map(|config| {
            let InvestigateSilenced { muted, suppressed, disabled } = config.silenced;
            (muted, suppressed, disabled)
        })
    };
    assert_eq!(of(""), Ok((false, false, false)));
    assert_eq!(of("investigate_muted = true"), Ok((true, false, false)));
    assert_eq!(of("investigate_suppressed = true"), Ok((false, true, false)));
    assert_eq!(of("investigate_disabled = true"), Ok((false, false, true)));
    let fault = of("investigate_muted = \"yes\"").unwrap_err();
    assert_eq!(fault.faults[0].key, "agent.toml: alarms.investigate_muted");
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
        unreadable: None,
    })
    .unwrap_err();
    insta::assert_snapshot!(error.to_string());
    assert!(!error.to_string().contains("secret-part"));
}

#[test]
fn a_document_that_is_no_toml_is_told_with_its_place_and_a_strange_variable_without_a_guess() {
    let layers = Layers {
        document: Some(("/etc/agent.toml", "format = 1\n[models]\nprimary = =\n")),
        variables: variables(&[("SRE_AGENT_COLOUR_OF_THE_CARD", "blue")]),
        ..Layers::default()
    };
    let told = Config::load(&layers).unwrap_err().to_string();
    assert!(told.contains("/etc/agent.toml: document: line 3, column 11: "), "{told}");
    assert!(told.contains("SRE_AGENT_COLOUR_OF_THE_CARD: unknown variable"), "{told}");
    assert!(!told.contains("did you mean"), "{told}");
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
        unreadable: None,
        document: Some(("document", "format = 1\n[run]\nminute_seconds = 6")),
        variables: variables(&[("SRE_AGENT_AS_OF", "2026-11-24T03:05:30Z"), ("SRE_AGENT_SEED", "7")]),
        endpoint_override,
    };
    let config = Config::load(&layers(true)).unwrap();
    assert_eq!(
        (config.as_of.map(|at| at.to_string()), config.seed),
        (Some("2026-11-24T03:05:30Z".into()), Some(7))
    );
    assert_eq!(config.quotas.minute, Duration::from_secs(6));
    let keys: Vec<_> =
        Config::load(&layers(false)).unwrap_err().faults.into_iter().map(|fault| fault.key).collect();
    assert_eq!(keys, ["run.as_of", "run.seed", "run.minute_seconds"]);
}

#[test]
fn a_webhook_address_never_shows() {
    let variables =
        variables(&[("SRE_AGENT_SLACK_WEBHOOK", "https://hooks.slack.com/services/T/B/very-secret")]);
    let config = Config::load(&Layers { variables, ..Layers::default() }).unwrap();
    assert!(!format!("{config:?}").contains("very-secret"));
}

#[test]
fn a_bot_is_read_with_its_channel_and_its_token_never_shows() {
    let load =
        |pairs: &[(&str, &str)]| Config::load(&Layers { variables: variables(pairs), ..Layers::default() });
    let token = ("SRE_AGENT_SLACK_TOKEN", "xoxb-1-very-secret");
    let channel = ("SRE_AGENT_SLACK_CHANNEL", "C0123456789");
    let config = load(&[token, channel]).unwrap();
    let bot = config.slack_bot.clone().unwrap();
    assert_eq!((bot.channel.as_str(), bot.base_url.as_str()), ("C0123456789", "https://slack.com"));
    assert!(!format!("{config:?}").contains("very-secret"));

    for (pairs, key, told) in [
        (&[token][..], "slack.channel", "is wanted beside slack.token"),
        (&[channel], "slack.token", "is wanted beside slack.channel"),
        (&[token, ("SRE_AGENT_SLACK_CHANNEL", "#incidents")], "slack.channel", "by its id"),
        (&[("SRE_AGENT_SLACK_TOKEN", "xoxp-very-secret"), channel], "slack.token", "begins with xoxb-"),
        (&[("SRE_AGENT_SLACK_TOKEN", "ssm:no name"), channel], "slack.token", "a parameter name is wanted"),
        (&[token, channel, ("SRE_AGENT_SLACK_WEBHOOK", "ssm:/hook")], "slack.token", "keep one of them"),
    ] {
        let error = load(pairs).unwrap_err();
        let [fault] = error.faults.as_slice() else { panic!("{error}") };
        assert!(fault.key == key && fault.reason.contains(told), "{error}");
        assert!(!error.to_string().contains("very-secret"), "{error}");
    }
}

#[test]
fn a_variable_chooses_between_webhook_and_bot_over_the_document() {
    let bot = "format = 1\n[slack]\ntoken = \"ssm:/token\"\nchannel = \"C0123456789\"";
    let webhook = "format = 1\n[slack]\nwebhook = \"ssm:/hook\"";
    let load = |document, pairs: &[(&str, &str)]| {
        let config = Config::load(&Layers {
            document: Some(("agent.toml", document)),
            variables: variables(pairs),
            ..Layers::default()
        })
        .unwrap();
        (config.slack_webhook.is_some(), config.slack_bot.is_some())
    };
    assert_eq!(load(bot, &[("SRE_AGENT_SLACK_WEBHOOK", "ssm:/hook")]), (true, false));
    assert_eq!(load(bot, &[("SRE_AGENT_SLACK_WEBHOOK", "")]), (false, true));
    let token = ("SRE_AGENT_SLACK_TOKEN", "ssm:/token");
    assert_eq!(load(webhook, &[token, ("SRE_AGENT_SLACK_CHANNEL", "C0123456789")]), (false, true));
}

#[test]
fn a_bot_speaks_to_slack_its_government_cloud_or_an_emulator_here() {
    let load = |base_url: &str| {
        let document = format!(
            "format = 1\n[slack]\ntoken = \"ssm:/sre-agent/slack-token\"\nchannel = \"C0123456789\"\n\
             base_url = \"{base_url}\""
        );
        Config::load(&Layers { document: Some(("agent.toml", &document)), ..Layers::default() })
    };
    for base_url in ["https://slack-gov.com", "http://127.0.0.1:4566"] {
        let bot = load(base_url).unwrap().slack_bot.unwrap();
        assert_eq!(bot.base_url, base_url);
        assert!(matches!(bot.token, BotToken::Parameter(name) if name == "/sre-agent/slack-token"));
    }
    let error = load("https://slack.example").unwrap_err();
    assert_eq!(error.faults[0].key, "slack.base_url");
}

#[test]
fn quotas_and_the_days_limit_are_read_and_checked() {
    let load =
        |document| Config::load(&Layers { document: Some(("agent.toml", document)), ..Layers::default() });
    let config = load(
        "format = 1\ndepth = \"brief\"\n[models]\n[[models.quota]]\nmodel = \"us.amazon.nova-pro-v1:0\"\n\
         requests_per_minute = 2\n[budget]\nmax_cost_usd_per_day = 3.0\nmax_model_calls_per_day = 9\nmax_tokens_per_day = 5000\n\
         max_insights_bytes = 0\nmax_insights_bytes_per_day = 7",
    )
    .unwrap();
    let per_day =
        PerDay { cost_usd: Some(3.0), calls: Some(9), tokens: Some(5_000), insights_bytes: Some(7) };
    assert_eq!(config.max_insights_bytes, 0);
    assert_eq!((config.depth, config.per_day), (Some(Depth::Brief), per_day));
    let quota = config.quotas.of(&ModelId::from("us.amazon.nova-pro-v1:0"));
    assert_eq!(quota, Quota { requests: Some(2), tokens: None });
    let bad = "format = 1\n[[models.quota]]\nmodel = \"a\"\n[[models.quota]]\nmodel = \"b\"\nrequests_per_minute = 0\n\
               [budget]\nmax_cost_usd_per_day = 0.0\nmax_model_calls_per_day = 0\nmax_tokens_per_day = 1\n\
               max_insights_bytes = 2_000_000_000_000_000\ninsights_usd_per_gb = -1.0\n\
               max_insights_bytes_per_day = 2_000_000_000_000_000";
    let keys: Vec<_> = load(bad).unwrap_err().faults.into_iter().map(|fault| fault.key).collect();
    let day = [
        "max_insights_bytes",
        "insights_usd_per_gb",
        "max_cost_usd_per_day",
        "max_model_calls_per_day",
        "max_tokens_per_day",
        "max_insights_bytes_per_day",
    ];
    let mut expected = day.map(|key| format!("budget.{key}")).to_vec();
    expected.extend(["models.quota".to_owned(), "models.quota".to_owned()]);
    assert_eq!(keys, expected);
}

#[test]
fn prompts_leave_bedrock_and_the_geography_only_where_the_document_says_so() {
    let load =
        |document| Config::load(&Layers { document: Some(("agent.toml", document)), ..Layers::default() });
    let usual = Config::load(&Layers::default()).unwrap();
    assert_eq!((usual.allow_global, usual.allow_provider.len()), (false, 0));
    let rungs = |config: &Config, region: &str| -> Vec<String> {
        config.ladder_plan(region).rungs.into_iter().map(|rung| rung.model.0).collect()
    };
    let configured: Vec<String> = usual.models.iter().map(ToString::to_string).collect();
    assert_eq!(rungs(&usual, "us-east-1"), configured);
    assert!(rungs(&usual, "eu-west-1").iter().all(|model| model.starts_with("eu.")));

    let document = "format = 1\n[models]\nprimary = \"us.a.b\"\nfallback = [\"anthropic:claude-sonnet-4-6\"]\n\
        allow_global = true\nallow_provider = [\"anthropic\"]\n[providers.anthropic]\nkey = \"ssm:/key\"";
    let config = load(document).unwrap();
    assert_eq!(rungs(&config, "us-east-1"), ["us.a.b", "global.a.b", "anthropic:claude-sonnet-4-6"]);
    let error = load("format = 1\n[models]\nallow_provider = [\"somebody\"]").unwrap_err();
    assert_eq!(error.faults[0].key, "models.allow_provider");
}

#[test]
fn the_document_adds_to_the_catalogue_and_a_faulty_row_is_told() {
    let load = |row: &str| {
        let document = format!("format = 1\n[[models.catalogue]]\n{row}");
        Config::load(&Layers { document: Some(("agent.toml", &document)), ..Layers::default() })
    };
    let config = load("id = \"new.model\"\nname = \"New\"\ninput = 1.0\noutput = 2.0").unwrap();
    let rows = config.catalogue.unwrap_or_default();
    assert_eq!(rows.last().map(|row| row.name.as_str()), Some("New"));
    let faults = load("id = \"new.model\"\nprice = 1").unwrap_err().faults;
    assert!(faults[0].key == "models.catalogue" && faults[0].reason.starts_with("row 1:"), "{faults:?}");
}

#[test]
fn the_primarys_provider_is_chosen_by_variable_and_needs_its_settings() {
    let load = |provider: &str, document: &str| {
        let document = format!("format = 1\n{document}");
        Config::load(&Layers {
            document: Some(("agent.toml", &document)),
            variables: variables(&[("SRE_AGENT_PROVIDER", provider)]),
            endpoint_override: false,
            unreadable: None,
        })
    };
    let keys = |loaded: Result<Config, ConfigError>| -> Vec<String> {
        loaded.unwrap_err().faults.into_iter().map(|fault| fault.key).collect()
    };
    let config = load("anthropic", "[providers.anthropic]\nkey = \"ssm:/sre-agent/anthropic\"").unwrap();
    assert_eq!(config.models[0].as_str(), "anthropic:claude-3-5-sonnet-20241022");
    assert_eq!(config.allow_provider, [Provider::Anthropic]);
    let settings = config.providers.anthropic.unwrap();
    assert_eq!(
        (settings.base_url.as_str(), settings.key_parameter.as_deref()),
        ("https://api.anthropic.com", Some("/sre-agent/anthropic"))
    );
    let local =
        "[models]\nprimary = \"llama3.1\"\n[providers.openai]\nbase_url = \"http://localhost:11434/v1\"";
    assert_eq!(load("openai", local).unwrap().models[0].as_str(), "openai:llama3.1");
    assert_eq!(keys(load("openai", "")), ["models.provider"]);
    assert_eq!(keys(load("anthropic", "")), ["providers.anthropic.key"]);
    assert_eq!(keys(load("somebody", "")), ["models.provider"]);
    let plain = "[providers.anthropic]\nkey = \"sk-secret\"";
    let error = load("bedrock", plain).unwrap_err();
    assert_eq!(error.faults[0].key, "providers.anthropic.key");
    assert!(!error.to_string().contains("sk-secret"));
    let open = "[providers.openai]\nbase_url = \"http://models.example/v1\"\nkey = \"ssm:/key\"";
    assert_eq!(keys(load("bedrock", open)), ["providers.openai.base_url"]);
}
