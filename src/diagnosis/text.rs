//! Reads an error text: without the escapes of a log, and for the names in it.
//!
//! A model's id is recognised by where it stands and by its shape, never by a list of providers or prefixes: one that
//! was announced yesterday is found as well.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use crate::model::ModelId;

/// Compiled once; `None` only where the expression itself is broken, which a test would show.
type Expression = LazyLock<Option<Regex>>;

/// Backslashes double each time that JSON is put into JSON, and some encoders escape slashes. A URL's `%3A` is the
/// colon of an id.
static ESCAPE: Expression =
    LazyLock::new(|| Regex::new(r#"\\+(?:u(?P<code>[0-9a-fA-F]{4})|(?P<letter>["'/nrt]))|%3[aA]"#).ok());

/// Whatever names a model by its place.
static NAMED: Expression = LazyLock::new(|| {
    Regex::new(
        r#"(?i)(?:\bfoundation-model/|\binference-profile/|/model/|\bmodel[ _-]?id(?:entifier)?(?: is invalid)?["'`\s:=]+)([a-z0-9][a-z0-9._:-]*)"#,
    )
    .ok()
});

/// Runs of the letters that ids, hosts, file names and class names have.
static TOKEN: Expression = LazyLock::new(|| Regex::new(r"[A-Za-z0-9._:@/\\-]+").ok());

// No `\p{…}`: the Lambda's build of `regex` holds few tables of Unicode, and would not compile it.
static RESOURCE: Expression =
    LazyLock::new(|| Regex::new(r#"on resource: ["']?(arn:[^\s,;"'\\<>{}\x00-\x1f\x7f-\x9f]+)"#).ok());
static ACTION: Expression = LazyLock::new(|| Regex::new(r"perform: ([a-z0-9-]+:[A-Za-z0-9*]+)").ok());
static POLICY: Expression = LazyLock::new(|| {
    Regex::new(r"\barn:[a-z-]+:(?:iam|organizations)::[0-9a-z]*:policy/[\w+=,.@/-]*\w").ok()
});

/// Returns the text as it was before a log escaped it: `isn\u2019t` and `\"` are six and two letters there.
pub(super) fn unescaped(text: &str) -> String {
    let Some(escape) = LazyLock::force(&ESCAPE) else { return text.to_owned() };
    let plain = |found: &Captures<'_>| {
        let whole = found.get(0).map_or("", |whole| whole.as_str());
        match (found.name("code"), found.name("letter").map(|letter| letter.as_str())) {
            // Half of a pair stands for no letter; nothing that is looked for has one.
            (Some(code), _) => u32::from_str_radix(code.as_str(), 16)
                .ok()
                .and_then(char::from_u32)
                .map_or_else(|| whole.to_owned(), String::from),
            (None, Some("n" | "r" | "t")) => " ".to_owned(),
            (None, Some(letter)) => letter.to_owned(),
            (None, None) => ":".to_owned(),
        }
    };
    escape.replace_all(text, plain).into_owned()
}

/// Returns the ARN of the resource that a denial names.
pub(super) fn resource(text: &str) -> Option<String> {
    first(&RESOURCE, text).map(|arn| arn.trim_end_matches('.').to_owned())
}

/// Returns the action that a denial names.
pub(super) fn action(text: &str) -> Option<String> {
    first(&ACTION, text)
}

/// Returns the ARN of the policy that refused, which newer denials end with.
pub(super) fn policy(text: &str) -> Option<String> {
    // A denial of IAM itself can be about a policy: what is asked for is not what refused.
    let refused = resource(text);
    let found = LazyLock::force(&POLICY).as_ref()?.find_iter(text).map(|arn| arn.as_str().to_owned());
    found.into_iter().find(|arn| Some(arn) != refused.as_ref())
}

/// Returns the first model that a text names: by its place before its shape.
pub(super) fn model(text: &str) -> Option<ModelId> {
    let named = LazyLock::force(&NAMED).as_ref()?.captures_iter(text).filter_map(|found| found.get(1));
    let mut named = named.filter_map(|id| trimmed(id.as_str()));
    let mut tokens = LazyLock::force(&TOKEN).as_ref()?.find_iter(text).filter_map(|token| {
        let token = token.as_str();
        // URLs, paths and addresses; a single segment before an id is a client's name for Bedrock.
        let is_other =
            token.contains("//") || token.starts_with(['/', '.']) || token.contains(['@', '\\', '_']);
        if is_other { None } else { trimmed(token.rsplit('/').next()?) }
    });
    let by_place = named.find(|id| own_name(id).is_some());
    by_place.or_else(|| tokens.find(|id| has_the_shape_of_an_id(id))).map(ModelId::from)
}

fn first(expression: &Expression, text: &str) -> Option<String> {
    let found = LazyLock::force(expression).as_ref()?.captures(text)?;
    found.get(1).map(|found| found.as_str().to_owned())
}

/// Returns a token without what is not of an id: a label before a colon, the end of a sentence.
fn trimmed(token: &str) -> Option<&str> {
    let (head, _) = token.split_once('.')?;
    let id = token.get(head.rfind([':']).map_or(0, |colon| colon + 1)..)?;
    // `…-4-6.Retry`: a sentence that begins without a space, or the name of a class.
    let sentence =
        id.as_bytes().windows(2).position(|pair| matches!(pair, [b'.', next] if next.is_ascii_uppercase()));
    let id = id.get(..sentence.unwrap_or(id.len()))?.trim_end_matches(['.', ':', '-']);
    (!id.is_empty()).then_some(id)
}

/// Returns the model's own name in `us.anthropic.claude-sonnet-4-6`, where the text reads as vendor and name.
fn own_name(id: &str) -> Option<String> {
    let name = |base: &str| {
        let (vendor, name) = base.split_once('.')?;
        let letters = vendor.bytes().take_while(u8::is_ascii_lowercase).count();
        let is_vendor = letters >= 2 && vendor.bytes().skip(letters).all(|letter| letter.is_ascii_digit());
        let fits = |letter: u8| {
            letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, b'.' | b':' | b'-')
        };
        let is_name = name.starts_with(|first: char| first.is_ascii_lowercase()) && name.bytes().all(fits);
        (is_vendor && is_name).then(|| name.to_owned())
    };
    // What reads as a prefix can be the vendor itself: `acme.gpt4.5-mini`.
    name(ModelId::from(id).base()).or_else(|| name(id))
}

/// Tells whether a token looks like an id where nothing beside it says that it is one.
///
/// Every id that Bedrock has had carries a number in each part of the model's name, set off by a hyphen or a `v`, and
/// numbers alone behind a colon. The last part of a host, a package or a file name has none.
fn has_the_shape_of_an_id(id: &str) -> bool {
    let Some(name) = own_name(id) else { return false };
    let mut colons = name.split(':');
    let name = colons.next().unwrap_or_default();
    let has_digit = |part: &str| part.bytes().any(|letter| letter.is_ascii_digit());
    // `:0`, and a context's size: `:0:24k`.
    let is_revision = |part: &str| {
        let digits = part.strip_suffix('k').unwrap_or(part);
        !digits.is_empty() && digits.bytes().all(|letter| letter.is_ascii_digit())
    };
    let is_version =
        || name.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    name.split('.').all(has_digit)
        && (name.contains('-') || is_version())
        && colons.all(is_revision)
        && !is_region(name)
        && !has_date(name)
}

/// Tells `us-east-1` and `us-gov-west-1`: a service's name before a dot would make an id of them.
fn is_region(name: &str) -> bool {
    let parts: Vec<&str> = name.split('-').collect();
    let [country, words @ .., number] = parts.as_slice() else { return false };
    let is_direction = |word: &&str| {
        let rest = ["north", "south"].iter().find_map(|begin| word.strip_prefix(begin)).unwrap_or(word);
        matches!(rest, "" | "east" | "west" | "central")
    };
    country.len() == 2
        && number.bytes().all(|letter| letter.is_ascii_digit())
        && words.iter().any(is_direction)
}

/// Tells whether a calendar date is in it, as in the names of rotated logs; an id writes it without hyphens.
fn has_date(name: &str) -> bool {
    let parts: Vec<&str> = name.split('-').collect();
    let digits =
        |part: &str, count| part.len() == count && part.bytes().all(|letter| letter.is_ascii_digit());
    parts.windows(3).any(
        |date| matches!(date, [year, month, day] if digits(year, 4) && digits(month, 2) && digits(day, 2)),
    )
}

#[cfg(test)]
mod tests;
