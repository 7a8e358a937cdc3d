//! Makes a body readable and storable before it is parsed: UTF-8 throughout, whole surrogate pairs, no NUL.
//! Half an emoji or a NUL in one person's message is legal on the wire, but no string can hold the first and Postgres
//! refuses the second; neither may cost the batch it came in.

use std::borrow::Cow;

/// What replaces the unreadable, as a JSON escape.
const REPLACEMENT: &str = "\\ufffd";

/// The body as text in which every escape inside a string is valid. Borrowed when nothing had to be changed.
///
/// Repaired are: bytes that are not UTF-8, lone surrogates, NUL, raw control characters in strings, escapes JSON does
/// not know, and `\u{…}` as some languages write it.
pub(super) fn repaired(body: &[u8]) -> Cow<'_, str> {
    match String::from_utf8_lossy(body) {
        Cow::Borrowed(text) => escapes(text),
        Cow::Owned(text) => Cow::Owned(escapes(&text).into_owned()),
    }
}

fn escapes(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut out = String::new();
    let mut copied = 0;
    let mut in_string = false;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let (length, replacement) = match byte {
            b'"' => {
                in_string = !in_string;
                (1, None)
            }
            b'\\' if in_string => escape(&bytes[at..]),
            0..=0x1f if in_string => (1, Some(control(byte))),
            _ => (1, None),
        };
        if let Some(replacement) = replacement {
            out.push_str(&text[copied..at]);
            out.push_str(&replacement);
            copied = at + length;
        }
        at += length;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

fn control(byte: u8) -> Cow<'static, str> {
    match byte {
        0 => REPLACEMENT.into(),
        other => format!("\\u{other:04x}").into(),
    }
}

/// Length of the escape that begins here, and what to put in its place if it is not fit to stay.
fn escape(rest: &[u8]) -> (usize, Option<Cow<'static, str>>) {
    match rest.get(1) {
        None => (1, None),
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => (2, None),
        Some(b'u') => unicode(rest),
        // Unknown: the backslash stands for itself.
        Some(_) => (1, Some("\\\\".into())),
    }
}

fn unicode(rest: &[u8]) -> (usize, Option<Cow<'static, str>>) {
    match unit(rest) {
        Some(0xd800..=0xdbff) => match rest.get(6..).and_then(unit) {
            Some(0xdc00..=0xdfff) => (12, None),
            _ => (6, Some(REPLACEMENT.into())),
        },
        Some(0 | 0xdc00..=0xdfff) => (6, Some(REPLACEMENT.into())),
        Some(_) => (6, None),
        None => match braced(rest) {
            Some((length, character)) => (length, Some(character)),
            None => (2, Some(REPLACEMENT.into())),
        },
    }
}

/// The code unit of `\uXXXX`.
fn unit(rest: &[u8]) -> Option<u32> {
    let digits = rest.strip_prefix(b"\\u")?.get(..4)?;
    hexadecimal(digits)
}

/// `\u{…}` with one to six digits: its length and the character.
fn braced(rest: &[u8]) -> Option<(usize, Cow<'static, str>)> {
    let inner = rest.strip_prefix(b"\\u{")?;
    let end = inner.iter().take(7).position(|byte| *byte == b'}')?;
    let code = hexadecimal(&inner[..end])?;
    // ASCII may need an escape of its own; nobody writes it this way, so it is not worth one here.
    let character = char::from_u32(code).filter(|c| !c.is_ascii() && !c.is_control());
    Some((end + 4, character.map_or(REPLACEMENT.into(), |c| c.to_string().into())))
}

fn hexadecimal(digits: &[u8]) -> Option<u32> {
    let mut value = None;
    for digit in digits {
        value = Some(value.unwrap_or(0) * 16 + char::from(*digit).to_digit(16)?);
    }
    value
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_sound_is_borrowed() {
        for body in [r#"{"a":"\u00e4 \ud83d\ude00 \\u0000 \"\/ ä\n"}"#, "", "[]", "\\", "{\"a\":1}\n"] {
            assert!(matches!(repaired(body.as_bytes()), Cow::Borrowed(text) if text == body), "{body}");
        }
    }

    #[test]
    fn what_is_broken_is_replaced() {
        let cases: [(&[u8], &str); 13] = [
            (br#""a\u0000b""#, "a\u{fffd}b"),
            (b"\"a\0b\"", "a\u{fffd}b"),
            (br#""\ud800""#, "\u{fffd}"),
            (br#""\ud83dx\ude00""#, "\u{fffd}x\u{fffd}"),
            (br#""\ud83d\ud83d\ude00""#, "\u{fffd}\u{1f600}"),
            (br#""\ud83d\n""#, "\u{fffd}\n"),
            (br#""\u{2764}""#, "\u{2764}"),
            (br#""\u{22}\u{d800}""#, "\u{fffd}\u{fffd}"),
            (br#""\uzz""#, "\u{fffd}zz"),
            (br#""\x41""#, "\\x41"),
            (b"\"a\nb\x01\"", "a\nb\u{1}"),
            (b"\"a\xffb\"", "a\u{fffd}b"),
            (b"\"\xc3\xa4\\u0000\"", "ä\u{fffd}"),
        ];
        for (body, expected) in cases {
            let text = repaired(body);
            assert_eq!(serde_json::from_str::<String>(&text).unwrap(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_string_becomes_readable(inner in "([^\"\\\\]|\\\\u[0-9a-fA-F]{4}|\\\\u\\{[0-9a-f]{0,8}\\}?|\\\\[a-z\"\\\\])*") {
            let body = format!("\"{inner}\"");
            let text = serde_json::from_str::<String>(&repaired(body.as_bytes()));
            prop_assert!(text.is_ok_and(|text| !text.contains('\0')), "{}", body);
        }

        #[test]
        fn any_bytes_are_survived(body: Vec<u8>) {
            let once = repaired(&body).into_owned();
            prop_assert_eq!(repaired(once.as_bytes()), once.as_str());
        }
    }
}
