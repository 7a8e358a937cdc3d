//! From a delivery's bytes to the inbox: every published payload, redelivery, order, bad neighbours, unknown accounts.

use crate::faults::refuse_messages;
use crate::shop::{ACCOUNT, Shop};
use crate::story::{shape, story};
use domain::audit::Actor;
use domain::connections::{self, LoginRoute, NewConnection};
use jobs::ingest::Endpoint;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const ANN: &str = "900000000000001";

/// What each published payload ends in: event kind, outcome, kind of the stored message.
const FIXTURES: [(&str, &str, &str, Option<&str>); 12] = [
    ("fb_delivery.json", "delivery", "updated", None),
    ("fb_message_quick_reply_page.json", "message", "stored", Some("text")),
    ("ig_attachment_ig_post.json", "message", "stored", Some("share")),
    ("ig_attachment_ig_reel.json", "message", "stored", Some("reel")),
    ("ig_attachment_image.json", "message", "stored", Some("image")),
    ("ig_attachment_share.json", "message", "stored", Some("share")),
    ("ig_comment_changes.json", "comments", "ignored", None),
    ("ig_message_text.json", "message", "stored", Some("text")),
    ("ig_read_seen.json", "read", "updated", None),
    ("ig_referral_igme_link.json", "referral", "updated", None),
    ("ig_reply_to_mid.json", "message", "stored", Some("text")),
    ("ig_story_reply.json", "message", "stored", Some("story_reply")),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_published_payload_ends_in_the_right_kind() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../meta/fixtures/webhooks");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), FIXTURES.len(), "a payload without an expectation");
    for (file, kind, outcome, stored) in FIXTURES {
        let body = std::fs::read(format!("{folder}/{file}")).unwrap();
        let payload: Value = serde_json::from_slice(&body).unwrap();
        let account = payload["entry"][0]["id"].as_str().unwrap();
        let route = if file.starts_with("fb_") { LoginRoute::FacebookPage } else { LoginRoute::InstagramLogin };
        let shop = Shop::with(route, account).await;
        let delivery = shop.deliver_body(body).await;
        let events = shop.outcomes(delivery).await;
        assert_eq!(events.len(), 1, "{file}");
        assert_eq!((events[0].kind.as_str(), events[0].outcome.as_str()), (kind, outcome), "{file}");
        assert_eq!(
            events[0].outcome == "stored",
            events[0].reason.is_none(),
            "{file}: every other outcome has a reason"
        );
        let messages = shop.messages().await;
        assert_eq!(messages.first().map(|m| m.kind.as_str()), stored, "{file}");
        let row = shop.processed(delivery).await;
        assert_eq!((row.state.as_str(), row.events_total, row.body), ("processed", 1, None), "{file}");
        assert!(shop.jobs("webhook.process").await.iter().all(|job| job.state == "completed"), "{file}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_message_carries_is_kept() {
    let shop = Shop::new().await;
    let message = json!({
        "mid": "m1", "text": "which one?", "quick_reply": { "payload": "BLUE" }, "reply_to": { "mid": "m0" },
        "attachments": [{ "type": "image", "payload": { "url": "https://cdn.test/a.png" } }],
        "referral": { "ref": "spring", "ad_id": "ad-7", "source": "ADS", "type": "OPEN_THREAD" },
    });
    shop.deliver(&[shop.element(ANN, json!({ "message": message }))]).await;
    let row = shop.messages().await.remove(0);
    assert_eq!((row.kind.as_str(), row.text.as_deref()), ("image", Some("which one?")));
    assert_eq!(row.reply_to_external_id.as_deref(), Some("m0"));
    let attachments: Value = serde_json::from_str(&row.attachments).unwrap();
    assert_eq!(attachments[0]["url"], "https://cdn.test/a.png");
    let conversation = shop.conversations().await.remove(0);
    assert_eq!((conversation.unread_count, conversation.last_message_id), (1, Some(row.id)));
    assert_eq!(conversation.last_inbound_at, Some(row.sent_at));
    let lead: Value = serde_json::from_str(conversation.lead_source_first.as_deref().unwrap()).unwrap();
    assert_eq!(
        (lead["type"].as_str(), lead["adId"].as_str(), lead["ref"].as_str()),
        (Some("ad"), Some("ad-7"), Some("spring"))
    );
    assert_eq!(conversation.lead_source_first, conversation.lead_source_last);
}

/// Row 3 of the lessons: chatwoot#13523.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_delivery_fifty_times_in_parallel_is_one_message_one_reply_one_count() {
    let shop = Shop::new().await;
    let body = json!({ "accountId": ACCOUNT, "customerId": ANN, "text": "hello" });
    let mid = shop.control("/sandbox/messages", body).await["mid"].clone();
    let element = shop.element(ANN, json!({ "message": { "mid": mid, "text": "hello" } }));
    let body =
        json!({ "object": "instagram", "entry": [{ "id": ACCOUNT, "time": 1, "messaging": [element] }] }).to_string();
    let ingest = shop.ledger.ingest();
    let all = (0..50).map(|_| ingest.store(Endpoint::Instagram, body.clone().into_bytes()));
    let ids = futures::future::join_all(all).await;
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    for id in ids {
        let id = id.unwrap();
        shop.processed(id).await;
        *outcomes.entry(shop.outcomes(id).await.remove(0).outcome).or_default() += 1;
    }
    assert_eq!(outcomes, BTreeMap::from([("duplicate".to_owned(), 49), ("stored".to_owned(), 1)]));
    shop.reply_is("sent").await;
    assert_eq!((shop.messages().await.len(), shop.sent().await.len()), (2, 1));
    assert_eq!((shop.usage("messages_received").await, shop.usage("auto_replies").await), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_event_of_a_thousand_costs_only_itself() {
    let shop = Shop::new().await;
    let mut elements: Vec<Value> = (0..1_000)
        .map(|n| shop.element(&format!("9{n:05}"), json!({ "message": { "mid": format!("m{n}"), "text": "hi" } })))
        .collect();
    elements[500] = json!({ "sender": 17, "message": "not an object" });
    let delivery = shop.deliver(&elements).await;
    let outcomes = shop.outcomes(delivery).await;
    let stored = outcomes.iter().filter(|event| event.outcome == "stored").count();
    assert_eq!((outcomes.len(), stored, outcomes[500].outcome.as_str()), (1_000, 999, "failed"));
    assert!(outcomes[500].reason.as_deref().unwrap().starts_with("malformed"));
    let inbound = shop.messages().await.into_iter().filter(|m| m.direction == "inbound").count();
    assert_eq!(inbound, 999);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_the_database_refuses_is_recorded_and_its_neighbours_are_stored() {
    let mut shop = Shop::new().await;
    refuse_messages(shop.ledger.context().db.write(), "refuse me").await;
    shop.stop_workers().await;
    // Several deliveries claimed as one batch, the bad event in the middle of one of them.
    let mut deliveries = Vec::new();
    for delivery in 0..5 {
        let elements: Vec<Value> = (0..7)
            .map(|n| {
                let text = if (delivery, n) == (2, 3) { "refuse me" } else { "fine" };
                shop.element(ANN, json!({ "message": { "mid": format!("{delivery}-{n}"), "text": text } }))
            })
            .collect();
        let body = json!({ "object": "instagram", "entry": [{ "id": ACCOUNT, "messaging": elements }] }).to_string();
        deliveries.push(shop.ledger.ingest().store(Endpoint::Instagram, body.into_bytes()).await.unwrap());
    }
    shop.start_workers();
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    for id in deliveries {
        assert_eq!(shop.processed(id).await.events_total, 7);
        for event in shop.outcomes(id).await {
            *outcomes.entry(event.outcome).or_default() += 1;
        }
    }
    assert_eq!(outcomes, BTreeMap::from([("failed".to_owned(), 1), ("stored".to_owned(), 34)]));
}

/// Any order of arrival gives the same rows.
#[tokio::test(flavor = "multi_thread")]
async fn the_order_of_arrival_does_not_matter() {
    let mut first: Option<Value> = None;
    for seed in 0..12_u64 {
        let shop = Shop::new().await;
        // Whether a machine answers depends on what a person has answered by then.
        shop.without_replies().await;
        for part in story(&shop, seed).chunks(1 + usize::try_from(seed % 4).unwrap()) {
            shop.deliver(part).await;
        }
        let seen = shape(&shop).await;
        match &first {
            None => first = Some(seen),
            Some(first) => assert_eq!(*first, seen, "seed {seed}"),
        }
    }
    let shape = first.unwrap();
    assert_eq!(shape["messages"].as_array().unwrap().len(), 4);
    assert_eq!(shape["messages"][1]["text"], "second");
    assert_eq!(shape["messages"][2]["kind"], "deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_bodies_and_strange_objects_are_recorded() {
    let shop = Shop::new().await;
    for body in ["", "not json", "[1,2]", "{}", "\u{0}", "{\"object\":\"instagram\",\"entry\":"] {
        let id = shop.deliver_body(body.as_bytes().to_vec()).await;
        let row = shop.processed(id).await;
        assert!(row.state == "malformed" || row.events_total == 0, "{body:?}: {row:?}");
    }
    let other = json!({ "object": "user", "entry": [{ "id": "1", "changes": [{ "field": "email", "value": {} }] }] });
    let id = shop.deliver_body(other.to_string().into_bytes()).await;
    assert_eq!(shop.outcomes(id).await[0].outcome, "ignored");
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_for_an_account_that_is_connected_later_find_it() {
    let shop = Shop::new().await;
    let mut message = shop.element(ANN, json!({ "message": { "mid": "early", "text": "anybody there?" } }));
    message["recipient"]["id"] = "555".into();
    let known = shop.element(ANN, json!({ "message": { "mid": "known", "text": "hi" } }));
    let body = json!({ "object": "instagram", "entry": [
        { "id": "555", "messaging": [message] }, { "id": ACCOUNT, "messaging": [known] }
    ] });
    let delivery = shop.deliver_body(body.to_string().into_bytes()).await;
    let outcomes: Vec<_> = shop.outcomes(delivery).await.into_iter().map(|e| e.outcome).collect();
    assert_eq!(outcomes, ["unrouted", "stored"]);
    assert!(shop.processed(delivery).await.body.is_some(), "kept while somebody may still connect the account");

    let ctx = shop.ledger.context();
    let mut tx = ctx.db.begin().await.unwrap();
    let new = NewConnection {
        organization: shop.organization,
        actor: Actor::CommandLine,
        login_route: LoginRoute::InstagramLogin,
        external_id: "555".to_owned(),
        app_scoped_id: None,
        page_id: None,
        name: "Second".to_owned(),
        username: None,
        scopes: vec![],
        token: "t".to_owned().into(),
        picture_url: None,
        token_issued_at: None,
        token_expires_at: None,
    };
    connections::create(&tx, ctx, new).await.unwrap();
    let found = jobs::jobs::webhook_process::reroute(&shop.ledger, &mut tx, "instagram", "555").await.unwrap();
    assert_eq!(found, 1);
    tx.commit().await.unwrap();
    shop.job_is("webhook.process", "completed").await;
    for _ in 0..500 {
        if shop.outcomes(delivery).await[0].outcome == "stored" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let outcomes: Vec<_> = shop.outcomes(delivery).await.into_iter().map(|e| e.outcome).collect();
    assert_eq!(outcomes, ["stored", "stored"]);
    assert!(shop.processed(delivery).await.body.is_none());
    assert_eq!(shop.usage("messages_received").await, 2, "the neighbour was not counted again");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_mid_of_two_people_is_two_messages() {
    let shop = Shop::new().await;
    let from = |who| shop.element(who, json!({ "message": { "mid": "shared", "text": who } }));
    shop.deliver(&[from("111"), from("222"), from("111")]).await;
    let inbound: Vec<_> = shop.messages().await.into_iter().filter(|m| m.direction == "inbound").collect();
    assert_eq!((inbound.len(), shop.conversations().await.len()), (2, 2));
}

/// Rows 1 and 4 of the lessons: chatwoot#14647, chatwoot#14214. There is no lock whose attempts could run out.
#[tokio::test(flavor = "multi_thread")]
async fn two_first_messages_at_once_make_one_conversation() {
    let shop = Shop::new().await;
    let body = |n: usize| {
        let element = shop.element(ANN, json!({ "message": { "mid": format!("m{n}"), "text": "hi" } }));
        json!({ "object": "instagram", "entry": [{ "id": ACCOUNT, "messaging": [element] }] }).to_string().into_bytes()
    };
    let ingest = shop.ledger.ingest();
    let ids = futures::future::join_all((0..20).map(|n| ingest.store(Endpoint::Instagram, body(n)))).await;
    for id in ids {
        shop.processed(id.unwrap()).await;
    }
    assert_eq!(shop.conversations().await.len(), 1);
    assert_eq!(shop.conversations().await[0].unread_count, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn echoes_and_our_own_accounts_are_never_answered() {
    let shop = Shop::new().await;
    shop.deliver(&[
        shop.echo(ANN, json!({ "mid": "e1", "text": "typed in the app" })),
        shop.echo(ACCOUNT, json!({ "mid": "e2", "text": "to myself", "is_self": true })),
        shop.element(ACCOUNT, json!({ "message": { "mid": "e3", "text": "from my own id" } })),
        json!({ "message_edit": { "mid": "e4", "num_edit": 0 } }),
    ])
    .await;
    assert!(shop.jobs("reply.auto").await.is_empty());
    let echo = shop.deliver(&[shop.echo(ANN, json!({ "mid": "e1", "text": "typed in the app" }))]).await;
    assert_eq!(shop.outcomes(echo).await[0].outcome, "duplicate");
    assert_eq!(shop.outbound().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn standby_messages_are_stored_and_not_answered() {
    let shop = Shop::new().await;
    let element = shop.element(ANN, json!({ "message": { "mid": "s1", "text": "another app has the thread" } }));
    let body = json!({ "object": "instagram", "entry": [{ "id": ACCOUNT, "standby": [element] }] });
    let id = shop.deliver_body(body.to_string().into_bytes()).await;
    assert_eq!(shop.outcomes(id).await[0].outcome, "stored");
    assert!(shop.jobs("reply.auto").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_one_moment_are_told_apart_by_what_they_say() {
    let mut seen: Option<Value> = None;
    for order in [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [2, 0, 4, 1, 5, 3], [1, 3, 5, 0, 2, 4]] {
        let shop = Shop::new().await;
        let events = [
            shop.element(ANN, json!({ "message": { "mid": "a", "text": "v0" } })),
            shop.element(ANN, json!({ "message_edit": { "mid": "a", "text": "v1", "num_edit": 1 } })),
            shop.element(ANN, json!({ "message_edit": { "mid": "a", "text": "v2", "num_edit": 2 } })),
            shop.element(ANN, json!({ "reaction": { "mid": "a", "action": "react", "reaction": "love" } })),
            shop.element(ANN, json!({ "reaction": { "mid": "a", "action": "react", "reaction": "wow" } })),
            shop.element(ANN, json!({ "message": { "mid": "b", "text": "same moment", "referral": { "ref": "r" } } })),
        ];
        for n in order {
            shop.deliver(&events[n..=n]).await;
        }
        let shape = shape(&shop).await;
        assert_eq!(shape["messages"][0]["text"], "v2", "{order:?}");
        match &seen {
            None => seen = Some(shape),
            Some(first) => assert_eq!(shape, *first, "{order:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_in_the_far_future_opens_no_window_for_years() {
    let shop = Shop::new().await;
    let mut late = shop.element(ANN, json!({ "message": { "mid": "m", "text": "hi" } }));
    late["timestamp"] = 4_000_000_000_000_i64.into();
    let mut read = shop.element(ANN, json!({ "read": { "watermark": 4_000_000_000_000_i64 } }));
    read["timestamp"] = 4_000_000_000_000_i64.into();
    shop.deliver(&[late, read]).await;
    let conversation = shop.conversations().await.remove(0);
    let soon = shop.ledger.now() + 300_000;
    assert_eq!((conversation.last_inbound_at, conversation.contact_read_at), (Some(soon), Some(soon)));
}

/// Somebody may want it again: the body of a delivery with a failed event is kept for its day.
#[tokio::test(flavor = "multi_thread")]
async fn the_body_of_a_delivery_with_a_failed_event_is_kept() {
    let shop = Shop::new().await;
    let id = shop.deliver(&[json!({ "sender": 1, "message": [] })]).await;
    assert_eq!(shop.outcomes(id).await[0].outcome, "failed");
    assert!(shop.processed(id).await.body.is_some());
}
