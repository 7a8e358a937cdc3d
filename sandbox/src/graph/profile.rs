//! Reads of a single object: an account within reach of the token, or the profile of a person who has written.
//! Before the first message Meta wants the person's consent, and so do we.

use serde_json::{Value, json};

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
    let id = world.accounts.get(own).id.clone();
    if world.faults.fire(Group::Read, &id, &[], &mut world.rng).is_some() {
        return Err(GraphError::transient());
    }
    let account = world.accounts.get(own);
    let linked = linked.map(|linked| world.accounts.get(linked));
    for account in [Some(account), linked].into_iter().flatten() {
        if let Some(index) = account.person(who) {
            return person(account, &account.people[index], fields);
        }
    }
    Err(GraphError::no_such_object(who))
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
        return Ok(fields.or(&["name", "profile_pic"]).pick(all));
    }
    let name = person.name.as_deref().unwrap_or_default();
    let (first, last) = name.split_once(' ').unwrap_or((name, ""));
    let all = json!({
        "id": person.id, "name": person.name, "first_name": first, "last_name": last, "profile_pic": person.profile_pic,
    });
    Ok(fields.or(&["first_name", "last_name", "profile_pic"]).pick(all))
}
