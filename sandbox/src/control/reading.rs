//! Looking at what happened: a thread, everything sent, every delivery.
//! Lists are found by index and cut by offset and limit, since a test may have sent fifty thousand.

use serde_json::{Value, json};

use crate::{
    clock::rfc3339,
    webhook::delivery::State,
    world::{
        World,
        people::{Message, WINDOW_MS},
    },
};

use super::{
    Answer,
    error::ControlError,
    input::{self, Input},
};

/// `GET thread`
pub(crate) fn thread(world: &World, input: &Input) -> Answer {
    let (account_id, customer_id) = (input.required("accountId")?, input.required("customerId")?);
    let place = input::place(world, account_id, customer_id)?;
    let (account, person) = world.accounts.at(place);
    let messages: Vec<Value> = person.messages.iter().map(Message::to_json).collect();
    Ok((
        200,
        json!({
            "accountId": account.id, "customerId": person.id, "name": person.name,
            "lastInboundAt": person.last_inbound.map(rfc3339),
            "windowClosesAt": person.last_inbound.map(|at| rfc3339(at + WINDOW_MS)),
            "windowOpen": person.may_be_written_to(world.clock.now(), WINDOW_MS), "messages": messages,
        }),
    ))
}

/// `GET sent`
pub(crate) fn sent(world: &World, input: &Input) -> Answer {
    let (offset, limit) = (input.number("offset", 0)?, input.number("limit", usize::MAX)?);
    let show = |index: &usize| world.sent[*index].to_json();
    let page = |indices: &[usize]| -> Value {
        let items: Vec<Value> = indices.iter().skip(offset).take(limit).map(show).collect();
        json!({"items": items, "total": indices.len()})
    };
    let value = match (input.query("accountId"), input.query("customerId")) {
        (Some(account), Some(customer)) => {
            let place = input::place(world, account, customer)?;
            page(&world.accounts.at(place).1.sent)
        }
        (Some(account), None) => page(&world.accounts.get(input::account(world, account)?).sent),
        (None, Some(_)) => return Err(ControlError::invalid("customerId needs accountId")),
        (None, None) => {
            let items: Vec<Value> = world.sent.iter().skip(offset).take(limit).map(|sent| sent.to_json()).collect();
            json!({"items": items, "total": world.sent.len()})
        }
    };
    Ok((200, value))
}

/// `GET deliveries`
pub(crate) fn deliveries(world: &World, input: &Input) -> Answer {
    let (offset, limit) = (input.number("offset", 0)?, input.number("limit", 1000)?);
    let bodies = input.query("bodies") == Some("true");
    let account = input.query("accountId").map(|id| input::account(world, id)).transpose()?;
    let state = input.query("state").map(state_named).transpose()?;
    let mut total = 0;
    let mut items = Vec::new();
    for (index, delivery) in world.queue.deliveries.iter().enumerate() {
        let meant = state.is_none_or(|state| state == delivery.state)
            && account.is_none_or(|account| delivery.accounts.contains(&account));
        if !meant {
            continue;
        }
        if total >= offset && items.len() < limit {
            let accounts: Vec<&str> =
                delivery.accounts.iter().map(|account| world.accounts.get(*account).id.as_str()).collect();
            items.push(delivery.to_json(index, &accounts, bodies));
        }
        total += 1;
    }
    Ok((200, json!({"items": items, "total": total})))
}

fn state_named(name: &str) -> Result<State, ControlError> {
    State::ALL.into_iter().find(|state| state.name() == name).ok_or_else(|| {
        let known = State::ALL.map(State::name).join(", ");
        ControlError::invalid(&format!("state must be one of: {known}"))
    })
}
