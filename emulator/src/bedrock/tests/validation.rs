//! Every rule of Converse with a request that passes and one that fails.

use super::*;

/// Asks with `valid_request` changed at one JSON pointer, on an older model so that no model rule interferes.
async fn message_after(pointer: &str, value: Value) -> Option<String> {
    let mut request = valid_request();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match request.pointer_mut(parent).unwrap_or_else(|| panic!("{parent}")) {
        Value::Object(members) if value.is_null() => drop(members.remove(name)),
        Value::Object(members) => drop(members.insert(name.to_owned(), value)),
        Value::Array(items) if name == "-" => items.push(value),
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
        other => panic!("{pointer} leads into {other}"),
    }
    message_of(&request).await
}

/// `None` when the request is answered; otherwise the text of the `ValidationException`.
async fn message_of(request: &Value) -> Option<String> {
    let bedrock = service(talkative());
    let id = "us.anthropic.claude-haiku-4-5-20251001-v1:0";
    let answer = bedrock.converse(id, request.to_string().as_bytes()).await;
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    if answer.status == 200 {
        return None;
    }
    assert_eq!((answer.status, header(&answer, "x-amzn-errortype")), (400, Some("ValidationException")));
    Some(body["message"].as_str().unwrap().to_owned())
}

async fn passes(pointer: &str, value: Value) {
    assert_eq!(message_after(pointer, value.clone()).await, None, "{pointer} = {value}");
}

async fn fails(pointer: &str, value: Value, fragment: &str) {
    let message = message_after(pointer, value.clone()).await;
    assert!(message.as_deref().is_some_and(|m| m.contains(fragment)), "{pointer} = {value}: {message:?}");
}

#[tokio::test]
async fn a_full_request_passes() {
    assert_eq!(message_of(&valid_request()).await, None);
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_a_serialization_exception() {
    let bedrock = service(talkative());
    for body in ["{\"messages\": [", "[]", ""] {
        let answer = bedrock.converse(SONNET, body.as_bytes()).await;
        assert_eq!(
            (answer.status, header(&answer, "x-amzn-errortype")),
            (400, Some("SerializationException"))
        );
    }
}

#[tokio::test]
async fn a_refusal_has_the_rest_json_error_form_with_a_request_id() {
    let bedrock = service(talkative());
    let answer = bedrock.converse(SONNET, b"{\"messages\":[]}").await;
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(answer.status, 400);
    assert_eq!(header(&answer, "content-type"), Some("application/json"));
    assert_eq!(header(&answer, "x-amzn-errortype"), Some("ValidationException"));
    assert_eq!(header(&answer, "x-amzn-requestid").map(str::len), Some(36));
    assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), ["message"]);
}

#[tokio::test]
async fn the_first_message_is_the_users_and_roles_alternate() {
    fails("/messages", json!([]), "messages field is required").await;
    fails("/messages", json!([{"role": "assistant", "content": [{"text": "Hi"}]}]), "must start with a user")
        .await;
    let twice =
        json!([{"role": "user", "content": [{"text": "a"}]}, {"role": "user", "content": [{"text": "b"}]}]);
    fails("/messages", twice, "must alternate between user and assistant").await;
    passes("/messages", json!([{"role": "user", "content": [{"text": "a"}]}])).await;
    fails("/messages/0/role", json!("tool"), "enum value set: [user, assistant]").await;
    fails("/messages/0/role", json!("system"), "emulator: unsupported: the role system").await;
    fails("/messages/0/content", json!([]), "The content field in the Message object at messages.0 is empty")
        .await;
    fails("/messages/0/name", json!("x"), "emulator: unsupported: member name at messages.0").await;
}

#[tokio::test]
async fn every_tool_use_is_answered_once_in_the_next_message() {
    let results = |ids: &[&str]| {
        let result = |id: &&str| json!({"toolResult": {"toolUseId": id, "content": [{"text": "ok"}]}});
        Value::Array(ids.iter().map(result).collect())
    };
    passes("/messages/2/content", results(&["tu_1", "tu_2"])).await;
    let missing = "Expected toolResult blocks at messages.2.content for the following Ids: ";
    fails("/messages/2/content", results(&["tu_1"]), &format!("{missing}tu_2")).await;
    fails("/messages/2/content", json!([{"text": "no results"}]), &format!("{missing}tu_1, tu_2")).await;
    fails("/messages/2/content", results(&["tu_1", "tu_2", "tu_2"]), "duplicate Ids: tu_2").await;
    fails("/messages/2/content", results(&["tu_1", "tu_2", "tu_3"]), "No toolUse has the Id: tu_3").await;
    fails("/messages/0/content", results(&["tu_9"]), "No toolUse has the Id: tu_9").await;

    let mut late = valid_request();
    let messages = late["messages"].as_array_mut().unwrap();
    messages.truncate(2);
    let message = message_of(&late).await.unwrap();
    assert_eq!(message, format!("{missing}tu_1, tu_2"));

    let mut text_first = valid_request();
    text_first["messages"][2]["content"].as_array_mut().unwrap().rotate_right(1);
    let message = message_of(&text_first).await.unwrap();
    assert!(message.contains("without `tool_result` blocks immediately after"), "{message}");
}

