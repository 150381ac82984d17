//! The Web API as a caller with a bot token meets it: words of refusal, threads, edits, uploads.

use super::*;
use crate::slack::web_api::files::UPLOAD_PATH;

/// What a PNG begins with; nothing here looks further.
const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n and more";

fn request(slack: &Slack, method: &str, authorization: &str, kind: &str, body: &[u8]) -> Answer {
    let request =
        ApiRequest { method, authorization, content_type: kind, body, origin: "http://127.0.0.1:4566" };
    match slack.api(&request, None).unwrap() {
        Reply::Answer(answer) => answer,
        Reply::BrokenOff => panic!("the connection broke off"),
    }
}

fn body(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap()
}

fn call(slack: &Slack, method: &str, arguments: &Value) -> Value {
    let answer =
        request(slack, method, "Bearer xoxb-1", "application/json", arguments.to_string().as_bytes());
    assert_eq!(answer.status, 200, "{answer:?}");
    body(&answer)
}

fn form(slack: &Slack, method: &str, form: &str) -> Value {
    let kind = "application/x-www-form-urlencoded";
    body(&request(slack, method, "Bearer xoxb-1", kind, form.as_bytes()))
}

/// The word of a refusal.
fn word(slack: &Slack, method: &str, arguments: &Value) -> String {
    let answer = call(slack, method, arguments);
    assert_eq!(answer["ok"], json!(false), "{answer}");
    answer["error"].as_str().unwrap().to_owned()
}

fn unsupported(slack: &Slack, method: &str, arguments: &Value) -> String {
    let arguments = arguments.to_string();
    let request = ApiRequest {
        method,
        authorization: "Bearer xoxb-1",
        content_type: "application/json",
        body: arguments.as_bytes(),
        origin: "http://127.0.0.1:4566",
    };
    slack.api(&request, None).unwrap_err().into_error().message
}

fn message(text: &str) -> Value {
    json!({"channel": CHANNEL_ID, "text": text})
}

fn with(mut arguments: Value, name: &str, value: Value) -> Value {
    arguments[name] = value;
    arguments
}

/// Posts a text and returns its `ts`.
fn posted(slack: &Slack, arguments: &Value) -> String {
    let answer = call(slack, "chat.postMessage", arguments);
    assert_eq!((&answer["ok"], &answer["channel"]), (&json!(true), &json!(CHANNEL_ID)), "{answer}");
    answer["ts"].as_str().unwrap().to_owned()
}

#[test]
fn a_token_is_told_who_it_is_and_what_it_may_do() {
    let slack = quiet();
    let answer = request(&slack, "auth.test", "Bearer xoxb-1", "", b"");
    let told = body(&answer);
    assert_eq!((&told["ok"], &told["team"]), (&json!(true), &json!("Emulated workspace")));
    assert_eq!((&told["user"], &told["bot_id"]), (&json!("sre-agent"), &json!("B00000000")));
    assert!(answer.headers.contains(&("x-oauth-scopes".to_owned(), "chat:write,files:write".to_owned())));
}

#[test]
fn a_token_that_slack_would_not_take_is_refused_with_its_word() {
    let slack = quiet();
    for (authorization, error) in [
        ("", "not_authed"),
        ("Basic eHg=", "not_authed"),
        ("Bearer ", "invalid_auth"),
        ("Bearer xoxb-", "invalid_auth"),
        ("Bearer xoxb-a b", "invalid_auth"),
        ("Bearer secret", "invalid_auth"),
        ("Bearer xapp-1", "not_allowed_token_type"),
    ] {
        let answer = request(&slack, "auth.test", authorization, "", b"");
        assert_eq!(
            (answer.status, body(&answer)),
            (200, json!({"ok": false, "error": error})),
            "{authorization}"
        );
    }
    let revoked = started(SlackOptions { token_revoked: true, ..SlackOptions::default() });
    assert_eq!(word(&revoked, "chat.postMessage", &message("a")), "token_revoked");
}

