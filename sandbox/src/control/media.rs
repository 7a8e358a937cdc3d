//! Links to files, for tests that put them into messages themselves.
//! What a customer sends without an address gets one of its own accord.

use serde::Deserialize;
use serde_json::json;

use crate::{media::links::Kind, world::World};

use super::{Answer, error::ControlError, input::Input};

/// A hundred years: a link that lives longer needs no end.
const LONGEST: u64 = 100 * 366 * 86_400;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MediaInput {
    kind: Kind,
    lives_seconds: Option<u64>,
}

/// `POST media`
pub(crate) fn link(world: &mut World, input: &Input) -> Answer {
    let wanted: MediaInput = input.json()?;
    if wanted.lives_seconds.is_some_and(|lives| lives > LONGEST) {
        return Err(ControlError::invalid("livesSeconds is at most a hundred years"));
    }
    Ok((201, json!({"url": world.new_link(input.origin(), wanted.kind, wanted.lives_seconds)})))
}
