//! Makes text from outside fit for one printed line: cleaned, measured, cut.

/// A URL longer than this is shown as its label only; Slack and mail programs break on longer ones.
const MOST_URL_CHARACTERS: usize = 2_000;

/// Returns how many columns a text takes: letters of East Asian scripts and pictures take two.
pub(crate) fn columns(text: &str) -> usize {
    text.chars().map(character_columns).sum()
}

/// Returns text on one line: control characters and line ends become spaces, spaces are folded, and characters
/// that turn the reading direction or take no room are dropped, because they make a text show other than it is.
pub(crate) fn clean(text: &str) -> String {
    let mut cleaned = String::new();
    let mut blank = false;
    for character in text.chars().filter(|&character| !is_invisible(character)) {
        if character.is_whitespace() || character.is_control() {
            blank = true;
        } else {
            if blank {
                cleaned.push(' ');
            }
            blank = false;
            cleaned.push(character);
        }
    }
    if blank {
        cleaned.push(' ');
    }
    cleaned
}

/// Returns a block to copy with its line ends, without control and direction characters.
pub(crate) fn clean_block(text: &str) -> String {
    text.replace("\r\n", "\n")
        .chars()
        .filter(|&character| {
            matches!(character, '\n' | '\t') || !(character.is_control() || is_invisible(character))
        })
        .map(|character| if matches!(character, '\u{2028}' | '\u{2029}') { '\n' } else { character })
        .collect::<String>()
        .trim_end()
        .to_owned()
}

/// Cuts text to `most` characters, at a word where one ends in the last third, and marks the cut with `…`.
pub(crate) fn shorten(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    let kept = match kept.rfind(' ') {
        Some(at) if at * 3 >= kept.len() * 2 => kept.get(..at).unwrap_or(&kept),
        Some(_) | None => &kept,
    };
    format!("{}…", kept.trim_end())
}

/// Breaks `:name:`, which Slack and GitHub show as a picture, by putting `instead` for its first colon.
pub(crate) fn break_shortcodes(text: &str, instead: &str) -> String {
    let mut broken = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(':') {
        let (before, after) = (rest.get(..at).unwrap_or(""), rest.get(at + 1..).unwrap_or(""));
        broken.push_str(before);
        let name = after.split(':').next().unwrap_or("");
        let is_name = name.len() < after.len()
            && !name.is_empty()
            && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '+' | '-' | '\''))
            // `03:02:38` and `02:57-03:05` are times; the only names without a letter are these.
            && (name.chars().any(char::is_alphabetic) || matches!(name, "100" | "1234" | "+1" | "-1"));
        broken.push_str(if is_name { instead } else { ":" });
        rest = after;
    }
    broken.push_str(rest);
    broken
}

/// Returns the URL if code can have meant it as a link: http or https, bounded, with everything encoded that could
/// end a link in Slack or Markdown.
pub(crate) fn safe_url(url: &str) -> Option<String> {
    if !(url.starts_with("https://") || url.starts_with("http://")) {
        return None;
    }
    let mut safe = String::with_capacity(url.len());
    for byte in url.bytes() {
        match byte {
            b'<' | b'>' | b'|' | b'"' | b'\\' | b'^' | b'`' | b'{' | b'}' | 0..=b' ' | 0x7f.. => {
                safe.push('%');
                for half in [byte >> 4, byte & 0xF] {
                    safe.extend(
                        char::from_digit(u32::from(half), 16).map(|digit| digit.to_ascii_uppercase()),
                    );
                }
            }
            _ => safe.push(char::from(byte)),
        }
        if safe.len() > MOST_URL_CHARACTERS {
            return None;
        }
    }
    Some(safe)
}

fn is_invisible(character: char) -> bool {
    matches!(u32::from(character),
        0xAD | 0x61C | 0x180E | 0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x206F | 0xFEFF
        | 0xFFF9..=0xFFFB | 0xE0000..=0xE0FFF)
}

pub(crate) fn character_columns(character: char) -> usize {
    match u32::from(character) {
        0x1100..=0x115F
        | 0x2E80..=0x303E
        | 0x3041..=0x33FF
        | 0x3400..=0x4DBF
        | 0x4E00..=0x9FFF
        | 0xA000..=0xA4CF
        | 0xAC00..=0xD7A3
        | 0xF900..=0xFAFF
        | 0xFE30..=0xFE4F
        | 0xFF00..=0xFF60
        | 0xFFE0..=0xFFE6
        | 0x1F300..=0x1F64F
        | 0x1F680..=0x1F6FF
        | 0x1F7E0..=0x1F7EB
        | 0x1F900..=0x1F9FF
        | 0x20000..=0x3FFFD => 2,
        _ => 1,
    }
}
