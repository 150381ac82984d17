//! The emulator from outside: requests as bytes over a socket, with nothing of an SDK between.

// Clippy lets tests unwrap in functions marked `#[test]` and in modules marked like this, not in a whole test crate.
#[cfg(test)]
mod client;
#[cfg(test)]
mod cloudwatch;
#[cfg(test)]
mod control_plane;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod front;
#[cfg(test)]
mod lambda;
#[cfg(test)]
mod loading;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod metric_data;
#[cfg(test)]
mod s3;
#[cfg(test)]
mod service_quotas;
#[cfg(test)]
mod slack;
#[cfg(test)]
mod sns;
#[cfg(test)]
mod ssm;
#[cfg(test)]
mod sts;
