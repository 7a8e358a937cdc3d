//! Rows for unit tests, with nothing in them that a test does not set itself.

use entities::{connection, contact};
use uuid::Uuid;

pub fn a_connection() -> connection::Model {
    connection::Model {
        id: Uuid::from_u128(1),
        organization_id: Uuid::from_u128(2),
        platform: "instagram".to_owned(),
        login_route: "instagram_login".to_owned(),
        external_id: "17841400000000001".to_owned(),
        name: "Shop".to_owned(),
        status: "active".to_owned(),
        token_version: 1,
        scopes: "[]".to_owned(),
        auto_reply_mode: "template".to_owned(),
        auto_reply_text: Some("Thanks!".to_owned()),
        ..connection::Model::default()
    }
}

pub fn a_contact() -> contact::Model {
    contact::Model {
        id: Uuid::from_u128(3),
        organization_id: Uuid::from_u128(2),
        connection_id: Uuid::from_u128(1),
        external_id: "900000000000001".to_owned(),
        name: None,
        username: None,
        picture_url: None,
        profile_state: None,
        profile_at: None,
        created_at: 0,
    }
}
