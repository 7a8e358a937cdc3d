//! Contacts and their conversations, made on first sight: one contact per account and person, one conversation per contact.
//! Both unique keys make a race of two first messages harmless.

use super::contacts;
use crate::clock::Millis;
use crate::id::new_id;
use entities::{connection, contact, conversation};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// A person as one account sees them: the connection, and Meta's id of the person.
pub type Person = (Uuid, String);

/// Rows of one statement, well under SQLite's limit of 32,766 bound values.
const CHUNK: usize = 500;

/// A person's conversation.
#[derive(Clone, Debug)]
pub struct Known {
    /// With them.
    pub conversation: conversation::Model,
    /// The contact, where it is time to ask Meta who it is.
    pub stranger: Option<Uuid>,
}

/// The conversation of each person, made where it did not exist.
pub async fn conversations(
    db: &impl ConnectionTrait,
    people: &BTreeMap<Person, &connection::Model>,
    now: Millis,
) -> Result<HashMap<Person, Known>, DbErr> {
    let mut found = look_up(db, people, now).await?;
    let missing: BTreeMap<_, _> = people.iter().filter(|(person, _)| !found.contains_key(*person)).collect();
    if missing.is_empty() {
        return Ok(found);
    }
    insert_contacts(db, &missing, now).await?;
    insert_conversations(db, &missing, now).await?;
    let missing = missing.into_iter().map(|(person, connection)| (person.clone(), *connection)).collect();
    found.extend(look_up(db, &missing, now).await?);
    Ok(found)
}

async fn look_up(
    db: &impl ConnectionTrait,
    people: &BTreeMap<Person, &connection::Model>,
    now: Millis,
) -> Result<HashMap<Person, Known>, DbErr> {
    let contacts = contacts_of(db, people.keys()).await?;
    let ids: Vec<Uuid> = contacts.values().map(|contact| contact.id).collect();
    let mut by_contact = HashMap::with_capacity(ids.len());
    for chunk in ids.chunks(CHUNK) {
        let query = conversation::Entity::find().filter(conversation::Column::ContactId.is_in(chunk.iter().copied()));
        by_contact.extend(query.all(db).await?.into_iter().map(|row| (row.contact_id, row)));
    }
    let known = |(person, contact): (Person, contact::Model)| {
        let conversation = by_contact.remove(&contact.id)?;
        let stranger = contacts::is_stale(&contact, now).then_some(contact.id);
        Some((person, Known { conversation, stranger }))
    };
    Ok(contacts.into_iter().filter_map(known).collect())
}

async fn contacts_of<'a>(
    db: &impl ConnectionTrait,
    people: impl Iterator<Item = &'a Person>,
) -> Result<HashMap<Person, contact::Model>, DbErr> {
    let mut by_connection: BTreeMap<Uuid, BTreeSet<&str>> = BTreeMap::new();
    for (connection, external_id) in people {
        by_connection.entry(*connection).or_default().insert(external_id);
    }
    let mut contacts = HashMap::new();
    for (connection, external_ids) in by_connection {
        let external_ids: Vec<&str> = external_ids.into_iter().collect();
        for chunk in external_ids.chunks(CHUNK) {
            let rows = contact::Entity::find()
                .filter(contact::Column::ConnectionId.eq(connection))
                .filter(contact::Column::ExternalId.is_in(chunk.iter().copied()))
                .all(db)
                .await?;
            contacts.extend(rows.into_iter().map(|row| ((connection, row.external_id.clone()), row)));
        }
    }
    Ok(contacts)
}

async fn insert_contacts(
    db: &impl ConnectionTrait,
    people: &BTreeMap<&Person, &&connection::Model>,
    now: Millis,
) -> Result<(), DbErr> {
    let rows: Vec<_> = people
        .iter()
        .map(|((_, external_id), connection)| contact::ActiveModel {
            id: Set(new_id(now)),
            organization_id: Set(connection.organization_id),
            connection_id: Set(connection.id),
            external_id: Set(external_id.clone()),
            name: Set(None),
            username: Set(None),
            picture_url: Set(None),
            profile_state: Set(None),
            profile_at: Set(None),
            created_at: Set(now),
        })
        .collect();
    for chunk in rows.chunks(CHUNK) {
        contact::Entity::insert_many(chunk.to_vec())
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .exec_without_returning(db)
            .await?;
    }
    Ok(())
}

async fn insert_conversations(
    db: &impl ConnectionTrait,
    people: &BTreeMap<&Person, &&connection::Model>,
    now: Millis,
) -> Result<(), DbErr> {
    let contacts = contacts_of(db, people.keys().copied()).await?;
    let rows: Vec<_> = people
        .iter()
        .filter_map(|(person, connection)| {
            Some(conversation::ActiveModel {
                id: Set(new_id(now)),
                organization_id: Set(connection.organization_id),
                connection_id: Set(connection.id),
                contact_id: Set(contacts.get(*person)?.id),
                last_message_id: Set(None),
                // Hidden from the inbox until it has a message.
                last_activity_at: Set(0),
                last_inbound_at: Set(None),
                contact_delivered_at: Set(None),
                contact_read_at: Set(None),
                unread_count: Set(0),
                lead_source_first: Set(None),
                lead_source_first_at: Set(None),
                lead_source_last: Set(None),
                lead_source_last_at: Set(None),
                created_at: Set(now),
            })
        })
        .collect();
    for chunk in rows.chunks(CHUNK) {
        conversation::Entity::insert_many(chunk.to_vec())
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .exec_without_returning(db)
            .await?;
    }
    Ok(())
}
