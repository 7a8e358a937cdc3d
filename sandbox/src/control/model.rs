//! What the stand-in for a model says, and what it was asked last.
//! Fixed words let a test know the answer before it comes; the last request shows what a model would have read.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::world::World;

use super::{Answer, error::ControlError, input::Input};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelInput {
    // Not an option: leaving it out would clear the words by a slip.
    answer: Value,
}

/// `GET ai`
pub(crate) fn show(world: &World) -> Value {
    let model = &world.model;
    json!({"calls": model.calls, "answer": model.answer, "last": model.last})
}

/// `POST ai`
pub(crate) fn change(world: &mut World, input: &Input) -> Answer {
    let wanted: ModelInput = input.json()?;
    world.model.answer = match wanted.answer {
        Value::Null => None,
        Value::String(text) => Some(text),
        _ => return Err(ControlError::invalid("answer is a text, or null for the default")),
    };
    Ok((200, show(world)))
}