#[test]
fn a_missing_scope_is_named_with_what_there_is() {
    let scopes = Some(vec!["chat:write".to_owned()]);
    let slack = started(SlackOptions { scopes, ..SlackOptions::default() });
    let answer = call(&slack, "files.getUploadURLExternal", &json!({"filename": "a.png", "length": 1}));
    let wanted =
        json!({"ok": false, "error": "missing_scope", "needed": "files:write", "provided": "chat:write"});
    assert_eq!(answer, wanted);
    posted(&slack, &message("a"));
}

#[test]
fn the_channel_is_known_by_its_id_and_its_name_and_no_other() {
    let slack = quiet();
    for channel in [CHANNEL_ID, "incidents", "#incidents"] {
        posted(&slack, &json!({"channel": channel, "text": "a"}));
    }
    for channel in ["C9999999999", "general", "#general", ""] {
        let asked = json!({"channel": channel, "text": "a"});
        assert_eq!(word(&slack, "chat.postMessage", &asked), "channel_not_found", "{channel}");
    }
    assert_eq!(word(&slack, "chat.postMessage", &json!({"text": "a"})), "invalid_arguments");
    let gone = started(SlackOptions { membership: SlackMembership::Unseen, ..SlackOptions::default() });
    assert_eq!(word(&gone, "chat.postMessage", &message("a")), "channel_not_found");
}

#[test]
fn a_bot_outside_of_the_channel_writes_only_with_the_scope_for_public_ones_and_never_files() {
    let outside = |scopes: Option<Vec<String>>| {
        started(SlackOptions { membership: SlackMembership::Outside, scopes, ..SlackOptions::default() })
    };
    assert_eq!(word(&outside(None), "chat.postMessage", &message("a")), "not_in_channel");
    let scopes = ["chat:write", "chat:write.public", "files:write"];
    let slack = outside(Some(scopes.map(str::to_owned).to_vec()));
    posted(&slack, &message("a"));
    let arguments = json!({"files": [{"id": "F1"}], "channel_id": CHANNEL_ID});
    assert_eq!(word(&slack, "files.completeUploadExternal", &arguments), "not_in_channel");
}

#[test]
fn each_message_has_a_ts_of_its_own_in_their_order_and_the_same_in_each_run() {
    let run = || {
        let slack = quiet();
        assert_eq!(post(&slack, PATH, "{\"text\":\"by the webhook\"}"), ok());
        posted(&slack, &message("by the bot"));
        slack.messages().into_iter().map(|message| message.ts).collect::<Vec<_>>()
    };
    assert_eq!(run(), ["1777867330.000100", "1777867330.000200"]);
    assert_eq!(run(), run());
}

#[test]
fn forms_and_json_say_the_same() {
    let slack = quiet();
    let text =
        "channel=C0123456789&text=a+%26+b&unfurl_links=false&blocks=%5B%7B%22type%22%3A%22divider%22%7D%5D";
    assert_eq!(form(&slack, "chat.postMessage", text)["ok"], json!(true));
    let arguments = json!({"channel": CHANNEL_ID, "text": "a & b", "unfurl_links": false,
                           "blocks": [{"type": "divider"}]});
    posted(&slack, &arguments);
    let [by_form, by_json] = slack.messages().try_into().unwrap();
    assert_eq!((by_form.text, &by_form.body["blocks"]), (by_json.text, &by_json.body["blocks"]));

    let asked = |kind: &str, text: &[u8]| {
        body(&request(&slack, "chat.postMessage", "Bearer xoxb-1", kind, text))["error"].clone()
    };
    assert_eq!(asked("application/json", b"{"), "invalid_json");
    assert_eq!(asked("application/json; charset=utf-8", b"[]"), "json_not_object");
    assert_eq!(asked("", b"text=a"), "missing_post_type");
    assert_eq!(asked("application/xml", b"<a/>"), "invalid_post_type");
    assert_eq!(
        asked("application/x-www-form-urlencoded", b"channel=C0123456789&blocks=nonsense"),
        "invalid_blocks_format"
    );
}

