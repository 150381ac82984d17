//! Throttling, latency, malformed answers and scripts, in paused time.

use super::*;

async fn statuses(bedrock: &Bedrock, count: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..count {
        statuses.push(ask(bedrock, SONNET, &plain_request("logs", 1)).await.0);
    }
    statuses
}

#[tokio::test(start_paused = true)]
async fn the_first_requests_are_throttled_then_all_is_well() {
    let bedrock = service(BedrockOptions { throttle_first: Some(3), ..talkative() });
    assert_eq!(statuses(&bedrock, 5).await, [429, 429, 429, 200, 200]);
}

#[tokio::test(start_paused = true)]
async fn throttling_for_ever_never_ends() {
    let bedrock = service(BedrockOptions { throttle_first: Some(u32::MAX), ..talkative() });
    assert_eq!(statuses(&bedrock, 50).await, [429; 50]);
}

#[tokio::test]
async fn a_throttled_answer_has_the_services_words_and_the_wait_in_whole_seconds() {
    let options = BedrockOptions { throttle_first: Some(1), ..talkative() };
    let wait = Some(Duration::from_millis(1_200));
    let bedrock = service(BedrockOptions { retry_after: wait, ..options.clone() });
    let answer = bedrock.converse(SONNET, plain_request("logs", 1).to_string().as_bytes()).await;
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(answer.status, 429);
    assert_eq!(header(&answer, "x-amzn-errortype"), Some("ThrottlingException"));
    assert_eq!(header(&answer, "retry-after"), Some("2"));
    assert_eq!(body, json!({"message": "Too many requests, please wait before trying again."}));
    let answer = service(options).converse(SONNET, plain_request("logs", 1).to_string().as_bytes()).await;
    assert_eq!((answer.status, header(&answer, "retry-after")), (429, None));
}

#[tokio::test(start_paused = true)]
async fn requests_per_minute_hold_in_any_minute_of_the_scaled_length() {
    let minute = Duration::from_secs(6);
    let bedrock = service(BedrockOptions { requests_per_minute: Some(2), minute, ..talkative() });
    assert_eq!(statuses(&bedrock, 1).await, [200]);
    tokio::time::advance(Duration::from_secs(4)).await;
    assert_eq!(statuses(&bedrock, 3).await, [200, 429, 429]);
    // Six seconds after the first, four before the second is forgotten.
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(statuses(&bedrock, 2).await, [200, 429]);
    tokio::time::advance(minute).await;
    assert_eq!(statuses(&bedrock, 3).await, [200, 200, 429]);
}

#[tokio::test(start_paused = true)]
async fn a_minute_is_sixty_seconds_by_default() {
    let bedrock = service(BedrockOptions { requests_per_minute: Some(1), ..talkative() });
    assert_eq!(statuses(&bedrock, 2).await, [200, 429]);
    tokio::time::advance(Duration::from_secs(59)).await;
    assert_eq!(statuses(&bedrock, 1).await, [429]);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(statuses(&bedrock, 1).await, [200]);
}

#[tokio::test(start_paused = true)]
async fn each_model_has_a_quota_of_its_own_which_its_profiles_share() {
    let minute = Duration::from_secs(6);
    let bedrock = service(BedrockOptions { requests_per_minute: Some(2), minute, ..talkative() });
    let mut seen = Vec::new();
    for id in [SONNET, "global.anthropic.claude-sonnet-4-6", SONNET, "us.amazon.nova-pro-v1:0"] {
        seen.push(ask(&bedrock, id, &plain_request("logs", 1)).await.0);
    }
    assert_eq!(seen, [200, 200, 429, 200]);
    tokio::time::advance(minute * 2).await;
    assert_eq!(statuses(&bedrock, 1).await, [200]);
    let counted = [
        ("amazon.nova-pro-v1:0".to_owned(), BTreeMap::from([(0, 1)])),
        ("anthropic.claude-sonnet-4-6".to_owned(), BTreeMap::from([(0, 2), (2, 1)])),
    ];
    assert_eq!(bedrock.admitted_per_minute(), BTreeMap::from(counted));
}

