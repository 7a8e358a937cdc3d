//! Taking a send: all rules of Meta in order, then the message is in the thread and its echo on the way.
//! Runs in one step under the lock, so a caller that goes away cannot leave half of it.

use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::{
    faults::{Fired, Group},
    webhook::queue::Later,
    world::{
        World,
        accounts::Platform,
        people::{From, HUMAN_AGENT_MS, Message, Place, Sent, WINDOW_MS},
    },
};

use super::{
    access,
    call::Call,
    error::GraphError,
    outgoing::{self, Outgoing, What},
};

/// What the answer is made of.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) recipient_id: String,
    /// None for a sender action.
    pub(crate) mid: Option<String>,
    /// Index into the list of everything sent.
    pub(crate) sent: usize,
    pub(crate) epoch: u64,
    /// What befalls the answer.
    pub(crate) fault: Option<Fired>,
    /// Echoes that must have been answered first.
    pub(crate) echoes_first: Vec<oneshot::Receiver<()>>,
}

/// Who writes to whom through this call.
fn parties(world: &World, call: &Call, who: &str) -> Result<Place, GraphError> {
    let caller = access::caller(world, call, who == "me")?;
    if access::is_linked_instagram(world, caller, who) {
        return Err(GraphError::capability());
    }
    if !access::is_caller(world, caller, who) {
        // An Instagram id on the Facebook host is refused the same way whoever owns it.
        let other = world.accounts.find(who).map(|other| world.accounts.get(other));
        let instagram = other.is_some_and(|other| other.is_instagram()) && caller.platform == Platform::Facebook;
        return Err(if instagram { GraphError::capability() } else { GraphError::no_such_object(who) });
    }
    let own = world.accounts.get(caller.account);
    let recipient = outgoing::recipient(call, own.is_instagram())?;
    for account in [Some(caller.account), own.instagram].into_iter().flatten() {
        if let Some(person) = world.accounts.get(account).person(&recipient) {
            access::needs_messages(world, caller, account)?;
            access::needs_task(world, caller.bearer, "MESSAGING")?;
            return Ok(Place { account, person });
        }
    }
    Err(GraphError::unknown_recipient(own.is_instagram()))
}

fn check_window(world: &World, place: Place, outgoing: &Outgoing) -> Result<(), GraphError> {
    let (account, person) = world.accounts.at(place);
    let window = if outgoing.human_agent() && account.human_agent { HUMAN_AGENT_MS } else { WINDOW_MS };
    if person.may_be_written_to(world.clock.now(), window) {
        return Ok(());
    }
    Err(GraphError::window(account.is_instagram()))
}

/// Checks and takes a send.
pub(crate) fn accept(world: &mut World, call: &Call, who: &str) -> Result<Accepted, GraphError> {
    let place = parties(world, call, who)?;
    let (account, person) = world.accounts.at(place);
    let account_id = account.id.clone();
    let recipient_id = person.id.clone();
    let outgoing = outgoing::parse(call, account.is_instagram())?;
    if account.standby {
        return Err(GraphError::not_thread_owner(account.is_instagram()));
    }
    let epoch = world.epoch;
    let (text, attachment, metadata) = match outgoing.what {
        What::Message { ref text, ref attachment, ref metadata } => {
            (text.clone(), attachment.clone(), metadata.clone())
        }
        What::Reaction { mid, reaction } => {
            let Some(message) = world.accounts.message_mut(place, &mid) else {
                return Err(GraphError::invalid("(#100) No matching message found").sub(33));
            };
            message.reaction = reaction;
            world.counters.sender_actions += 1;
            return Ok(Accepted { recipient_id, mid: None, sent: 0, epoch, fault: None, echoes_first: Vec::new() });
        }
        What::Action => {
            world.counters.sender_actions += 1;
            return Ok(Accepted { recipient_id, mid: None, sent: 0, epoch, fault: None, echoes_first: Vec::new() });
        }
    };
    check_window(world, place, &outgoing)?;
    let now = world.clock.now();
    let mid = world.new_mid(place.account);
    let fault = world.faults.fire(Group::Answer, &account_id, &[], &mut world.rng);
    let (answer, lost) = fate(fault.as_ref());
    let message = Message {
        mid: mid.clone(),
        from: From::App,
        text: text.clone(),
        attachments: attachment.clone().map_or_else(Vec::new, |attachment| match attachment {
            serde_json::Value::Array(list) => list,
            one => vec![one],
        }),
        at: now,
        metadata: metadata.clone(),
        deleted: false,
        edits: 0,
        reaction: None,
    };
    world.accounts.push(place, message);
    let sent = world.sent.len();
    world.sent.push(Sent {
        mid: mid.clone(),
        account_id: account_id.clone(),
        recipient_id: recipient_id.clone(),
        text: text.clone(),
        attachment,
        metadata,
        tag: outgoing.tag,
        messaging_type: outgoing.messaging_type,
        at: now,
        answer,
        route: format!("{} {}/messages", call.host.name(), if who == "me" { "me" } else { "{id}" }),
    });
    world.accounts.get_mut(place.account).sent.push(sent);
    let person = world.accounts.person_mut(place);
    person.sent.push(sent);
    let last_dm = person.last_dm;
    if let Some(dm) = last_dm.and_then(|index| world.inbound.get_mut(index)) {
        dm.replies += 1;
    }
    world.counters.sends_accepted += 1;
    world.counters.answers_lost += u64::from(lost);
    let echoes_first = send_echo(world, place, sent, &account_id, fault.as_ref());
    world.heard(place, text.as_deref());
    Ok(Accepted { recipient_id, mid: Some(mid), sent, epoch, fault, echoes_first })
}

/// What becomes of the answer, and whether it is lost for sure.
fn fate(fault: Option<&Fired>) -> (&'static str, bool) {
    match fault.map(|fault| fault.name) {
        Some("answer_lost") => ("lost", true),
        Some("timeout_after_accept") => ("hung", true),
        Some("reset_mid_response") => ("truncated", true),
        Some("answer_without_message_id") => ("without_message_id", true),
        Some("hold_answer") => ("held", false),
        Some("slow_answer") => ("late", false),
        _ => ("ok", false),
    }
}

fn send_echo(
    world: &mut World,
    place: Place,
    sent: usize,
    account_id: &str,
    answer: Option<&Fired>,
) -> Vec<oneshot::Receiver<()>> {
    let fault = world.faults.fire(Group::Echo, account_id, &[], &mut world.rng);
    let extra = match fault.as_ref().map(|fault| fault.name) {
        Some("no_echo") => return Vec::new(),
        Some("echo_before_answer") => {
            let deliveries = world.emit_echo(place, sent, true);
            let under_way: Vec<usize> =
                deliveries.into_iter().filter(|index| world.queue.deliveries[*index].error.is_none()).collect();
            return under_way.into_iter().map(|index| world.queue.watch(index)).collect();
        }
        _ => fault.map_or(0, |fault| fault.number("ms")),
    };
    let late = answer.filter(|fault| fault.name == "slow_answer").map_or(0, |fault| fault.number("ms"));
    let wait = Duration::from_millis(world.config.echo_delay_ms + extra + late);
    world.queue.later(Instant::now() + wait, Later::Echo { place, sent });
    Vec::new()
}
