//! The subset of filter patterns that is answered: terms, quoted phrases, `?optional` terms and `-exclusions`.
//!
//! A term matches where it occurs in the message, upper and lower case told apart. JSON patterns (`{`), space-delimited
//! ones (`[`) and regular expressions (`%`) are refused, and so is `?` beside other terms, where AWS's own description
//! leaves open what counts.

use crate::failure::Failure;

/// `FilterLogEvents` takes patterns of at most this many characters.
const LONGEST: usize = 1024;

/// A parsed pattern.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct FilterPattern {
    all: Vec<String>,
    any: Vec<String>,
    none: Vec<String>,
}

impl FilterPattern {
    /// Parses a pattern; an empty one matches everything.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        if text.chars().count() > LONGEST {
            return Err(invalid(format!(
                "1 validation error detected: Value at 'filterPattern' failed to satisfy constraint: Member must have \
                 length less than or equal to {LONGEST}"
            )));
        }
        let trimmed = text.trim();
        if trimmed.starts_with(['{', '[']) {
            return Err(outside(trimmed));
        }
        let mut pattern = Self::default();
        let mut rest = trimmed;
        while !rest.is_empty() {
            let (list, after_sign) = if let Some(after) = rest.strip_prefix('?') {
                (&mut pattern.any, after)
            } else if let Some(after) = rest.strip_prefix('-') {
                (&mut pattern.none, after)
            } else {
                (&mut pattern.all, rest)
            };
            let (term, after_term) = match after_sign.strip_prefix('"') {
                Some(quoted) => phrase(quoted)?,
                None => word(after_sign)?,
            };
            list.push(term);
            rest = after_term.trim_start();
        }
        let has_others = !pattern.all.is_empty() || !pattern.none.is_empty();
        if has_others && !pattern.any.is_empty() {
            return Err(Failure::unsupported("filter patterns that put ? beside other terms"));
        }
        Ok(pattern)
    }

    /// Returns whether a message matches.
    pub(crate) fn matches(&self, message: &str) -> bool {
        self.all.iter().all(|term| message.contains(term.as_str()))
            && (self.any.is_empty() || self.any.iter().any(|term| message.contains(term.as_str())))
            && !self.none.iter().any(|term| message.contains(term.as_str()))
    }
}

fn word(text: &str) -> Result<(String, &str), Failure> {
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    if word.starts_with('%') {
        return Err(outside(word));
    }
    if word.is_empty() || !word.chars().all(|c| c.is_alphanumeric() || c == '_') {
        return Err(invalid(format!("Invalid character(s) in term '{word}'")));
    }
    Ok((word.to_owned(), rest))
}

fn phrase(quoted: &str) -> Result<(String, &str), Failure> {
    let mut phrase = String::new();
    let mut characters = quoted.char_indices();
    while let Some((place, character)) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some((_, escaped @ ('"' | '\\'))) => phrase.push(escaped),
                Some((_, other)) => phrase.extend(['\\', other]),
                None => phrase.push('\\'),
            },
            '"' => {
                let rest = quoted.get(place + 1..).unwrap_or_default();
                if phrase.is_empty() || !(rest.is_empty() || rest.starts_with(char::is_whitespace)) {
                    return Err(invalid("Invalid filter pattern"));
                }
                return Ok((phrase, rest));
            }
            other => phrase.push(other),
        }
    }
    Err(invalid("Invalid filter pattern"))
}

fn outside(pattern: &str) -> Failure {
    Failure::unsupported(format!(
        "the filter pattern {pattern:?}; only terms, quoted phrases, ? and - are answered"
    ))
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure::service(400, "InvalidParameterException", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, message: &str) -> bool {
        FilterPattern::parse(pattern).unwrap().matches(message)
    }

    #[test]
    fn terms_are_all_required_and_mind_the_case() {
        assert!(matches("", "anything"));
        assert!(matches("ERROR render", "ERROR cannot render"));
        assert!(!matches("ERROR render", "ERROR"));
        assert!(!matches("error", "ERROR"));
    }

    #[test]
    fn phrases_options_and_exclusions_are_understood() {
        assert!(matches("\"Invoke Error\" -timeout", "ERROR Invoke Error x"));
        assert!(!matches("\"Invoke Error\" -timeout", "Invoke Error timeout"));
        assert!(matches("?ERROR ?\"Task timed out\"", "Task timed out after 3 s"));
        assert!(!matches("?ERROR ?WARN", "INFO"));
        assert!(matches("-\"a b\"", "ab"));
        assert!(matches(r#""say \"no\" \ ""#, r#"say "no" \ "#));
    }

    #[test]
    fn what_is_outside_the_subset_is_refused_and_what_is_broken_is_an_error() {
        for pattern in ["{ $.level = \"error\" }", "[a, b]", "%ERR.*%", "?a b", "?a -b"] {
            let failure = FilterPattern::parse(pattern).unwrap_err();
            assert!(matches!(failure, Failure::Unsupported(_)), "{pattern}: {failure:?}");
        }
        for pattern in ["foo.bar", "\"open", "\"\"", "- x", "a\"b\"", "\"a\"b"] {
            let failure = FilterPattern::parse(pattern).unwrap_err();
            assert!(matches!(failure, Failure::Service(_)), "{pattern}: {failure:?}");
        }
    }
}
