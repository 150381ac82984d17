//! Uploading a file in three steps: an address, the bytes, and where it is shown.

use serde_json::{Map, Value, json};

use crate::failure::Failure;
use crate::page::short_digest;
use crate::slack::channel::{SlackFile, SlackMessage};
use crate::slack::web_api::Stop;
use crate::slack::web_api::arguments::{Arguments, invalid};
use crate::slack::{Refused, Slack, SlackMembership};
use crate::wire::Answer;

/// Where the bytes go; the rest of the path is the ticket.
pub(crate) const UPLOAD_PATH: &str = "/upload/v1/";

/// Slack takes a description of so many characters.
const ALT_TEXT_LIMIT: usize = 1_000;

/// Uploads that were begun.
#[derive(Debug, Default)]
pub(crate) struct Uploads(Vec<Upload>);

#[derive(Debug)]
struct Upload {
    ticket: String,
    file: SlackFile,
    step: Step,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Promised,
    Received,
    Completed,
}

impl Slack {
    pub(super) fn upload_url(&self, arguments: &Arguments, origin: &str) -> Result<Map<String, Value>, Stop> {
        let name = arguments.required("filename")?;
        let size = arguments.whole("length")?.filter(|length| *length > 0);
        let Some(size) = size.filter(|_| !name.is_empty()) else {
            return Err(Stop::word("missing_argument"));
        };
        let alt_text = arguments.text("alt_txt")?;
        if alt_text.is_some_and(|text| text.chars().count() > ALT_TEXT_LIMIT) {
            return Err(Stop::word("alt_txt_too_large"));
        }
        let mut state = self.state();
        let id = format!("F{:010}", state.uploads.0.len() + 1);
        let ticket = short_digest(&format!("upload of {id}"));
        let answer = [
            ("upload_url".to_owned(), json!(format!("{origin}{UPLOAD_PATH}{ticket}"))),
            ("file_id".to_owned(), json!(id)),
        ];
        let file = SlackFile {
            id,
            name: name.to_owned(),
            title: None,
            alt_text: alt_text.map(str::to_owned),
            size,
            bytes: Vec::new(),
        };
        state.uploads.0.push(Upload { ticket, file, step: Step::Promised });
        Ok(answer.into_iter().collect())
    }

    /// Takes the bytes. Slack says of a failure no more than that its status is not 200.
    pub(in crate::slack) fn answer_upload(
        &self,
        path: &str,
        content_type: &str,
        body: &[u8],
    ) -> Result<Answer, Failure> {
        if content_type.starts_with("multipart/") {
            return Err(Failure::unsupported("an upload as multipart/form-data"));
        }
        let ticket = path.strip_prefix(UPLOAD_PATH).unwrap_or_default();
        let (status, words) = {
            let mut state = self.state();
            match state.uploads.0.iter_mut().find(|upload| upload.ticket == ticket) {
                None => (404, "no such upload".to_owned()),
                Some(upload) if upload.step != Step::Promised => (400, "already uploaded".to_owned()),
                Some(upload) if upload.file.size != body.len() => {
                    (400, format!("{} bytes, {} were announced", body.len(), upload.file.size))
                }
                Some(upload) => {
                    upload.file.bytes = body.to_vec();
                    upload.step = Step::Received;
                    (200, format!("OK - {}", body.len()))
                }
            }
        };
        if status != 200 {
            self.refuse(path, &Refused::new(status, "upload", vec![words.clone()]));
        }
        let headers = vec![("content-type".to_owned(), "text/plain; charset=utf-8".to_owned())];
        Ok(Answer { status, headers, body: words.into_bytes() })
    }

    pub(super) fn complete_upload(&self, arguments: &Arguments) -> Result<Map<String, Value>, Stop> {
        let files = wanted(arguments)?;
        let channel = arguments.text("channel_id")?;
        if let Some(channel) = channel {
            if !is_channel_id(channel) {
                return Err(invalid("/channel_id: input must match regex pattern: ^[CGDZ][A-Z0-9]{8,}$"));
            }
            self.check_channel(channel, false)?;
            // A scope for writing into public channels does not reach as far as files.
            if self.options.membership == SlackMembership::Outside {
                return Err(Stop::word("not_in_channel"));
            }
        }
        let thread = arguments.text("thread_ts")?;
        let comment = arguments.text("initial_comment")?.unwrap_or_default();
        if channel.is_none() && (thread.is_some() || !comment.is_empty()) {
            return Err(Stop::unsupported("thread_ts or initial_comment without channel_id"));
        }
        self.check_thread(thread)?;

        let mut state = self.state();
        let ready = |id: &str| {
            let found = state.uploads.0.iter().find(|upload| upload.file.id == id);
            found.is_some_and(|upload| upload.step == Step::Received)
        };
        if !files.iter().all(|(id, _)| ready(id)) {
            return Err(Stop::word("file_not_found"));
        }
        let mut shared = Vec::new();
        for upload in &mut state.uploads.0 {
            let Some((_, title)) = files.iter().find(|(id, _)| *id == upload.file.id) else { continue };
            upload.step = Step::Completed;
            upload.file.title.clone_from(title);
            shared.push(upload.file.clone());
        }
        let shown: Vec<Value> = shared
            .iter()
            // Where it is shared stands here only once it was processed, which comes after the answer.
            .map(|file| json!({"id": file.id, "title": file.title, "name": file.name, "shares": {}}))
            .collect();
        if channel.is_some() {
            state.channel.add(SlackMessage {
                path: "/api/files.completeUploadExternal".to_owned(),
                ts: String::new(),
                thread_ts: thread.map(str::to_owned),
                is_broadcast: false,
                text: comment.to_owned(),
                body: Value::Object(arguments.0.clone()),
                edited: None,
                earlier: Vec::new(),
                files: shared,
            });
        }
        Ok([("files".to_owned(), Value::Array(shown))].into_iter().collect())
    }
}

/// Returns ids and titles of the files that are to be completed.
fn wanted(arguments: &Arguments) -> Result<Vec<(String, Option<String>)>, Stop> {
    let list = arguments.0.get("files").and_then(Value::as_array).filter(|files| !files.is_empty());
    let Some(list) = list else {
        return Err(invalid("missing required field: files"));
    };
    let mut files = Vec::new();
    for (index, file) in list.iter().enumerate() {
        let Some(id) = file.get("id").and_then(Value::as_str) else {
            return Err(invalid(&format!("/files/{index}: missing required field: id")));
        };
        let members = file.as_object().into_iter().flat_map(Map::keys);
        if let Some(name) = members.into_iter().find(|name| !matches!(name.as_str(), "id" | "title")) {
            return Err(Stop::unsupported(format!("member {name} of a file to complete")));
        }
        let title = file.get("title").and_then(Value::as_str).map(str::to_owned);
        files.push((id.to_owned(), title));
    }
    Ok(files)
}

fn is_channel_id(text: &str) -> bool {
    text.len() >= 9
        && text.starts_with(['C', 'G', 'D', 'Z'])
        && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}
