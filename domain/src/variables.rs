//! Variables in the words of templates: `{{contact.name}}`, or `{{contact.name|there}}` where nothing is known.

use entities::{connection, contact};

/// Every variable.
pub const VARIABLES: [&str; 5] =
    ["contact.name", "contact.firstName", "contact.username", "account.name", "account.username"];

/// Fills the variables in. One that is not known leaves its fallback behind, or nothing; what is no variable stays as it was
/// written, and what a person is called is never read as a variable.
pub fn render(template: &str, connection: &connection::Model, contact: &contact::Model) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        text.push_str(before);
        let Some((inside, after)) = after.split_once("}}") else {
            // Nothing ends any more, and is looked for once.
            text.extend(["{{", after]);
            return text;
        };
        let (name, fallback) = inside.split_once('|').unwrap_or((inside, ""));
        match value(name.trim(), connection, contact) {
            Some(found) => text.push_str(found.unwrap_or(fallback.trim())),
            None => text.extend(["{{", inside, "}}"]),
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

/// The first thing in double braces that is no variable.
pub fn unknown(template: &str) -> Option<&str> {
    names(template).find(|name| !VARIABLES.contains(name))
}

/// Whether the words depend on who the contact is.
pub fn names_contact(template: &str) -> bool {
    names(template).any(|name| name.starts_with("contact."))
}

/// What stands in double braces, without fallbacks.
fn names(template: &str) -> impl Iterator<Item = &str> {
    let mut rest = template;
    std::iter::from_fn(move || {
        let (inside, after) = rest.split_once("{{")?.1.split_once("}}")?;
        rest = after;
        Some(inside.split_once('|').map_or(inside, |(name, _)| name).trim())
    })
}

/// `None` for what is no variable; `Some(None)` for one whose value is not known.
fn value<'a>(name: &str, connection: &'a connection::Model, contact: &'a contact::Model) -> Option<Option<&'a str>> {
    let known = |text: &'a Option<String>| text.as_deref().filter(|text| !text.trim().is_empty());
    let called = || known(&contact.name).or(known(&contact.username));
    Some(match name {
        "contact.name" => called(),
        "contact.firstName" => known(&contact.name).and_then(|name| name.split_whitespace().next()).or_else(called),
        "contact.username" => known(&contact.username),
        "account.name" => Some(connection.name.as_str()),
        "account.username" => known(&connection.username),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{a_connection, a_contact};

    #[test]
    fn what_is_never_closed_costs_no_more_than_what_is() {
        // A megabyte of it would take minutes if each were looked for to the end.
        let open = "{{".repeat(500_000);
        assert_eq!(render(&open, &a_connection(), &a_contact()), open);
        assert_eq!((unknown(&open), names_contact(&open)), (None, false));
    }

    #[test]
    fn variables_are_filled_in_and_nothing_else_changes() {
        let (mut connection, mut contact) = (a_connection(), a_contact());
        connection.name = "Blue Shop".to_owned();
        contact.username = Some("ann".to_owned());
        let cases = [
            ("Hi {{contact.name}}!", "Hi ann!"),
            ("{{ account.name }} thanks @{{contact.username}}", "Blue Shop thanks @ann"),
            ("{{unknown}} {{", "{{unknown}} {{"),
            ("{{contact.name", "{{contact.name"),
            ("{{{{contact.name}}}}", "{{{{contact.name}}}}"),
            ("{{account.username|us}}, {{account.username}}.", "us, ."),
            ("{{contact.firstName| there }}", "ann"),
            ("plain", "plain"),
        ];
        for (template, expected) in cases {
            assert_eq!(render(template, &connection, &contact), expected, "{template}");
        }
        contact.name = Some("{{account.name}} Lee".to_owned());
        assert_eq!(render("{{contact.name}}", &connection, &contact), "{{account.name}} Lee", "names are no templates");
        assert_eq!(render("{{contact.firstName}}", &connection, &contact), "{{account.name}}");
        contact = a_contact();
        assert_eq!(render("Hi {{contact.firstName|there}}!", &connection, &contact), "Hi there!");
    }

    #[test]
    fn what_is_no_variable_is_named() {
        assert_eq!(unknown("Hi {{contact.name}} of {{ contact.firstName | x }} {{"), None);
        assert_eq!(unknown("Hi {{contact.nmae}}"), Some("contact.nmae"));
        assert_eq!(unknown("{{contact.name}} {{}}"), Some(""));
        for name in VARIABLES {
            assert!(value(name, &a_connection(), &a_contact()).is_some(), "{name}");
        }
    }
}
