//! The one place of the command line that reads the environment and asks what the terminal can show.

use std::io::IsTerminal;

/// Returns every variable that is readable as text.
#[expect(clippy::disallowed_methods, reason = "the binary reads the environment once and hands it on")]
pub(crate) fn variables() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Tells whether a stream takes colour: a terminal that is not dumb, and nobody said `NO_COLOR`.
pub(crate) fn takes_colour(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && colour_is_welcome(&variables())
}

fn colour_is_welcome(variables: &[(String, String)]) -> bool {
    let value =
        |wanted: &str| variables.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    // https://no-color.org: any value but the empty one counts.
    value("NO_COLOR").is_none_or(str::is_empty) && value("TERM") != Some("dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, value: &str) -> Vec<(String, String)> {
        vec![(name.to_owned(), value.to_owned())]
    }

    #[test]
    fn no_color_and_a_dumb_terminal_switch_colour_off() {
        assert!(!colour_is_welcome(&set("NO_COLOR", "1")));
        assert!(!colour_is_welcome(&set("TERM", "dumb")));
        assert!(colour_is_welcome(&set("NO_COLOR", "")));
        assert!(colour_is_welcome(&set("TERM", "xterm-256color")));
        assert!(colour_is_welcome(&[]));
    }
}
