//! Reads of a single object: the account itself, or the profile of a person who has written.
//! Before the first message Meta wants the person's consent, and so do we.

use serde_json::{Map, Value, json};

use crate::{
    faults::Group,
    world::{
        World,
        accounts::{Account, Platform},
        people::Person,
    },
};

use super::{access, call::Call, error::GraphError};

/// `GET /{who}?fields=`.
pub(crate) fn read(world: &mut World, call: &Call, who: &str) -> Result<Value, GraphError> {
    let caller = access::caller(world, call, who == "me")?;
    let fields = call.text("fields").unwrap_or_default();
    let fields: Vec<&str> = fields.split(',').map(str::trim).filter(|field| !field.is_empty()).collect();
    if access::is_caller(world, caller, who) {
        return Ok(own(world.accounts.get(caller.account), &fields));
    }
    world.counters.profile_reads += 1;
    let id = world.accounts.get(caller.account).id.clone();
    if world.faults.fire(Group::Read, &id, &[], &mut world.rng).is_some() {
        return Err(GraphError::transient());
    }
    let account = world.accounts.get(caller.account);
    let linked = account.instagram.map(|linked| world.accounts.get(linked));
    for account in [Some(account), linked].into_iter().flatten() {
        if let Some(index) = account.person(who) {
            return person(account, &account.people[index], &fields);
        }
    }
    if let Some(linked) = linked.filter(|linked| linked.id == who) {
        return Ok(own(linked, &fields));
    }
    Err(GraphError::no_such_object(who))
}

/// The wanted ones of what there is; what is null stays out, as Graph does.
fn pick(all: Value, wanted: &[&str]) -> Value {
    let Value::Object(all) = all else { return all };
    let picked: Map<_, _> = all
        .into_iter()
        .filter(|(key, value)| key == "id" || (!value.is_null() && wanted.contains(&key.as_str())))
        .collect();
    Value::Object(picked)
}

fn own(account: &Account, fields: &[&str]) -> Value {
    match account.platform {
        Platform::Instagram => pick(
            json!({
                "id": account.app_scoped_id.as_ref().unwrap_or(&account.id), "user_id": account.id,
                "username": account.username, "name": account.name, "account_type": "BUSINESS",
            }),
            fields,
        ),
        Platform::Facebook => {
            let fields = if fields.is_empty() { &["name"] } else { fields };
            pick(json!({"id": account.id, "name": account.name, "category": "Business"}), fields)
        }
    }
}

fn person(account: &Account, person: &Person, fields: &[&str]) -> Result<Value, GraphError> {
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
        return Ok(pick(all, if fields.is_empty() { &["name", "profile_pic"] } else { fields }));
    }
    let name = person.name.as_deref().unwrap_or_default();
    let (first, last) = name.split_once(' ').unwrap_or((name, ""));
    let all = json!({
        "id": person.id, "name": person.name, "first_name": first, "last_name": last, "profile_pic": person.profile_pic,
    });
    let usual = ["first_name", "last_name", "profile_pic"];
    Ok(pick(all, if fields.is_empty() { &usual } else { fields }))
}
