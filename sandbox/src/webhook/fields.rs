//! Which subscribed field brings an event, and whether anyone has subscribed to it.
//! A Page gets what is subscribed both for the app and for the Page; Instagram ignores the account's own list.

use serde_json::Value;

use crate::world::World;

use super::emit::{Event, Field};

/// The fields that bring an event, any of which will do; none: it comes whatever is subscribed.
fn bring(event: &Event, page: bool) -> Vec<String> {
    let element: Value = serde_json::from_str(&event.element).unwrap_or_default();
    if event.field == Field::Changes {
        return element["field"].as_str().map(str::to_owned).into_iter().collect();
    }
    if event.field == Field::Standby {
        return vec!["standby".to_owned()];
    }
    let Some(kind) = element.as_object().and_then(|all| all.keys().find_map(|key| of(key, &element, page))) else {
        return Vec::new();
    };
    kind.iter().map(|name| (*name).to_owned()).collect()
}

fn of(key: &str, element: &Value, page: bool) -> Option<&'static [&'static str]> {
    Some(match (key, page) {
        ("message", true) if element["message"]["is_echo"] == true => &["message_echoes"],
        // For Instagram the sources disagree, so either field does.
        ("message", false) if element["message"]["is_echo"] == true => &["messages", "message_echoes"],
        ("message", _) => &["messages"],
        ("message_edit", _) => &["message_edits", "message_edit"],
        ("reaction", _) => &["message_reactions"],
        ("postback", _) => &["messaging_postbacks"],
        ("read", true) => &["message_reads"],
        ("read", false) => &["messaging_seen"],
        ("delivery", _) => &["message_deliveries"],
        ("referral", true) => &["messaging_referrals"],
        ("referral", false) => &["messaging_referral"],
        ("optin", _) => &["messaging_optins"],
        _ => return None,
    })
}

impl World {
    /// Why no field brings the event, where that is enforced.
    pub(crate) fn no_field(&self, event: &Event, object: &str) -> Option<String> {
        if !self.config.enforce_subscribed_fields {
            return None;
        }
        let page = object == "page";
        let brings = bring(event, page);
        if brings.is_empty() {
            return None;
        }
        let has = |list: &Vec<String>| brings.iter().any(|name| list.contains(name));
        let by_app = self.app_fields.get(object).is_none_or(has);
        let by_page = !page || has(&self.accounts.get(event.account).subscribed_fields);
        (!by_app || !by_page).then(|| format!("nobody has subscribed to {}", brings.join(" or ")))
    }
}
