//! What is said of each model id, and what one model refuses.

use super::*;

async fn said_of(model: &str) -> (u16, String, String) {
    let bedrock = service(talkative());
    let answer = bedrock.converse(model, plain_request("logs", 1).to_string().as_bytes()).await;
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    let exception = header(&answer, "x-amzn-errortype").unwrap_or_default().to_owned();
    (answer.status, exception, body["message"].as_str().unwrap_or_default().to_owned())
}

fn refused(status: u16, exception: &str, message: &str) -> (u16, String, String) {
    (status, exception.to_owned(), message.to_owned())
}

#[tokio::test]
async fn a_model_answers_by_id_profile_and_arn() {
    for id in [
        "amazon.nova-pro-v1:0",
        "us.anthropic.claude-sonnet-4-6",
        "global.anthropic.claude-sonnet-4-6",
        "us.anthropic.claude-haiku-4-5-20251001-v1:0",
        "us.anthropic.claude-haiku-4-5-20251001-v1%3A0",
        "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-6",
        "arn%3Aaws%3Abedrock%3Aus-east-1%3A%3Afoundation-model%2Famazon.nova-pro-v1%3A0",
    ] {
        assert_eq!(said_of(id).await.0, 200, "{id}");
    }
}

#[tokio::test]
async fn an_unknown_id_and_a_wrong_geography_are_invalid_identifiers() {
    let invalid = refused(400, "ValidationException", "The provided model identifier is invalid.");
    for id in [
        "us.anthropic.claude-nothing",
        "xx.anthropic.claude-sonnet-4-6",
        "eu.anthropic.claude-sonnet-4-6",
        "us.us.anthropic.claude-sonnet-4-6",
        "us.anthropic.claude-haiku-5-5",
        "anthropic.claude sonnet",
        "arn:aws:s3:::bucket/anthropic.claude-sonnet-4-6",
        "",
    ] {
        assert_eq!(said_of(id).await, invalid, "{id}");
    }
}

#[tokio::test]
async fn dead_and_legacy_models_are_not_found() {
    let text = "This model version has reached the end of its life. Please refer to the AWS documentation for more \
                details.";
    let dead = refused(404, "ResourceNotFoundException", text);
    assert_eq!(said_of("us.anthropic.claude-3-5-sonnet-20241022-v2:0").await, dead);
    let text = "Access denied. This Model is marked by provider as Legacy and you have not been actively using the \
                model in the last 30 days. Please upgrade to an active model on Amazon Bedrock";
    let legacy = refused(404, "ResourceNotFoundException", text);
    assert_eq!(said_of("us.anthropic.claude-sonnet-4-5-20250929-v1:0").await, legacy);
}

#[tokio::test]
async fn a_denied_model_names_action_and_destination_resource() {
    for (id, resource) in [
        (
            "anthropic.claude-opus-5-5",
            "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-opus-5-5",
        ),
        (
            "us.anthropic.claude-opus-5-5",
            "arn:aws:bedrock:us-east-2::foundation-model/anthropic.claude-opus-5-5",
        ),
        ("global.anthropic.claude-opus-5-5", "arn:aws:bedrock:::foundation-model/anthropic.claude-opus-5-5"),
    ] {
        let (status, exception, message) = said_of(id).await;
        assert_eq!((status, exception.as_str()), (403, "AccessDeniedException"));
        let wanted =
            format!("is not authorized to perform: bedrock:InvokeModel on resource: {resource} because");
        assert!(message.contains(&wanted), "{message}");
    }
}

#[tokio::test]
async fn on_demand_is_refused_for_the_bare_id_only_unless_the_profile_itself_is_configured() {
    let text = |id: &str| {
        format!(
            "Invocation of model ID {id} with on-demand throughput isn’t supported. Retry your request with the ID \
             or ARN of an inference profile that contains this model."
        )
    };
    let bare = "amazon.nova-lite-v1:0";
    assert_eq!(said_of(bare).await, refused(400, "ValidationException", &text(bare)));
    assert_eq!(said_of("us.amazon.nova-lite-v1:0").await.0, 200);
    let profile = "us.amazon.nova-2-lite-v1:0";
    assert_eq!(said_of(profile).await, refused(400, "ValidationException", &text(profile)));
}

/// What `[models]` does not name, or lets answer, is what the account says of it.
#[tokio::test]
async fn the_account_says_which_ids_there_are_and_how_they_are_called() {
    let bedrock = Bedrock::new(Path::new("/nowhere"), BTreeMap::new(), talkative()).unwrap();
    let mut said = Vec::new();
    for id in [
        "us.anthropic.claude-sonnet-4-6",
        "anthropic.claude-sonnet-4-6",
        "us.anthropic.claude-sonnet-5-5",
        "global.anthropic.claude-sonnet-5-5",
        "us.anthropic.claude-3-haiku-20240307-v1:0",
        "anthropic.claude-nothing",
    ] {
        let (status, body) = ask(&bedrock, id, &plain_request("logs", 1)).await;
        let message = body["message"].as_str().unwrap_or_default();
        said.push((status, message.chars().take(27).collect::<String>()));
    }
    let said: Vec<(u16, &str)> = said.iter().map(|(status, text)| (*status, text.as_str())).collect();
    assert_eq!(
        said,
        [
            (200, ""),
            (400, "Invocation of model ID anth"),
            (400, "The provided model identifi"),
            (200, ""),
            (404, "This model version has reac"),
            (400, "The provided model identifi"),
        ]
    );
}

