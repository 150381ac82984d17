//! Secrets never get in: text from outside becomes [`Redacted`] here or it is not kept.
//!
//! Also the fences that mark such text as data for a model.

mod secret;

use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;

use regex::{Captures, Regex};
use serde::{Deserialize, Deserializer, Serialize};

use crate::id::Seed;

pub use secret::Secret;

/// Text with secrets replaced. The ledger, the prompts, the logs and the report accept nothing else from outside.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Redacted(String);

/// What is taken for a secret, in the order in which it is replaced: whole blocks before single words, addresses with a
/// password before the e-mail addresses that they look like.
static RULES: [Rule; 14] = [
    Rule::new(
        "private key",
        &["private key"],
        r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z)",
    ),
    Rule::new("token", &["eyj"], r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)?"),
    Rule::new("password", &["://"], r"(?P<keep>\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s:/@]*:)[^\s/@]+(?P<after>@)"),
    Rule::new("slack webhook", &["hooks.slack"], r"https://hooks\.slack(?:-gov)?\.com/\S+"),
    Rule::new("slack token", &["xox"], r"\bxox[a-z]-[A-Za-z0-9-]{8,}"),
    Rule::new("aws key id", &["akia", "asia", "aida", "aroa"], r"\b(?:AKIA|ASIA|AIDA|AROA)[A-Z0-9]{12,}\b"),
    Rule::new(
        "token",
        &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "k_live_", "k_test_"],
        r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|[sr]k_(?:live|test)_[A-Za-z0-9]{10,})",
    ),
    Rule::new(
        "token",
        &["sk-", "glpat-", "aiza"],
        r"\b(?:sk-(?:proj-|ant-)?[A-Za-z0-9_-]{20,}|glpat-[A-Za-z0-9_-]{16,}|AIza[A-Za-z0-9_-]{30,})",
    ),
    // Cookies and schemes of several words are secret to the end of the quote or the line.
    Rule::new(
        "credentials",
        &["authorization", "cookie"],
        r#"(?i)(?P<keep>\b(?:proxy-authorization|authorization|cookie|set-cookie)[\\"']*\s*[:=]\s*[\\"']*(?:(?:bearer|basic)\s+)?)[^\s\\"'][^\r\n\\"']*"#,
    ),
    // A quoted value ends with its quote, whatever it holds.
    Rule::new(
        "secret",
        &["passw", "passphrase", "pwd", "secret"],
        r#"(?i)(?P<keep>[A-Za-z0-9_-]*(?:password|passwd|passphrase|pwd|secret)[A-Za-z0-9_-]*[\\"']*\s*(?:[:=]|=>)\s*\\*")[^"\\\r\n]+"#,
    ),
    Rule::new("token", &["bearer"], r"(?i)(?P<keep>\bbearer\s+)[A-Za-z0-9._~+/=-]{8,}"),
    Rule::new(
        "secret",
        &["passw", "passphrase", "pwd", "secret", "token", "credential", "signature", "key"],
        r#"(?i)(?P<keep>[A-Za-z0-9_-]*(?:password|passwd|pwd|passphrase|secret|token|credentials?|signature|api[_-]?key|access[_-]?key|account[_-]?key|private[_-]?key|client[_-]?key)[A-Za-z0-9_-]*[\\"']*\s*(?:[:=]|=>)\s*[\\"']*|--(?:password|token|secret)\s+)[^\s\\"',;&}\])\[]+"#,
    ),
    Rule::new(
        "secret",
        &["pass=", "sig=", "session="],
        r#"(?i)(?P<keep>(?:\b|_)(?:pass|sig|session)=)[^\s\\"',;&]+"#,
    ),
    Rule::new("e-mail", &["@"], r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}"),
];

/// A kind of secret and how it looks. `keep` and `after` are groups of the pattern that stay.
struct Rule {
    kind: &'static str,
    /// Whatever the pattern finds has one of these in it, in small letters.
    ///
    /// A pattern takes longer to compile than all else that a start does, and most texts need none.
    hints: &'static [&'static str],
    text: &'static str,
    pattern: OnceLock<Option<Regex>>,
}

impl Rule {
    const fn new(kind: &'static str, hints: &'static [&'static str], text: &'static str) -> Self {
        Rule { kind, hints, text, pattern: OnceLock::new() }
    }

    /// Returns the pattern; a test of its own compiles each, so none is missing.
    fn pattern(&self) -> Option<&Regex> {
        self.pattern.get_or_init(|| Regex::new(self.text).ok()).as_ref()
    }

    /// Tells whether the pattern may find anything in a text of small letters.
    fn may_find(&self, lower: &str) -> bool {
        self.hints.iter().any(|hint| lower.contains(hint))
    }

    /// Tells whether what would be replaced is the wildcard of a log template, which stands where a value was.
    fn is_wildcard(found: &Captures<'_>, whole: &str) -> bool {
        let keep = found.name("keep").map(|keep| keep.as_str()).unwrap_or_default();
        whole.strip_prefix(keep).is_some_and(|value| value.starts_with("<*>"))
    }

    /// Tells whether what would be replaced is a number of tokens (`max_tokens: 4096`), which is no secret.
    fn is_count(found: &Captures<'_>, whole: &str) -> bool {
        let keep = found.name("keep").map(|keep| keep.as_str()).unwrap_or_default();
        let value = whole.strip_prefix(keep).unwrap_or(whole);
        let is_number = (1..=9).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit());
        is_number && keep.to_ascii_lowercase().contains("tokens")
    }