#[tokio::test(start_paused = true)]
async fn an_invalid_request_uses_no_quota() {
    let bedrock =
        service(BedrockOptions { requests_per_minute: Some(1), throttle_first: Some(1), ..talkative() });
    assert_eq!(ask(&bedrock, SONNET, &json!({"messages": []})).await.0, 400);
    assert_eq!(ask(&bedrock, "us.anthropic.claude-nothing", &plain_request("logs", 1)).await.0, 400);
    assert_eq!(statuses(&bedrock, 3).await, [429, 200, 429]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_takes_its_time_and_a_refusal_does_not() {
    let latency = Duration::from_secs(2);
    let bedrock = service(BedrockOptions { latency, throttle_first: Some(1), ..talkative() });
    let start = now();
    assert_eq!(statuses(&bedrock, 1).await, [429]);
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(statuses(&bedrock, 1).await, [200]);
    assert!(start.elapsed() >= latency && start.elapsed() < latency * 2);
}

#[tokio::test]
async fn the_first_answers_are_malformed_and_use_up_no_turn() {
    let turns = Turns::Script(vec![json!({"text": "first"})]);
    let bedrock = service(BedrockOptions { malformed_tool_use: 2, turns, ..BedrockOptions::default() });
    let mut seen = Vec::new();
    for _ in 0..3 {
        let (status, body) = ask(&bedrock, SONNET, &plain_request("logs", 1)).await;
        seen.push((status, body["stopReason"].clone(), body["usage"]["outputTokens"].is_u64()));
    }
    let malformed = (200, json!("malformed_tool_use"), true);
    assert_eq!(seen, [malformed.clone(), malformed, (200, json!("end_turn"), true)]);
}

#[tokio::test]
async fn a_script_answers_in_order_and_for_whom_it_is_meant() {
    let turns = Turns::Script(vec![
        json!({"agent": "metrics", "text": "for metrics"}),
        json!({"text": "for anybody"}),
        json!({"agent": "logs", "text": "for logs", "tool_calls": [{"name": "made_up", "input": {"x": 1}}]}),
    ]);
    let bedrock = service(BedrockOptions { turns, ..BedrockOptions::default() });
    let logs = ask(&bedrock, SONNET, &plain_request("logs", 1)).await.1;
    assert_eq!(
        logs,
        json!({
            "output": {"message": {"role": "assistant", "content": [
                {"text": "for logs"},
                {"toolUse": {"toolUseId": "tooluse_logs_1_1", "name": "made_up", "input": {"x": 1}}},
            ]}},
            "stopReason": "tool_use",
            "usage": logs["usage"],
            "metrics": {"latencyMs": 0},
            "additionalModelResponseFields": {"answered_by": "recorded, scripted", "stale": false},
        })
    );
    let text = |body: &Value| body["output"]["message"]["content"][0]["text"].clone();
    assert_eq!(text(&ask(&bedrock, SONNET, &plain_request("logs", 2)).await.1), json!("for anybody"));
    assert_eq!(text(&ask(&bedrock, SONNET, &plain_request("metrics", 1)).await.1), json!("for metrics"));
    let (status, body) = ask(&bedrock, SONNET, &plain_request("logs", 3)).await;
    assert_eq!(status, 400);
    assert_eq!(body["message"], json!("emulator: unsupported: the script has no answer left for agent logs"));
}

#[tokio::test(start_paused = true)]
async fn a_computed_script_sees_the_request_and_may_refuse_or_hang() {
    let script: Script = Arc::new(|request| match request["requestMetadata"]["turn"].as_str() {
        Some("1") => ScriptedAnswer::Refused {
            status: 408,
            exception: "ModelTimeoutException".to_owned(),
            message: "Model took too long.".to_owned(),
        },
        Some("2") => ScriptedAnswer::Hang,
        _ => ScriptedAnswer::Answer(json!({"text": ""})),
    });
    let bedrock = service(BedrockOptions { turns: Turns::Scripted(script), ..BedrockOptions::default() });
    let refused = (408, json!({"message": "Model took too long."}));
    assert_eq!(ask(&bedrock, SONNET, &plain_request("logs", 1)).await, refused);
    let second = plain_request("logs", 2);
    let hanging = ask(&bedrock, SONNET, &second);
    assert!(tokio::time::timeout(Duration::from_hours(1), hanging).await.is_err());
    assert_eq!(bedrock.calls()[1].outcome, CallOutcome::Unanswered);
    let (status, body) = ask(&bedrock, SONNET, &plain_request("logs", 3)).await;
    assert_eq!(status, 400);
    assert!(body["message"].as_str().unwrap().starts_with("emulator: unsupported: the script's answer: "));
}

#[tokio::test(start_paused = true)]
async fn every_call_is_kept_with_its_outcome() {
    let bedrock = service(BedrockOptions { throttle_first: Some(1), ..talkative() });
    assert_eq!(statuses(&bedrock, 1).await, [429]);
    tokio::time::advance(Duration::from_secs(7)).await;
    assert_eq!(statuses(&bedrock, 1).await, [200]);
    bedrock.converse(SONNET, b"not json").await;
    let calls = bedrock.calls();
    assert_eq!(calls.len(), 3);
    let throttled = CallOutcome::Refused {
        status: 429,
        exception: "ThrottlingException".to_owned(),
        message: "Too many requests, please wait before trying again.".to_owned(),
    };
    assert_eq!((&calls[0].outcome, calls[0].when), (&throttled, Duration::ZERO));
    let answered = CallOutcome::Answered {
        answered_by: "recorded, scripted".to_owned(),
        stale: false,
        stop_reason: "end_turn".to_owned(),
    };
    assert_eq!((&calls[1].outcome, calls[1].when), (&answered, Duration::from_secs(7)));
    assert_eq!((calls[1].agent.as_deref(), calls[1].turn), (Some("logs"), Some(1)));
    assert_eq!((calls[1].model_id.as_str(), &calls[1].body), (SONNET, &plain_request("logs", 1)));
    assert_eq!((&calls[2].body, &calls[2].agent), (&json!("not json"), &None));
    let ids: std::collections::BTreeSet<_> = calls.iter().map(|call| call.request_id.clone()).collect();
    assert_eq!(ids.len(), 3);
}
