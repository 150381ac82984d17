#!/usr/bin/env bash
# Sets up what the tests need and runs all of them: Rust, Python, the Lambda binary under AWS's runtime
# interface emulator, boto3 against the local AWS, the deployment template, and the README's first command.
#
#   tests/run.sh            everything
#   tests/run.sh clippy     only the named steps (after the build that they need has been made)
#
# Needs Rust (rust-toolchain.toml names the version), a C compiler, and Python 3.11 or newer with venv. The fuzzer also
# needs a C++ compiler and is left out without one.
# The step `sam-local` needs a Docker Engine. It runs where CI=true, and elsewhere only when it is named: there it
# compiles everything once more, for the folder in which cargo-lambda looks. CI builds into that folder from the start.
# The step `html` looks at the HTML report and the Slack cards in Chromium, where there is one, and keeps pictures in
# target/test-logs/html and target/test-logs/cards.
# It needs no AWS account and calls none. Each step's output goes to target/test-logs/.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2

target="${CARGO_TARGET_DIR:-$PWD/target}"
logs="$target/test-logs"
venv="$target/venv"
python="$venv/bin/python"
mkdir -p "$logs"
wanted="$*"

# No step may reach an account by accident, ask a question, or rewrite a snapshot.
unset AWS_PROFILE AWS_ENDPOINT_URL AWS_SESSION_TOKEN
export AWS_DEFAULT_REGION=us-east-1 AWS_REGION=us-east-1
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_EC2_METADATA_DISABLED=true
export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null
export SAM_CLI_TELEMETRY=0 INSTA_UPDATE=no PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# One machine builds once: incremental state would only cost time and disk there.
if [ "${CI:-}" = true ]; then export CARGO_INCREMENTAL=0; fi
# cargo-lambda names the target and reads what lies in its folder. Where everything is built for the named target, the
# step `sam-local` finds all of it compiled.
binaries="$target/debug"
if [ "${CI:-}" = true ]; then
  CARGO_BUILD_TARGET="${CARGO_BUILD_TARGET:-$(rustc -vV | sed -n 's/^host: //p')}"
  binaries="$target/$CARGO_BUILD_TARGET/debug"
  export CARGO_BUILD_TARGET SRE_AGENT_CLI_BINARY="$binaries/sre-agent" SRE_AGENT_LAMBDA_BINARY="$binaries/sre-agent-lambda"
fi

passed=0
failed=0
skipped=0
table=""

record() { # name, outcome, seconds, note
  table="$table$(printf '  %-12s %-8s %5s s  %s' "$1" "$2" "$3" "$4")"$'\n'
}

asked_for() {
  [ -z "$wanted" ] || case " $wanted " in *" $1 "*) true ;; *) false ;; esac
}

# Adds up what test runners print: "test result: ok. 12 passed; 0 failed; ..." and "3 failed, 27 passed in 1.2s".
# The whole line must have that form: a card in a log may well say that 43 failed.
count() { # word, log
  sed -nE -e "s/^test result: [a-zA-Z]+\. (.*; )?([0-9]+) $1;.*$/\2/p" \
    -e "s/^(=+ )?([0-9]+ [a-z]+, )*([0-9]+) $1(, [0-9]+ [a-z]+)* in [0-9.]+s.*$/\3/p" "$2" |
    awk '{ sum += $1 } END { print sum + 0 }'
}

step() { # name, what it shows, command...
  local name="$1" what="$2" log="$logs/$1.log" began=$SECONDS code good bad
  shift 2
  asked_for "$name" || return 0
  printf '%s: %s\n' "$name" "$what"
  "$@" >"$log" 2>&1 </dev/null
  code=$?
  good=$(count passed "$log")
  bad=$(count failed "$log")
  # A step without a test runner is one test; so is a runner that stopped before it counted.
  if [ "$code" -eq 0 ] && [ "$good" -eq 0 ]; then good=1; fi
  if [ "$code" -ne 0 ] && [ "$bad" -eq 0 ]; then bad=1; fi
  passed=$((passed + good))
  failed=$((failed + bad))
  if [ "$code" -eq 0 ]; then
    printf '  ok, %s s\n' $((SECONDS - began))
    record "$name" ok $((SECONDS - began)) "$good passed"
  else
    printf '  FAILED with code %s after %s s; the end of %s:\n' "$code" $((SECONDS - began)) "$log"
    tail -n 80 "$log" | sed 's/^/  | /'
    record "$name" FAILED $((SECONDS - began)) "$good passed, $bad failed"
  fi
  return "$code"
}