    fn replacement(&self, found: &Captures<'_>) -> String {
        let part = |name| found.name(name).map(|part| part.as_str()).unwrap_or_default();
        format!("{}[redacted: {}]{}", part("keep"), self.kind, part("after"))
    }
}

/// Returns a text in small letters, as the patterns understand them: to them the long s and the sign of kelvin are letters
/// too.
fn lowercase(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    if lower.is_ascii() { lower } else { lower.replace('\u{17f}', "s").replace('\u{212a}', "k") }
}

impl Redacted {
    /// Replaces every secret in `text`.
    pub fn new(text: &str) -> Self {
        Self::by(text, Rule::may_find)
    }

    /// Replaces what those rules find that are asked for a text, which is given in small letters.
    fn by(text: &str, is_asked: impl Fn(&Rule, &str) -> bool) -> Self {
        let mut clean = Cow::Borrowed(text);
        let mut lower = lowercase(text);
        for rule in &RULES {
            let Some(pattern) = is_asked(rule, &lower).then(|| rule.pattern()).flatten() else { continue };
            // What was replaced before must not be taken for a secret again, or a second pass would differ.
            let replaced = pattern
                .replace_all(&clean, |found: &Captures<'_>| {
                    let whole = found.get(0).map(|whole| whole.as_str()).unwrap_or_default();
                    if whole.contains("[redacted:")
                        || Rule::is_wildcard(found, whole)
                        || Rule::is_count(found, whole)
                    {
                        whole.to_owned()
                    } else {
                        rule.replacement(found)
                    }
                })
                .into_owned();
            if replaced != clean {
                lower = lowercase(&replaced);
                clean = Cow::Owned(replaced);
            }
        }
        Redacted(clean.into_owned())
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What was stored may have been written by an older version, so it is redacted again.
impl<'de> Deserialize<'de> for Redacted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Redacted::new(&String::deserialize(deserializer)?))
    }
}

impl From<&str> for Redacted {
    fn from(text: &str) -> Self {
        Redacted::new(text)
    }
}

impl From<String> for Redacted {
    fn from(text: String) -> Self {
        Redacted::new(&text)
    }
}

/// A pair of marks around untrusted text, with a nonce that the text cannot know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    nonce: String,
}

impl Fence {
    /// Makes the run's fence.
    pub fn new(seed: Seed) -> Self {
        Fence { nonce: seed.for_purpose("fence").hex(8) }
    }

