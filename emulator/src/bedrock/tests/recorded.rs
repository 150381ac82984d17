//! Recorded turns: fresh, stale, missing, broken.

use super::*;
use crate::bedrock::question::digest;

fn turn_file(agent: &str, turn: u32, made_by: &str, digest: &str) -> Value {
    json!({
        "format": 1, "agent": agent, "turn": turn, "made_by": made_by, "request_digest": digest,
        "response": {
            "output": {"message": {"role": "assistant", "content": [{"text": "It was the deploy."}]}},
            "stopReason": "end_turn",
            "usage": {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15},
            "metrics": {"latencyMs": 900},
        },
    })
}

fn with_turns(files: &[(&str, Value)]) -> (Folder, Result<Bedrock, String>) {
    let folder = Folder::new();
    for (name, value) in files {
        folder.write(&format!("turns/{name}"), &value.to_string());
    }
    let bedrock = Bedrock::new(&folder.0, all_models(), BedrockOptions::default());
    (folder, bedrock)
}

#[tokio::test]
async fn a_recorded_turn_is_given_with_how_it_was_made() {
    let digest = digest(&plain_request("logs", 1));
    for (made_by, answered_by) in [
        ("by hand", "recorded, played by hand"),
        ("a live model", "recorded, live model"),
        ("a script", "recorded, scripted"),
    ] {
        let recorded = turn_file("logs", 1, made_by, &digest);
        let (_folder, bedrock) = with_turns(&[("logs-1.json", recorded.clone())]);
        let (status, body) = ask(&bedrock.unwrap(), SONNET, &plain_request("logs", 1)).await;
        let mut wanted = recorded["response"].clone();
        wanted["additionalModelResponseFields"] = json!({"answered_by": answered_by, "stale": false});
        assert_eq!((status, body), (200, wanted));
    }
}

#[tokio::test]
async fn a_recording_of_another_request_is_given_and_marked_stale() {
    let recorded = turn_file("logs", 1, "by hand", &digest(&plain_request("logs", 1)));
    let (_folder, bedrock) = with_turns(&[("logs-1.json", recorded)]);
    let bedrock = bedrock.unwrap();
    let mut request = plain_request("logs", 1);
    // Neither the model's settings nor the metadata are part of what was asked.
    request["inferenceConfig"]["maxTokens"] = json!(1000);
    request["requestMetadata"]["run"] = json!("r-1");
    assert_eq!(
        ask(&bedrock, SONNET, &request).await.1["additionalModelResponseFields"]["stale"],
        json!(false)
    );
    request["messages"][0]["content"][0]["text"] = json!("What broke?");
    assert_eq!(
        ask(&bedrock, SONNET, &request).await.1["additionalModelResponseFields"]["stale"],
        json!(true)
    );
    let stale = matches!(bedrock.calls()[1].outcome, CallOutcome::Answered { stale: true, .. });
    assert!(stale);
}

#[tokio::test]
async fn a_missing_turn_is_refused_by_name() {
    let recorded = turn_file("logs", 1, "by hand", "sha256:0");
    let (_folder, bedrock) = with_turns(&[("logs-1.json", recorded)]);
    let bedrock = bedrock.unwrap();
    let (status, body) = ask(&bedrock, SONNET, &plain_request("logs", 3)).await;
    let wanted = json!({"message": "emulator: unsupported: no recorded turn for agent logs, turn 3"});
    assert_eq!((status, body), (400, wanted));
    let mut anonymous = plain_request("logs", 1);
    anonymous.as_object_mut().unwrap().remove("requestMetadata");
    let (status, body) = ask(&bedrock, SONNET, &anonymous).await;
    assert_eq!(status, 400);
    assert!(body["message"].as_str().unwrap().starts_with("emulator: unsupported: requestMetadata without"));
    let (_, body) = ask(&bedrock, SONNET, &plain_request("../logs", 1)).await;
    assert!(body["message"].as_str().unwrap().starts_with("emulator: unsupported: agent name"));
}

#[test]
fn a_broken_turn_file_is_told_at_the_start_with_its_name() {
    let good = turn_file("logs", 1, "by hand", "sha256:0");
    let changed = |pointer: &str, value: Value| {
        let mut turn = good.clone();
        *turn.pointer_mut(pointer).unwrap() = value;
        turn
    };
    for (name, file, fragment) in [
        ("logs-1.json", changed("/format", json!(2)), "format 2 is not known"),
        ("logs-1.json", json!({"agent": "logs"}), "no format"),
        ("logs-2.json", good.clone(), "must be logs-1.json"),
        ("logs-1.json", changed("/made_by", json!("magic")), "magic"),
        ("logs-1.json", changed("/response/stopReason", json!(1)), "stopReason"),
        ("logs-1.json", changed("/response/usage/inputTokens", json!("10")), "/usage/inputTokens"),
        ("logs-1.json", changed("/response/output/message/role", json!("user")), "role assistant"),
        ("logs-1.json", json!([]), "no format"),
    ] {
        let (_folder, bedrock) = with_turns(&[(name, file)]);
        let error = bedrock.map(|_| ()).unwrap_err();
        assert!(error.contains(name) && error.contains(fragment), "{error}");
    }
    let (_folder, bedrock) = with_turns(&[("logs-1.json", good.clone()), ("notes.txt", json!("ignored"))]);
    assert!(bedrock.is_ok());
}

#[test]
fn the_digest_covers_system_messages_and_tools_whatever_the_order_of_keys() {
    let first =
        json!({"system": [{"text": "s"}], "messages": [{"role": "user", "content": [{"text": "ü"}]}]});
    let text = r#"{"requestMetadata":{"turn":"1"},"messages":[{"content":[{"text":"ü"}],"role":"user"}],"system":[{"text":"s"}]}"#;
    let second: Value = serde_json::from_str(text).unwrap();
    assert_eq!(digest(&first), digest(&second));
    // printf '%s' '{"messages":[{"content":[{"text":"ü"}],"role":"user"}],"system":[{"text":"s"}]}' | sha256sum
    assert_eq!(digest(&first), "sha256:06304caa7085296c74f303550b219b034b6744d4987887b2f0b159b43085566c");
    let mut marked = first.clone();
    let point = json!({"cachePoint": {"type": "default"}});
    marked["system"].as_array_mut().unwrap().push(point.clone());
    marked["messages"][0]["content"].as_array_mut().unwrap().push(point);
    assert_eq!(digest(&first), digest(&marked), "the model reads no cache point");
    let mut third = first.clone();
    third["toolConfig"] = json!({"tools": []});
    assert_ne!(digest(&first), digest(&third));
}