skip() { # name, why
  asked_for "$1" || return 0
  printf '%s: skipped, %s\n' "$1" "$2"
  record "$1" skipped 0 "$2"
  skipped=$((skipped + 1))
}

missing() { # name, what to do
  asked_for "$1" || return 0
  printf '%s: FAILED, %s\n' "$1" "$2"
  record "$1" FAILED 0 "$2"
  failed=$((failed + 1))
}

# Uses any Python that is new enough, by whatever name it goes.
find_python() {
  local candidate
  for candidate in python3 python3.14 python3.13 python3.12 python3.11 python; do
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      printf '%s' "$candidate"
      return 0
    fi
  done
  return 1
}

# Installs into a folder of the build, and only when the list of packages or the interpreter has changed.
set_up_python() {
  local base="$1" mark
  mark="$("$base" -c 'import sys; print(sys.version)') $(cat tests/requirements.txt)"
  if [ -f "$venv/installed" ] && [ "$(cat "$venv/installed")" = "$mark" ]; then return 0; fi
  rm -rf "$venv"
  "$base" -m venv "$venv" && "$python" -m pip install --quiet --requirement tests/requirements.txt || return 1
  printf '%s\n' "$mark" >"$venv/installed"
}

# `--all-targets` builds the binaries with the same features as the tests, so the AWS SDKs are compiled once.
build() { cargo build --workspace --all-targets --locked; }
# Most of the time tests wait, for a socket or for a minute that is scaled down: more of them at once than there are cores.
# There are no examples in the documentation to run.
test_rust() {
  RUST_TEST_THREADS="${RUST_TEST_THREADS:-$(($(nproc 2>/dev/null || echo 2) * 3))}" \
    cargo test --workspace --locked --no-fail-fast --lib --bins --tests
}
# Clippy lints while it builds and not while it checks, as `cargo clippy` has it: so it takes the AWS SDKs as the step `build`
# left them, where a check would read all of them once more, minutes on two cores.
#
# Where CI=true it is the compiler of all steps, so that the workspace is compiled once: what is linted is what is tested.
lint() (
  clippy_as_compiler
  cargo build --workspace --all-targets --locked ${fuzzer:+--features sre-agent-fuzz/libfuzzer}
)

clippy_as_compiler() {
  RUSTC_WORKSPACE_WRAPPER="$(rustc --print sysroot)/bin/clippy-driver"
  export RUSTC_WORKSPACE_WRAPPER CLIPPY_ARGS='-Dwarnings__CLIPPY_HACKERY__'
}

build_fuzzer() {
  RUSTC_WORKSPACE_WRAPPER="$PWD/fuzz/instrument.sh" cargo build --workspace --locked \
    --features sre-agent-fuzz/libfuzzer --bin fuzz-parse-event
}

# A minute with a fixed seed, begun at the committed corpus. What it finds new stays in target/fuzz/found, an input that
# breaks the parser in target/fuzz/crash-...: run target/debug/fuzz-parse-event on it, and give it to the corpus.
fuzz() {
  local found="$target/fuzz/found"
  rm -rf "$found" && mkdir -p "$found" || return 1
  nice "$binaries/fuzz-parse-event" -seed=1 -max_total_time=60 -max_len=8192 -timeout=20 -rss_limit_mb=2048 \
    -dict=fuzz/parse_event.dict -artifact_prefix="$target/fuzz/" -print_final_stats=1 "$found" fuzz/corpus/parse_event
}

# Some steps take a minute without needing much of the machine: they run beside others, and are waited for in their turn.
beside() { # name, command...
  local name="$1"
  shift
  "$@" >"$logs/$name-beside.log" 2>&1 </dev/null &
  eval "${name}_beside=$!"
}

