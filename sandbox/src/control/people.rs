//! People with a Facebook login: made here, changed by posting their id again.
//! Customers are somebody else: they write to an account, these people own it.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::world::{World, accounts::Platform, managers::Managed};

use super::{
    Answer,
    error::ControlError,
    input::{self, Input},
};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PersonInput {
    id: Option<String>,
    name: Option<String>,
    pages: Option<Vec<PageInput>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PageInput {
    id: String,
    tasks: Option<Vec<String>>,
    #[serde(default)]
    portfolio_only: bool,
    #[serde(default)]
    client_page: bool,
    #[serde(default)]
    without_token: bool,
}

/// `POST people`
pub(crate) fn save(world: &mut World, input: &Input) -> Answer {
    let wanted: PersonInput = input.json()?;
    if wanted.id.as_deref().is_some_and(|id| id.is_empty() || id.len() > 128) {
        return Err(ControlError::invalid("id must have 1 to 128 characters"));
    }
    let pages = wanted.pages.map(|pages| pages.into_iter().map(|page| managed(world, page)).collect());
    let pages: Option<Vec<Managed>> = pages.transpose()?;
    let existing = wanted.id.as_deref().and_then(|id| world.manager(id));
    let index = existing.unwrap_or_else(|| world.add_manager(wanted.id));
    let person = &mut world.managers[index];
    person.stand_in = false;
    if let Some(name) = wanted.name {
        person.name = name;
    }
    person.pages = pages.or_else(|| person.pages.take());
    Ok((201, world.manager_json(index)))
}

fn managed(world: &World, page: PageInput) -> Result<Managed, ControlError> {
    let index = input::account(world, &page.id)?;
    if world.accounts.get(index).platform != Platform::Facebook {
        return Err(ControlError::invalid("people manage Pages; an Instagram account comes with its Page"));
    }
    Ok(Managed {
        page: index,
        tasks: page.tasks.unwrap_or_else(Managed::all_tasks),
        portfolio_only: page.portfolio_only,
        client_page: page.client_page,
        without_token: page.without_token,
    })
}

/// `GET people`
pub(crate) fn list(world: &mut World) -> Value {
    world.ensure_manager();
    let items: Vec<Value> = (0..world.managers.len()).map(|index| world.manager_json(index)).collect();
    json!({"total": items.len(), "items": items})
}