fn changed(model: FoundationModel) -> BedrockOptions {
    let account = Account { models: vec![model], ..Account::default() };
    BedrockOptions { account, ..talkative() }
}

#[tokio::test]
async fn a_profile_is_refused_where_a_policy_denies_one_of_its_destinations() {
    let options = changed(FoundationModel {
        id: "amazon.nova-pro-v1:0".to_owned(),
        denied_in: Some(vec!["us-west-2".to_owned()]),
        ..FoundationModel::default()
    });
    let bedrock = service(options);
    let (status, body) = ask(&bedrock, "us.amazon.nova-pro-v1:0", &plain_request("logs", 1)).await;
    assert_eq!(status, 403);
    assert_eq!(
        body["message"],
        "User: arn:aws:sts::123456789012:assumed-role/emulated-role/emulated-session is not authorized to perform: \
         bedrock:InvokeModel on resource: arn:aws:bedrock:us-west-2::foundation-model/amazon.nova-pro-v1:0 with an \
         explicit deny in a service control policy"
    );
    assert_eq!(ask(&bedrock, "amazon.nova-pro-v1:0", &plain_request("logs", 1)).await.0, 200);
}

#[tokio::test]
async fn a_closed_gate_refuses_the_call_in_its_own_words() {
    let closed = |change: fn(&mut FoundationModel)| {
        let mut model =
            FoundationModel { id: "anthropic.claude-sonnet-4-6".to_owned(), ..FoundationModel::default() };
        change(&mut model);
        service(changed(model))
    };
    for (bedrock, status, words) in [
        (closed(|model| model.agreement = Some(Agreement::NotAvailable)), 403, "aws-marketplace:Subscribe"),
        (closed(|model| model.agreement = Some(Agreement::Pending)), 403, "still being processed"),
        (closed(|model| model.agreement = Some(Agreement::Error)), 403, "INVALID_PAYMENT_INSTRUMENT"),
        (closed(|model| model.entitlement = Some(Entitlement::NotAvailable)), 403, "don't have access"),
        (closed(|model| model.authorization = Some(Authorization::NotAuthorized)), 403, "is not authorized"),
        (closed(|model| model.regions = Some(vec!["eu-west-1".to_owned()])), 400, "identifier is invalid"),
        (closed(|model| model.end_of_life = Some(Timestamp::UNIX_EPOCH)), 404, "end of its life"),
    ] {
        let (found, body) = ask(&bedrock, SONNET, &plain_request("logs", 1)).await;
        assert!(found == status && body["message"].as_str().unwrap().contains(words), "{found} {body}");
    }
}

#[tokio::test]
async fn an_applications_profile_leads_to_its_model_by_arn() {
    let account = Account {
        inference_profiles: vec![InferenceProfile {
            id: "a1b2c3d4e5f6".to_owned(),
            kind: Some(ProfileType::Application),
            model: Some("anthropic.claude-sonnet-4-6".to_owned()),
            ..InferenceProfile::default()
        }],
        ..Account::default()
    };
    let bedrock = service(BedrockOptions { account, ..talkative() });
    let arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6";
    assert_eq!(ask(&bedrock, arn, &plain_request("logs", 1)).await.0, 200);
    let other = arn.replace("a1b2", "ffff");
    assert_eq!(ask(&bedrock, &other, &plain_request("logs", 1)).await.0, 400);
}

#[test]
fn an_account_that_contradicts_itself_is_refused() {
    let reason = |models: BTreeMap<String, ModelBehaviour>, account| {
        Bedrock::new(Path::new("/nowhere"), models, BedrockOptions { account, ..talkative() }).unwrap_err()
    };
    let unknown = BTreeMap::from([("us.anthropic.claude-nothing".to_owned(), ModelBehaviour::Answers)]);
    assert_eq!(
        reason(unknown, Account::default()),
        "[models] lets us.anthropic.claude-nothing exist, but no [[model]] describes it"
    );
    let profile =
        InferenceProfile { id: "us.anthropic.claude-nothing".to_owned(), ..InferenceProfile::default() };
    let account = Account { inference_profiles: vec![profile], ..Account::default() };
    assert_eq!(
        reason(BTreeMap::new(), account),
        "inference profile us.anthropic.claude-nothing: its model is in no [[model]]"
    );
    let quota = Quota { name: "Requests".to_owned(), ..Quota::default() };
    let account = Account { quotas: vec![quota], ..Account::default() };
    assert_eq!(reason(BTreeMap::new(), account), "quota Requests: it has no value");
}

