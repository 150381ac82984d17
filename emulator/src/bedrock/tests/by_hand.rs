//! A person as the model: both forms of an answer, faults told in a file, the turn kept.

use super::*;

const PATIENCE: Duration = Duration::from_mins(1);

fn played_in(folder: &Folder) -> Arc<Bedrock> {
    let turns = Turns::ByHand(folder.0.join("hand"));
    let options = BedrockOptions { turns, ..BedrockOptions::default() };
    Arc::new(Bedrock::new(&folder.0, all_models(), options).unwrap())
}

/// Waits until a file of the by-hand folder is there.
async fn awaited(folder: &Folder, name: &str) -> String {
    let path = folder.0.join("hand").join(name);
    let wait = async {
        while !path.exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{name} never came"));
    folder.read(&format!("hand/{name}"))
}

/// Asks and answers with the text of one file.
async fn answered_with(request: &Value, answer: &Value) -> (Folder, Value) {
    let folder = Folder::new();
    let bedrock = played_in(&folder);
    let (_, turn) = question::metadata(request);
    let asked = ask(&bedrock, SONNET, request);
    let played = async {
        let key = format!("logs-{}", turn.unwrap());
        awaited(&folder, &format!("{key}.request.md")).await;
        folder.write(&format!("hand/{key}.answer.json"), &answer.to_string());
    };
    let ((status, body), ()) =
        tokio::time::timeout(PATIENCE, async { tokio::join!(asked, played) }).await.unwrap();
    assert_eq!(status, 200, "{body}");
    (folder, body)
}

#[tokio::test]
async fn the_short_form_is_completed_and_kept_as_a_turn() {
    let request = valid_request();
    let answer = json!({
        "text": "One more look.",
        "tool_calls": [
            {"name": "search_logs", "input": {"pattern": "TypeError"}},
            {"name": "search_logs", "input": {"pattern": "taxRate", "limit": 5}},
        ],
    });
    let (folder, body) = answered_with(&request, &answer).await;
    let mut response = json!({
        "output": {"message": {"role": "assistant", "content": [
            {"text": "One more look."},
            {"toolUse": {"toolUseId": "tooluse_logs_2_1", "name": "search_logs", "input": {"pattern": "TypeError"}}},
            {"toolUse": {"toolUseId": "tooluse_logs_2_2", "name": "search_logs",
                         "input": {"pattern": "taxRate", "limit": 5}}},
        ]}},
        "stopReason": "tool_use",
        "usage": body["usage"],
        "metrics": {"latencyMs": 0},
    });
    let turn: Value = serde_json::from_str(&folder.read("hand/turns/logs-2.json")).unwrap();
    assert_eq!(turn["response"], response);
    assert_eq!(turn["made_by"], json!("by hand"));
    response["additionalModelResponseFields"] = json!({"answered_by": "played by hand", "stale": false});
    assert_eq!(body, response);
    let usage = &body["usage"];
    let sum = usage["inputTokens"].as_u64().unwrap() + usage["outputTokens"].as_u64().unwrap();
    assert_eq!(usage["totalTokens"].as_u64(), Some(sum));

    // The turn replays as it stands, and fresh.
    let recorded = Bedrock::new(&folder.0.join("hand"), all_models(), BedrockOptions::default()).unwrap();
    let (status, replayed) = ask(&recorded, SONNET, &request).await;
    assert_eq!((status, &replayed["output"]), (200, &body["output"]));
    let fields = json!({"answered_by": "recorded, played by hand", "stale": false});
    assert_eq!(replayed["additionalModelResponseFields"], fields);
}

#[tokio::test]
async fn the_full_form_is_given_as_it_is() {
    let answer = json!({
        "output": {"message": {"role": "assistant", "content": [{"text": "Done."}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 7, "outputTokens": 2, "totalTokens": 9},
        "metrics": {"latencyMs": 12},
    });
    let (_folder, body) = answered_with(&plain_request("logs", 1), &answer).await;
    let mut wanted = answer.clone();
    wanted["additionalModelResponseFields"] = json!({"answered_by": "played by hand", "stale": false});
    assert_eq!(body, wanted);
}

#[tokio::test]
async fn the_page_says_how_to_answer_and_ends_with_the_newest_message() {
    let mut request = valid_request();
    request["toolConfig"]["toolChoice"] = json!({"tool": {"name": "search_logs"}});
    let hostile = "a fence ```` and\n# How to answer";
    request["messages"][2]["content"][2]["text"] = json!(hostile);
    let answer = json!({"tool_calls": [{"name": "search_logs", "input": {"pattern": "x"}}]});
    let (folder, _) = answered_with(&request, &answer).await;
    let page = folder.read("hand/logs-2.request.md");
    let kept: Value = serde_json::from_str(&folder.read("hand/logs-2.request.json")).unwrap();
    assert_eq!(kept, request);
    let mut from = 0;
    for part in [
        "# logs, turn 2",
        "`logs-2.answer.json`",
        "\"tool_calls\": [{\"name\": \"search_logs\", \"input\": {}}]",
        "\"stopReason\": \"end_turn\"",
        "You must call the tool `search_logs`",
        "cut at 2000 tokens",
        "## System prompt",
        "You read logs.",
        "### search_logs",
        "Searches the logs.",
        "\"required\": [",
        "### Message 1 of 3, user\n",
        "What failed?",
        "### Message 2 of 3, you\n",
        "Tool call `search_logs` (tu_1)",
        "### Message 3 of 3, user: NEWEST, answer this\n",
        "Tool result, an error (tu_2)",
        "denied",
        "`````\na fence ```` and\n# How to answer\n`````\n",
    ] {
        let found =
            page[from..].find(part).unwrap_or_else(|| panic!("{part:?} is not in its place in\n{page}"));
        from += found + part.len();
    }
    assert_eq!(from, page.len());
}

#[tokio::test]
async fn a_broken_answer_is_explained_and_read_again_after_a_change() {
    let folder = Folder::new();
    let bedrock = played_in(&folder);
    let request = valid_request();
    let asked = ask(&bedrock, SONNET, &request);
    let played = async {
        awaited(&folder, "logs-2.request.md").await;
        for (answer, fragments) in [
            ("{\"text\": \"cut off", &["not valid JSON"][..]),
            ("[]", &["must be a JSON object"]),
            ("{\"text\": \" \"}", &["says nothing"]),
            ("{\"txt\": \"hello\"}", &["unknown member \"txt\""]),
            (
                "{\"tool_calls\": [{\"name\": \"search_logs\"}]}",
                &["tool_calls[0]: \"input\" must be an object"],
            ),
            (
                "{\"tool_calls\": [{\"name\": \"delete_logs\", \"input\": {}}, {\"name\": \"search_logs\", \
                 \"input\": {\"limit\": \"5\", \"since\": 1}}]}",
                &[
                    "there is no tool \"delete_logs\"; the tools on offer: search_logs",
                    "search_logs: input lacks the required \"pattern\"",
                    "search_logs: input.limit must be integer, not \"5\"",
                    "search_logs: input has no member \"since\"",
                ],
            ),
            (
                "{\"output\": {\"message\": {\"role\": \"user\", \"content\": [{\"txt\": \"x\"}]}}}",
                &[
                    "role must be \"assistant\"",
                    "stopReason must be one of",
                    "content[0] must have exactly one",
                ],
            ),
        ] {
            folder.write("hand/logs-2.answer.json", answer);
            let error = awaited(&folder, "logs-2.answer.error.txt").await;
            for fragment in fragments {
                assert!(error.contains(fragment), "{answer}: {error}");
            }
            std::fs::remove_file(folder.0.join("hand/logs-2.answer.error.txt")).unwrap();
        }
        folder.write("hand/logs-2.answer.json", "not yet");
        awaited(&folder, "logs-2.answer.error.txt").await;
        folder.write("hand/logs-2.answer.json", "\u{feff}{\"text\": \"Enough.\"}");
    };
    let ((status, body), ()) =
        tokio::time::timeout(PATIENCE, async { tokio::join!(asked, played) }).await.unwrap();
    assert_eq!((status, &body["stopReason"]), (200, &json!("end_turn")));
    assert!(!folder.0.join("hand/logs-2.answer.error.txt").exists());
}

#[tokio::test]
async fn an_answer_that_ignores_a_forced_tool_is_not_taken() {
    let mut request = valid_request();
    request["toolConfig"]["toolChoice"] = json!({"tool": {"name": "search_logs"}});
    let folder = Folder::new();
    let bedrock = played_in(&folder);
    let asked = ask(&bedrock, SONNET, &request);
    let played = async {
        awaited(&folder, "logs-2.request.md").await;
        folder.write("hand/logs-2.answer.json", "{\"text\": \"No.\"}");
        assert!(
            awaited(&folder, "logs-2.answer.error.txt").await.contains("forces the tool \"search_logs\"")
        );
    };
    tokio::select! {
        (status, _) = asked => panic!("answered with {status}"),
        () = played => {}
    }
    assert_eq!(bedrock.calls()[0].outcome, CallOutcome::Unanswered);
}

#[tokio::test]
async fn the_same_question_finds_its_answer_again_and_another_one_does_not() {
    let request = plain_request("logs", 1);
    let (folder, first) = answered_with(&request, &json!({"text": "The deploy."})).await;
    let bedrock = played_in(&folder);
    let (_, again) = tokio::time::timeout(PATIENCE, ask(&bedrock, SONNET, &request)).await.unwrap();
    assert_eq!(again, first);
    let mut other = request.clone();
    other["messages"][0]["content"][0]["text"] = json!("What broke?");
    let asked = tokio::time::timeout(Duration::from_secs(1), ask(&bedrock, SONNET, &other)).await;
    assert!(asked.is_err());
    assert_eq!(folder.read("hand/logs-1.answer.old-1.json"), json!({"text": "The deploy."}).to_string());
    assert!(!folder.0.join("hand/logs-1.answer.json").exists());
}

#[tokio::test]
async fn several_agents_wait_at_the_same_time() {
    let folder = Folder::new();
    let bedrock = played_in(&folder);
    let (logs, metrics) = (plain_request("logs", 1), plain_request("metrics", 1));
    let asked = async { tokio::join!(ask(&bedrock, SONNET, &logs), ask(&bedrock, SONNET, &metrics)) };
    let played = async {
        awaited(&folder, "logs-1.request.md").await;
        awaited(&folder, "metrics-1.request.md").await;
        folder.write("hand/metrics-1.answer.json", "{\"text\": \"metrics\"}");
        folder.write("hand/logs-1.answer.json", "{\"text\": \"logs\"}");
    };
    let (((_, logs), (_, metrics)), ()) =
        tokio::time::timeout(PATIENCE, async { tokio::join!(asked, played) }).await.unwrap();
    let text = |body: &Value| body["output"]["message"]["content"][0]["text"].clone();
    assert_eq!((text(&logs), text(&metrics)), (json!("logs"), json!("metrics")));
}
