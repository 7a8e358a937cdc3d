//! Reading and moving the sandbox's clock.
//! Setting comes before advancing, and both before freezing, so that one request can do all three.

use chrono::DateTime;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    clock::{FARTHEST_MS, rfc3339},
    world::World,
};

use super::{Answer, error::ControlError, input::Input};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ClockInput {
    advance_seconds: Option<f64>,
    set: Option<Value>,
    freeze: Option<bool>,
}

/// `GET clock`
pub(crate) fn show(world: &World) -> Value {
    let now = world.clock.now();
    let offset = chrono::TimeDelta::milliseconds(world.clock.offset_ms()).as_seconds_f64();
    json!({"now": rfc3339(now), "nowMs": now, "offsetSeconds": offset, "frozen": world.clock.frozen()})
}

/// `POST clock`
pub(crate) fn change(world: &mut World, input: &Input) -> Answer {
    let wanted: ClockInput = input.json()?;
    let set = wanted.set.as_ref().map(moment).transpose()?;
    let advance = wanted.advance_seconds.map(milliseconds).transpose()?;
    let mut clock = world.clock;
    // First of all: a clock that is stopped shows what it is set to, to the millisecond.
    if let Some(freeze) = wanted.freeze {
        clock.freeze(freeze);
    }
    if let Some(at) = set {
        clock.set(at);
    }
    if let Some(ms) = advance {
        clock.advance(ms);
    }
    if !(0..=2 * FARTHEST_MS).contains(&clock.now()) {
        return Err(ControlError::invalid("the clock goes from 1970 to about 2170"));
    }
    world.clock = clock;
    Ok((200, show(world)))
}

fn moment(value: &Value) -> Result<i64, ControlError> {
    let ms = match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => DateTime::parse_from_rfc3339(text).ok().map(|at| at.timestamp_millis()),
        _ => None,
    };
    ms.filter(|ms| (0..=2 * FARTHEST_MS).contains(ms))
        .ok_or_else(|| ControlError::invalid("set must be RFC 3339 or milliseconds since 1970"))
}

fn milliseconds(seconds: f64) -> Result<i64, ControlError> {
    std::time::Duration::try_from_secs_f64(seconds.abs())
        .ok()
        .and_then(|duration| i64::try_from(duration.as_millis()).ok())
        .filter(|ms| *ms <= FARTHEST_MS)
        .map(|ms| if seconds < 0.0 { -ms } else { ms })
        .ok_or_else(|| ControlError::invalid("advanceSeconds is at most a hundred years"))
}
