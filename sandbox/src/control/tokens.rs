//! Looking at tokens, and what makes them useless: the app removed, a password, time, a permission.
//! Each is told to nobody, as with Meta; what can be told is in `callbacks`.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    clock::rfc3339,
    oauth::codes::Subject,
    world::{
        World,
        tokens::{Death, Token},
    },
};

use super::{
    Answer,
    error::ControlError,
    input::{self, Input},
};

/// Whom a request means.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SubjectInput {
    account_id: Option<String>,
    person_id: Option<String>,
}

/// The account or the person, exactly one of them.
pub(crate) fn subject(world: &mut World, account: Option<&str>, person: Option<&str>) -> Result<Subject, ControlError> {
    world.ensure_manager();
    match (account, person) {
        (Some(id), None) => Ok(Subject::Account(input::account(world, id)?)),
        (None, Some(id)) => world.manager(id).map(Subject::Person).ok_or_else(|| ControlError::unknown_person(id)),
        _ => Err(ControlError::invalid("give either accountId or personId")),
    }
}

/// `GET tokens`
pub(crate) fn list(world: &World, input: &Input) -> Answer {
    let account = input.query("accountId").map(|id| input::account(world, id)).transpose()?;
    let person = match input.query("personId") {
        Some(id) => Some(world.manager(id).ok_or_else(|| ControlError::unknown_person(id))?),
        None => None,
    };
    let of_account = account.map(|account| world.tokens_of(Subject::Account(account)));
    let of_person = person.map(|person| world.tokens_of(Subject::Person(person)));
    let meant =
        |index: usize| [&of_account, &of_person].into_iter().flatten().all(|those: &Vec<usize>| those.contains(&index));
    let items: Vec<Value> =
        world.tokens.known().filter(|(index, _)| meant(*index)).map(|(_, token)| show(world, token)).collect();
    Ok((200, json!({"total": items.len(), "items": items})))
}

fn show(world: &World, token: &Token) -> Value {
    let problem = world.token_problem(token);
    json!({
        "token": token.text, "kind": token.kind.name(), "product": token.product.name(),
        "accountId": token.account.map(|account| &world.accounts.get(account).id),
        "personId": token.person.map(|person| &world.managers[person].id),
        "scopes": token.scopes, "issuedAt": rfc3339(token.issued_at), "expiresAt": token.expires_at.map(rfc3339),
        "valid": problem.is_none(), "reason": problem.map(|problem| format!("190/{}", problem.subcode())),
        "refreshedFrom": token.refreshed_from,
    })
}

fn meant(world: &mut World, input: &Input) -> Result<Subject, ControlError> {
    let wanted: SubjectInput = input.json()?;
    subject(world, wanted.account_id.as_deref(), wanted.person_id.as_deref())
}

/// `POST revoke`
pub(crate) fn revoke(world: &mut World, input: &Input) -> Answer {
    let subject = meant(world, input)?;
    Ok((200, json!({"tokens": world.kill_tokens(subject, Death::AppRemoved)})))
}

/// `POST password-change`
pub(crate) fn change_password(world: &mut World, input: &Input) -> Answer {
    let subject = meant(world, input)?;
    Ok((200, json!({"tokens": world.kill_tokens(subject, Death::PasswordChanged)})))
}

/// `POST expire`
pub(crate) fn expire(world: &mut World, input: &Input) -> Answer {
    let subject = meant(world, input)?;
    Ok((200, json!({"tokens": world.expire_tokens(subject)})))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PermissionsInput {
    account_id: Option<String>,
    person_id: Option<String>,
    remove: Vec<String>,
}

/// `POST permissions`
pub(crate) fn remove_permissions(world: &mut World, input: &Input) -> Answer {
    let wanted: PermissionsInput = input.json()?;
    let subject = subject(world, wanted.account_id.as_deref(), wanted.person_id.as_deref())?;
    let tokens = world.remove_permissions(subject, &wanted.remove);
    Ok((200, json!({"tokens": tokens, "removed": wanted.remove})))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UnsubscribeInput {
    account_id: String,
}

/// `POST unsubscribe`
pub(crate) fn unsubscribe(world: &mut World, input: &Input) -> Answer {
    let wanted: UnsubscribeInput = input.json()?;
    let index = input::account(world, &wanted.account_id)?;
    let linked = world.accounts.get(index).instagram;
    for index in [Some(index), linked].into_iter().flatten() {
        world.accounts.get_mut(index).subscribed = false;
    }
    Ok((200, world.accounts.to_json(index)))
}
