//! The channel as a page: what a responder's phone would show, near enough to judge a card by.
//!
//! Threads stand expanded beneath their message; a reply that was broadcast stands in the channel as well. The page
//! loads nothing, runs nothing and contains no unescaped text of a message.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::slack::mrkdwn::{escaped, html, plain};
use crate::slack::{CHANNEL_NAME, SlackFile, SlackMessage};

/// How every PNG begins.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

const STYLE: &str = "\
body{margin:0;background:#e8e8e8;font:15px/1.45 -apple-system,'Segoe UI',Roboto,sans-serif;color:#1d1c1d}\
main{width:390px;margin:0 auto;min-height:100vh;background:#fff}\
h1{font-size:16px;margin:0;padding:12px 14px;border-bottom:1px solid #ddd}\
article{padding:12px 14px;border-bottom:1px solid #eee;overflow-wrap:anywhere}\
h2{font-size:18px;line-height:1.3;margin:6px 0}\
.name{font-weight:700}.name span{background:#ddd;border-radius:3px;font-size:10px;padding:1px 4px;margin-left:4px}\
.block{margin:6px 0}.context{color:#616061;font-size:12px}.fields{display:grid;grid-template-columns:1fr 1fr;gap:8px}\
.button{display:inline-block;border:1px solid #bbb;border-radius:4px;padding:4px 10px;margin:2px 4px 2px 0;\
font-weight:700;font-size:13px;text-decoration:none;color:inherit}\
.primary{background:#007a5a;color:#fff}.danger{background:#e01e5a;color:#fff}\
.attachment{border-left:4px solid #ccc;padding-left:10px}.picture,.kept{border:1px dashed #bbb;padding:8px;color:#616061}\
blockquote{margin:2px 0;border-left:4px solid #ddd;padding-left:10px}\
pre,code{font:12px/1.5 ui-monospace,Menlo,Consolas,monospace;background:#f6f6f6;border:1px solid #ddd;border-radius:3px}\
pre{padding:6px;margin:4px 0;white-space:pre-wrap}code{padding:0 3px;color:#c01343}\
mark{background:#fbeecb;border-radius:3px}hr{border:0;border-top:1px solid #ddd}\
table{border-collapse:collapse;font-size:12px}td{border:1px solid #ddd;padding:2px 6px}\
details{color:#616061;font-size:12px;margin-top:8px}\
.thread{margin:8px 0 0 8px;border-left:2px solid #ddd;padding-left:10px}.thread article{padding:8px 0}\
.count{color:#1264a3;font-size:12px;font-weight:700}.edited,.origin{color:#616061;font-size:12px}\
img{max-width:100%;border:1px solid #ddd;border-radius:4px;display:block}figure{margin:6px 0}\
figcaption{color:#616061;font-size:12px}";

/// Renders all messages, oldest first.
pub(crate) fn channel(messages: &[SlackMessage]) -> String {
    let page = Page { messages };
    let mut body: String = messages
        .iter()
        .map(|message| match (&message.thread_ts, message.is_broadcast) {
            (None, _) => page.with_thread(message),
            (Some(_), true) => {
                article(&page.message(message, "<div class=\"origin\">replied to a thread</div>"))
            }
            (Some(_), false) => String::new(),
        })
        .collect();
    if messages.is_empty() {
        body.push_str("<article>No message yet.</article>");
    }
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=390\"><title>Slack channel of the emulator</title>\
         <link rel=\"icon\" href=\"data:,\">\
         <style>{STYLE}</style></head><body><main><h1># {CHANNEL_NAME} (emulated)</h1>{body}</main></body></html>\n"
    )
}

fn article(inside: &str) -> String {
    format!("<article>{inside}</article>")
}

/// What a message may refer to: the others and their files.
#[derive(Clone, Copy)]
struct Page<'a> {
    messages: &'a [SlackMessage],
}

