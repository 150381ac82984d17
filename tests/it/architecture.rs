//! The shape that `ARCHITECTURE.md` describes, read from the sources: dependencies, imports, pure rooms, sizes.
//!
//! The scans read text, line by line and without comments. A lint that could say the same is preferred (`clippy.toml`,
//! `deny.toml`); these are the rules that no lint knows.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Rooms in an order in which each imports only earlier ones, with what it may import.
const IMPORTS: &[(&str, &str)] = &[
    ("clock", ""),
    ("id", "clock"),
    ("redact", "clock id"),
    ("run", "clock id redact"),
    ("store", "clock id redact run"),
    ("model", "clock id redact run store"),
    ("alarm", "clock id redact"),
    ("playbook", "clock id redact alarm"),
    ("incident", "clock id redact alarm playbook"),
    ("evidence", "clock id redact alarm playbook incident"),
    ("analysis", "clock id redact alarm playbook incident evidence"),
    ("finding", "clock id redact alarm playbook incident evidence analysis"),
    ("gather", "clock id redact alarm playbook incident evidence analysis run"),
    ("diagnosis", "clock id redact model"),
    ("iam", "clock id redact model"),
    ("agent", "clock id redact evidence analysis finding gather model run"),
    ("investigation", "clock id redact incident evidence analysis finding gather agent model run"),
    ("doctor", "clock id redact evidence gather model investigation diagnosis iam"),
    (
        "report",
        "clock id redact run alarm playbook incident evidence analysis finding gather investigation model \
         diagnosis store",
    ),
    ("delivery", "clock id redact report run"),
    ("config", "clock id redact model investigation delivery report"),
    (
        "handler",
        "clock id redact run model alarm playbook incident evidence analysis finding gather agent investigation \
         report delivery store config diagnosis doctor",
    ),
    ("aws", "clock id redact alarm incident evidence gather model report delivery run doctor store"),
];

/// Rooms that compute and never wait.
const PURE_ROOMS: &str =
    "alarm incident evidence analysis finding report agent/run playbook redact id diagnosis iam doctor";

/// The account of the scenarios, and the ones of AWS's own examples.
const ACCOUNTS: &[&str] = &["123456789012", "111122223333", "444455556666", "000000000000"];

/// At 400 lines one looks for the second noun; here one has found it.
const MOST_LINES: usize = 600;

/// A text file, named from the workspace's folder.
struct Source {
    path: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Reads every text file below a folder of the workspace; build results and hidden folders are not the project's.
fn files(folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if let Ok(text) = fs::read_to_string(&path) {
                let path = path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
                found.push(Source { path, text });
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

fn rust(folders: &[&str]) -> Vec<Source> {
    let files = folders.iter().flat_map(|folder| files(folder));
    let is_rust = |file: &Source| Path::new(&file.path).extension().is_some_and(|kind| kind == "rs");
    let found: Vec<Source> = files.filter(is_rust).collect();
    assert!(!found.is_empty(), "no Rust file below {folders:?}");
    found
}

fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs") || path.ends_with("_tests.rs")
}

/// Returns a line without its comment. A `//` inside a text is taken for one only after a space.
fn code(line: &str) -> &str {
    let line = line.trim_start();
    if line.starts_with("//") { "" } else { line.split(" // ").next().unwrap_or_default() }
}

/// Says whether a word begins in the line, and ends there unless it ends in an underscore.
fn has_word(line: &str, word: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(is_part);
        let after = line[at + word.len()..].chars().next().is_some_and(is_part);
        !before && (word.ends_with('_') || !after)
    })
}

/// Returns the lines that a rule forbids, with their places.
fn offences(sources: &[Source], forbidden: impl Fn(&str) -> bool) -> Vec<String> {
    let lines = sources
        .iter()
        .flat_map(|source| source.text.lines().enumerate().map(move |(number, line)| (source, number, line)));
    lines
        .filter(|(_, _, line)| forbidden(code(line)))
        .map(|(source, number, line)| format!("{}:{}: {}", source.path, number + 1, line.trim()))
        .collect()
}

