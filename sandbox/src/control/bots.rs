//! Making customers bots, and ending it.
//! Nothing here writes; they do when the Send API takes a message for them.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::world::{World, bots::Bot};

use super::{
    Answer,
    error::ControlError,
    input::{self, Input},
};

/// A day.
const LONGEST_MS: i64 = 86_400_000;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BotInput {
    account_id: String,
    customer_id: String,
    text: Option<String>,
    #[serde(default)]
    delay_ms: i64,
    max: Option<u64>,
}

/// `POST bots`
pub(crate) fn start(world: &mut World, input: &Input) -> Answer {
    let wanted: BotInput = input.json()?;
    if !(0..=LONGEST_MS).contains(&wanted.delay_ms) {
        return Err(ControlError::invalid("delayMs is at most a day in milliseconds"));
    }
    if wanted.text.as_ref().is_some_and(String::is_empty) {
        return Err(ControlError::invalid("text must not be empty; leave it out and the bot repeats what it hears"));
    }
    let place = input::place_or_new(world, &wanted.account_id, &wanted.customer_id)?;
    world.bots.start(place, Bot::new(wanted.text, wanted.delay_ms, wanted.max));
    Ok((201, world.bot_json(place).unwrap_or_default()))
}

/// `GET bots`
pub(crate) fn list(world: &World) -> Value {
    let items = world.bots_json();
    json!({"total": items.len(), "items": items})
}

/// `DELETE bots`
pub(crate) fn stop(world: &mut World) -> Value {
    json!({"removed": world.bots.stop()})
}