#[tokio::test]
async fn the_longest_matching_id_decides() {
    let mut models = BTreeMap::new();
    models.insert("claude-sonnet-4-6".to_owned(), ModelBehaviour::Legacy);
    models.insert("anthropic.claude-sonnet-4-6".to_owned(), ModelBehaviour::EndOfLife);
    models.insert(SONNET.to_owned(), ModelBehaviour::Answers);
    let bedrock = Bedrock::new(Path::new("/nowhere"), models, talkative()).unwrap();
    let mut messages = Vec::new();
    for id in [SONNET, "global.anthropic.claude-sonnet-4-6", "us.other.claude-sonnet-4-6"] {
        messages.push(
            ask(&bedrock, id, &plain_request("logs", 1)).await.1["message"].as_str().map(str::to_owned),
        );
    }
    assert_eq!(messages[0], None);
    assert!(messages[1].as_deref().unwrap().starts_with("This model version has reached the end"));
    assert!(messages[2].as_deref().unwrap().starts_with("Access denied. This Model is marked"));
}

#[tokio::test]
async fn region_and_account_come_from_the_scenario() {
    let folder = Folder::new();
    folder.write("scenario.toml", "format = 1\nregion = \"eu-west-1\"\naccount = \"123456789012\"\n");
    let bedrock = Bedrock::new(&folder.0, all_models(), talkative()).unwrap();
    assert_eq!(ask(&bedrock, "eu.anthropic.claude-sonnet-4-6", &plain_request("logs", 1)).await.0, 200);
    assert_eq!(ask(&bedrock, SONNET, &plain_request("logs", 1)).await.0, 400);
}

#[tokio::test]
async fn behaviours_are_named_in_snake_case() {
    let named: Vec<ModelBehaviour> = serde_json::from_value(json!([
        "answers",
        "end_of_life",
        "legacy",
        "access_denied",
        "on_demand_unsupported",
        "invalid_identifier"
    ]))
    .unwrap();
    assert_eq!(
        named,
        [
            ModelBehaviour::Answers,
            ModelBehaviour::EndOfLife,
            ModelBehaviour::Legacy,
            ModelBehaviour::AccessDenied,
            ModelBehaviour::OnDemandUnsupported,
            ModelBehaviour::InvalidIdentifier,
        ]
    );
}

async fn message_for(model: &str, change: impl FnOnce(&mut Value)) -> Option<String> {
    let mut request = plain_request("logs", 1);
    change(&mut request);
    ask(&service(talkative()), model, &request).await.1["message"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn more_tokens_than_the_model_gives_are_refused() {
    for (model, limit) in [(SONNET, 64_000), ("us.amazon.nova-pro-v1:0", 10_000)] {
        let at = message_for(model, |r| r["inferenceConfig"]["maxTokens"] = json!(limit)).await;
        assert_eq!(at, None);
        let above =
            message_for(model, |r| r["inferenceConfig"]["maxTokens"] = json!(limit + 1)).await.unwrap();
        assert!(
            above.starts_with(&format!(
                "The maximum tokens you requested exceeds the model limit of {limit}."
            ))
        );
    }
}

#[tokio::test]
async fn temperature_is_refused_by_newer_claude_models_only() {
    let with_temperature = |r: &mut Value| r["inferenceConfig"]["temperature"] = json!(0.2);
    assert_eq!(message_for(SONNET, with_temperature).await, None);
    assert_eq!(message_for("us.amazon.nova-pro-v1:0", with_temperature).await, None);
    let newer = "us.anthropic.claude-sonnet-5";
    let wanted = "`temperature` is deprecated for this model.";
    assert_eq!(message_for(newer, with_temperature).await.as_deref(), Some(wanted));
    assert_eq!(message_for(newer, |_| ()).await, None);
    let both = |r: &mut Value| r["inferenceConfig"] = json!({"maxTokens": 9, "temperature": 0, "topP": 1});
    assert!(message_for(SONNET, both).await.unwrap().contains("cannot both be specified"));
    assert_eq!(message_for("us.amazon.nova-pro-v1:0", both).await, None);
}

#[tokio::test]
async fn a_prefilled_answer_and_a_too_long_input_are_refused() {
    let prefill = |r: &mut Value| {
        r["messages"].as_array_mut().unwrap().push(json!({"role": "assistant", "content": [{"text": "So"}]}));
    };
    assert!(message_for(SONNET, prefill).await.unwrap().contains("prefill"));
    assert_eq!(message_for("us.anthropic.claude-haiku-4-5-20251001-v1:0", prefill).await, None);
    let long = |r: &mut Value| r["messages"][0]["content"][0]["text"] = json!("x".repeat(1_300_000));
    let wanted = Some("Input is too long for requested model".to_owned());
    assert_eq!(message_for("us.amazon.nova-pro-v1:0", long).await, wanted);
    assert_eq!(message_for(SONNET, long).await, None);
}
