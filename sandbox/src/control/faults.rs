//! Switching faults on and off by name.
//! An unknown name is refused with all known ones, so that a test never waits for a fault that is none.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    faults::{
        catalogue::{self, Fault},
        engine::{Refused, Wanted},
    },
    world::World,
};

use super::{
    Answer,
    error::ControlError,
    input::{self, Input},
};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FaultInput {
    name: String,
    rate: Option<f64>,
    count: Option<u64>,
    account_id: Option<String>,
    #[serde(default)]
    params: Map<String, Value>,
}

/// `GET faults/catalogue`
pub(crate) fn catalogue() -> Value {
    let items: Vec<Value> = catalogue::CATALOGUE.iter().map(Fault::to_json).collect();
    json!({"total": items.len(), "items": items})
}

/// `GET faults`
pub(crate) fn list(world: &World) -> Value {
    json!({"items": world.faults.to_json()})
}

/// `POST faults`
pub(crate) fn add(world: &mut World, input: &Input) -> Answer {
    let wanted: FaultInput = input.json()?;
    if wanted.account_id.is_some() && catalogue::find(&wanted.name).is_some_and(|fault| !fault.group.knows_account()) {
        return Err(ControlError::invalid("calls of this kind do not tell an account: leave out accountId"));
    }
    if let Some(id) = wanted.account_id.as_ref().filter(|id| world.manager(id).is_none()) {
        input::account(world, id)?;
    }
    let name = wanted.name.clone();
    let wanted = Wanted {
        name: wanted.name,
        rate: wanted.rate,
        count: wanted.count,
        account_id: wanted.account_id,
        params: wanted.params,
    };
    match world.faults.add(wanted) {
        Ok(shown) => Ok((201, shown)),
        Err(Refused::Unknown) => Err(ControlError::unknown_fault(&name, &catalogue::names())),
        Err(Refused::Invalid(message)) => Err(ControlError::invalid(&message)),
    }
}

/// `DELETE faults`
pub(crate) fn remove(world: &mut World, input: &Input) -> Answer {
    let name = input.query("name");
    if let Some(name) = name.filter(|name| catalogue::find(name).is_none()) {
        return Err(ControlError::unknown_fault(name, &catalogue::names()));
    }
    let id = match input.query("id") {
        Some(text) => Some(text.parse().map_err(|_| ControlError::invalid("id must be a whole number"))?),
        None => None,
    };
    Ok((200, json!({"removed": world.faults.remove(name, id)})))
}
