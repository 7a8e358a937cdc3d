//! What the model said, held to the rules: something to say, that fits into one message, with no link the shop has not named.

use super::Case;
use crate::outbound::route_of;
use linkify::{LinkFinder, LinkKind};
use meta::TextLimit;

/// The words as they are sent, or why they are not.
pub(super) fn accept(said: &str, case: &Case) -> Result<String, &'static str> {
    let ours = [case.connection.auto_reply_instructions.as_deref(), case.connection.auto_reply_text.as_deref()];
    let templates = case.templates.iter().map(|template| template.text.as_str());
    let named: Vec<&str> = ours.into_iter().flatten().chain(templates).collect();
    checked(said, &named, meta::text_limit(route_of(&case.connection)))
}

fn checked(said: &str, named: &[&str], limit: TextLimit) -> Result<String, &'static str> {
    let text: String = said.chars().filter(|c| !c.is_control() || *c == '\n').collect();
    let text = text.trim();
    if text.is_empty() {
        return Err("ai_said_nothing");
    }
    let allowed: Vec<Named> = named.iter().flat_map(|text| links(&without_variables(text)).0).collect();
    let (found, rest) = links(text);
    let is_allowed = |link: &Named| allowed.iter().any(|other| link.is_within(other));
    if !found.iter().all(is_allowed) || looks_like_a_link(&rest) {
        return Err("ai_named_a_link");
    }
    if limit.fits(text) {
        return Ok(text.to_owned());
    }
    // To the last sentence that fits; half a sentence may say the opposite of the whole.
    let fits = limit.truncate(text);
    let mut ends = fits.char_indices().filter(|(at, c)| {
        let rest = &text[at + c.len_utf8()..];
        // A full stop within a number or an address ends nothing.
        matches!(c, '。' | '！' | '？')
            || (matches!(c, '.' | '!' | '?') && rest.chars().next().is_none_or(char::is_whitespace))
    });
    if let Some((at, c)) = ends.next_back() {
        return Ok(fits[..at + c.len_utf8()].to_owned());
    }
    // A list, or a language without full stops: to the last line or word.
    let parts = limit.split(text).ok_or("ai_said_too_much")?;
    parts.first().map(|part| (*part).to_owned()).ok_or("ai_said_too_much")
}

/// A link or an e-mail address, as far as it matters where it leads.
#[derive(Debug, PartialEq, Eq)]
enum Named {
    Mail(String),
    Place { host: String, path: String },
}

impl Named {
    fn of(link: &str, kind: &LinkKind) -> Self {
        if *kind == LinkKind::Email {
            return Self::Mail(link.to_lowercase());
        }
        let rest = link.split_once("://").map_or(link, |(_, rest)| rest);
        let (place, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let host = place.to_lowercase();
        let host = host.strip_prefix("www.").unwrap_or(&host).to_owned();
        Self::Place { host, path: path.trim_end_matches('/').to_owned() }
    }

    /// The same, its front page, or something below it: who names one account of a large site has not named the others.
    fn is_within(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Mail(one), Self::Mail(other)) => one == other,
            (Self::Place { host, path }, Self::Place { host: named, path: below }) => {
                let rest = path.strip_prefix(below.as_str());
                // Steps upwards lead elsewhere than they begin.
                let climbs =
                    path.to_lowercase().replace("%2e", ".").split(['/', '\\', '?', '#']).any(|step| step == "..");
                host == named
                    && !climbs
                    && (path.is_empty()
                        || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#'])))
            }
            _ => false,
        }
    }
}

/// The links of a text, written with or without a scheme, and what is left of it.
fn links(text: &str) -> (Vec<Named>, String) {
    let mut finder = LinkFinder::new();
    finder.url_must_have_scheme(false).kinds(&[LinkKind::Url, LinkKind::Email]);
    let (mut found, mut rest) = (Vec::new(), String::new());
    for span in finder.spans(text) {
        match span.kind() {
            Some(kind) => found.push(Named::of(span.as_str(), kind)),
            None => rest.push_str(span.as_str()),
        }
        rest.push(' ');
    }
    (found, rest)
}

/// What no finder takes for a link and an app may still make one of: addresses in other letters, numbers for hosts.
fn looks_like_a_link(rest: &str) -> bool {
    let lower = rest.to_lowercase();
    let dotted = |word: &str| {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        let last = word
            .rsplit_once('.')
            .map(|(before, last)| (before, last.split(['/', ':', '?', '#']).next().unwrap_or(last)));
        last.is_some_and(|(before, last)| {
            let letters = last.chars().count() >= 2 && last.chars().all(char::is_alphabetic);
            letters && before.chars().next_back().is_some_and(char::is_alphanumeric)
        })
    };
    lower.contains("//") || lower.contains("www.") || lower.split_whitespace().any(dotted)
}

/// `{{contact.name}}` is no place on the net.
fn without_variables(text: &str) -> String {
    let mut left = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        left.push_str(before);
        rest = after.split_once("}}").map_or("", |(_, after)| after);
    }
    left + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: TextLimit = TextLimit::Bytes(60);

    #[test]
    fn what_may_be_sent() {
        let named = ["See https://www.blue.test/sizes or write to help@blue.test", "Dear {{contact.name}}"];
        for (said, expected) in [
            (" We are open until six. ", Ok("We are open until six.")),
            ("Look at blue.test/sizes!", Ok("Look at blue.test/sizes!")),
            ("Look at http://BLUE.test", Ok("Look at http://BLUE.test")),
            ("Look at https://evil.test/blue.test", Err("ai_named_a_link")),
            ("Look at evil.com", Err("ai_named_a_link")),
            ("Look at https://blue.test@evil.test/", Err("ai_named_a_link")),
            ("Write to me@evil.com", Err("ai_named_a_link")),
            ("Write to help@blue.test", Ok("Write to help@blue.test")),
            ("Write to other@blue.test", Err("ai_named_a_link")),
            ("Look at blue.test/sizes/large", Ok("Look at blue.test/sizes/large")),
            ("Look at blue.test/sizesx", Err("ai_named_a_link")),
            ("Look at blue.test/other", Err("ai_named_a_link")),
            ("Look at blue.test/sizes/../other", Err("ai_named_a_link")),
            ("Look at blue.test/sizes/%2E%2e/other", Err("ai_named_a_link")),
            ("Look at blue.test/sizes/..?a", Err("ai_named_a_link")),
            ("https://злой.рф/pay", Err("ai_named_a_link")),
            ("злой.рф", Err("ai_named_a_link")),
            ("https://2130706433/x", Err("ai_named_a_link")),
            ("//evil.com/x or @evil.com", Err("ai_named_a_link")),
            ("It is 19.99, e.g. on Mondays. At 10.30?", Ok("It is 19.99, e.g. on Mondays. At 10.30?")),
            ("contact.name", Err("ai_named_a_link")),
            ("\u{0}\u{1b} ", Err("ai_said_nothing")),
            ("Red\u{1b}[31m", Ok("Red[31m")),
            ("One is here. Another sentence that is much too long to be sent whole", Ok("One is here.")),
            ("It is here for you. And it costs no more than all of 19.99 euros", Ok("It is here for you.")),
            (
                "Sixty bytes of words without any end of a sentence are cut after one",
                Ok("Sixty bytes of words without any end of a sentence are cut"),
            ),
        ] {
            assert_eq!(checked(said, &named, LIMIT).as_deref().map_err(|e| *e), expected, "{said}");
        }
    }
}
