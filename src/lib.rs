//! Investigates `CloudWatch` alarms: facts first, a cause only where the data shows it.
//!
//! The modules stand in the order in which an event passes through them; what every stage needs stands first.

pub mod clock;
pub mod id;
pub mod redact;

pub mod config;
pub mod run;

pub mod alarm;
pub mod playbook;

pub mod incident;

pub mod evidence;
pub mod gather;

pub mod analysis;

pub mod agent;
pub mod finding;
pub mod investigation;
pub mod model;

pub mod diagnosis;
pub mod doctor;
pub mod iam;

pub mod delivery;
pub mod report;

pub mod handler;
pub mod store;

pub mod aws;
