//! One neutral document, many renderings. Links, mentions and markup are built here and nowhere else.

pub mod compose;
pub mod data;
pub mod document;
pub mod html;
pub mod json;
pub mod kept;
pub(crate) mod layout;
pub mod markdown;
pub mod notification;
pub mod picture;
pub mod plain;
pub mod readers;
pub mod slack;
pub mod steps;
pub mod terminal;

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

pub use document::{Document, FORMAT, Line, Section, Span};
