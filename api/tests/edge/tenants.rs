//! What belongs to one organization does not exist for another, and no kind of caller opens another's doors.

mod matrix;
mod table;

use crate::rows;
use crate::world::{Caller, World};
use domain::api_keys::Scope;
use domain::id::IdKind;
use serde_json::json;

const SHOP_SCOPES: [Scope; 3] = [Scope::InboxRead, Scope::InboxWrite, Scope::ConnectionsRead];

#[tokio::test]
async fn no_kind_of_caller_opens_anothers_doors() {
    let world = World::new().await;
    let ada = world.register("ada@shop.test").await;
    let operator = world.key(None, &[Scope::JobsRead, Scope::JobsWrite, Scope::AuditRead]).await;
    let program = world.key(ada.organization, &SHOP_SCOPES).await;
    let made_up = Caller { key: Some("ra_op_made_up".to_owned()), ..Caller::default() };
    let nobody = Caller::default();

    for path in ["/api/admin/jobs", "/api/admin/deliveries", "/api/admin/queues", "/api/admin/audit"] {
        assert_eq!(world.get(&operator, path).await.status, 200, "{path}");
        for caller in [&ada, &program, &made_up, &nobody] {
            assert_eq!(world.get(caller, path).await.code(), "unauthenticated", "{path} {caller:?}");
        }
    }
    for path in ["/api/conversations", "/api/meta/connections"] {
        for caller in [&ada, &program] {
            assert_eq!(world.get(caller, path).await.status, 200, "{path} {caller:?}");
        }
        for caller in [&operator, &made_up, &nobody] {
            assert_eq!(world.get(caller, path).await.code(), "unauthenticated", "{path} {caller:?}");
        }
    }
    for path in ["/api/plan", "/api/usage", "/api/audit", "/api/auth/me"] {
        assert_eq!(world.get(&ada, path).await.status, 200, "{path}");
        for caller in [&program, &operator, &made_up, &nobody] {
            assert_eq!(world.get(caller, path).await.code(), "unauthenticated", "{path} {caller:?}");
        }
    }
    // A key that does not hold is not made good by a cookie beside it.
    let both = Caller { key: made_up.key, ..ada.clone() };
    assert_eq!(world.get(&both, "/api/conversations").await.status, 401);
}

#[tokio::test]
async fn a_key_does_what_its_scopes_say() {
    let world = World::new().await;
    let ada = world.register("ada@shop.test").await;
    let connection = rows::connect(&world, ada.organization.unwrap(), "1").await;
    let conversation = rows::talk(&world, &connection, "p1", 1_790_000_000_000).await;
    let thread = format!("/api/conversations/{}", IdKind::Conversation.show(conversation.id));
    let account = format!("/api/meta/connections/{}", IdKind::Connection.show(connection.id));
    let operations = [
        ("GET", "/api/conversations".to_owned(), Scope::InboxRead),
        ("GET", thread.clone(), Scope::InboxRead),
        ("GET", format!("{thread}/messages"), Scope::InboxRead),
        ("POST", format!("{thread}/read"), Scope::InboxWrite),
        ("GET", "/api/meta/connections".to_owned(), Scope::ConnectionsRead),
        ("GET", account.clone(), Scope::ConnectionsRead),
        ("PUT", format!("{account}/auto-reply"), Scope::InboxWrite),
    ];
    for scope in SHOP_SCOPES {
        let key = world.key(ada.organization, &[scope]).await;
        for (method, path, needed) in &operations {
            let answer = world.send(&key, method, path, json!({ "mode": "off" })).await;
            if *needed == scope {
                assert!((200..300).contains(&answer.status), "{method} {path}: {answer:?}");
            } else {
                assert_eq!((answer.status, answer.code()), (403, "scope_required"), "{method} {path}");
            }
        }
    }
}
