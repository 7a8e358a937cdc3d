//! Conversations, newest first: how a client finds out whether a message whose answer was lost arrived.
//! Only what was asked for in `fields` is answered, messages nested with a limit of their own.

use serde_json::{Value, json};

use crate::{
    clock::graph_time,
    faults::Group,
    world::{
        World,
        accounts::Account,
        people::{From, Message, Person},
    },
};

use super::{access, call::Call, error::GraphError};

/// Graph's usual page.
const PAGE: usize = 25;
const MOST: usize = 100;

/// `GET /{who}/conversations`.
pub(crate) fn list(world: &mut World, call: &Call, who: &str) -> Result<Value, GraphError> {
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
    access::needs_messages(world, caller, account)?;
    let id = world.accounts.get(account).id.clone();
    if world.faults.fire(Group::Read, &id, &[], &mut world.rng).is_some() {
        return Err(GraphError::transient());
    }
    let fields = Fields::parse(&call.text("fields").unwrap_or_default());
    let account = world.accounts.get(account);
    if let Some(person) = call.text("user_id") {
        let found = account.person(&person).map(|index| &account.people[index]);
        let found = found.filter(|person| !person.messages.is_empty());
        let data: Vec<Value> = found.map(|person| fields.show(account, person)).into_iter().collect();
        return Ok(json!({"data": data}));
    }
    let mut people: Vec<&Person> = account.people.iter().filter(|person| !person.messages.is_empty()).collect();
    people.sort_by_key(|person| std::cmp::Reverse(person.last_message));
    let number = |name: &str| call.text(name).and_then(|text| text.parse::<usize>().ok());
    let limit = number("limit").unwrap_or(PAGE).clamp(1, MOST);
    let after = number("after").unwrap_or(0);
    let data: Vec<Value> = people.iter().skip(after).take(limit).map(|person| fields.show(account, person)).collect();
    let end = after.saturating_add(data.len());
    let mut answer =
        json!({"data": data, "paging": {"cursors": {"before": after.to_string(), "after": end.to_string()}}});
    if end < people.len() {
        answer["paging"]["next"] = format!("/{who}/conversations?limit={limit}&after={end}").into();
    }
    Ok(answer)
}

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Fields {
    updated_time: bool,
    participants: bool,
    /// The limit of messages and their fields.
    messages: Option<(usize, Vec<String>)>,
}

impl Fields {
    /// `id,updated_time,messages.limit(5){id,created_time,from,to,message}`
    fn parse(text: &str) -> Self {
        let (head, inner) = match text.find("messages") {
            Some(at) => (&text[..at], Some(&text[at + "messages".len()..])),
            None => (text, None),
        };
        let after = inner.and_then(|inner| inner.rsplit_once('}')).map_or("", |(_, after)| after);
        let asked = |name: &str| [head, after].iter().any(|part| part.split(',').any(|field| field.trim() == name));
        let messages = inner.map(|inner| {
            let limit = inner.strip_prefix(".limit(").and_then(|rest| rest.split_once(')'));
            let limit = limit.and_then(|(number, _)| number.parse().ok()).unwrap_or(PAGE);
            let fields = inner.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map_or("", |(list, _)| list);
            let fields = fields.split(',').map(|field| field.trim().to_owned()).collect();
            (limit.clamp(1, MOST), fields)
        });
        Self { updated_time: asked("updated_time"), participants: asked("participants"), messages }
    }

    fn show(&self, account: &Account, person: &Person) -> Value {
        let mut shown = json!({"id": format!("t_{}_{}", account.id, person.id)});
        if self.updated_time {
            shown["updated_time"] = graph_time(person.last_message).into();
        }
        if self.participants {
            shown["participants"] = json!({"data": [{"id": account.id}, {"id": person.id}]});
        }
        if let Some((limit, fields)) = &self.messages {
            let newest = person.messages.iter().rev().filter(|message| !message.deleted).take(*limit);
            let data: Vec<Value> = newest.map(|message| one(account, person, message, fields)).collect();
            shown["messages"] = json!({"data": data});
        }
        shown
    }
}

fn one(account: &Account, person: &Person, message: &Message, fields: &[String]) -> Value {
    let party = |account_itself: bool| {
        let (id, username) =
            if account_itself { (&account.id, &account.username) } else { (&person.id, &person.username) };
        match username.as_ref().filter(|_| account.is_instagram()) {
            Some(username) => json!({"id": id, "username": username}),
            None => json!({"id": id}),
        }
    };
    let from_customer = message.from == From::Customer;
    let mut shown = json!({"id": message.mid});
    for field in fields {
        match field.as_str() {
            "created_time" => shown["created_time"] = graph_time(message.at).into(),
            "from" => shown["from"] = party(!from_customer),
            "to" => shown["to"] = json!({"data": [party(from_customer)]}),
            "message" => shown["message"] = message.text.clone().unwrap_or_default().into(),
            "attachments" if !message.attachments.is_empty() => {
                shown["attachments"] = json!({"data": message.attachments});
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
    fn fields_are_read() {
        let fields = Fields::parse("participants,messages.limit(7){id,created_time,from},updated_time");
        let names = ["id", "created_time", "from"].map(str::to_owned).to_vec();
        assert_eq!(fields, Fields { updated_time: true, participants: true, messages: Some((7, names)) });
        assert_eq!(Fields::parse("id"), Fields { updated_time: false, participants: false, messages: None });
        assert_eq!(Fields::parse("messages").messages.map(|(limit, _)| limit), Some(25));
        assert_eq!(Fields::parse("messages.limit(x){").messages.map(|(limit, _)| limit), Some(25));
    }
}
