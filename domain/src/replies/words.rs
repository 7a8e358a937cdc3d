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
    let allowed: Vec<String> = named.iter().flat_map(|text| hosts(text)).collect();
    if hosts(text).iter().any(|host| !allowed.contains(host)) {
        return Err("ai_named_a_link");
    }
    if limit.fits(text) {
        return Ok(text.to_owned());
    }
    // To the last sentence that fits; half a sentence may say the opposite of the whole.
    let fits = limit.truncate(text);
    let end = fits.rfind(['.', '!', '?', '。', '！', '？']).map(|at| fits.ceil_char_boundary(at + 1));
    end.map(|end| fits[..end].to_owned()).ok_or("ai_said_too_much")
}

/// The hosts of links and the domains of addresses in a text, written with or without a scheme.
fn hosts(text: &str) -> Vec<String> {
    let mut finder = LinkFinder::new();
    finder.url_must_have_scheme(false).kinds(&[LinkKind::Url, LinkKind::Email]);
    let host = |link: &str| {
        let rest = link.split_once("://").map_or(link, |(_, rest)| rest);
        let place = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = place.rsplit_once('@').map_or(place, |(_, host)| host);
        let host = host.split(':').next().unwrap_or_default().to_lowercase();
        host.strip_prefix("www.").map(str::to_owned).unwrap_or(host)
    };
    finder.links(text).map(|link| host(link.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: TextLimit = TextLimit::Bytes(60);

    #[test]
    fn what_may_be_sent() {
        let named = ["See https://www.blue.test/sizes or write to help@blue.test"];
        for (said, expected) in [
            (" We are open until six. ", Ok("We are open until six.")),
            ("Look at blue.test/sizes!", Ok("Look at blue.test/sizes!")),
            ("Look at http://BLUE.test", Ok("Look at http://BLUE.test")),
            ("Look at https://evil.test/blue.test", Err("ai_named_a_link")),
            ("Look at evil.com", Err("ai_named_a_link")),
            ("Look at https://blue.test@evil.test/", Err("ai_named_a_link")),
            ("Write to me@evil.com", Err("ai_named_a_link")),
            ("\u{0}\u{1b} ", Err("ai_said_nothing")),
            ("Red\u{1b}[31m", Ok("Red[31m")),
            ("One is here. Another sentence that is much too long to be sent whole", Ok("One is here.")),
            ("Sixty bytes of words without any end of a sentence are no answer", Err("ai_said_too_much")),
        ] {
            assert_eq!(checked(said, &named, LIMIT).as_deref().map_err(|e| *e), expected, "{said}");
        }
    }
}
