//! The embedded rows, rows of the configuration over them, and what is made of both.

use super::*;

fn row(id: &str) -> &'static CatalogueEntry {
    entry(&ModelId::from(id)).unwrap()
}

fn million(model: &str) -> Option<f64> {
    let usage = Usage { input: 1_000_000, output: 100_000, ..Usage::default() };
    cost_usd(&ModelId::from(model), usage).map(|cost| (cost * 1e6).round() / 1e6)
}

#[test]
fn the_embedded_rows_are_read_and_no_two_have_one_id() {
    let rows = EMBEDDED.clone();
    assert_eq!(overlaid(&[]).unwrap(), rows);
    let mut ids: Vec<_> = rows.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(rows.len(), 21);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), rows.len());
    for row in &rows {
        assert_eq!(row.input.is_some(), row.output.is_some(), "{}", row.id);
        assert_ne!(row.input, Some(0.0), "{} is unpriced, not free", row.id);
        assert!(row.sampling.is_none() || row.temperature, "{}", row.id);
        for day in [&row.legacy, &row.retired, &row.retires_not_before].into_iter().flatten() {
            assert!(day.parse::<jiff::civil::Date>().is_ok(), "{}: {day}", row.id);
        }
    }
}

#[test]
fn the_seeds_six_rows_stand_first_and_are_corrected() {
    let known: Vec<_> = rows()
        .iter()
        .take(6)
        .map(|row| (row.name.as_str(), row.capability.as_str(), row.requires_profile, row.retired.as_deref()))
        .collect();
    assert_eq!(
        known,
        [
            ("3.5 Sonnet v2", "Excellent", true, Some("2026-03-01")),
            ("3.5 Haiku", "Good", true, Some("2026-06-19")),
            ("Opus 4", "Excellent", true, Some("2026-05-31")),
            ("Sonnet 4", "Excellent", true, Some("2026-10-14")),
            ("Haiku 4.5", "Good", true, None),
            ("Nova Pro", "Good", false, None),
        ]
    );
    // The seed said 8K, and gave Sonnet 4's product id to Haiku 4.5.
    let haiku = row("anthropic.claude-haiku-4-5-20251001-v1:0");
    assert_eq!((haiku.max_output, haiku.product.as_deref()), (64_000, Some("prod-xdkflymybwmvi")));
    let sonnet = row("us.anthropic.claude-sonnet-4-20250514-v1:0");
    assert_eq!(sonnet.product.as_deref(), Some("prod-4pmewlybdftbs"));
    assert_eq!(
        row("us.anthropic.claude-3-5-sonnet-20241022-v2:0").product.as_deref(),
        Some("prod-cx7ovbu5wex7g")
    );
}

#[test]
fn a_model_has_the_same_row_in_every_form_of_its_id() {
    for id in [
        "anthropic.claude-haiku-4-5-20251001-v1:0",
        "eu.anthropic.claude-haiku-4-5-20251001-v1:0",
        "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-haiku-4-5-20251001-v1:0",
        "us.anthropic.claude-haiku-4-5-20251001",
        "anthropic:claude-haiku-4-5-20251001",
    ] {
        assert_eq!(name(&ModelId::from(id)), "Haiku 4.5", "{id}");
    }
    for id in ["", "us.someone.new-model", "openai:llama3.1", "abc123"] {
        assert_eq!(entry(&ModelId::from(id)), None, "{id}");
    }
}

#[test]
fn a_price_is_that_of_the_geography_and_an_unknown_one_is_none() {
    assert_eq!(million("us.anthropic.claude-sonnet-4-6"), Some(4.95));
    assert_eq!(million("global.anthropic.claude-sonnet-4-6"), Some(4.5));
    assert_eq!(million("anthropic:claude-sonnet-4-6"), Some(4.5));
    assert_eq!(million("eu.amazon.nova-pro-v1:0"), Some(1.47));
    // Above 100K of input everything costs five times as much.
    assert_eq!(million("us.anthropic.claude-haiku-5-5"), Some(0.825));
    for unpriced in ["us.anthropic.claude-opus-5", "us.someone.new-model", "openai:llama3.1"] {
        assert_eq!(million(unpriced), None, "{unpriced}");
    }
}

#[test]
fn cached_tokens_have_their_own_price() {
    let usage = Usage { cache_read: 1_000_000, cache_write: 1_000_000, ..Usage::default() };
    let cost = |model: &str| cost_usd(&ModelId::from(model), usage).unwrap();
    assert!((cost("us.anthropic.claude-sonnet-4-6") - (0.33 + 4.125)).abs() < 1e-9);
    assert!((cost("us.anthropic.claude-sonnet-5-5") - (0.11 + 2.75)).abs() < 1e-9);
    assert!((cost("amazon.nova-pro-v1:0") - (0.20 + 0.80)).abs() < 1e-9);
}