joined() { # name
  local job code
  eval "job=\$${1}_beside"
  wait "$job"
  code=$?
  cat "$logs/$1-beside.log"
  return "$code"
}

join_fuzz() {
  joined fuzz || return 1
  # Without counters it would be blind, and still end well.
  grep -q 'inline 8-bit counters' "$logs/fuzz-beside.log" || { echo 'the parser is not instrumented'; return 1; }
}

nice_template() { renice -n 10 "$BASHPID" >/dev/null && validate_template; }
validate_template() {
  # SAM asks PyPI once a week for a newer SAM, unless it believes that it just did; this step reaches no network.
  export __SAM_CLI_APP_DIR="$target/sam"
  mkdir -p "$__SAM_CLI_APP_DIR" && printf '{"lastVersionCheck": %s.0}\n' "$(date +%s)" >"$__SAM_CLI_APP_DIR/metadata.json"
  # --lint is cfn-lint on what SAM makes of the template; the second one reads the template as it stands.
  "$venv/bin/sam" validate --lint --template template.yaml && "$venv/bin/cfn-lint" template.yaml || return 1
  # The same for each option, with the template's conditions decided.
  "$python" -m pytest -q -p no:cacheprovider tests/test_template_lint.py
}

# cargo-lambda only: zig, which its package asks for, links for Lambda's older glibc, and this step links for this machine's.
set_up_sam_local() {
  [ -x "$venv/bin/cargo-lambda" ] ||
    "$python" -m pip install --quiet --no-deps --constraint packaging/requirements.txt cargo-lambda
}

try_boto3() {
  "$python" tests/emulator_process.py scenarios/lambda-bad-deploy "$python" -m pytest -q -p no:cacheprovider tests/boto3
}

# A command that the README promises must stand there, and must end well with something to read.
try_first_command() {
  local card scenario
  grep -q '^cargo sre-agent demo$' README.md || { echo 'README.md does not give the command "cargo sre-agent demo"'; return 1; }
  for scenario in lambda-bad-deploy rds-cpu; do
    card="$(cargo sre-agent demo "$scenario")" || return 1
    printf '%s\n' "$card"
    [ -n "$card" ] || { echo "the demo of $scenario printed no card"; return 1; }
  done
  card="$(cargo sre-agent demo)" && [ -n "$card" ]
}

steps=' python fmt build clippy deny rust fuzzer fuzz scenarios template sam models boto3 commands lambda sam-local schema html demo '
for name in $wanted; do
  case "$steps" in *" $name "*) ;; *) echo "there is no step $name; the steps are:$steps" >&2; exit 2 ;; esac
done

case " $wanted " in *" fuzz "*) wanted="$wanted fuzzer" ;; esac

command -v cargo >/dev/null || { echo 'cargo is missing. Rust comes from https://rustup.rs' >&2; exit 2; }

python_steps='scenarios template sam models boto3 commands lambda sam-local schema html'
base="$(find_python)"
if [ -n "$base" ]; then
  if asked_for python; then beside python set_up_python "$base"; fi
else
  echo 'Python 3.11 or newer with venv is missing (Debian and Ubuntu: apt-get install python3-venv).'
fi

fuzzer=""
if command -v c++ >/dev/null; then fuzzer=yes; fi

step fmt 'every file is formatted' cargo fmt --all --check
built=yes
if [ "${CI:-}" = true ]; then
  clippy_as_compiler
  step build 'libraries, binaries and tests, without a warning of Clippy' lint || built=""
else
  step build 'libraries, binaries and tests' build || built=""
  step clippy 'no warning in any target' lint
fi
if command -v cargo-deny >/dev/null; then
  step deny 'licences, duplicate network stacks, sources' cargo deny --offline check bans licenses sources
else
  skip deny 'cargo-deny is not installed (cargo install cargo-deny)'
fi
if [ -n "$built" ]; then step rust 'unit, property and integration tests' test_rust; else missing rust 'the build failed'; fi
fuzzes=""
if [ -z "$built" ]; then
  missing fuzz 'the build failed'