#[test]
fn content_that_slack_would_refuse_is_refused_with_its_word_and_the_place() {
    let slack = quiet();
    let blocks = |blocks: Value| json!({"channel": CHANNEL_ID, "text": "a", "blocks": blocks});
    let answer = call(&slack, "chat.postMessage", &blocks(json!([{"type": "line"}])));
    assert_eq!(answer["error"], "invalid_blocks");
    assert_eq!(answer["errors"][0], "unsupported block type \"line\" [json-pointer:/blocks/0]");
    assert!(answer["response_metadata"]["messages"][0].as_str().unwrap().starts_with("[ERROR] "));

    let section = json!({"type": "section", "text": {"type": "mrkdwn", "text": "x".repeat(3_000)}});
    posted(&slack, &blocks(json!(vec![section.clone(); 4])));
    assert_eq!(word(&slack, "chat.postMessage", &blocks(json!(vec![section; 5]))), "msg_blocks_too_long");
    for (arguments, error) in [
        (json!({"channel": CHANNEL_ID}), "no_text"),
        (message(" "), "no_text"),
        (with(message("a"), "text", json!(7)), "invalid_arguments"),
        (with(message("a"), "blocks", json!({})), "invalid_blocks_format"),
        (with(message("a"), "attachments", json!(vec![json!({}); 101])), "too_many_attachments"),
        (with(message("a"), "metadata", json!({"event_type": "x"})), "invalid_metadata_format"),
        (with(message("a"), "unfurl_links", json!("maybe")), "invalid_arguments"),
        (
            blocks(json!([{"type": "image", "alt_text": "a", "slack_file": {"id": "F0000000009"}}])),
            "invalid_blocks",
        ),
    ] {
        assert_eq!(word(&slack, "chat.postMessage", &arguments), error, "{arguments}");
    }
    assert_eq!(slack.messages().len(), 1);
    assert!(slack.refusals().iter().all(|refusal| refusal.path == "/api/chat.postMessage"));
}

#[test]
fn replies_stand_in_their_thread_and_a_broadcast_one_in_the_channel_as_well() {
    let slack = quiet();
    let parent = posted(&slack, &message("an alarm"));
    let reply = with(message("its cause"), "thread_ts", json!(parent));
    let quiet_ts = posted(&slack, &reply);
    posted(&slack, &with(with(reply, "reply_broadcast", json!(true)), "text", json!("all clear")));
    let [_, quiet_reply, loud_reply] = slack.messages().try_into().unwrap();
    assert_eq!((quiet_reply.thread_ts.as_deref(), quiet_reply.is_broadcast), (Some(&*parent), false));
    assert_eq!((loud_reply.thread_ts.as_deref(), loud_reply.is_broadcast), (Some(&*parent), true));

    let page = slack.page();
    assert_eq!(page.matches("its cause").count(), 1, "{page}");
    assert_eq!(page.matches("all clear").count(), 2, "{page}");
    assert!(page.contains("2 replies") && page.contains("also sent to the channel"), "{page}");
    let thread = page.find("class=\"thread\"").unwrap();
    assert!(page.find("its cause").unwrap() > thread && page.find("an alarm").unwrap() < thread);

    for (thread, told) in [(quiet_ts.as_str(), "of a reply"), ("1.000000", "which is no message's")] {
        let told_here =
            unsupported(&slack, "chat.postMessage", &with(message("a"), "thread_ts", json!(thread)));
        assert!(told_here.contains(told), "{told_here}");
    }
    let told = unsupported(&slack, "chat.postMessage", &with(message("a"), "reply_broadcast", json!(true)));
    assert_eq!(told, "emulator: unsupported reply_broadcast without thread_ts");
}

#[test]
fn an_edit_replaces_what_it_names_and_keeps_what_it_was() {
    let slack = quiet();
    let blocks = json!([{"type": "divider"}]);
    let ts = posted(&slack, &with(message("investigating"), "blocks", blocks.clone()));
    let edit = json!({"channel": CHANNEL_ID, "ts": ts, "text": "found"});
    let answer = call(&slack, "chat.update", &edit);
    assert_eq!((&answer["ts"], &answer["text"]), (&json!(ts), &json!("found")));
    let edited = slack.messages().pop().unwrap();
    assert_eq!((edited.text.as_str(), &edited.body["blocks"]), ("found", &blocks));
    assert_eq!(edited.edited.as_deref(), Some("1777867330.000200"));
    assert_eq!(edited.earlier[0].text, "investigating");
    call(&slack, "chat.update", &with(edit.clone(), "blocks", json!([])));
    assert_eq!(slack.messages()[0].body["blocks"], json!([]));
    assert!(slack.page().contains("found") && slack.page().contains("(edited)"));

    assert_eq!(post(&slack, PATH, "{\"text\":\"by the webhook\"}"), ok());
    let webhook = slack.messages().pop().unwrap().ts;
    for (arguments, error) in [
        (with(edit.clone(), "ts", json!("1.0")), "message_not_found"),
        (with(edit.clone(), "ts", json!(webhook)), "cant_update_message"),
        // Counted in bytes, of which this letter has two.
        (with(edit.clone(), "text", json!("ü".repeat(2_001))), "msg_too_long"),
        (json!({"channel": CHANNEL_ID, "ts": ts}), "no_text"),
        (json!({"channel": CHANNEL_ID, "text": "a"}), "invalid_arguments"),
    ] {
        assert_eq!(word(&slack, "chat.update", &arguments), error, "{arguments}");
    }
    let told = unsupported(&slack, "chat.update", &with(edit.clone(), "unfurl_links", json!(false)));
    assert_eq!(told, "emulator: unsupported argument unfurl_links of chat.update");
    let told = unsupported(&slack, "chat.update", &with(edit, "channel", json!("incidents")));
    assert!(told.contains("a channel's name"), "{told}");
}

/// Goes through the first two steps and returns the file's id.
fn uploaded(slack: &Slack) -> String {
    let asked = format!("filename=errors.png&length={}&alt_txt=Errors+a+minute", PICTURE.len());
    let answer = form(slack, "files.getUploadURLExternal", &asked);
    let url = answer["upload_url"].as_str().unwrap().to_owned();
    let path = url.strip_prefix("http://127.0.0.1:4566").unwrap();
    assert!(path.starts_with(UPLOAD_PATH), "{path}");
    for (bytes, status) in [(&PICTURE[1..], 400), (PICTURE, 200), (PICTURE, 400)] {
        let Reply::Answer(answer) = slack.upload(path, "image/png", bytes).unwrap() else { panic!() };
        assert_eq!(answer.status, status);
    }
    answer["file_id"].as_str().unwrap().to_owned()
}

#[test]
fn a_picture_is_uploaded_in_three_steps_and_shown() {
    let slack = quiet();
    let parent = posted(&slack, &message("an alarm"));
    let id = uploaded(&slack);
    let arguments = json!({"files": [{"id": id, "title": "Errors <b>"}], "channel_id": CHANNEL_ID,
                           "thread_ts": parent, "initial_comment": "as it was"});
    let answer = call(&slack, "files.completeUploadExternal", &arguments);
    assert_eq!((&answer["ok"], &answer["files"][0]["id"]), (&json!(true), &json!(id)));
    let shared = slack.messages().pop().unwrap();
    assert_eq!((shared.text.as_str(), shared.thread_ts.as_deref()), ("as it was", Some(&*parent)));
    assert_eq!((shared.files[0].bytes.as_slice(), shared.files[0].size), (PICTURE, PICTURE.len()));
    let page = slack.page();
    assert!(page.contains("<img alt=\"Errors a minute\" src=\"data:image/png;base64,iVBORw0KGgo"), "{page}");
    assert!(page.contains("<figcaption>Errors &lt;b&gt;</figcaption>"), "{page}");
    assert_eq!(word(&slack, "files.completeUploadExternal", &arguments), "file_not_found");

    let block = json!([{"type": "image", "alt_text": "shown again", "slack_file": {"id": id}}]);
    posted(&slack, &with(message("a"), "blocks", block));
    assert!(slack.page().contains("<img alt=\"shown again\" src=\"data:image/png;base64,"));
}