#[test]
fn output_is_clamped_to_the_models_limit() {
    let clamped = |model: &str| clamp_output(&ModelId::from(model), 20_000);
    assert_eq!(clamped("us.anthropic.claude-3-5-sonnet-20241022-v2:0"), 8192);
    assert_eq!(clamped("someone.new-model"), 4096);
}

#[test]
fn the_configuration_overrides_a_row_key_by_key_and_adds_new_ones() {
    let rows: Vec<toml::Table> = [
        "id = \"anthropic.claude-opus-5\"\ninput = 5.0\noutput = 25.0",
        "id = \"openai:llama3.1\"\nname = \"Llama at home\"\ntier = \"fast\"\ninput = 0.01\noutput = 0.01",
    ]
    .map(|text| text.parse().unwrap())
    .to_vec();
    let rows = overlaid(&rows).unwrap();
    let opus = entry_in(&rows, &ModelId::from("us.anthropic.claude-opus-5")).unwrap();
    assert_eq!((opus.input, opus.name.as_str(), opus.max_output), (Some(5.0), "Opus 5", 128_000));
    let llama = entry_in(&rows, &ModelId::from("openai:llama3.1")).unwrap();
    assert_eq!((llama.name.as_str(), llama.tier, llama.max_output), ("Llama at home", Tier::Fast, 4096));

    let faulty: toml::Table = "id = \"a.b\"\nprice = 3".parse().unwrap();
    let error = overlaid(&[faulty]).unwrap_err();
    assert!(error.row == 1 && error.reason.contains("price"), "{error}");
    assert!(overlaid(&["name = \"nobody\"".parse().unwrap()]).unwrap_err().reason.contains("id"));
}

#[test]
fn quotas_are_named_by_the_way_that_the_model_is_called() {
    let requests = |model: &str| {
        quota_names(&ModelId::from(model)).map(|names| names.requests_per_minute.to_lowercase())
    };
    let wanted = |text: &str| Some(text.to_lowercase());
    assert_eq!(
        requests("us.anthropic.claude-3-5-sonnet-20241022-v2:0"),
        wanted("Cross-region model inference requests per minute for Anthropic Claude 3.5 Sonnet V2")
    );
    assert_eq!(
        requests("global.anthropic.claude-haiku-4-5-20251001-v1:0"),
        wanted("Global cross-region model inference requests per minute for Anthropic Claude Haiku 4.5")
    );
    assert_eq!(
        requests("amazon.nova-pro-v1:0"),
        wanted("On-demand model inference requests per minute for Amazon Nova Pro")
    );
    assert_eq!(requests("anthropic:claude-sonnet-4-6"), None);
}

#[test]
fn a_card_tells_the_way_of_a_prompt_that_left_the_usual_one() {
    let rows = [
        ("us.anthropic.claude-sonnet-4-6", "Sonnet 4.6"),
        ("amazon.nova-pro-v1:0", "Nova Pro"),
        ("eu.anthropic.claude-sonnet-4-6", "Sonnet 4.6 (eu)"),
        ("global.anthropic.claude-sonnet-4-6", "Sonnet 4.6 (global)"),
        ("anthropic:claude-sonnet-4-6", "Sonnet 4.6 (Anthropic's API)"),
        ("openai:llama3.1", "llama3.1 (OpenAI-compatible endpoint)"),
    ];
    for (id, wanted) in rows {
        assert_eq!(label(&ModelId::from(id)), wanted);
    }
}

#[test]
fn the_catalogue_tells_the_tier_and_unknown_models_count_as_strong() {
    for (model, expected) in [
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", Tier::Fast),
        ("us.amazon.nova-lite-v1:0", Tier::Fast),
        ("us.anthropic.claude-sonnet-4-6", Tier::Strong),
        ("someone.new-model", Tier::Strong),
    ] {
        assert_eq!(Tier::of(&ModelId::from(model)), expected, "{model}");
    }
}

#[test]
fn the_rationale_of_a_choice_names_each_criterion() {
    for (id, expected) in [
        (
            "us.anthropic.claude-3-5-sonnet-20241022-v2:0",
            "retired 2026-03-01; excellent reasoning; pinned version; routed across the Regions of us; in the catalogue: \
             $6 and $30 a million tokens in and out",
        ),
        (
            "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "available until 2027-04-08; excellent reasoning; pinned version; routed to any commercial Region; in the \
             catalogue: $3 and $15 a million tokens in and out",
        ),
        (
            "us.anthropic.claude-sonnet-4-6",
            "available; excellent reasoning; version that may move; routed across the Regions of us; in the catalogue: \
             $3.3 and $16.5 a million tokens in and out",
        ),
        (
            "amazon.nova-pro-v1:0",
            "available; good reasoning; pinned version; served in one Region; in the catalogue: $0.8 and $3.2 a million \
             tokens in and out",
        ),
        (
            "openai:llama3.1",
            "not in the catalogue: availability, reasoning and price unknown; served by openai",
        ),
    ] {
        assert_eq!(rationale(&ModelId::from(id), "2026-11-24"), expected, "{id}");
    }
}
