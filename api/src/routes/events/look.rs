//! Reads what has changed, as its own routes would show it at this moment. Every look names the caller's organization, so
//! what is another's is not there, whatever was noted.

use super::{ScheduledMessageEvent, StreamEvent};
use crate::routes::{connections as connection_routes, conversations, messages};
use domain::clock::{Millis, rfc3339};
use domain::feed::{MOST, What};
use domain::id::IdKind;
use domain::inbox::threads;
use domain::{OrganizationId, connections, scheduled};
use entities::scheduled_message;
use sea_orm::{ConnectionTrait, DbErr};
use std::collections::{BTreeSet, VecDeque};
use uuid::Uuid;

/// The events for these changes: messages in the order of their times, then what shows them.
pub(super) async fn at(
    db: &impl ConnectionTrait,
    organization: OrganizationId,
    what: &BTreeSet<What>,
    sees_connections: bool,
    now: Millis,
) -> Result<VecDeque<StreamEvent>, DbErr> {
    let mut wanted = Wanted::default();
    for one in what {
        match *one {
            What::Everything => return Ok(resync("many")),
            What::Message { conversation, id } => {
                wanted.noted.insert(id);
                wanted.conversations.insert(conversation);
            }
            What::Receipts { conversation, since } => {
                let limit = MOST as u64 + 1;
                wanted.receipted.extend(threads::receipted(db, organization, conversation, since, limit).await?);
                wanted.conversations.insert(conversation);
            }
            What::Conversation(id) => _ = wanted.conversations.insert(id),
            What::Connection(id) => _ = wanted.connections.insert(id),
            What::ScheduledMessage(id) => _ = wanted.scheduled.insert(id),
        }
    }
    if wanted.noted.len() + wanted.receipted.len() > MOST {
        return Ok(resync("many"));
    }
    wanted.read(db, organization, sees_connections, now).await
}

fn resync(reason: &str) -> VecDeque<StreamEvent> {
    VecDeque::from([StreamEvent::resync(reason)])
}

#[derive(Default)]
struct Wanted {
    /// New or changed.
    noted: BTreeSet<Uuid>,
    /// Read or delivered.
    receipted: BTreeSet<Uuid>,
    conversations: BTreeSet<Uuid>,
    connections: BTreeSet<Uuid>,
    scheduled: BTreeSet<Uuid>,
}

impl Wanted {
    async fn read(
        self,
        db: &impl ConnectionTrait,
        organization: OrganizationId,
        sees_connections: bool,
        now: Millis,
    ) -> Result<VecDeque<StreamEvent>, DbErr> {
        let ids = |set: &BTreeSet<Uuid>| set.iter().copied().collect::<Vec<_>>();
        let mut events = VecDeque::new();
        let messages = &self.noted | &self.receipted;
        if !messages.is_empty() {
            let found = threads::some_messages(db, organization, &ids(&messages)).await?;
            let there: BTreeSet<Uuid> = found.iter().map(|shown| shown.message.id).collect();
            if !self.noted.is_subset(&there) {
                // Whoever shows it is not to show it any more.
                return Ok(resync("removed"));
            }
            events.extend(found.into_iter().map(|shown| StreamEvent::Message(Box::new(messages::shown(shown, now)))));
        }
        if !self.conversations.is_empty() {
            let mut found = threads::some_conversations(db, organization, &ids(&self.conversations)).await?;
            found.sort_by_key(|thread| (thread.conversation.last_activity_at, thread.conversation.id));
            events.extend(
                found.into_iter().map(|thread| StreamEvent::Conversation(Box::new(conversations::shown(thread, now)))),
            );
        }
        if sees_connections && !self.connections.is_empty() {
            // There are few.
            let found = connections::list(db, organization).await?.into_iter();
            let found = found.filter(|row| self.connections.contains(&row.id));
            events.extend(found.map(|row| StreamEvent::Connection(Box::new(connection_routes::shown(row)))));
        }
        if !self.scheduled.is_empty() {
            let found = scheduled::some(db, organization, &ids(&self.scheduled)).await?;
            events.extend(found.into_iter().map(|row| StreamEvent::ScheduledMessage(shown(row))));
        }
        Ok(events)
    }
}

fn shown(row: scheduled_message::Model) -> ScheduledMessageEvent {
    ScheduledMessageEvent {
        id: IdKind::ScheduledMessage.show(row.id),
        conversation_id: IdKind::Conversation.show(row.conversation_id),
        status: row.status,
        due_at: rfc3339(row.due_at),
        message_id: row.message_id.map(|id| IdKind::Message.show(id)),
    }
}