    /// Returns the nonce, which the system prompt tells.
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// Returns the text between the run's marks; anything in it that looks like a mark of this run is broken up.
    pub fn wrap(&self, label: &str, text: &Redacted) -> String {
        let nonce = &self.nonce;
        let body = text.as_str().replace(nonce.as_str(), "[nonce removed]");
        format!("<data-{nonce} of=\"{label}\">\n{body}\n</data-{nonce}>")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;

    use super::*;

    const SECRETS: &[&str] = &[
        "AKIAIOSFODNN7EXAMPLE",
        "secretAccessKey=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "postgres://invoice:hunter2-Ultra-9@db.internal:5432/invoice",
        "Authorization: Bearer abcdefghij0123456789",
        "{\\\"password\\\":\\\"hunter2-Ultra-9\\\"}",
        "{\"token\": \"hunter2-Ultra-9\"}",
        "tokens=hunter2-Ultra-9",
        "--password hunter2-Ultra-9",
        "https://hooks.slack.com/services/T0/B0/hunter2",
        "DB_PASS=hunter2-Ultra-9",
        "passphrase=hunter2-Ultra-9",
        "credentials=hunter2-Ultra-9",
        "AccountKey=hunter2-Ultra-9",
        "https://b.example/o?X-Amz-Signature=hunter2",
        "https://b.example/o?x=1&sig=hunter2",
        "Cookie: lang=en; session=hunter2",
        "Authorization: Token hunter2",
        "password: \"correct horse hunter2\"",
        "sk-proj-abcdefghij0123456789abcdef",
        "glpat-abcdefghij0123456789",
        "AIzaabcdefghij0123456789abcdefghijklmnopq",
        "someone@example.com",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
        "-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----",
    ];

    const PARTS: &[&str] = &[
        "AKIAIOSFODNN7EXAMPLE",
        "wJalrXUtnFEMI",
        "hunter2",
        "abcdefghij0123456789",
        "someone@",
        "dozjgNryP4J3jVmNHl0w5N",
    ];

    #[test]
    fn every_pattern_compiles() {
        for rule in &RULES {
            assert!(rule.pattern().is_some(), "{}", rule.text);
        }
    }

    /// Texts that the pattern of a rule finds, whatever it is: made from the pattern itself, without what stands around.
    fn found_by(rule: &Rule) -> impl Strategy<Value = String> + use<> {
        let pattern = rule.text.replace(r"\b", "").replace(r"\z", "");
        proptest::string::string_regex(&pattern).unwrap()
    }

    #[test]
    fn a_pattern_is_never_left_out_where_it_finds_something() {
        for rule in &RULES {
            let mut runner =
                TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() });
            let held = runner.run(&found_by(rule), |text| {
                prop_assert!(rule.may_find(&lowercase(&text)), "{} in {:?}", rule.text, text);
                Ok(())
            });
            assert_eq!(held, Ok(()));
        }
    }

    /// One for each way in which a pattern can begin, so that no hint can be lost unseen.
    #[test]
    fn each_form_of_a_secret_is_found() {
        let long = "abcdefghijklmnopqrstuvwxyz0123456789";
        let forms = [
            "ghp_",
            "gho_",
            "ghu_",
            "ghs_",
            "ghr_",
            "github_pat_",
            "sk_live_",
            "rk_live_",
            "sk_test_",
            "rk_test_",
            "sk-",
            "sk-proj-",
            "sk-ant-",
            "glpat-",
            "AIza",
            "xoxb-",
            "xoxp-",
        ];
        for form in forms {
            let text = format!("x {form}{long} y");
            assert!(!Redacted::new(&text).as_str().contains(long), "{text}");
        }
        for form in ["AKIA", "ASIA", "AIDA", "AROA"] {
            assert_eq!(Redacted::new(&format!("{form}IOSFODNN7EXAMPLE")).as_str(), "[redacted: aws key id]");
        }
        let names = "password passwd pwd passphrase secret token credential credentials signature apikey api_key \
                     access-key account_key private-key client_key";
        for name in names.split_whitespace().chain(["pa\u{17f}\u{17f}word", "to\u{212a}en", "API-\u{212a}EY"])
        {
            for text in [format!("{name}=hunter2"), format!("\"{}\": \"hunter2\"", name.to_uppercase())] {
                assert!(!Redacted::new(&text).as_str().contains("hunter2"), "{text}");
            }
        }
        for text in [
            "Authorization: Digest hunter2",
            "proxy-authorization=hunter2",
            "Set-Cookie: hunter2",
            "BEARER hunter2hunter2",
            "--token hunter2",
            "--secret hunter2",
            "pass=hunter2",
            "?SIG=hunter2",
            "_session=hunter2",
            "redis://:hunter2@cache:6379",
            "https://hooks.slack-gov.com/services/hunter2",
            "-----BEGIN PRIVATE KEY-----hunter2",
        ] {
            assert!(!Redacted::new(text).as_str().contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn what_is_no_secret_stays_byte_for_byte() {
        for text in [
            "RequestId: 8f5e7f6a-2f1c-4d3b-9a55-0c1d2e3f4a5b Version: 58 Duration: 812.4 ms",
            "arn:aws:lambda:us-east-1:123456789012:function:invoice-render:58",
            "Cannot read properties of undefined (reading 'taxRate')",
            "2026/11/24/[58]6a2f0d1e9b8c7a6f5e4d3c2b1a09f8e7",
            "code sha256 4d967e30b2bd0ae2c19b4a0e8a8e3f6b5a4c3d2e1f00112233445566778899aa",
            "https://example.com:8443/path?x=1",
            "WARN options accessKeyId=<*> token: <*>",
            "{\"max_tokens\": 4096, \"inputTokens\": 812}",
        ] {
            assert_eq!(Redacted::new(text).as_str(), text);
        }
    }

    proptest! {
        #[test]
        fn leaving_out_patterns_changes_no_text(
            parts in proptest::collection::vec((0..SECRETS.len(), "[ -~\u{17f}\u{212a}]{0,12}"), 0..5),
        ) {
            let text: String = parts.iter().flat_map(|(secret, between)| [SECRETS[*secret], between]).collect();
            prop_assert_eq!(Redacted::new(&text), Redacted::by(&text, |_, _| true));
        }

        #[test]
        fn a_planted_secret_never_survives_and_a_second_pass_changes_nothing(
            before in "[ a-zA-Z0-9.,:]{0,20} ", index in 0..SECRETS.len(), after in " [ a-zA-Z0-9.,:]{0,20}",
        ) {
            let secret = SECRETS.get(index).copied().unwrap_or_default();
            let once = Redacted::new(&format!("{before}{secret}{after}"));
            for part in PARTS.iter().filter(|part| secret.contains(**part)) {
                prop_assert!(!once.as_str().contains(part), "{}", once);
            }
            prop_assert_eq!(Redacted::new(once.as_str()), once);
        }

        #[test]
        fn no_text_makes_redaction_panic_or_differ_the_second_time(text in "\\PC{0,200}") {
            let once = Redacted::new(&text);
            prop_assert_eq!(Redacted::new(once.as_str()), once);
        }
    }
}
