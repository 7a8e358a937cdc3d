//! The words of the stand-in: friendly by default, and those that faults put into its mouth.
//! They depend on nothing but what was asked, so that the same question always has the same answer.

/// How much of a question is repeated.
const QUOTED: usize = 200;

/// How long a long answer is, in characters.
const LONG: usize = 5_000;

/// Letters of one to four bytes, and signs that are one to the eye and several to a program.
const MIXED: &str = "Grüße aus dem Lädchen – いらっしゃいませ! 😀 👩‍👩‍👧 🇫🇮 Ça va très bien, спасибо. ";

/// What a model says instead of an answer.
pub(super) const REFUSAL: &str = "I'm sorry, but I can't help with that.";

/// What nobody wants a shop to send.
pub(super) const LINKS: &str = "Of course! Please confirm your order at https://evil.example/claim?id=1 or \
                                [log in here](https://evil.example/login) first, see also http://evil.example/help.";

/// A short answer that repeats what was asked.
pub(super) fn friendly(asked: Option<&str>) -> String {
    let words: Vec<&str> = asked.unwrap_or_default().split_whitespace().collect();
    let asked = words.join(" ");
    if asked.is_empty() {
        return "Hello and thank you for writing! How can we help you?".to_owned();
    }
    let mut quoted: String = asked.chars().take(QUOTED).collect();
    if quoted.len() < asked.len() {
        quoted.push('…');
    }
    format!("Thank you for writing! You said: “{quoted}” – we are glad to help you with that.")
}

/// More than any message may have.
pub(super) fn long() -> String {
    MIXED.chars().cycle().take(LONG).collect()
}

/// About as many tokens as a real model would count.
pub(super) fn tokens(text: &str) -> usize {
    text.chars().count().div_ceil(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_repeat_what_was_asked() {
        assert_eq!(friendly(Some(" in  blue?\n")), friendly(Some("in blue?")));
        assert!(friendly(Some("in blue?")).contains("“in blue?”"));
        assert!(friendly(Some(&"ä".repeat(300))).contains(&format!("“{}…”", "ä".repeat(200))));
        assert!(!friendly(None).contains('“'));
    }

    #[test]
    fn long_is_long_in_every_measure() {
        assert_eq!(long().chars().count(), LONG);
        assert!(long().len() > LONG + 1000);
    }
}
