//! Slack's own markup as HTML: bold, italics, strike, code, quotes, links, mentions. Whatever is not markup is escaped.

/// Escapes text for HTML, attribute values included.
pub(crate) fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
    }
    html
}

/// Renders a mrkdwn text.
pub(crate) fn html(text: &str) -> String {
    let mut html = String::new();
    let parts: Vec<&str> = text.split("```").collect();
    for (index, part) in parts.iter().enumerate() {
        let opens = !index.is_multiple_of(2);
        if opens && index + 1 == parts.len() {
            // A fence that nothing closes is no fence.
            html.push_str("```");
            html.push_str(&lines(part));
        } else if opens {
            html.push_str("<pre>");
            html.push_str(&escaped(&decoded(part.trim_matches('\n'))));
            html.push_str("</pre>");
        } else {
            html.push_str(&lines(part.trim_matches('\n')));
        }
    }
    html
}

/// Renders plain text, which Slack shows to the letter.
pub(crate) fn plain(text: &str) -> String {
    escaped(text).replace('\n', "<br>")
}

fn lines(text: &str) -> String {
    let mut html = String::new();
    let mut in_quote = false;
    for (index, line) in text.split('\n').enumerate() {
        let quoted = line.strip_prefix("&gt;").or_else(|| line.strip_prefix('>'));
        match (quoted.is_some(), in_quote) {
            (true, false) => html.push_str("<blockquote>"),
            (false, true) => html.push_str("</blockquote>"),
            (true, true) => html.push_str("<br>"),
            (false, false) if index > 0 => html.push_str("<br>"),
            (false, false) => {}
        }
        in_quote = quoted.is_some();
        html.push_str(&inline(quoted.map_or(line, str::trim_start)));
    }
    if in_quote {
        html.push_str("</blockquote>");
    }
    html
}

/// One line; code first, because nothing inside it is markup.
fn inline(line: &str) -> String {
    let mut html = String::new();
    let mut rest = line;
    let mut before = None;
    while let Some(first) = rest.chars().next() {
        let tail = rest.get(first.len_utf8()..).unwrap_or_default();
        let span = match first {
            '`' => tail
                .split_once('`')
                .filter(|(code, _)| !code.is_empty())
                .map(|(code, after)| (format!("<code>{}</code>", escaped(&decoded(code))), after)),
            '<' => tail.split_once('>').map(|(inside, after)| (angle(inside), after)),
            '*' | '_' | '~' => emphasised(first, tail, before),
            '&' => entity(rest),
            _ => None,
        };
        if let Some((text, after)) = span {
            html.push_str(&text);
            rest = after;
            before = Some(first);
        } else {
            html.push_str(&escaped(first.encode_utf8(&mut [0; 4])));
            rest = tail;
            before = Some(first);
        }
    }
    html
}

/// A marker opens only at the beginning of a word and closes only at the end of one, so `snake_case` stays as it is.
fn emphasised(marker: char, tail: &str, before: Option<char>) -> Option<(String, &str)> {
    if before.is_some_and(char::is_alphanumeric) || tail.starts_with(char::is_whitespace) {
        return None;
    }
    let tag = match marker {
        '*' => "b",
        '_' => "i",
        _ => "s",
    };
    let closes = |(at, _): &(usize, &str)| {
        let inside = tail.get(..*at).unwrap_or_default();
        let after = tail.get(at + marker.len_utf8()..).unwrap_or_default();
        !inside.is_empty()
            && !inside.ends_with(char::is_whitespace)
            && !after.starts_with(|c: char| c.is_alphanumeric())
    };
    let (at, _) = tail.match_indices(marker).find(closes)?;
    let inside = tail.get(..at)?;
    let after = tail.get(at + marker.len_utf8()..)?;
    Some((format!("<{tag}>{}</{tag}>", inline(inside)), after))
}

/// What stands between angle brackets is live in Slack: a link, or a mention that wakes people.
fn angle(inside: &str) -> String {
    let (target, label) =
        inside.split_once('|').map_or((inside, None), |(target, label)| (target, Some(label)));
    let target = decoded(target);
    if target.starts_with("!date^") {
        // A moment in the reader's own time zone, which is not known here: its fallback stands for it.
        return format!("<time>{}</time>", escaped(&decoded(label.unwrap_or_default())));
    }
    if target.starts_with(['!', '@', '#']) {
        let name = label.map_or_else(|| target.trim_start_matches(['!', '@', '#']).to_owned(), decoded);
        let sign = if target.starts_with('#') { '#' } else { '@' };
        return format!("<mark>{sign}{}</mark>", escaped(&name));
    }
    let label = label.map_or_else(|| target.clone(), decoded);
    if ["https://", "http://", "mailto:"].iter().any(|scheme| target.starts_with(scheme)) {
        return format!("<a rel=\"noreferrer\" href=\"{}\">{}</a>", escaped(&target), escaped(&label));
    }
    escaped(&label)
}

fn entity(rest: &str) -> Option<(String, &str)> {
    ["&amp;", "&lt;", "&gt;"].iter().find_map(|name| Some(((*name).to_owned(), rest.strip_prefix(name)?)))
}

/// Slack's three escapes taken back; `&amp;` last, so that `&amp;lt;` stays the text `&lt;`.
fn decoded(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}
