//! `diagnose`: what an error text of a model call means and what to do about it.

use std::fmt::Write as _;
use std::io::Read;

use serde_json::json;
use sre_agent::diagnosis::{self, Diagnosis, Retry};
use sre_agent::model::ModelId;

use crate::args::{Diagnose, Shared};
use crate::failure::{Ending, Failure};
use crate::output::{self, fold};

/// Most bytes that are read of standard input; an error is shorter.
const LONGEST_TEXT: u64 = 1024 * 1024;

/// Explains the text.
pub(crate) fn run(asked: &Diagnose, shared: &Shared) -> Result<Ending, Failure> {
    let text = match asked.text.as_slice() {
        [dash] if dash == "-" => {
            let mut text = Vec::new();
            std::io::stdin()
                .lock()
                .take(LONGEST_TEXT)
                .read_to_end(&mut text)
                .map_err(|error| Failure::failed(format!("standard input cannot be read: {error}")))?;
            String::from_utf8_lossy(&text).into_owned()
        }
        words => words.join(" "),
    };
    if text.trim().is_empty() {
        return Err(Failure::usage("the text is empty").hint(
            "Give the error as it was printed, in quotes, or - to read it from standard input:\n  \
             sre-agent diagnose \"ThrottlingException: Too many requests\"",
        ));
    }
    let model = shared.model.first().map(|model| ModelId::from(model.as_str()));
    let found = diagnosis::of_text(&text, model.as_ref());
    let printed = if shared.json {
        let retryable = match found.retry {
            Retry::Backoff | Retry::Once | Retry::Later => Some(true),
            Retry::No => Some(false),
            Retry::NotKnown => None,
        };
        format!(
            "{:#}\n",
            json!({
                "format": output::FORMAT,
                "recognised": found.is_recognised(),
                "retryable": retryable,
                "diagnosis": found,
            })
        )
    } else {
        as_text(&found)
    };
    output::to_stdout(printed.as_bytes())?;
    Ok(if found.is_recognised() { Ending::Done } else { Ending::NotRecognised })
}

fn as_text(found: &Diagnosis) -> String {
    let class = if found.is_recognised() { found.class.as_str() } else { "not recognised" };
    let mut text = format!("{class} ({})\n\n", found.name);
    text.push_str(&fold("Cause      ", &found.cause));
    text.push_str(&fold("Try again  ", found.retry.as_str()));
    text.push('\n');
    for (number, remedy) in (1..).zip(&found.remedies) {
        text.push_str(&fold(&format!("{number}. "), remedy));
    }
    // Writing to a `String` cannot fail.
    let _written = write!(text, "\nNext: {}\n", found.next);
    text
}
