//! A person as the model: each request becomes two files, the answer is awaited as a third.
//!
//! Nothing a person wrote is ever deleted: an answer to an earlier, different request is moved aside.

mod page;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::bedrock::question::{Question, TurnKey, digest};
use crate::bedrock::recording::{MadeBy, TurnFile};
use crate::bedrock::refusal::Refusal;
use crate::bedrock::{answer_form, marked};

/// Often enough that a person notices no delay, seldom enough to cost nothing for an hour.
const POLL: Duration = Duration::from_millis(200);

/// The folder of a by-hand run.
#[derive(Debug)]
pub(crate) struct ByHand {
    folder: PathBuf,
}

impl ByHand {
    /// Makes the folder and its `turns` folder.
    pub(crate) fn open(folder: &Path) -> Result<Self, String> {
        let turns = folder.join("turns");
        std::fs::create_dir_all(&turns).map_err(|error| format!("{}: {error}", turns.display()))?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Writes the request out and waits, however long, for a usable answer.
    pub(crate) async fn answer(&self, question: &Question) -> Result<Value, Refusal> {
        let key = question.key().map_err(|reason| Refusal::unsupported(&reason))?;
        self.wait_for_answer(question, &key).await.map_err(|error| {
            let folder = self.folder.display();
            Refusal::new(500, "InternalServerException", format!("emulator: by hand: {folder}: {error}"))
        })
    }

    async fn wait_for_answer(&self, question: &Question, key: &TurnKey) -> std::io::Result<Value> {
        let answer_path = self.file(key, "answer.json");
        let error_path = self.file(key, "answer.error.txt");
        self.set_old_answer_aside(question, key).await?;
        let request = format!("{:#}\n", question.body);
        write_whole(&self.file(key, "request.json"), &request).await?;
        write_whole(&self.file(key, "request.md"), &page::request_page(question, key)).await?;

        // A file may be seen half written, so a fault is told only when the same content was seen twice.
        let mut faulty_once: Option<Vec<u8>> = None;
        let mut told: Option<Vec<u8>> = None;
        loop {
            match tokio::fs::read(&answer_path).await {
                Ok(bytes) if told.as_ref() == Some(&bytes) => {}
                Ok(bytes) => match read_answer(&bytes, question) {
                    Ok(response) => {
                        remove_if_there(&error_path).await?;
                        self.write_turn(question, key, &response).await?;
                        return Ok(marked(response, "played by hand", false));
                    }
                    Err(faults) if faulty_once.as_ref() == Some(&bytes) => {
                        write_whole(&error_path, &error_text(key, &faults)).await?;
                        told = Some(bytes);
                    }
                    Err(_) => faulty_once = Some(bytes),
                },
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// A caller that lost its connection asks again and finds the same answer; one that asks something else must not.
    async fn set_old_answer_aside(&self, question: &Question, key: &TurnKey) -> std::io::Result<()> {
        let Ok(previous) = tokio::fs::read(self.file(key, "request.json")).await else { return Ok(()) };
        let same =
            serde_json::from_slice(&previous).is_ok_and(|body: Value| digest(&body) == question.digest);
        let answer = self.file(key, "answer.json");
        if same || !tokio::fs::try_exists(&answer).await? {
            return Ok(());
        }
        let mut number = 1;
        let mut aside = self.file(key, "answer.old-1.json");
        while tokio::fs::try_exists(&aside).await? {
            number += 1;
            aside = self.file(key, &format!("answer.old-{number}.json"));
        }
        tokio::fs::rename(answer, aside).await
    }

    async fn write_turn(&self, question: &Question, key: &TurnKey, response: &Value) -> std::io::Result<()> {
        let turn = TurnFile {
            format: 1,
            agent: key.agent.clone(),
            turn: key.turn,
            made_by: MadeBy::Hand,
            only_for_its_request: false,
            request_digest: question.digest.clone(),
            note: Some("where the answer gave no usage, tokens are a quarter of the characters".to_owned()),
            response: response.clone(),
        };
        let text = serde_json::to_string_pretty(&turn).map_err(std::io::Error::other)?;
        write_whole(&self.folder.join("turns").join(format!("{key}.json")), &format!("{text}\n")).await
    }

    fn file(&self, key: &TurnKey, ending: &str) -> PathBuf {
        self.folder.join(format!("{key}.{ending}"))
    }
}

fn read_answer(bytes: &[u8], question: &Question) -> Result<Value, Vec<String>> {
    // Editors of some systems begin a file with a byte order mark.
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let answer = serde_json::from_slice(text).map_err(|error| vec![format!("not valid JSON: {error}")])?;
    let response = answer_form::completed(&answer, question)?;
    let faults = answer_form::faults_against_tools(&response, question);
    if faults.is_empty() { Ok(response) } else { Err(faults) }
}

fn error_text(key: &TurnKey, faults: &[String]) -> String {
    let mut text = format!("{key}.answer.json cannot be used:\n\n");
    for fault in faults {
        text.push_str("- ");
        text.push_str(fault);
        text.push('\n');
    }
    text.push_str("\nChange the file; it is read again by itself.\n");
    text
}

/// Whoever watches the folder must never see half a file.
async fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    let part = PathBuf::from(name);
    tokio::fs::write(&part, text).await?;
    tokio::fs::rename(&part, path).await
}

async fn remove_if_there(path: &Path) -> std::io::Result<()> {
    match tokio::fs::remove_file(path).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
