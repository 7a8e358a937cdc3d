//! Conversations, newest first: how a client finds out what it was not told by a webhook.
//! Only what was asked for in `fields` is answered, and no more than the newest messages of each in detail.

use std::{cmp::Reverse, time::Instant};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use crate::{
    clock::graph_time,
    faults::Group,
    world::{
        World,
        accounts::Account,
        people::{From, Message, Person},
    },
};

use super::{
    access, attachments,
    call::Call,
    error::GraphError,
    fields::{Field, Fields},
};

/// Graph's usual page.
const PAGE: usize = 25;
const MOST: usize = 100;

/// So many messages of a conversation are shown in detail, the rest by id and time.
const DETAILED: usize = 20;

/// A place in the list: when it was last written in, and by that the newest first; then who.
type Position = (Reverse<i64>, usize);

fn cursor((Reverse(at), person): Position) -> String {
    URL_SAFE_NO_PAD.encode(format!("QVFI:{at}:{person}"))
}

fn position(cursor: &str) -> Option<Position> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    let (at, person) = text.strip_prefix("QVFI:")?.split_once(':')?;
    Some((Reverse(at.parse().ok()?), person.parse().ok()?))
}

/// `GET /{who}/conversations`.
pub(crate) fn list(world: &mut World, call: &Call, who: &str, version: &str) -> Result<Value, GraphError> {
    let caller = access::caller(world, call, who == "me")?;
    world.counters.conversation_reads += 1;
    let linked = access::is_linked_instagram(world, caller, who);
    if !linked && !access::is_caller(world, caller, who) {
        return Err(GraphError::no_such_object(who));
    }
    let own = world.accounts.get(caller.account);
    let instagram = linked || call.text("platform").as_deref() == Some("instagram");
    let account = match (instagram && !own.is_instagram(), own.instagram) {
        (true, Some(instagram)) => instagram,
        (true, None) => return Ok(json!({"data": []})),
        (false, _) => caller.account,
    };
    // A link to what comes next names the holder of the token, or what was named.
    let named = if who == "me" { own.id.clone() } else { who.to_owned() };
    access::needs_messages(world, caller, account)?;
    within_rate(world, account)?;
    let id = world.accounts.get(account).id.clone();
    if let Some(fault) = world.faults.fire(Group::Read, &id, &[], &mut world.rng) {
        return Err(GraphError::of_read(&fault));
    }
    let fields = Fields::of(call)?.or(&["updated_time"]);
    let account = world.accounts.get(account);
    if let Some(person) = call.text("user_id") {
        let found = account.person(&person).map(|index| &account.people[index]);
        let found = found.filter(|person| !person.messages.is_empty());
        let data: Vec<Value> = found.map(|person| conversation(account, person, &fields)).into_iter().collect();
        return Ok(json!({"data": data}));
    }
    let limit = match call.text("limit") {
        Some(text) => text.parse().map_err(|_| GraphError::invalid("(#100) Param limit must be an integer"))?,
        None => PAGE,
    };
    let limit: usize = limit.clamp(1, MOST);
    let after = call.text("after").filter(|text| !text.is_empty());
    let after = after.map(|text| position(&text).ok_or_else(|| GraphError::invalid("(#100) Invalid cursors values")));
    let after = after.transpose()?;
    // By position and not by number: what is written meanwhile moves to the top and shifts nothing.
    let people = account.people.iter().enumerate().filter(|(_, person)| !person.messages.is_empty());
    let mut places: Vec<Position> = people.map(|(index, person)| (Reverse(person.last_message), index)).collect();
    places.retain(|place| after.is_none_or(|after| *place > after));
    places.sort_unstable();
    let shown = &places[..limit.min(places.len())];
    let (Some(first), Some(last)) = (shown.first(), shown.last()) else { return Ok(json!({"data": []})) };
    let data: Vec<Value> =
        shown.iter().map(|(_, person)| conversation(account, &account.people[*person], &fields)).collect();
    let mut answer = json!({"data": data, "paging": {"cursors": {"before": cursor(*first), "after": cursor(*last)}}});
    if shown.len() < places.len() {
        let address = call.address_of(version, &format!("{named}/conversations"));
        answer["paging"]["next"] = call.next_page(&address, limit, &cursor(*last)).into();
    }
    Ok(answer)
}

/// Refuses what is more than the settings allow an account in a second.
fn within_rate(world: &mut World, account: usize) -> Result<(), GraphError> {
    let Some(per_second) = world.config.conversation_reads_per_second else { return Ok(()) };
    if world.accounts.get_mut(account).conversation_reads.take(per_second, Instant::now()) {
        return Ok(());
    }
    world.counters.conversation_reads_refused += 1;
    Err(GraphError::throttled(400, 613))
}

fn conversation(account: &Account, person: &Person, fields: &Fields) -> Value {
    let mut shown = json!({"id": format!("t_{}_{}", account.id, person.id)});
    for field in &fields.0 {
        match field.name.as_str() {
            "updated_time" => shown["updated_time"] = graph_time(person.last_message).into(),
            "participants" => {
                shown["participants"] = json!({"data": [party(account, person, true), party(account, person, false)]});
            }
            "messages" => shown["messages"] = json!({"data": messages(account, person, field)}),
            _ => {}
        }
    }
    shown
}

fn messages(account: &Account, person: &Person, field: &Field) -> Vec<Value> {
    let fields = field.fields.clone().or(&["created_time"]);
    let brief = Fields::default().or(&["created_time"]);
    let newest = person.messages.iter().rev().filter(|message| !message.deleted);
    let shown = newest.take(field.limit.unwrap_or(PAGE).clamp(1, MOST)).enumerate();
    shown.map(|(at, message)| one(account, person, message, if at < DETAILED { &fields } else { &brief })).collect()
}

/// The account or the customer, by the names the platform has for them.
fn party(account: &Account, person: &Person, account_itself: bool) -> Value {
    let (id, name, username) = if account_itself {
        (&account.id, Some(&account.name), &account.username)
    } else {
        (&person.id, person.name.as_ref(), &person.username)
    };
    let mut shown = Map::new();
    match (account.is_instagram(), username, name) {
        (true, Some(username), _) => {
            shown.insert("username".to_owned(), username.clone().into());
        }
        (false, _, Some(name)) => {
            shown.insert("name".to_owned(), name.clone().into());
            shown.insert("email".to_owned(), format!("{id}@facebook.com").into());
        }
        _ => {}
    }
    shown.insert("id".to_owned(), id.clone().into());
    Value::Object(shown)
}

fn one(account: &Account, person: &Person, message: &Message, fields: &Fields) -> Value {
    let from_customer = message.from == From::Customer;
    let mut shown = json!({"id": message.mid});
    for field in &fields.0 {
        match field.name.as_str() {
            "created_time" => shown["created_time"] = graph_time(message.at).into(),
            "from" => shown["from"] = party(account, person, !from_customer),
            "to" => shown["to"] = json!({"data": [party(account, person, from_customer)]}),
            "message" => shown["message"] = message.text.clone().unwrap_or_default().into(),
            "attachments" => {
                let all = message.attachments.iter().filter_map(|given| attachments::shown(given, &field.fields));
                let all: Vec<Value> = all.collect();
                if !all.is_empty() {
                    shown["attachments"] = json!({ "data": all });
                }
            }
            _ => {}
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back() {
        let place = (Reverse(1_790_000_000_000), 7);
        assert_eq!(position(&cursor(place)), Some(place));
        assert_eq!(position("25"), None);
        assert!(place > (Reverse(1_790_000_000_001), 9), "the newest first");
    }
}
