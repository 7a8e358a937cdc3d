//! Stores the events of many deliveries in one transaction, with few statements however many events there are. Every event
//! ends in an outcome; the caller records them and enqueues the replies.

use super::echo::{self, Merge};
use super::people::Person;
use super::{attachments, backfill, changes, lock, people, rows, summary};
use crate::clock::{MINUTE, Millis};
use crate::db::Tx;
use crate::feed::What;
use crate::settings::Settings;
use crate::usage::Tally;
use entities::{connection, conversation, message};
use meta::webhook::{Event, EventBody, ReactionAction};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect, QueryTrait,
};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use uuid::Uuid;

/// How far Meta's clock may be ahead of ours. A time beyond that is a defect of the event, and believing it would hold
/// windows open and mark things read for years.
pub const SKEW: Millis = 5 * MINUTE;

/// An event and the account it belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Routed<'a> {
    /// The account, found by `entry.id`.
    pub connection: &'a connection::Model,
    /// The event.
    pub event: &'a Event,
    /// When its delivery came.
    pub received_at: Millis,
}

impl Routed<'_> {
    /// When it happened: by Meta's clock where that can be, else when it came.
    pub(super) fn at(&self) -> Millis {
        self.event.timestamp_ms.unwrap_or(self.received_at).min(self.received_at + SKEW)
    }

    /// Whether it is a message of the account itself. Meta says so, and where it does not, the sender tells: a shop's own words
    /// must never be taken for a customer's and be answered.
    pub(super) fn is_echo(&self) -> bool {
        let EventBody::Message(message) = &self.event.body else { return false };
        message.is_echo || self.event.sender.as_deref() == Some(&self.connection.external_id)
    }
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Made a message.
    Stored,
    /// Was there already.
    Duplicate,
    /// Is one of ours, known before.
    MergedEcho,
    /// Changed what was there.
    Updated,
    /// Nothing to do; the reason says why.
    Ignored,
    /// No connected account has this id.
    Unrouted,
    /// Could not be stored; the reason says why.
    Failed,
}

impl Outcome {
    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Duplicate => "duplicate",
            Self::MergedEcho => "merged_echo",
            Self::Updated => "updated",
            Self::Ignored => "ignored",
            Self::Unrouted => "unrouted",
            Self::Failed => "failed",
        }
    }
}

/// An outcome with its circumstances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// What became of it.
    pub outcome: Outcome,
    /// Why, for all but `stored`.
    pub reason: Option<String>,
    /// The message it made or changed.
    pub message_id: Option<Uuid>,
    /// True when a new message of a contact may get an automatic reply.
    pub may_be_answered: bool,
}

impl Recorded {
    /// An outcome that concerns no message.
    pub fn plain(outcome: Outcome, reason: &str) -> Self {
        Self { outcome, reason: Some(reason.to_owned()), message_id: None, may_be_answered: false }
    }
}

/// Rows of one statement: a message has some 25 values, SQLite binds 32,766.
pub(super) const CHUNK: usize = 500;

/// What is done with an event, decided without the database.
enum Plan {
    Record(Recorded),
    Message(Person),
    Echo(Person),
    Change(Person),
    LeadSource(Person),
}

/// What was stored.
#[derive(Debug)]
pub struct Stored {
    /// One for each event, in their order.
    pub recorded: Vec<Recorded>,
    /// Contacts who have written and whom nobody knows, with their accounts.
    pub strangers: BTreeMap<Uuid, Uuid>,
    /// New messages with files that have an address, with their accounts.
    pub with_files: Vec<(Uuid, Uuid)>,
    /// Conversations in which something changed.
    pub changed: BTreeSet<Uuid>,
}