elif [ -n "$fuzzer" ]; then
  step fuzzer 'the parser of events, built for libFuzzer' build_fuzzer && fuzzes=yes
  if [ -n "$fuzzes" ] && asked_for fuzz; then beside fuzz fuzz; fi
else
  skip fuzz 'there is no C++ compiler (c++)'
fi

if [ -n "$base" ]; then
  step python 'a Python environment for the tests that are not Rust' joined python
  [ -x "$venv/bin/sam" ] || base=""
fi
if [ -n "$base" ]; then
  step scenarios 'each scenario agrees with itself' "$python" scenarios/check.py
  # test_template_models.py runs the command line.
  step template 'the role is narrow and the wiring cannot loop' "$python" -m pytest -q -p no:cacheprovider tests/test_template.py tests/test_template_options.py tests/test_package.py ${built:+tests/test_template_models.py}
  if asked_for sam; then beside sam nice_template; fi
  step models "the check of requests against AWS's service models can fail" "$python" -m pytest -q -p no:cacheprovider tests/test_service_model.py
  if [ -n "$built" ]; then
    step boto3 'boto3, a client we did not write, reads from the emulator' try_boto3
    step commands "what the command line asks, held against AWS's service models" "$python" -m pytest -q -p no:cacheprovider tests/test_cli_requests.py
    if [ "$(uname -s)" = Linux ]; then
      step lambda "the Lambda binary under AWS's runtime interface emulator" "$python" -m pytest -q -p no:cacheprovider tests/rie.py tests/state_table.py tests/destinations.py tests/storm.py
    else
      skip lambda 'the runtime interface emulator is a Linux program'
    fi
    if ! asked_for sam-local; then :
    elif [ "${CI:-}" != true ] && [ -z "$wanted" ]; then
      skip sam-local 'SKIPPED: outside CI it compiles everything once more; ask for it by name: tests/run.sh sam-local'
    elif ! docker version >/dev/null 2>&1; then
      skip sam-local 'SKIPPED: NO DOCKER ENGINE ANSWERS; the step `lambda` stands in, under the runtime interface emulator alone'
    elif ! set_up_sam_local >"$logs/sam-local-tools.log" 2>&1; then
      skip sam-local 'SKIPPED: CARGO-LAMBDA IS NOT TO BE HAD from PyPI; the step `lambda` stands in'
    else
      step sam-local "README's sam build and sam local invoke, in Docker" "$python" -m pytest -q -s -p no:cacheprovider tests/sam_local.py
      grep -h -A 1 "^NOT AWS'S IMAGE\|^AWS's own base image" "$logs/sam-local.log" | sed 's/^/  /'
    fi
    step sam 'sam validate --lint and cfn-lint, for each option of the template, beside the steps before' joined sam
    step schema "every report keeps to docs/report.schema.json, every Slack message to Slack's limits" "$python" -m pytest -q -p no:cacheprovider tests/test_report_schema.py tests/test_slack_messages.py
    if ! asked_for html; then :
    elif "$python" -c 'import sys; sys.path.insert(0, "tests"); import browser; sys.exit(browser.found() is None)'; then
      step html 'the HTML report and the Slack cards in headless Chromium' "$python" -m pytest -q -p no:cacheprovider tests/test_html_report.py tests/test_slack_cards.py
    else
      skip html 'SKIPPED: no Chromium on this machine (Debian: apt-get install chromium; or set CHROMIUM)'
    fi
  else
    step sam 'sam validate --lint and cfn-lint, for each option of the template' joined sam
    for name in boto3 commands lambda sam-local schema html; do missing "$name" 'the build failed'; done
  fi
else
  for name in $python_steps; do missing "$name" 'no Python environment'; done
fi

if [ -n "$fuzzes" ]; then
  step fuzz 'the parser of events under libFuzzer, a minute beside the steps before' join_fuzz
  if asked_for fuzz; then sed -n 's/^stat::number_of_executed_units: */  inputs tried: /p; s/^#[0-9]*[[:space:]]DONE/ /p' "$logs/fuzz.log"; fi
fi
step demo "README's first command, on both scenarios" try_first_command

printf '\n%s\n' "$table"
printf 'total %s s, %s skipped\n' "$SECONDS" "$skipped"
printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
