//! The incoming webhook: one POST of JSON, answered with one word.

use serde_json::Value;

use crate::access::FaultKind;
use crate::failure::Failure;
use crate::slack::channel::{Place, SlackMessage};
use crate::slack::{Refused, Slack, content, retry_after_header};
use crate::wire::Answer;

impl Slack {
    pub(super) fn answer_webhook(
        &self,
        path: &str,
        body: &[u8],
        fault: Option<FaultKind>,
    ) -> Result<Answer, Failure> {
        let checked = match fault {
            Some(FaultKind::Throttled) => Err(self.rate_limited()),
            Some(FaultKind::InternalError | FaultKind::Hang) => {
                Err(Refused::new(500, "rollup_error", Vec::new()))
            }
            Some(FaultKind::Overloaded) => Err(Refused::new(503, "service_unavailable", Vec::new())),
            None => self.check_webhook(path, body),
        };
        match checked {
            Ok(message) => {
                let mut state = self.state();
                if let Some(thread) = &message.thread_ts
                    && state.channel.place(thread) != Place::Channel
                {
                    return Err(Failure::unsupported("thread_ts of no message that stands in the channel"));
                }
                state.channel.add(message);
                Ok(plain(200, "ok", &[]))
            }
            Err(refused) => {
                self.refuse(path, &refused);
                let headers: Vec<_> = refused.retry_after.map(retry_after_header).into_iter().collect();
                Ok(plain(refused.status, &refused.error, &headers))
            }
        }
    }

    fn rate_limited(&self) -> Refused {
        let refused = Refused::new(429, "rate_limited", Vec::new());
        Refused { retry_after: self.options.retry_after, ..refused }
    }

    fn check_webhook(&self, path: &str, body: &[u8]) -> Result<SlackMessage, Refused> {
        if !is_webhook_path(path) {
            let reason = format!("{path} is not /services/T…/B…/…");
            return Err(Refused::new(404, "no_service", vec![reason]));
        }
        if self.is_limited() {
            return Err(self.rate_limited());
        }
        if let Some((status, error)) = &self.options.always {
            return Err(Refused::new(*status, error, Vec::new()));
        }
        let body: Value = serde_json::from_slice(body)
            .map_err(|error| Refused::new(400, "invalid_payload", vec![error.to_string()]))?;
        let Some(payload) = body.as_object() else {
            return Err(Refused::new(400, "invalid_payload", vec!["not a JSON object".to_owned()]));
        };
        let text = content::check(payload)?;
        if self.options.refuse_blocks && content::has_blocks(payload) {
            let reason = "the options refuse all blocks".to_owned();
            return Err(Refused::new(400, "invalid_blocks", vec![reason]));
        }
        let thread_ts = payload.get("thread_ts").and_then(Value::as_str).map(str::to_owned);
        Ok(SlackMessage {
            path: path.to_owned(),
            ts: String::new(),
            is_broadcast: thread_ts.is_some()
                && payload.get("reply_broadcast").and_then(Value::as_bool).unwrap_or_default(),
            thread_ts,
            text,
            body,
            edited: None,
            earlier: Vec::new(),
            files: Vec::new(),
        })
    }
}

fn is_webhook_path(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    let Some(rest) = path.strip_prefix("/services/") else { return false };
    let parts: Vec<&str> = rest.split('/').collect();
    let [team, hook, secret] = parts.as_slice() else { return false };
    let is_id = |id: &str, letter: char| {
        id.starts_with(letter) && id.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
    };
    is_id(team, 'T')
        && is_id(hook, 'B')
        && !secret.is_empty()
        && secret.chars().all(|c| c.is_ascii_alphanumeric())
}

fn plain(status: u16, text: &str, more: &[(String, String)]) -> Answer {
    let mut headers = vec![("content-type".to_owned(), "text/plain; charset=utf-8".to_owned())];
    headers.extend_from_slice(more);
    Answer { status, headers, body: text.as_bytes().to_vec() }
}
