//! What customers and owners do, as the control interface takes it.
//! Each becomes a change of the thread and a webhook event; see `world::inbound`.

use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use crate::{
    webhook::{delivery::public_id, emit::Field},
    world::{
        World,
        inbound::{Made, Written},
    },
};

use super::{
    Answer,
    error::ControlError,
    input::{self, Input},
};

/// The deliveries made; the single id is there for the usual case of one app.
fn ids(world: &World, deliveries: &[usize]) -> Value {
    let made = deliveries.iter().filter(|index| world.queue.deliveries[**index].error.is_none());
    let ids: Vec<String> = made.map(|index| public_id(*index)).collect();
    json!({"deliveryId": ids.first(), "deliveryIds": ids})
}

fn made(world: &World, made: &Made) -> Value {
    let mut value = ids(world, &made.deliveries);
    value["mid"] = made.mid.clone().into();
    value["timestamp"] = made.timestamp.into();
    value
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MessageInput {
    account_id: String,
    customer_id: String,
    text: Option<String>,
    #[serde(default)]
    attachments: Vec<Value>,
    reply_to: Option<String>,
    quick_reply: Option<String>,
    referral: Option<Value>,
    story: Option<Value>,
    postback: Option<Value>,
    #[serde(default)]
    is_unsupported: bool,
    timestamp: Option<i64>,
}

/// `POST messages`
pub(crate) fn write(world: &mut World, input: &Input) -> Answer {
    let wanted: MessageInput = input.json()?;
    let something = wanted.text.is_some()
        || !wanted.attachments.is_empty()
        || wanted.referral.is_some()
        || wanted.postback.is_some()
        || wanted.is_unsupported;
    if !something {
        return Err(ControlError::invalid("a message needs text, attachments, postback, referral or isUnsupported"));
    }
    let objects = [&wanted.referral, &wanted.story, &wanted.postback];
    if objects.into_iter().flatten().chain(&wanted.attachments).any(|value| !value.is_object()) {
        return Err(ControlError::invalid("attachments, referral, story and postback are JSON objects"));
    }
    let place = input::place_or_new(world, &wanted.account_id, &wanted.customer_id)?;
    let attachments = wanted.attachments.into_iter().map(|given| world.with_link(input.origin(), given)).collect();
    let written = Written {
        text: wanted.text,
        attachments,
        reply_to: wanted.reply_to,
        quick_reply: wanted.quick_reply,
        referral: wanted.referral,
        story: wanted.story,
        postback: wanted.postback,
        unsupported: wanted.is_unsupported,
        timestamp: wanted.timestamp,
    };
    let result = world.write_as_customer(place, written);
    Ok((201, made(world, &result)))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EventInput {
    account_id: String,
    field: Field,
    event: Box<RawValue>,
}

/// `POST events`
pub(crate) fn raw_event(world: &mut World, input: &Input) -> Answer {
    let wanted: EventInput = input.json()?;
    let account = input::account(world, &wanted.account_id)?;
    let deliveries = world.raw_event(account, wanted.field, wanted.event.get().to_owned());
    Ok((202, ids(world, &deliveries)))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OwnerInput {
    account_id: String,
    customer_id: String,
    text: String,
}

/// `POST owner-messages`
pub(crate) fn write_as_owner(world: &mut World, input: &Input) -> Answer {
    let wanted: OwnerInput = input.json()?;
    let place = input::place(world, &wanted.account_id, &wanted.customer_id)?;
    let result = world.write_as_owner(place, wanted.text);
    Ok((201, made(world, &result)))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ReactionInput {
    account_id: String,
    customer_id: String,
    mid: String,
    action: Option<String>,
    reaction: Option<String>,
    emoji: Option<String>,
}

/// `POST reactions`
pub(crate) fn react(world: &mut World, input: &Input) -> Answer {
    let wanted: ReactionInput = input.json()?;
    let place = input::place(world, &wanted.account_id, &wanted.customer_id)?;
    let reaction = match wanted.action.as_deref() {
        Some("unreact") => None,
        None | Some("react") => {
            Some((wanted.reaction.as_deref().unwrap_or("love"), wanted.emoji.as_deref().unwrap_or("\u{2764}\u{fe0f}")))
        }
        Some(_) => return Err(ControlError::invalid("action must be react or unreact")),
    };
    let deliveries = world.react(place, &wanted.mid, reaction);
    Ok((202, ids(world, &deliveries)))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ReadInput {
    account_id: String,
    customer_id: String,
    mid: Option<String>,
    watermark: Option<i64>,
}

/// `POST reads`
pub(crate) fn read(world: &mut World, input: &Input) -> Answer {
    let wanted: ReadInput = input.json()?;
    let place = input::place(world, &wanted.account_id, &wanted.customer_id)?;
    if world.accounts.get(place.account).is_instagram() && wanted.mid.is_none() {
        return Err(ControlError::invalid("on Instagram a message is read: mid is missing"));
    }
    let deliveries = world.read_receipt(place, wanted.mid.as_deref(), wanted.watermark);
    Ok((202, ids(world, &deliveries)))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ReceiptInput {
    account_id: String,
    customer_id: String,
    #[serde(default)]
    mids: Vec<String>,
}

/// `POST receipts`
pub(crate) fn receipt(world: &mut World, input: &Input) -> Answer {
    let wanted: ReceiptInput = input.json()?;
    let place = input::place(world, &wanted.account_id, &wanted.customer_id)?;
    if world.accounts.get(place.account).is_instagram() {
        return Err(ControlError::invalid("Instagram has no delivery receipts"));
    }
    let deliveries = world.delivery_receipt(place, &wanted.mids);
    Ok((202, ids(world, &deliveries)))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UnsendInput {
    account_id: String,
    customer_id: String,
    mid: String,
}

/// `POST unsends`
pub(crate) fn unsend(world: &mut World, input: &Input) -> Answer {
    let wanted: UnsendInput = input.json()?;
    let place = input::place(world, &wanted.account_id, &wanted.customer_id)?;
    let deliveries = world.unsend(place, &wanted.mid);
    Ok((202, ids(world, &deliveries)))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EditInput {
    account_id: String,
    customer_id: String,
    mid: String,
    text: String,
    num_edit: Option<u64>,
}

/// `POST edits`
pub(crate) fn edit(world: &mut World, input: &Input) -> Answer {
    let wanted: EditInput = input.json()?;
    let place = input::place(world, &wanted.account_id, &wanted.customer_id)?;
    let deliveries = world.edit(place, &wanted.mid, &wanted.text, wanted.num_edit);
    Ok((202, ids(world, &deliveries)))
}
