//! Settings, reset and release.
//! A change is merged into the settings and checked as a whole, so that a bad one changes nothing.

use std::sync::Arc;

use rand::{SeedableRng, rngs::StdRng};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    config::Config,
    world::{Shared, World},
};

use super::{Answer, error::ControlError, input::Input};

/// `GET settings`
pub(crate) fn show(world: &World) -> Answer {
    let value = serde_json::to_value(&world.config).map_err(|error| ControlError::invalid(&error.to_string()))?;
    Ok((200, value))
}

/// `POST settings`
pub(crate) fn change(world: &mut World, input: &Input) -> Answer {
    let wanted: Map<String, Value> = input.json()?;
    let (_, mut merged) = show(world)?;
    let new_seed = wanted.contains_key("seed");
    if let Value::Object(merged) = &mut merged {
        merged.extend(wanted);
    }
    let config: Config = serde_json::from_value(merged).map_err(|error| ControlError::invalid(&error.to_string()))?;
    if let Some(problem) = config.problem() {
        return Err(ControlError::invalid(&problem));
    }
    if new_seed {
        world.rng = StdRng::seed_from_u64(config.seed);
    }
    world.config = config;
    show(world)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ResetInput {
    #[serde(default)]
    keep_accounts: bool,
}

/// `POST reset`
pub(crate) fn reset(world: &mut World, input: &Input) -> Answer {
    let wanted: ResetInput = input.json()?;
    world.reset(wanted.keep_accounts);
    Ok((200, json!({"reset": true})))
}

/// `POST release`
pub(crate) fn release(shared: &Arc<Shared>) -> Value {
    let held = shared.read(|world| world.counters.held);
    shared.release.send_modify(|count| *count += 1);
    json!({"released": held})
}
