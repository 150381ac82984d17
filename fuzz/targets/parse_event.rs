//! Feeds libFuzzer's inputs to the parser of events. `tests/run.sh fuzz` builds and runs it.
#![no_main]

libfuzzer_sys::fuzz_target!(|event: &[u8]| sre_agent_fuzz::parse_event(event));