impl Page<'_> {
    fn with_thread(self, message: &SlackMessage) -> String {
        let replies: Vec<String> = self
            .messages
            .iter()
            .filter(|reply| reply.thread_ts.as_ref() == Some(&message.ts))
            .map(|reply| {
                let note = if reply.is_broadcast {
                    "<div class=\"origin\">also sent to the channel</div>"
                } else {
                    ""
                };
                article(&self.message(reply, note))
            })
            .collect();
        let mut inside = self.message(message, "");
        if !replies.is_empty() {
            let noun = if replies.len() == 1 { "reply" } else { "replies" };
            inside.push_str(&div("count", &format!("{} {noun}", replies.len())));
            inside.push_str(&div("thread", &replies.concat()));
        }
        article(&inside)
    }

    fn message(self, message: &SlackMessage, note: &str) -> String {
        let blocks = message.body.get("blocks").and_then(Value::as_array);
        let attachments = message.body.get("attachments").and_then(Value::as_array);
        let mut inside = String::from("<div class=\"name\">sre-agent<span>APP</span></div>");
        inside.push_str(note);
        let has_blocks = blocks.is_some_and(|blocks| !blocks.is_empty());
        if !has_blocks && !message.text.is_empty() {
            inside.push_str(&div("block", &html(&message.text)));
        }
        for item in blocks.into_iter().flatten() {
            inside.push_str(&self.block(item));
        }
        for attachment in attachments.into_iter().flatten() {
            let mut content = String::new();
            for name in ["pretext", "title", "text"] {
                if let Some(text) = attachment.get(name).and_then(Value::as_str) {
                    content.push_str(&div("block", &html(text)));
                }
            }
            for item in attachment.get("blocks").and_then(Value::as_array).into_iter().flatten() {
                content.push_str(&self.block(item));
            }
            inside.push_str(&div("attachment", &content));
        }
        inside.extend(message.files.iter().map(file));
        if message.edited.is_some() {
            inside.push_str(&div("edited", "(edited)"));
        }
        if has_blocks {
            // What a lock screen and a screen reader get.
            let text =
                if message.text.is_empty() { "(no text: notifications stay empty)" } else { &message.text };
            let summary = format!("<summary>Notification</summary>{}", html(text));
            inside.extend(["<details>", &summary, "</details>"]);
        }
        inside
    }

    fn block(self, block: &Value) -> String {
        let list = |name: &str| block.get(name).and_then(Value::as_array).into_iter().flatten();
        match block.get("type").and_then(Value::as_str).unwrap_or_default() {
            "section" => {
                let mut inside = block.get("text").map(text_object).unwrap_or_default();
                let fields: String = list("fields").map(|field| div("field", &text_object(field))).collect();
                if !fields.is_empty() {
                    inside.push_str(&div("fields", &fields));
                }
                inside.push_str(&block.get("accessory").map(|item| self.element(item)).unwrap_or_default());
                div("block", &inside)
            }
            "header" => format!("<h2>{}</h2>", block.get("text").map(text_object).unwrap_or_default()),
            "divider" => "<hr>".to_owned(),
            "context" => div(
                "block context",
                &list("elements").map(|item| self.element(item)).collect::<Vec<_>>().join(" "),
            ),
            "actions" => div("block", &list("elements").map(|item| self.element(item)).collect::<String>()),
            "image" => self.picture(block),
            "markdown" => {
                let text = block.get("text").and_then(Value::as_str).unwrap_or_default();
                div("block", &format!("<pre>{}</pre>", escaped(text)))
            }
            "rich_text" => div("block", &rich_text(block)),
            "table" => {
                let row = |row: &Value| {
                    let cells: Vec<String> = row.as_array().into_iter().flatten().map(rich_text).collect();
                    format!("<tr><td>{}</td></tr>", cells.join("</td><td>"))
                };
                format!("<table>{}</table>", list("rows").map(row).collect::<String>())
            }
            "alert" => div("block kept", &block.get("text").map(text_object).unwrap_or_default()),
            other => div("kept", &escaped(other)),
        }
    }

    fn element(self, element: &Value) -> String {
        match element.get("type").and_then(Value::as_str).unwrap_or_default() {
            "mrkdwn" | "plain_text" => format!("<span>{}</span>", text_object(element)),
            "image" => self.picture(element),
            "button" => {
                let label = element.get("text").map(text_object).unwrap_or_default();
                let style = match element.get("style").and_then(Value::as_str) {
                    Some("primary") => "button primary",
                    Some("danger") => "button danger",
                    _ => "button",
                };
                match element.get("url").and_then(Value::as_str).filter(|url| url.starts_with("http")) {
                    Some(url) => {
                        format!(
                            "<a class=\"{style}\" rel=\"noreferrer\" href=\"{}\">{label}</a>",
                            escaped(url)
                        )
                    }
                    None => format!("<span class=\"{style}\">{label}</span>"),
                }
            }
            other => format!("<span class=\"kept\">{}</span>", escaped(other)),
        }
    }

    /// A picture of the web is named, not loaded: the page must work with no network. One of the channel's files is shown.
    fn picture(self, picture: &Value) -> String {
        let alt = picture.get("alt_text").and_then(Value::as_str).unwrap_or_default();
        let id = picture.pointer("/slack_file/id").and_then(Value::as_str);
        let mut files = self.messages.iter().flat_map(|message| &message.files);
        if let Some(shared) = id.and_then(|id| files.find(|file| file.id == id)) {
            return image(&shared.bytes, alt).unwrap_or_else(|| div("picture", &escaped(alt)));
        }
        let url = picture.get("image_url").and_then(Value::as_str).unwrap_or_default();
        div("picture", &format!("Picture: {}<br><small>{}</small>", escaped(alt), escaped(url)))
    }
}

/// A file as the channel shows it: a picture where it is one, else its name.
fn file(file: &SlackFile) -> String {
    let title = file.title.as_ref().unwrap_or(&file.name);
    let alt = file.alt_text.as_ref().unwrap_or(title);
    let shown = image(&file.bytes, alt).unwrap_or_else(|| div("kept", &escaped(&file.name)));
    format!("<figure><figcaption>{}</figcaption>{shown}</figure>", escaped(title))
}

fn image(bytes: &[u8], alt: &str) -> Option<String> {
    let encoded = bytes.starts_with(PNG).then(|| STANDARD.encode(bytes))?;
    Some(format!("<img alt=\"{}\" src=\"data:image/png;base64,{encoded}\">", escaped(alt)))
}

fn text_object(object: &Value) -> String {
    let text = object.get("text").and_then(Value::as_str).unwrap_or_default();
    if object.get("type").and_then(Value::as_str) == Some("mrkdwn") { html(text) } else { plain(text) }
}

/// The text of a rich text tree, part by part, without its styling.
fn rich_text(part: &Value) -> String {
    if let Some(text) = part.get("text").and_then(Value::as_str) {
        return plain(text);
    }
    let inside: String =
        part.get("elements").and_then(Value::as_array).into_iter().flatten().map(rich_text).collect();
    match part.get("type").and_then(Value::as_str) {
        Some("rich_text_preformatted") => format!("<pre>{inside}</pre>"),
        Some("rich_text_quote") => format!("<blockquote>{inside}</blockquote>"),
        Some("rich_text_section") => format!("<div>{inside}</div>"),
        Some("link") => part.get("url").and_then(Value::as_str).map(escaped).unwrap_or_default(),
        _ => inside,
    }
}

fn div(class: &str, inside: &str) -> String {
    format!("<div class=\"{class}\">{inside}</div>")
}
