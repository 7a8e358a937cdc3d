//! Rows as the jobs would have left them.

use crate::world::World;
use domain::OrganizationId;
use domain::audit::Actor;
use domain::connections::{LoginRoute, NewConnection, create};
use domain::id::new_id;
use entities::{connection, contact, conversation, message};
use sea_orm::EntityTrait as _;
use serde_json::json;
use uuid::Uuid;

pub async fn connect(world: &World, organization: OrganizationId, external_id: &str) -> connection::Model {
    let new = NewConnection {
        organization,
        actor: Actor::CommandLine,
        login_route: LoginRoute::InstagramLogin,
        external_id: external_id.to_owned(),
        app_scoped_id: None,
        page_id: None,
        name: "Account".to_owned(),
        username: Some("account".to_owned()),
        scopes: vec!["instagram_business_basic".to_owned()],
        token: "IGAA-geheim".to_owned().into(),
        picture_url: None,
        token_issued_at: None,
        token_expires_at: None,
    };
    let tx = world.ctx.db.begin().await.unwrap();
    let made = create(&tx, &world.ctx, new).await.unwrap();
    tx.commit().await.unwrap();
    made
}

/// A conversation whose contact wrote one message and got one reply.
pub async fn talk(world: &World, connection: &connection::Model, person: &str, at: i64) -> conversation::Model {
    let db = world.ctx.db.write();
    let contact = contact::Model {
        id: new_id(at),
        organization_id: connection.organization_id,
        connection_id: connection.id,
        external_id: person.to_owned(),
        name: Some("Ada".to_owned()),
        username: None,
        created_at: at,
        ..contact::Model::default()
    };
    contact::Entity::insert(contact::ActiveModel::from(contact.clone())).exec_without_returning(db).await.unwrap();
    let (asked, replied) = (new_id(at), new_id(at));
    let conversation = conversation::Model {
        id: new_id(at),
        organization_id: connection.organization_id,
        connection_id: connection.id,
        contact_id: contact.id,
        last_message_id: Some(replied),
        last_activity_at: at + 1,
        last_inbound_at: Some(at),
        contact_delivered_at: None,
        contact_read_at: None,
        unread_count: 1,
        lead_source_first: Some(json!({ "type": "ad", "adId": "1" }).to_string()),
        lead_source_first_at: Some(at),
        lead_source_last: Some(json!({ "type": "link", "ref": "x" }).to_string()),
        lead_source_last_at: Some(at),
        created_at: at,
    };
    let row = conversation::ActiveModel::from(conversation.clone());
    conversation::Entity::insert(row).exec_without_returning(db).await.unwrap();
    for row in [inbound(&conversation, asked, at), outbound(&conversation, replied, asked, at + 1)] {
        message::Entity::insert(message::ActiveModel::from(row)).exec_without_returning(db).await.unwrap();
    }
    conversation
}

fn inbound(conversation: &conversation::Model, id: Uuid, at: i64) -> message::Model {
    message::Model {
        id,
        organization_id: conversation.organization_id,
        connection_id: conversation.connection_id,
        conversation_id: conversation.id,
        external_id: Some(format!("m_{}", id.simple())),
        direction: "inbound".to_owned(),
        origin: "contact".to_owned(),
        kind: "text".to_owned(),
        text: Some("Hello?".to_owned()),
        attachments: json!([{ "type": "image", "url": "https://cdn.test/1" }]).to_string(),
        status: None,
        answers_id: None,
        reply_to_external_id: None,
        reactions: json!([{ "by": "x", "reaction": "love", "emoji": "❤" }]).to_string(),
        extra: None,
        standby: false,
        error_class: None,
        error_code: None,
        error_message: None,
        sent_at: at,
        sending_at: None,
        edited_at: None,
        edits: 0,
        deleted_at: None,
        created_at: at,
        ..message::Model::default()
    }
}

fn outbound(conversation: &conversation::Model, id: Uuid, answers: Uuid, at: i64) -> message::Model {
    message::Model {
        direction: "outbound".to_owned(),
        origin: "auto".to_owned(),
        text: Some("Thanks!".to_owned()),
        attachments: "[]".to_owned(),
        reactions: "[]".to_owned(),
        status: Some("sent".to_owned()),
        answers_id: Some(answers),
        ..inbound(conversation, id, at)
    }
}
