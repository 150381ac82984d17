#!/bin/sh
# cargo's RUSTC_WORKSPACE_WRAPPER: compiles the workspace's own crates with the counters that libFuzzer steers by.
# Dependencies stay as any other build made them, so that a run costs one crate and not all of AWS's SDK. The flags are
# those of `cargo fuzz`, without the sanitizers, which need a nightly compiler and would find nothing in safe code.
exec "$@" -Cpasses=sancov-module -Ccodegen-units=1 \
  -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
  -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares
