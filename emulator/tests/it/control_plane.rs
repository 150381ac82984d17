//! Bedrock's control plane on the wire: lists, single rows, availability, pages, refusals, and its agreement with
//! Converse.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sre_agent_emulator::{
    Account, BedrockOptions, Emulator, FoundationModel, InferenceProfile, ModelBehaviour, Options, Paging,
    ProfileType,
};

use crate::client::{Reply, SIGNATURE, send, started, started_with};

const SONNET: &str = "anthropic.claude-sonnet-4-6";

async fn get(emulator: &Emulator, target: &str) -> Reply {
    send(emulator, "GET", target, &[("authorization", SIGNATURE)], b"").await
}

async fn with_account(account: Account) -> Emulator {
    let bedrock = BedrockOptions { account, ..BedrockOptions::default() };
    started_with(Options { bedrock, ..Options::default() }).await
}

fn texts(list: &Value, member: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|row| row[member].as_str().unwrap().to_owned()).collect()
}

fn error(reply: &Reply) -> (u16, String, String) {
    let code = reply.header("x-amzn-errortype").unwrap().to_owned();
    (reply.status, code, reply.json()["message"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn models_are_listed_by_provider_and_inference_type_without_those_that_have_ended() {
    let emulator = started().await;
    let all = get(&emulator, "/foundation-models").await.json();
    let ids = texts(&all["modelSummaries"], "modelId");
    assert!(ids.contains(&SONNET.to_owned()) && ids.contains(&"amazon.nova-pro-v1:0".to_owned()), "{ids:?}");
    assert!(!ids.iter().any(|id| id.contains("claude-3-5-sonnet")), "{ids:?}");
    let amazon =
        get(&emulator, "/foundation-models?byProvider=Amazon&byInferenceType=ON_DEMAND").await.json();
    assert_eq!(
        texts(&amazon["modelSummaries"], "modelId"),
        ["amazon.nova-pro-v1:0", "amazon.nova-lite-v1:0", "amazon.nova-micro-v1:0"]
    );
    let legacy: Vec<&Value> = all["modelSummaries"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["modelLifecycle"]["status"] == "LEGACY")
        .map(|row| &row["modelLifecycle"])
        .collect();
    assert_eq!(
        legacy,
        [
            &json!({
                "status": "LEGACY",
                "legacyTime": "2026-10-08T00:00:00Z",
                "publicExtendedAccessTime": "2027-01-08T00:00:00Z",
                "endOfLifeTime": "2027-04-08T00:00:00Z",
            }),
            &json!({"status": "LEGACY", "endOfLifeTime": "2027-01-08T00:00:00Z"}),
        ]
    );
}

#[tokio::test]
async fn a_model_is_read_by_its_base_id_or_arn_and_by_nothing_else() {
    let emulator = started().await;
    let whole = json!({"modelDetails": {
        "modelArn": "arn:aws:bedrock:eu-west-1::foundation-model/anthropic.claude-sonnet-4-6",
        "modelId": SONNET,
        "modelName": "Claude Sonnet 4.6",
        "providerName": "Anthropic",
        "inputModalities": ["TEXT", "IMAGE"],
        "outputModalities": ["TEXT"],
        "responseStreamingSupported": true,
        "customizationsSupported": [],
        "inferenceTypesSupported": ["INFERENCE_PROFILE"],
        "modelLifecycle": {"status": "ACTIVE"},
    }});
    let arn = "arn%3Aaws%3Abedrock%3Aeu-west-1%3A%3Afoundation-model%2Fanthropic.claude-sonnet-4-6";
    for id in [SONNET, arn] {
        assert_eq!(get(&emulator, &format!("/foundation-models/{id}")).await.json(), whole, "{id}");
    }
    let unresolved = "Could not resolve the foundation model from the provided model identifier.";
    for gone in ["anthropic.claude-3-5-sonnet-20241022-v2%3A0", "anthropic.claude-nothing"] {
        let reply = get(&emulator, &format!("/foundation-models/{gone}")).await;
        assert_eq!(error(&reply), (404, "ResourceNotFoundException".to_owned(), unresolved.to_owned()));
    }
    for profile in ["eu.anthropic.claude-sonnet-4-6", "us.anthropic.claude-sonnet-4-6", "nonsense"] {
        let reply = get(&emulator, &format!("/foundation-models/{profile}")).await;
        let words = "The provided model identifier is invalid.".to_owned();
        assert_eq!(error(&reply), (400, "ValidationException".to_owned(), words), "{profile}");
    }
    assert_eq!(emulator.unsupported(), Vec::<String>::new());
}

#[tokio::test]
async fn profiles_of_the_regions_geography_are_listed_page_by_page() {
    let application = InferenceProfile {
        id: "a1b2c3d4e5f6".to_owned(),
        name: Some("incidents".to_owned()),
        kind: Some(ProfileType::Application),
        model: Some(SONNET.to_owned()),
        ..InferenceProfile::default()
    };
    let account = Account { inference_profiles: vec![application], ..Account::default() };
    let emulator = with_account(account).await;
    let whole = get(&emulator, "/inference-profiles").await.json();
    let ids = texts(&whole["inferenceProfileSummaries"], "inferenceProfileId");
    assert!(ids.iter().all(|id| !id.starts_with("us.") && !id.starts_with("jp.")), "{ids:?}");
    let mut paged = Vec::new();
    let mut target = "/inference-profiles?maxResults=4".to_owned();
    loop {
        let page = get(&emulator, &target).await.json();
        let found = texts(&page["inferenceProfileSummaries"], "inferenceProfileId");
        assert!((1..=4).contains(&found.len()));
        paged.extend(found);
        let Some(token) = page["nextToken"].as_str() else { break };
        target = format!("/inference-profiles?maxResults=4&nextToken={token}");
    }
    assert_eq!(paged, ids);
    let mine = get(&emulator, "/inference-profiles?type=APPLICATION").await.json();
    let profile = json!({
        "inferenceProfileId": "a1b2c3d4e5f6",
        "inferenceProfileArn":
            "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/a1b2c3d4e5f6",
        "inferenceProfileName": "incidents",
        "models": [{"modelArn": "arn:aws:bedrock:eu-west-1::foundation-model/anthropic.claude-sonnet-4-6"}],
        "status": "ACTIVE",
        "type": "APPLICATION",
    });
    assert_eq!(mine, json!({"inferenceProfileSummaries": [profile]}));
    let system = get(&emulator, "/inference-profiles?type=SYSTEM_DEFINED").await.json();
    assert_eq!(system["inferenceProfileSummaries"].as_array().unwrap().len(), ids.len() - 1);
    for bad in ["type=OTHER", "maxResults=0", "nextToken=nonsense"] {
        let reply = get(&emulator, &format!("/inference-profiles?{bad}")).await;
        assert_eq!((reply.status, error(&reply).1.as_str()), (400, "ValidationException"), "{bad}");
    }
}

#[tokio::test]
async fn the_scenarios_page_size_holds_also_where_the_caller_allows_more() {
    let paging = Paging { inference_profiles: 2, ..Paging::default() };
    let emulator = started_with(Options { paging: Some(paging), ..Options::default() }).await;
    let page = get(&emulator, "/inference-profiles?maxResults=100").await.json();
    assert_eq!(page["inferenceProfileSummaries"].as_array().unwrap().len(), 2);
    assert!(page["nextToken"].is_string());
}

#[tokio::test]
async fn a_profile_names_the_model_in_every_destination_region() {
    let emulator = started().await;
    let regions = |reply: &Reply| -> Vec<String> {
        texts(&reply.json()["models"], "modelArn")
            .iter()
            .map(|arn| arn.split(':').nth(3).unwrap().to_owned())
            .collect()
    };
    let eu = get(&emulator, "/inference-profiles/eu.amazon.nova-pro-v1%3A0").await;
    assert_eq!(regions(&eu), ["eu-central-1", "eu-north-1", "eu-south-1", "eu-west-1", "eu-west-3"]);
    assert_eq!(eu.json()["inferenceProfileName"], "EU Amazon Nova Pro");
    let global = get(&emulator, "/inference-profiles/global.anthropic.claude-sonnet-4-6").await;
    assert_eq!(regions(&global), ["eu-west-1", ""]);
    let by_arn =
        "arn%3Aaws%3Abedrock%3Aeu-west-1%3A123456789012%3Ainference-profile%2Feu.amazon.nova-pro-v1%3A0";
    assert_eq!(get(&emulator, &format!("/inference-profiles/{by_arn}")).await.json(), eu.json());
    for missing in ["us.amazon.nova-pro-v1%3A0", "eu.anthropic.claude-nothing", "amazon.nova-pro-v1%3A0"] {
        let reply = get(&emulator, &format!("/inference-profiles/{missing}")).await;
        assert_eq!((reply.status, error(&reply).1.as_str()), (404, "ResourceNotFoundException"), "{missing}");
    }
}

#[tokio::test]
async fn availability_shows_four_gates() {
    let elsewhere = FoundationModel {
        id: "amazon.nova-lite-v1:0".to_owned(),
        regions: Some(vec!["us-east-1".to_owned()]),
        agreement: Some(sre_agent_emulator::Agreement::Pending),
        entitlement: Some(sre_agent_emulator::Entitlement::NotAvailable),
        authorization: Some(sre_agent_emulator::Authorization::NotAuthorized),
        ..FoundationModel::default()
    };
    let emulator = with_account(Account { models: vec![elsewhere], ..Account::default() }).await;
    let gates = |id: &str, gates: [&str; 4]| {
        json!({
            "modelId": id,
            "agreementAvailability": {"status": gates[0]},
            "authorizationStatus": gates[1],
            "entitlementAvailability": gates[2],
            "regionAvailability": gates[3],
        })
    };
    let open = get(&emulator, &format!("/foundation-model-availability/{SONNET}")).await.json();
    assert_eq!(open, gates(SONNET, ["AVAILABLE", "AUTHORIZED", "AVAILABLE", "AVAILABLE"]));
    let shut = get(&emulator, "/foundation-model-availability/amazon.nova-lite-v1%3A0").await.json();
    let closed = ["PENDING", "NOT_AUTHORIZED", "NOT_AVAILABLE", "NOT_AVAILABLE"];
    assert_eq!(shut, gates("amazon.nova-lite-v1:0", closed));
    assert_eq!(get(&emulator, "/foundation-models/amazon.nova-lite-v1%3A0").await.status, 404);
}

#[tokio::test]
async fn what_is_outside_the_subset_is_refused_and_listed() {
    let emulator = started().await;
    for target in
        ["/foundation-models?byOutputModality=TEXT", "/foundation-models/x.y?z=1", "/foundation-models/a/b"]
    {
        assert_eq!(get(&emulator, target).await.status, 400, "{target}");
    }
    assert_eq!(
        emulator.unsupported(),
        [
            "emulator: unsupported parameter byOutputModality of bedrock:ListFoundationModels",
            "emulator: unsupported parameter z of bedrock:GetFoundationModel",
            "emulator: unsupported request GET /foundation-models/a/b",
        ]
    );
}

#[tokio::test]
async fn each_call_is_kept_with_its_action_and_may_be_denied() {
    let denied = vec!["bedrock:GetInferenceProfile".to_owned(), "bedrock:ListFoundationModels".to_owned()];
    let emulator = started_with(Options { denied, ..Options::default() }).await;
    get(&emulator, "/foundation-models").await;
    let reply = get(&emulator, "/inference-profiles/eu.amazon.nova-pro-v1%3A0").await;
    let resource = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.amazon.nova-pro-v1:0";
    let (status, code, message) = error(&reply);
    assert_eq!((status, code.as_str()), (403, "AccessDeniedException"));
    assert!(
        message.contains(&format!("to perform: bedrock:GetInferenceProfile on resource: {resource}")),
        "{message}"
    );
    get(&emulator, &format!("/foundation-model-availability/{SONNET}")).await;
    let kept: Vec<_> = emulator
        .requests()
        .into_iter()
        .map(|request| (request.iam_action.unwrap(), request.resource, request.status))
        .collect();
    let model = format!("arn:aws:bedrock:eu-west-1::foundation-model/{SONNET}");
    assert_eq!(
        kept,
        [
            ("bedrock:ListFoundationModels".to_owned(), None, Some(403)),
            ("bedrock:GetInferenceProfile".to_owned(), Some(resource.to_owned()), Some(403)),
            ("bedrock:GetFoundationModelAvailability".to_owned(), Some(model), Some(200)),
        ]
    );
}

/// Every behaviour that `[models]` knows shows in the control plane as well.
#[tokio::test]
async fn the_control_plane_agrees_with_what_converse_says() {
    let nova = "amazon.nova-pro-v1:0";
    for (behaviour, listed, profiled, status, authorization, types) in [
        (ModelBehaviour::Answers, true, true, "ACTIVE", "AUTHORIZED", 2),
        (ModelBehaviour::EndOfLife, false, false, "", "", 0),
        (ModelBehaviour::InvalidIdentifier, false, false, "", "", 0),
        (ModelBehaviour::Legacy, true, true, "LEGACY", "AUTHORIZED", 2),
        (ModelBehaviour::AccessDenied, true, true, "ACTIVE", "NOT_AUTHORIZED", 2),
        (ModelBehaviour::OnDemandUnsupported, true, true, "ACTIVE", "AUTHORIZED", 1),
    ] {
        let models = BTreeMap::from([(nova.to_owned(), behaviour)]);
        let emulator = started_with(Options { models, ..Options::default() }).await;
        let all = get(&emulator, "/foundation-models").await.json();
        let row = all["modelSummaries"].as_array().unwrap().iter().find(|row| row["modelId"] == nova);
        assert_eq!(row.is_some(), listed, "{behaviour:?}");
        let profile = get(&emulator, "/inference-profiles/eu.amazon.nova-pro-v1%3A0").await.status;
        assert_eq!(profile == 200, profiled, "{behaviour:?}");
        let availability = get(&emulator, "/foundation-model-availability/amazon.nova-pro-v1%3A0").await;
        assert_eq!(availability.status == 200, listed, "{behaviour:?}");
        if let Some(row) = row {
            assert_eq!(row["modelLifecycle"]["status"], status, "{behaviour:?}");
            assert_eq!(row["inferenceTypesSupported"].as_array().unwrap().len(), types, "{behaviour:?}");
            assert_eq!(availability.json()["authorizationStatus"], authorization, "{behaviour:?}");
        }
    }
}