/// Stores the events.
pub async fn store(tx: &Tx, settings: &Settings, events: &[Routed<'_>], now: Millis) -> Result<Stored, DbErr> {
    let db = tx.conn();
    let plans: Vec<Plan> = events.iter().map(plan).collect();
    let mut wanted: BTreeMap<Person, &connection::Model> = BTreeMap::new();
    for (plan, routed) in plans.iter().zip(events) {
        if let Plan::Message(person) | Plan::Echo(person) | Plan::Change(person) | Plan::LeadSource(person) = plan {
            wanted.insert(person.clone(), routed.connection);
        }
    }
    let conversations = people::conversations(db, &wanted, now).await?;
    lock::conversations(db, &conversations.values().map(|known| known.conversation.id).collect()).await?;
    let conversation_of = |person: &Person| {
        // Both inserts ignore conflicts, so the row is there unless it was deleted under us.
        let found = conversations.get(person).map(|known| &known.conversation);
        found.ok_or_else(|| DbErr::RecordNotFound("a conversation vanished".to_owned()))
    };

    let mut recorded: Vec<Option<Recorded>> = Vec::new();
    recorded.resize_with(events.len(), || None);
    let (mut new_rows, mut tally) = (NewRows::default(), Tally::default());
    let mut touched = BTreeSet::new();
    let (mut strangers, mut changed) = (BTreeMap::new(), BTreeSet::new());
    for (at, (plan, routed)) in plans.into_iter().zip(events).enumerate() {
        match plan {
            Plan::Record(done) => recorded[at] = Some(done),
            Plan::Message(person) => {
                new_rows.add(at, routed, conversation_of(&person)?);
                if let Some(stranger) = conversations.get(&person).and_then(|known| known.stranger) {
                    strangers.insert(stranger, routed.connection.id);
                }
            }
            Plan::Echo(person) => {
                let conversation = conversation_of(&person)?;
                let merged = echo::merge(tx, settings, routed, conversation.id, &mut tally).await?;
                match merged {
                    Merge::New => new_rows.add(at, routed, conversation),
                    Merge::Known(id) => {
                        let known = Recorded::plain(Outcome::Duplicate, "known by its mid");
                        recorded[at] = Some(Recorded { message_id: Some(id), ..known });
                    }
                    Merge::Ours(id) => {
                        changed.insert(conversation.id);
                        let merged = Recorded::plain(Outcome::MergedEcho, "an echo of a message we sent");
                        recorded[at] = Some(Recorded { message_id: Some(id), ..merged });
                    }
                }
            }
            Plan::Change(person) => {
                let conversation = conversation_of(&person)?;
                changed.insert(conversation.id);
                // What stands earlier in this batch must be there to be changed.
                new_rows.write(tx, &mut recorded, &mut touched).await?;
                let message_id =
                    changes::apply(tx, routed.event, conversation, routed.at(), routed.received_at).await?;
                if opens_window(routed) {
                    summary::window_opens(db, conversation.id, routed.at()).await?;
                    tx.note(conversation.organization_id, What::Conversation(conversation.id));
                }
                recorded[at] = Some(Recorded { message_id, ..Recorded::plain(Outcome::Updated, routed.event.kind()) });
            }
            Plan::LeadSource(person) => {
                let conversation = conversation_of(&person)?;
                changed.insert(conversation.id);
                tx.note(conversation.organization_id, What::Conversation(conversation.id));
                if let EventBody::Referral(referral) = &routed.event.body {
                    summary::lead_source(db, conversation.id, &rows::lead_source(referral), routed.at()).await?;
                }
                if opens_window(routed) {
                    summary::window_opens(db, conversation.id, routed.at()).await?;
                }
                recorded[at] = Some(Recorded::plain(Outcome::Updated, "lead source"));
            }
        }
    }
    new_rows.write(tx, &mut recorded, &mut touched).await?;
    summary::refresh(db, &touched).await?;
    for (organization_id, count) in new_rows.received {
        tally.add(organization_id, "messages_received", count);
    }
    tally.write(db, now).await?;
    summary::webhook_seen(db, events.iter().map(|routed| routed.connection.id), now).await?;
    changed.append(&mut touched);
    let or_failed = |done: Option<Recorded>| done.unwrap_or_else(|| Recorded::plain(Outcome::Failed, "internal"));
    let recorded = recorded.into_iter().map(or_failed).collect();
    Ok(Stored { recorded, strangers, with_files: new_rows.with_files, changed })
}

/// Messages to be written together, and what was written.
#[derive(Default)]
struct NewRows {
    waiting: Vec<(usize, message::Model, bool)>,
    /// New messages of contacts by organization, for the usage counters.
    received: BTreeMap<Uuid, i64>,
    /// New messages with files.
    with_files: Vec<(Uuid, Uuid)>,
}

impl NewRows {
    fn add(&mut self, at: usize, routed: &Routed<'_>, conversation: &conversation::Model) {
        let answerable = routed.connection.auto_reply_mode != "off" && !routed.event.standby;
        if let Some(row) = rows::message_row(routed, conversation.id) {
            self.waiting.push((at, row, answerable));
        }
    }

    async fn write(
        &mut self,
        tx: &Tx,
        recorded: &mut [Option<Recorded>],
        touched: &mut BTreeSet<Uuid>,
    ) -> Result<(), DbErr> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let (db, mut waiting) = (tx.conn(), std::mem::take(&mut self.waiting));
        let conversations: BTreeSet<Uuid> = waiting.iter().map(|(_, row, _)| row.conversation_id).collect();
        // Also of a message that was unsent before it came: where somebody came from stays true.
        let sources: Vec<_> = waiting.iter().map(|(_, row, _)| referral_of(row)).collect();
        changes::respect(tx, &mut waiting, &conversations).await?;
        let mut inserted = HashSet::new();
        for chunk in waiting.chunks(CHUNK) {
            let models: Vec<_> = chunk.iter().map(|(_, row, _)| row.clone().into_active_model()).collect();
            let statement = message::Entity::insert_many(models)
                .on_conflict(OnConflict::new().do_nothing().to_owned())
                .into_query()
                .returning_col(message::Column::Id)
                .to_owned();
            for row in db.query_all(&statement).await? {
                inserted.insert(row.try_get_by_index::<Uuid>(0)?);
            }
        }
        let known = if inserted.len() == waiting.len() { HashMap::new() } else { known_ids(db, &waiting).await? };
        for ((at, row, answerable), source) in waiting.into_iter().zip(sources) {
            if !inserted.contains(&row.id) {
                let key = (row.conversation_id, row.external_id.clone().unwrap_or_default());
                let found = known.get(&key).copied();
                let message_id = found.map(|(id, _)| id);
                // One that was read back while its webhook was on its way has not been answered yet.
                let was_read_back = found.is_some_and(|(_, read_back)| read_back) && row.direction == "inbound";
                let may_be_answered =
                    was_read_back && answerable && row.deleted_at.is_none() && row.kind != "unsupported";
                let known = Recorded::plain(Outcome::Duplicate, "known by its mid");
                recorded[at] = Some(Recorded { message_id, may_be_answered, ..known });
                if let Some((id, true)) = found {
                    if backfill::complete(tx, id, &row).await? {
                        self.with_files.push((id, row.connection_id));
                    }
                    touched.insert(row.conversation_id);
                    if let Some(source) = source {
                        summary::lead_source(db, row.conversation_id, &source, row.sent_at).await?;
                    }
                }
                continue;
            }
            tx.note_message(&row);
            touched.insert(row.conversation_id);
            if !attachments::named(&row).is_empty() {
                self.with_files.push((row.id, row.connection_id));
            }
            let inbound = row.direction == "inbound";
            if inbound {
                *self.received.entry(row.organization_id).or_default() += 1;
                summary::unread(db, row.conversation_id, row.sent_at).await?;
            }
            if let Some(source) = source {
                summary::lead_source(db, row.conversation_id, &source, row.sent_at).await?;
            }
            recorded[at] = Some(Recorded {
                outcome: Outcome::Stored,
                reason: None,
                message_id: Some(row.id),
                may_be_answered: inbound && answerable && row.deleted_at.is_none() && row.kind != "unsupported",
            });
        }
        Ok(())
    }
}

