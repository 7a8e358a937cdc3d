//! Reads of a single object: an account within reach of the token, or the profile of a person who has written.
//! Before the first message Meta wants the person's consent, and so do we.

use serde_json::{Map, Value, json};

use crate::{
    faults::Group,
    world::{World, accounts::Account, people::Person},
};

use super::{
    access::{self, Holder},
    account_list,
    call::Call,
    error::GraphError,
    fields::Fields,
    page,
};

/// `GET /{who}?fields=` of something that is not the caller itself.
pub(crate) fn read(world: &mut World, call: &Call, who: &str) -> Result<Value, GraphError> {
    let fields = Fields::of(call)?;
    let bearer = access::bearer(world, call, false)?;
    if let Some(shown) = account_list::by_id(world, bearer, who, &fields) {
        return Ok(shown);
    }
    let Holder::Account(own) = bearer.holder else { return Err(GraphError::no_such_object(who)) };
    let linked = world.accounts.get(own).instagram;
    if let Some(linked) = linked.filter(|linked| world.accounts.get(*linked).id == who) {
        bearer.needs(world, "instagram_basic")?;
        return Ok(page::instagram(world.accounts.get(linked), &fields));
    }
    world.counters.profile_reads += 1;
    let reached = [Some(own), linked].into_iter().flatten();
    let ids: Vec<String> = reached.map(|account| world.accounts.get(account).id.clone()).collect();
    struck(world, &ids)?;
    let account = world.accounts.get(own);
    let linked = linked.map(|linked| world.accounts.get(linked));
    for account in [Some(account), linked].into_iter().flatten() {
        if let Some(index) = account.person(who) {
            return person(account, &account.people[index], fields);
        }
    }
    Err(GraphError::no_such_object(who))
}

/// A fault of all reads comes before one of profiles: only one can be answered.
fn struck(world: &mut World, ids: &[String]) -> Result<(), GraphError> {
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut fire = |group| world.faults.fire_any(group, &ids, &[], &mut world.rng);
    let Some(fault) = fire(Group::Read).or_else(|| fire(Group::Profile)) else { return Ok(()) };
    Err(match fault.name {
        "profile_consent" => GraphError::consent_required(),
        "profile_no_match" => GraphError::no_matching_person(),
        _ => GraphError::of_read(&fault),
    })
}

fn person(account: &Account, person: &Person, fields: Fields) -> Result<Value, GraphError> {
    if person.last_inbound.is_none() {
        let instagram = account.is_instagram();
        return Err(if instagram { GraphError::consent_required() } else { GraphError::no_profile() });
    }
    if account.is_instagram() {
        let all = json!({
            "id": person.id, "name": person.name, "username": person.username, "profile_pic": person.profile_pic,
            "follower_count": 42, "is_user_follow_business": true, "is_business_follow_user": false,
            "is_verified_user": false,
        });
        return Ok(instagram(&fields.or(&["name", "profile_pic"]), all));
    }
    let name = person.name.as_deref().unwrap_or_default();
    let (first, last) = name.split_once(' ').unwrap_or((name, ""));
    let all = json!({
        "id": person.id, "name": person.name, "first_name": first, "last_name": last, "profile_pic": person.profile_pic,
    });
    Ok(fields.or(&["first_name", "last_name", "profile_pic"]).pick(all))
}

/// Unlike elsewhere in Graph, a name and a picture that are not there are said to be null.
fn instagram(fields: &Fields, all: Value) -> Value {
    let nulls = ["name", "profile_pic"].into_iter().filter(|name| all[*name].is_null() && fields.has(name));
    let nulls: Map<String, Value> = nulls.map(|name| (name.to_owned(), Value::Null)).collect();
    let mut shown = fields.pick(all);
    if let Value::Object(shown) = &mut shown {
        shown.extend(nulls);
    }
    shown
}