#[tokio::test]
async fn a_tool_use_id_is_used_once_in_a_conversation() {
    fails("/messages/1/content/2/toolUse/toolUseId", json!("tu_1"), "ids must be unique").await;
    let mut reused = valid_request();
    let tool_use = json!({"toolUse": {"toolUseId": "tu_1", "name": "search_logs", "input": {}}});
    let result = json!({"toolResult": {"toolUseId": "tu_1", "content": [{"text": "again"}]}});
    let messages = reused["messages"].as_array_mut().unwrap();
    messages.push(json!({"role": "assistant", "content": [tool_use]}));
    messages.push(json!({"role": "user", "content": [result]}));
    assert!(message_of(&reused).await.unwrap().contains("ids must be unique"));
}

#[tokio::test]
async fn blank_text_is_refused_in_the_services_words() {
    for blank in ["", "  \n"] {
        let message = message_after("/messages/0/content/0/text", json!(blank)).await;
        let wanted = "The text field in the ContentBlock object at messages.0.content.0 is blank. Add text to the \
                      text field, and try again.";
        assert_eq!(message.as_deref(), Some(wanted));
    }
    fails("/system/0/text", json!(" "), "SystemContentBlock object at system.0 is blank").await;
    fails("/messages/2/content/0/toolResult/content/0/text", json!(""), "is blank").await;
    passes("/messages/0/content/0/text", json!(".")).await;
}

#[tokio::test]
async fn a_history_with_tools_needs_the_tool_configuration() {
    let wanted = "The toolConfig field must be defined when using toolUse and toolResult content blocks.";
    assert_eq!(message_after("/toolConfig", Value::Null).await.as_deref(), Some(wanted));
    let mut request = valid_request();
    request["messages"].as_array_mut().unwrap().truncate(1);
    request.as_object_mut().unwrap().remove("toolConfig");
    assert_eq!(message_of(&request).await, None);
}

#[tokio::test]
async fn a_content_block_has_exactly_one_known_member() {
    fails("/messages/0/content/0", json!({"text": "a", "image": {}}), "must set exactly one").await;
    fails("/messages/0/content/0", json!({}), "must set exactly one").await;
    fails("/messages/0/content/0", json!({"type": "text"}), "unknown key type").await;
    fails("/messages/0/content/0", json!("text"), "Provide a json object").await;
    passes("/messages/0/content/0", json!({"text": "a", "image": null})).await;
    passes("/messages/0/content/-", json!({"cachePoint": {"type": "default", "ttl": "1h"}})).await;
    passes("/messages/0/content/-", json!({"image": {"format": "png", "source": {"bytes": "aGk="}}})).await;
    fails("/messages/0/content/-", json!({"cachePoint": {"type": "big"}}), "enum value set: [default]").await;
    fails("/messages/0/content/-", json!({"cachePoint": {"type": "default", "ttl": "2h"}}), "[5m, 1h]").await;
    fails(
        "/messages/0/content/-",
        json!({"reasoningContent": {"reasoningText": {"text": "x"}}}),
        "user message",
    )
    .await;
    fails("/messages/0/content/-", valid_request()["messages"][1]["content"][1].clone(), "user message")
        .await;
    fails("/messages/1/content/-", valid_request()["messages"][2]["content"][0].clone(), "assistant message")
        .await;
    fails("/messages/1/content/0/reasoningContent/reasoningText/text", Value::Null, "must not be null").await;
}

#[tokio::test]
async fn at_most_four_cache_points_are_taken() {
    let points = |count: usize| {
        let mut blocks = vec![json!({"text": "a"})];
        blocks.extend((0..count).map(|_| json!({"cachePoint": {"type": "default"}})));
        Value::Array(blocks)
    };
    // The request holds two already.
    passes("/messages/0/content", points(2)).await;
    fails("/messages/0/content", points(3), "maximum of 4 blocks").await;
}

