//! One agent: a conversation with a model, its tools and its submission.
//!
//! The conversation itself ([`run`]) does no IO and can be stored; the [`driver`] does what it asks for.

pub mod driver;
pub mod roles;
pub mod run;
pub mod tools;

pub use driver::{Agent, Report};
pub use roles::Role;
pub use run::{AgentRun, Outcome, Step};
pub use tools::Toolbox;