fn referral_of(row: &message::Model) -> Option<serde_json::Value> {
    let extra: serde_json::Value = serde_json::from_str(row.extra.as_deref()?).ok()?;
    extra.get("referral").cloned()
}

/// The messages that are there already: their ids, and whether they were read back.
async fn known_ids(
    db: &impl ConnectionTrait,
    waiting: &[(usize, message::Model, bool)],
) -> Result<HashMap<(Uuid, String), (Uuid, bool)>, DbErr> {
    use message::Column;
    let mut known = HashMap::new();
    for chunk in waiting.chunks(CHUNK) {
        let rows: Vec<(Uuid, String, Uuid, bool)> = message::Entity::find()
            .select_only()
            .columns([Column::ConversationId, Column::ExternalId, Column::Id, Column::Reconciled])
            .filter(Column::ConversationId.is_in(chunk.iter().map(|(_, row, _)| row.conversation_id)))
            .filter(Column::ExternalId.is_in(chunk.iter().filter_map(|(_, row, _)| row.external_id.as_deref())))
            .into_tuple()
            .all(db)
            .await?;
        known.extend(rows.into_iter().map(|(of, mid, id, reconciled)| ((of, mid), (id, reconciled))));
    }
    Ok(known)
}

/// Decides what an event is, before anything is looked up.
fn plan(routed: &Routed<'_>) -> Plan {
    let event = routed.event;
    let ignored = |reason: &str| Plan::Record(Recorded::plain(Outcome::Ignored, reason));
    let person = || person_of(routed).map(|external_id| (routed.connection.id, external_id));
    match &event.body {
        EventBody::Message(message) if message.is_self => ignored("the account wrote to itself"),
        EventBody::Message(_) => match person() {
            None => ignored("no sender"),
            // An account that writes to its own id would otherwise become its own customer.
            Some((_, person)) if person == routed.connection.external_id => ignored("the account wrote to itself"),
            Some(person) if routed.is_echo() => Plan::Echo(person),
            Some(person) => Plan::Message(person),
        },
        EventBody::Postback { .. } => person().map_or_else(|| ignored("no sender"), Plan::Message),
        EventBody::Edit { num_edit: 0, .. } => ignored("an edit that edits nothing"),
        EventBody::Deleted { .. }
        | EventBody::Edit { .. }
        | EventBody::Reaction { .. }
        | EventBody::Read { .. }
        | EventBody::Delivered { .. } => person().map_or_else(|| ignored("no sender"), Plan::Change),
        EventBody::Referral(_) => person().map_or_else(|| ignored("no sender"), Plan::LeadSource),
        EventBody::TestMessage => ignored("a test from Meta's dashboard"),
        EventBody::Change { .. } => ignored("recorded only: not a direct message"),
        EventBody::Unknown { keys } => ignored(&format!("unknown event with {}", keys.join(", "))),
        EventBody::Malformed { reason } => {
            Plan::Record(Recorded::plain(Outcome::Failed, &format!("malformed: {reason}")))
        }
        EventBody::Optin
        | EventBody::AccountLinking { .. }
        | EventBody::PolicyEnforcement { .. }
        | EventBody::ThreadControl { .. }
        | EventBody::AppRoles
        | EventBody::ResponseFeedback { .. }
        | EventBody::Order { .. } => ignored("recorded only: changes no conversation"),
    }
}

/// Whether a contact's reaction or arrival lets the shop write, as their messages do (fact sheet §6.4).
fn opens_window(routed: &Routed<'_>) -> bool {
    let by_contact = routed.event.sender.as_deref() != Some(&routed.connection.external_id);
    by_contact
        && match &routed.event.body {
            EventBody::Reaction { action, .. } => *action == ReactionAction::React,
            EventBody::Referral(_) => true,
            _ => false,
        }
}

/// The customer of an event: the sender, or the recipient of what the account did itself.
fn person_of(routed: &Routed<'_>) -> Option<String> {
    let event = routed.event;
    let by_account = routed.is_echo() || event.sender.as_deref() == Some(&routed.connection.external_id);
    let person = if by_account { &event.recipient } else { &event.sender };
    person.clone().filter(|id| !id.is_empty())
}
