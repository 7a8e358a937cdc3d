//! Makes a text from Meta or from the HTTP stack fit to be shown and stored.
//! Error messages quote tokens, secrets and whole URLs now and then, and end in logs, rows and pages.

/// Characters kept of a message.
const MAX_CHARS: usize = 300;
/// A run of token characters as long as this, with letters and digits mixed, is taken for a secret.
const TOKEN_CHARS: usize = 20;
/// How Meta's tokens begin (fact sheet §10); shorter runs count too when they begin so.
const TOKEN_PREFIXES: [&str; 3] = ["EAA", "IGAA", "IGQV"];
const REDACTED: &str = "[redacted]";

/// The text without URL queries and without anything that looks like a token, in one line of at most 300 characters.
pub(crate) fn redact(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let mut out = String::new();
    let mut after_bearer = false;
    // A word may be long, but what is kept is short: stop reading when there is enough.
    for word in words.take(MAX_CHARS) {
        if !out.is_empty() {
            out.push(' ');
        }
        if after_bearer {
            out.push_str(REDACTED);
        } else {
            redact_word(word, &mut out);
        }
        after_bearer = word.eq_ignore_ascii_case("bearer");
        if out.len() > MAX_CHARS * 4 {
            break;
        }
    }
    bounded(&out, MAX_CHARS).to_owned()
}

/// The first `max` characters.
pub(crate) fn bounded(text: &str, max: usize) -> &str {
    text.char_indices().nth(max).map_or(text, |(end, _)| &text[..end])
}

fn redact_word(word: &str, out: &mut String) {
    let is_url = word.contains("://");
    let query = word.find('?').filter(|_| is_url || word.contains('='));
    let fragment = word.find('#').filter(|_| is_url);
    let end = query.into_iter().chain(fragment).min();
    redact_runs(&word[..end.unwrap_or(word.len())], out);
    if end.is_some() {
        out.push('?');
        out.push_str(REDACTED);
    }
}

/// Replaces the runs of token characters that look like a secret, and every value after `=`.
fn redact_runs(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (kept, end) = match first {
            '=' => {
                out.push('=');
                let end = rest.find(['&', ',', ';', '"', '\'', ')']).unwrap_or(rest.len());
                (if end == 1 { "" } else { REDACTED }, end)
            }
            first if is_token_char(first) => {
                let end = rest.find(|c| !is_token_char(c)).unwrap_or(rest.len());
                let run = &rest[..end];
                (if looks_secret(run) { REDACTED } else { run }, end)
            }
            first => (&rest[..first.len_utf8()], first.len_utf8()),
        };
        out.push_str(kept);
        rest = &rest[end..];
    }
}

fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '|' | '~' | '%')
}

fn looks_secret(run: &str) -> bool {
    if TOKEN_PREFIXES.iter().any(|prefix| run.contains(prefix)) {
        return true;
    }
    let has = |test: fn(&u8) -> bool| run.as_bytes().iter().any(test);
    let letters = has(u8::is_ascii_alphabetic);
    let digits = has(u8::is_ascii_digit);
    let mixed_case = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase);
    run.len() >= TOKEN_CHARS && letters && (digits || (mixed_case && run.len() >= 2 * TOKEN_CHARS))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_helps_is_kept() {
        let kept = [
            "(#10) Requires instagram_business_manage_messages permission to manage the object",
            "Error validating access token: Session has expired on Friday, 20-Nov-26 01:00:00 PST.",
            "Unsupported get request. Object with ID '17841400000000001' does not exist",
            "(#100) Param subscribed_fields[2] must be one of {feed, mention, name}",
            "(#100) Length of param message[text] must be less than or equal to 2000",
        ];
        for text in kept {
            assert_eq!(redact(text), text);
        }
    }

    #[test]
    fn what_opens_doors_is_not() {
        let cases = [
            ("Malformed access token EAAsandboxToken", "Malformed access token [redacted]"),
            ("bad Bearer abc!def now", "bad Bearer [redacted] now"),
            ("see https://x.test/a?access_token=1#f .", "see https://x.test/a?[redacted] ."),
            ("see https://x.test/a#access_token=1", "see https://x.test/a?[redacted]"),
            ("client_secret=short&code=AQ", "client_secret=[redacted]&code=[redacted]"),
            ("code=AQ.b/c, state=", "code=[redacted], state="),
            ("key 0123456789abcdef0123456789abcdef", "key [redacted]"),
            ("app 1234567890|abcdefghij_klmn", "app [redacted]"),
            ("a\n\u{0}b", "a b"),
        ];
        for (text, expected) in cases {
            assert_eq!(redact(text), expected);
        }
    }

    #[test]
    fn it_is_short() {
        assert_eq!(redact(&"ä ".repeat(100_000)).chars().count(), MAX_CHARS);
        assert_eq!(redact(&"ä".repeat(100_000)).chars().count(), MAX_CHARS);
        assert_eq!(bounded("äb", 1), "ä");
    }

    proptest! {
        #[test]
        fn a_token_never_shows(before in "\\PC{0,40}", token in "EAA[A-Za-z0-9]{30,60}", after in "\\PC{0,40}") {
            let text = redact(&format!("{before}{token}{after}"));
            prop_assert!(!text.contains(&token));
        }

        #[test]
        fn anything_is_survived(text in ".*") {
            prop_assert!(redact(&text).chars().count() <= MAX_CHARS);
        }
    }
}
