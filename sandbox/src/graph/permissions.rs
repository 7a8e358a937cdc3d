//! What a person has granted, and taking it back: one permission, or the whole app with all its tokens.
//! Only Facebook has these edges; Instagram tells the permissions once, when the code is exchanged.

use serde_json::{Value, json};

use crate::{
    oauth::codes::Subject,
    world::{World, tokens::Death},
};

use super::{
    access::{self, Holder},
    call::Call,
    error::GraphError,
};

fn person(world: &World, call: &Call, who: &str) -> Result<usize, GraphError> {
    let bearer = access::bearer(world, call, who == "me")?;
    match bearer.holder {
        Holder::Person(person) if access::names(world, bearer.holder, who) => Ok(person),
        _ => Err(GraphError::no_such_object(who)),
    }
}

/// `GET /me/permissions`
pub(crate) fn list(world: &World, call: &Call, who: &str) -> Result<Value, GraphError> {
    let person = person(world, call, who)?;
    let grant = world.managers[person].grant.as_ref();
    let entry = |status: &'static str| move |name: &String| json!({"permission": name, "status": status});
    let granted = grant.into_iter().flat_map(|grant| grant.scopes.iter().map(entry("granted")));
    let declined = grant.into_iter().flat_map(|grant| grant.declined.iter().map(entry("declined")));
    Ok(json!({"data": granted.chain(declined).collect::<Vec<Value>>()}))
}

/// `DELETE /me/permissions[/{permission}]`
pub(crate) fn remove(world: &mut World, call: &Call, who: &str, one: Option<&str>) -> Result<Value, GraphError> {
    let subject = Subject::Person(person(world, call, who)?);
    match one {
        Some(permission) => world.remove_permissions(subject, &[permission.to_owned()]),
        None => world.kill_tokens(subject, Death::AppRemoved),
    };
    Ok(json!({"success": true}))
}