fn names_the_sdk(line: &str) -> bool {
    ["aws_sdk_", "aws_config", "aws_smithy_", "aws_types"].iter().any(|name| has_word(line, name))
}

fn waits(line: &str) -> bool {
    has_word(line, "async") || line.contains(".await")
}

fn prints(line: &str) -> bool {
    ["println!", "eprintln!", "print!", "eprint!", "dbg!"].iter().any(|name| has_word(line, name))
}

fn allows_a_lint(line: &str) -> bool {
    line.contains(concat!("#[", "allow(")) || line.contains(concat!("#![", "allow("))
}

/// Returns the room that a file of `src/` belongs to; none for the library's list and the binary.
fn room(path: &str) -> Option<&str> {
    let name = path.strip_prefix("src/")?;
    let name = name.split_once('/').map_or_else(|| name.trim_end_matches(".rs"), |(folder, _)| folder);
    (name != "lib" && name != "bin").then_some(name)
}

/// Returns the rooms that a text imports or names by path: `crate::a::B` and `crate::{a::B, c}`.
fn imported(text: &str) -> BTreeSet<String> {
    let text = text.lines().map(code).collect::<Vec<_>>().join("\n");
    let leading = |text: &str| -> String {
        text.trim_start().chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
    };
    let mut found = BTreeSet::new();
    for (at, path) in text.match_indices("crate::") {
        let rest = &text[at + path.len()..];
        match rest.strip_prefix('{') {
            None => found.extend([leading(rest)]),
            Some(group) => {
                let mut depth = 0_usize;
                let mut begins = true;
                for (at, letter) in group.char_indices() {
                    if begins && !letter.is_whitespace() {
                        begins = false;
                        found.extend([leading(&group[at..])]);
                    }
                    match letter {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => begins = true,
                        _ => {}
                    }
                }
            }
        }
    }
    found.remove("");
    found
}

/// Returns the imports that go against the table.
fn wrong_imports(sources: &[Source]) -> Vec<String> {
    let table: BTreeMap<&str, &str> = IMPORTS.iter().copied().collect();
    let mut wrong = Vec::new();
    for source in sources {
        let Some(room) = room(&source.path) else { continue };
        let Some(allowed) = table.get(room) else {
            wrong.push(format!("{}: the room {room} is not in the table", source.path));
            continue;
        };
        let rooms = imported(&source.text).into_iter();
        wrong.extend(
            rooms
                .filter(|other| other != room && !allowed.split(' ').any(|allowed| allowed == other))
                .map(|other| format!("{}: {room} imports {other}", source.path)),
        );
    }
    wrong
}

/// Returns accounts in ARNs that are nobody's example.
fn strange_accounts(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        for (at, _) in source.text.match_indices("arn:") {
            let account = source.text[at..].split(':').nth(4).unwrap_or_default();
            let is_id = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
            if is_id && !ACCOUNTS.contains(&account) {
                found.push(format!("{}: {account}", source.path));
            }
        }
    }
    found
}

fn too_long(sources: &[Source]) -> Vec<String> {
    let lengths =
        sources.iter().filter(|source| !is_test(&source.path)).map(|s| (&s.path, s.text.lines().count()));
    lengths
        .filter(|(_, lines)| *lines > MOST_LINES)
        .map(|(path, lines)| format!("{path}: {lines} lines"))
        .collect()
}

fn without_purpose(sources: &[Source]) -> Vec<String> {
    sources.iter().filter(|source| !source.text.starts_with("//! ")).map(|s| s.path.clone()).collect()
}

/// Returns what a manifest depends on, by every name that it gives: the key, `package` and `path`.
fn dependencies(manifest: &toml::Table) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (key, value) in manifest {
        let Some(table) = value.as_table() else { continue };
        if key.ends_with("dependencies") {
            found.extend(table.keys().cloned());
            let named = table.values().flat_map(|entry| ["package", "path"].map(|name| entry.get(name)));
            found.extend(named.flatten().filter_map(toml::Value::as_str).map(str::to_owned));
        } else if key == "target" {
            found.extend(table.values().filter_map(toml::Value::as_table).flat_map(dependencies));
        }
    }
    found
}