#[tokio::test]
async fn tool_uses_and_results_are_well_formed() {
    let name = "/messages/1/content/1/toolUse/name";
    passes(name, json!("a".repeat(64))).await;
    fails(name, json!("a".repeat(65)), "length between 1 and 64").await;
    fails(name, json!("search.logs"), "regular expression pattern").await;
    fails(name, json!(""), "length between 1 and 64").await;
    fails(name, Value::Null, "must not be null").await;
    let id = "/messages/1/content/1/toolUse/toolUseId";
    fails(id, json!("tu 1"), "regular expression pattern").await;
    fails(id, json!("t".repeat(65)), "length between 1 and 64").await;
    fails("/messages/1/content/1/toolUse/input", json!("ERROR"), "toolUse.input is invalid").await;
    fails("/messages/1/content/1/toolUse/input", Value::Null, "toolUse.input is invalid").await;
    let result = "/messages/2/content/0/toolResult";
    fails(&format!("{result}/status"), json!("failed"), "[success, error]").await;
    fails(&format!("{result}/content"), Value::Null, "must not be null").await;
    fails(&format!("{result}/content/0"), json!({"json": [1]}), "Provide a json object").await;
    fails(&format!("{result}/content/0"), json!({"html": "x"}), "unknown key html").await;
    passes(&format!("{result}/status"), Value::Null).await;
}

#[tokio::test]
async fn tool_specifications_are_well_formed() {
    let spec = "/toolConfig/tools/0/toolSpec";
    fails(&format!("{spec}/name"), json!("search logs"), "regular expression pattern").await;
    fails(&format!("{spec}/name"), json!("a".repeat(65)), "length between 1 and 64").await;
    fails(&format!("{spec}/description"), json!(""), "length greater than or equal to 1").await;
    passes(&format!("{spec}/description"), Value::Null).await;
    fails(&format!("{spec}/inputSchema"), Value::Null, "toolSpec.inputSchema").await;
    fails(&format!("{spec}/inputSchema/json"), json!("{}"), "Provide a json object").await;
    fails(
        &format!("{spec}/inputSchema/json"),
        json!({"type": "array"}),
        "must be one of the following: object",
    )
    .await;
    fails(&format!("{spec}/input_schema"), json!({}), "member input_schema").await;
    fails("/toolConfig/tools/-", valid_request()["toolConfig"]["tools"][0].clone(), "names must be unique")
        .await;
    fails("/toolConfig/tools", json!([]), "length greater than or equal to 1").await;
    fails("/toolConfig/tools/0", json!({"systemTool": {"name": "x"}}), "emulator: unsupported: systemTool")
        .await;
}

#[tokio::test]
async fn a_tool_choice_names_a_tool_that_exists() {
    let choice = "/toolConfig/toolChoice";
    passes(choice, json!({"any": {}})).await;
    passes(choice, json!({"tool": {"name": "search_logs"}})).await;
    passes(choice, Value::Null).await;
    fails(choice, json!({"tool": {"name": "submit"}}), "Tool 'submit' not found").await;
    fails(choice, json!({"tool": {}}), "must not be null").await;
    fails(choice, json!({"auto": {}, "any": {}}), "must set exactly one").await;
    fails(choice, json!("auto"), "Provide a json object").await;
    fails(choice, json!({"none": {}}), "unknown key none").await;
}

#[tokio::test]
async fn the_inference_configuration_is_in_range() {
    let config = "/inferenceConfig";
    fails(config, json!({"maxTokens": 0}), "greater than or equal to 1").await;
    fails(config, json!({"maxTokens": -5}), "greater than or equal to 1").await;
    fails(config, json!({"maxTokens": "2000"}), "Provide an integer").await;
    fails(config, json!({"temperature": 1.5}), "between 0 and 1").await;
    passes(config, json!({"temperature": 0})).await;
    fails(config, json!({"topP": "x"}), "Provide a number").await;
    fails(config, json!({"stopSequences": [""]}), "stopSequences.0").await;
    fails(config, json!({"topK": 1}), "member topK").await;
    passes(config, Value::Null).await;
}

#[tokio::test]
async fn request_metadata_has_at_most_sixteen_short_pairs() {
    let pairs =
        |count: usize| Value::Object((0..count).map(|number| (format!("key{number}"), json!("v"))).collect());
    passes("/requestMetadata", pairs(16)).await;
    fails("/requestMetadata", pairs(17), "between 1 and 16").await;
    fails("/requestMetadata", json!({}), "between 1 and 16").await;
    passes("/requestMetadata", json!({"k": "v".repeat(256)})).await;
    passes("/requestMetadata", json!({"k": ""})).await;
    fails("/requestMetadata", json!({"k": "v".repeat(257)}), "less than or equal to 256").await;
    fails("/requestMetadata", json!({"k".repeat(257): "v"}), "less than or equal to 256").await;
    fails("/requestMetadata", json!({"k": "ü"}), "regular expression pattern").await;
    fails("/requestMetadata", json!({"turn": 1}), "Provide a text").await;
}

#[tokio::test]
async fn service_options_are_known_ones() {
    passes("/performanceConfig", json!({"latency": "optimized"})).await;
    fails("/performanceConfig", json!({"latency": "fast"}), "[standard, optimized]").await;
    passes("/serviceTier", json!({"type": "flex"})).await;
    fails("/serviceTier", json!({"type": "cheap"}), "[priority, default, flex, reserved]").await;
    fails("/toolconfig", json!({}), "emulator: unsupported: Converse request member toolconfig").await;
}