#[test]
fn a_file_that_stands_in_no_channel_is_no_picture_of_a_message() {
    let slack = quiet();
    let id = uploaded(&slack);
    assert_eq!(call(&slack, "files.completeUploadExternal", &json!({"files": [{"id": id}]}))["ok"], true);
    assert!(slack.messages().is_empty());
    let block = json!([{"type": "image", "alt_text": "a", "slack_file": {"id": id}}]);
    let answer = call(&slack, "chat.postMessage", &with(message("a"), "blocks", block));
    assert_eq!(answer["errors"][0], "invalid slack file [json-pointer:/blocks/0/slack_file]");
}

#[test]
fn an_upload_that_slack_would_refuse_is_refused_with_its_word() {
    let slack = quiet();
    for (arguments, error) in [
        (json!({"filename": "a.png", "length": 0}), "missing_argument"),
        (json!({"filename": "a.png"}), "missing_argument"),
        (json!({"filename": "a.png", "length": "many"}), "invalid_arguments"),
        (json!({"filename": "a.png", "length": 1, "alt_txt": "x".repeat(1_001)}), "alt_txt_too_large"),
    ] {
        assert_eq!(word(&slack, "files.getUploadURLExternal", &arguments), error, "{arguments}");
    }
    for (arguments, error) in [
        (json!({"files": []}), "invalid_arguments"),
        (json!({"files": [{"id": "F0000000001"}]}), "file_not_found"),
        (json!({"files": [{"id": "F0000000001"}], "channel_id": "incidents"}), "invalid_arguments"),
        (json!({"files": [{"id": "F0000000001"}], "channel_id": "C9999999999"}), "channel_not_found"),
    ] {
        assert_eq!(word(&slack, "files.completeUploadExternal", &arguments), error, "{arguments}");
    }
    // An address without its bytes is no file yet.
    call(&slack, "files.getUploadURLExternal", &json!({"filename": "a.png", "length": 1}));
    let begun = json!({"files": [{"id": "F0000000001"}]});
    assert_eq!(word(&slack, "files.completeUploadExternal", &begun), "file_not_found");
}

#[test]
fn the_options_misbehave_as_they_say() {
    let errors = [("chat.update".to_owned(), "edit_window_closed".to_owned())].into();
    let retry_after = Some(Duration::from_secs(3));
    let options = SlackOptions { rate_limited_first: 1, retry_after, errors, ..SlackOptions::default() };
    let slack = started(SlackOptions { refuse_blocks: true, ..options });
    let limited = request(&slack, "auth.test", "Bearer xoxb-1", "", b"");
    assert_eq!((limited.status, body(&limited)["error"].clone()), (429, json!("ratelimited")));
    assert!(limited.headers.contains(&("retry-after".to_owned(), "3".to_owned())));
    let edit = json!({"channel": CHANNEL_ID, "ts": posted(&slack, &message("a")), "text": "b"});
    assert_eq!(word(&slack, "chat.update", &edit), "edit_window_closed");
    let blocks = with(message("a"), "blocks", json!([{"type": "divider"}]));
    assert_eq!(word(&slack, "chat.postMessage", &blocks), "invalid_blocks");
}

#[test]
fn a_connection_breaks_off_from_a_message_on_whether_that_was_taken_or_not() {
    for (is_taken, kept) in [(true, 2), (false, 1)] {
        let breaks = Some(SlackBreak { after: 1, is_taken });
        let slack = started(SlackOptions { breaks, ..SlackOptions::default() });
        posted(&slack, &message("a"));
        assert_eq!(slack.webhook(PATH, b"{\"text\":\"b\"}", None), Ok(Reply::BrokenOff));
        assert_eq!(slack.messages().len(), kept, "{is_taken}");
    }
}

#[test]
fn what_is_outside_of_the_subset_is_told() {
    let slack = quiet();
    assert_eq!(
        unsupported(&slack, "chat.delete", &json!({})),
        "emulator: unsupported Slack method chat.delete"
    );
    assert_eq!(
        unsupported(&slack, "chat.postMessage", &with(message("a"), "username", json!("b"))),
        "emulator: unsupported argument username of chat.postMessage"
    );
}