/// Returns the lines of a dependency tree that the Lambda must not have, and the stacks that it has twice or not.
fn wrong_packages(tree: &str) -> Vec<String> {
    let packages: BTreeSet<(&str, &str)> = tree
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            words.next().zip(words.next())
        })
        .collect();
    let versions = |name: &str| packages.iter().filter(|(other, _)| *other == name).count();
    let mut wrong: Vec<String> = packages
        .iter()
        .filter(|(name, _)| {
            ["ring", "openssl", "openssl-sys", "native-tls", "clap", "sre-agent-emulator", "axum"]
                .contains(name)
        })
        .map(|(name, version)| format!("{name} {version} is in the Lambda"))
        .collect();
    for name in ["rustls", "hyper", "h2", "aws-lc-rs"] {
        if versions(name) != 1 {
            let lines: Vec<&str> =
                tree.lines().filter(|line| line.split_whitespace().next() == Some(name)).collect();
            wrong.push(format!("one version of {name} is wanted: {lines:?}"));
        }
    }
    wrong
}

const NONE: [&str; 0] = [];

#[test]
fn the_lambda_has_one_network_stack_and_nothing_of_a_laptop() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "-p", "sre-agent", "-e", "normal", "--prefix", "none"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(wrong_packages(&String::from_utf8(output.stdout).unwrap()), NONE);
}

#[test]
fn the_emulator_depends_on_no_other_package_of_the_workspace() {
    let manifest = fs::read_to_string(root().join("emulator/Cargo.toml")).unwrap();
    let found = dependencies(&manifest.parse().unwrap());
    assert!(found.contains("axum"), "the manifest was not understood: {found:?}");
    let ours: Vec<&String> =
        found.iter().filter(|name| name.starts_with("sre-agent") || name.contains("..")).collect();
    assert_eq!(ours, NONE);
    let named = offences(&rust(&["emulator"]), |line| has_word(line, "sre_agent"));
    assert_eq!(named, NONE);
}

#[test]
fn only_the_room_of_the_adapters_names_the_sdk() {
    let mut sources = rust(&["src"]);
    sources.retain(|source| room(&source.path) != Some("aws"));
    assert_eq!(offences(&sources, names_the_sdk), NONE);
}

#[test]
fn logs_insights_is_asked_in_one_place_which_counts_what_it_costs() {
    let mut sources = rust(&["src"]);
    sources.retain(|source| !source.path.starts_with("src/aws") && source.path != "src/gather/telemetry.rs");
    let asked = offences(&sources, |line| has_word(line, "query_logs"));
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].starts_with("src/gather/insights.rs:"), "{asked:?}");
}

#[test]
fn the_pure_rooms_never_wait() {
    for pure in PURE_ROOMS.split(' ') {
        let mut sources = rust(&["src"]);
        sources.retain(|source| {
            source.path == format!("src/{pure}.rs") || source.path.starts_with(&format!("src/{pure}/"))
        });
        assert!(!sources.is_empty(), "there is no room {pure}");
        assert_eq!(offences(&sources, waits), NONE);
    }
}

#[test]
fn nothing_in_the_library_prints() {
    let mut sources = rust(&["src"]);
    sources.retain(|source| !is_test(&source.path));
    assert_eq!(offences(&sources, prints), NONE);
}

#[test]
fn no_lint_is_switched_off_without_being_expected() {
    assert_eq!(offences(&rust(&["src", "bench", "cli", "emulator", "fuzz", "tests"]), allows_a_lint), NONE);
}

#[test]
fn imports_go_one_way() {
    assert_eq!(wrong_imports(&rust(&["src"])), NONE);
}

