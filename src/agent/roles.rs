//! The roles: what each is asked to do, with which tools, for how long.

use serde::{Deserialize, Serialize};

/// Who takes part in an investigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Picks specialists; later merges what they found.
    Supervisor,
    /// Reads metrics.
    Metrics,
    /// Reads logs.
    Logs,
    /// Reads deployments and configuration.
    Changes,
    /// Tries to refute the proposed cause.
    Reviewer,
    /// Reads the digest alone, in a brief run.
    Analyst,
    /// Answers a person's question from the digest alone.
    Question,
}

impl Role {
    /// The specialists, in the order in which they are listed.
    pub const SPECIALISTS: [Role; 3] = [Role::Metrics, Role::Logs, Role::Changes];

    /// Returns the role's name in request metadata, evidence ids and events.
    pub fn name(self) -> &'static str {
        match self {
            Role::Supervisor => "supervisor",
            Role::Metrics => "metrics",
            Role::Logs => "logs",
            Role::Changes => "changes",
            Role::Reviewer => "reviewer",
            Role::Analyst => "analyst",
            Role::Question => "question",
        }
    }

    /// Reads a specialist's name.
    pub fn specialist(name: &str) -> Option<Role> {
        Role::SPECIALISTS.into_iter().find(|role| role.name() == name)
    }

    /// Returns what the role does, in one sentence, for listings.
    pub fn purpose(self) -> &'static str {
        match self {
            Role::Supervisor => "picks the specialists, gives each a brief, and merges what they found",
            Role::Metrics => "compares the alarm's metric and its companions with normal times",
            Role::Logs => "reads error texts and what is new among them",
            Role::Changes => "reads versions, traffic shifts and configuration differences",
            Role::Reviewer => "tries to refute the proposed cause",
            Role::Analyst => "concludes from the digest alone, in a brief run",
            Role::Question => "answers a person's question from the digest alone",
        }
    }

    /// Returns the part of the system prompt that only this role reads.
    pub fn prompt(self) -> &'static str {
        match self {
            Role::Supervisor => include_str!("prompts/supervisor.md"),
            Role::Metrics => include_str!("prompts/metrics.md"),
            Role::Logs => include_str!("prompts/logs.md"),
            Role::Changes => include_str!("prompts/changes.md"),
            Role::Reviewer => include_str!("prompts/reviewer.md"),
            Role::Analyst => include_str!("prompts/analyst.md"),
            Role::Question => include_str!("prompts/question.md"),
        }
    }

    /// Returns the names of the role's reading tools.
    pub fn tools(self) -> &'static [&'static str] {
        match self {
            Role::Metrics => &["query_metrics", "read_evidence"],
            Role::Logs => &["search_logs", "read_evidence"],
            Role::Changes => &["recent_changes", "read_evidence"],
            Role::Supervisor | Role::Reviewer | Role::Analyst | Role::Question => &[],
        }
    }
}

/// The part of the system prompt that every role reads: the rules of evidence.
pub const RULES: &str = include_str!("prompts/rules.md");
