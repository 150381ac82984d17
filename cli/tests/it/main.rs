//! The command line as a person or a script meets it: the built program, its streams, its exit codes.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod emulate;
#[cfg(test)]
mod investigate;
#[cfg(test)]
mod program;
#[cfg(test)]
mod report;
#[cfg(test)]
mod slack_bot;
mod stored;
#[cfg(test)]
mod usage;