#[test]
fn the_table_of_imports_names_every_room_and_has_no_circle() {
    let mut earlier: Vec<&str> = Vec::new();
    for (room, allowed) in IMPORTS {
        let later: Vec<&str> = allowed.split_whitespace().filter(|other| !earlier.contains(other)).collect();
        assert!(later.is_empty(), "{room} may import {later:?}, which do not stand before it");
        earlier.push(room);
    }
    let library = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let rooms: BTreeSet<&str> =
        library.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert_eq!(earlier.into_iter().collect::<BTreeSet<_>>(), rooms);
}

#[test]
fn every_account_is_an_example() {
    assert_eq!(strange_accounts(&files("")), NONE);
}

#[test]
fn no_file_is_too_long_to_be_read_at_once() {
    assert_eq!(too_long(&rust(&["src", "cli/src", "emulator/src"])), NONE);
}

#[test]
fn every_file_says_first_what_it_is_for() {
    assert_eq!(without_purpose(&rust(&["src"])), NONE);
}

#[test]
fn each_scan_finds_what_it_looks_for_and_passes_what_is_right() {
    let file = |path: &str, text: &str| vec![Source { path: path.to_owned(), text: text.to_owned() }];
    let bad = |text: &str, rule: fn(&str) -> bool| offences(&file("src/alarm.rs", text), rule).len();
    assert_eq!(bad("use aws_sdk_ssm::Client;\nlet c: aws_config::SdkConfig;", names_the_sdk), 2);
    assert_eq!(bad("// aws_sdk_ssm\nlet aws_configured = x; // aws_config", names_the_sdk), 0);
    assert_eq!(bad("async fn f() {}\n    f().await;", waits), 2);
    assert_eq!(bad("/// async\nlet asynchronous = awaited();", waits), 0);
    assert_eq!(bad("println!(\"x\");\n  eprintln!();", prints), 2);
    assert_eq!(bad("writeln!(out)?;", prints), 0);
    assert_eq!(bad(concat!("#[", "allow(dead_code)]\n#![", "allow(x)]"), allows_a_lint), 2);
    assert_eq!(bad("#[expect(dead_code)]", allows_a_lint), 0);

    let group = "use crate::{\n    clock::{Clock, Deadline},\n    gather,\n};\nlet x = crate::report::y();";
    assert_eq!(imported(group).into_iter().collect::<Vec<_>>(), ["clock", "gather", "report"]);
    assert_eq!(
        wrong_imports(&file("src/alarm/sns.rs", group)),
        ["src/alarm/sns.rs: alarm imports gather", "src/alarm/sns.rs: alarm imports report"]
    );
    assert_eq!(wrong_imports(&file("src/helpers.rs", "")).len(), 1);
    assert_eq!(wrong_imports(&file("src/lib.rs", group)), NONE);

    let arn = |account: &str| format!("\"arn:aws:sns:us-east-1:{account}:findings\"");
    assert_eq!(strange_accounts(&file("a.json", &arn(&"9".repeat(12)))).len(), 1);
    assert_eq!(strange_accounts(&file("a.json", &arn(ACCOUNTS[0]))), NONE);
    assert_eq!(too_long(&file("src/a.rs", &"x\n".repeat(MOST_LINES + 1))).len(), 1);
    assert_eq!(too_long(&file("src/a/tests.rs", &"x\n".repeat(MOST_LINES + 1))), NONE);
    assert_eq!(without_purpose(&file("src/a.rs", "use std::fmt;")), ["src/a.rs"]);

    let manifest = "[target.x.dev-dependencies]\nagent = { package = \"sre-agent\", path = \"..\" }";
    let named = dependencies(&manifest.parse().unwrap());
    assert_eq!(named.into_iter().collect::<Vec<_>>(), ["..", "agent", "sre-agent"]);

    let good = "rustls v0.23.1\nhyper v1.0.0\nh2 v0.4.0\naws-lc-rs v1.0.0\nrustls v0.23.1 (*)";
    assert_eq!(wrong_packages(good), NONE);
    let wrong = wrong_packages("rustls v0.23.1\nrustls v0.21.0\nhyper v1.0.0\nh2 v0.4.0\nring v0.17.0");
    assert_eq!(wrong.len(), 3, "{wrong:?}");
}
