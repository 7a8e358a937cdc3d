//! Whole deliveries in the shapes Meta has been seen to send, and in those it should not: what each of their events ends in,
//! and that a bad neighbour costs only itself.

use super::Talks;
use domain::api_keys::Scope;
use serde_json::{Value, json};

const MALFORMED: &str = "malformed failed: malformed: ";

#[tokio::test]
async fn envelopes_of_every_shape_are_read() {
    let talks = Talks::new().await;
    let operator = talks.logins.world.key(None, &[Scope::JobsRead]).await;
    let (instagram, page) = (&talks.instagram.external_id, &talks.page.external_id);
    let now = talks.logins.world.ctx.now();
    let dm = |account: &str, mid: &str| {
        json!({ "sender": { "id": "900000000000001" }, "recipient": { "id": account }, "timestamp": now,
            "message": { "mid": mid, "text": mid } })
    };
    let envelope = |entry: Value| json!({ "object": "instagram", "entry": entry });
    let comment = json!({ "from": { "id": "9" }, "id": "c", "text": "nice" });
    let rows: Vec<(&str, Value, Vec<String>)> = vec![
        (
            "the envelope in a list",
            json!([envelope(json!([{ "id": instagram, "messaging": [dm(instagram, "m1")] }]))]),
            vec!["message stored".into()],
        ),
        (
            "an entry that is no list",
            envelope(json!({ "id": instagram, "messaging": dm(instagram, "m2") })),
            vec!["message stored".into()],
        ),
        (
            "a comment on the entry itself",
            envelope(json!([{ "id": instagram, "field": "comments", "value": comment }])),
            vec!["comments ignored: recorded only: not a direct message".into()],
        ),
        (
            "messages, standby and changes at once",
            envelope(json!([{ "id": instagram, "messaging": [dm(instagram, "m3")], "standby": [dm(instagram, "m4")],
                "changes": [{ "field": "comments", "value": comment }] }])),
            vec![
                "message stored".into(),
                "message stored".into(),
                "comments ignored: recorded only: not a direct message".into(),
            ],
        ),
        (
            "two accounts, one of them nobody's",
            envelope(
                json!([{ "id": "1", "messaging": [dm("1", "m5")] }, { "id": instagram, "messaging": [dm(instagram, "m5")] }]),
            ),
            vec!["message unrouted: no connected account has this id".into(), "message stored".into()],
        ),
        (
            "bad neighbours",
            envelope(
                json!([7, { "id": instagram, "messaging": [null, { "sender": 1, "message": [] }, dm(instagram, "m6")],
                "changes": ["x"] }]),
            ),
            vec![
                format!("{MALFORMED}the entry is not an object"),
                format!("{MALFORMED}the element is not an object"),
                format!("{MALFORMED}the event is not an object"),
                "message stored".into(),
                format!("{MALFORMED}the change is not an object"),
            ],
        ),
        (
            "an entry with keys nobody knows",
            envelope(json!([{ "id": instagram, "time": 1, "moods": [] }])),
            vec!["unknown ignored: unknown event with moods".into()],
        ),
        ("no entry", envelope(json!([])), vec![]),
        (
            "another product",
            json!({ "object": "user", "entry": [{ "id": "1", "changes": [{ "field": "email", "value": {} }] }] }),
            vec!["change ignored: not about Instagram or a Page".into()],
        ),
        (
            "the dashboard's test",
            json!({ "object": "instagram", "entry": [{ "id": "0", "time": 1_727_459_824, "changes": [{ "field": "messages",
                "value": { "sender": { "id": "12334" }, "recipient": { "id": "23245" }, "timestamp": "1527459824",
                "message": { "mid": "random_mid", "text": "random_text" } } }] }] }),
            vec!["test_message ignored: a test from Meta's dashboard".into()],
        ),
        (
            "the dashboard's test of a Page",
            json!({ "object": "page", "entry": [{ "id": "0", "time": 1, "messaging": [{ "sender": { "id": "12334" },
                "recipient": { "id": "23245" }, "timestamp": "1527459824", "message": { "mid": "m", "text": "t" } }] }] }),
            vec!["test_message ignored: a test from Meta's dashboard".into()],
        ),
        (
            "an account of the other product's id",
            json!({ "object": "instagram", "entry": [{ "id": page, "messaging": [dm(page, "m7")] }] }),
            vec!["message unrouted: no connected account has this id".into()],
        ),
    ];
    for (what, body, expected) in rows {
        deliver(&talks, json!({ "body": body })).await;
        assert_eq!(talks.outcomes(&operator, 1).await, vec![expected], "{what}");
    }
    let shown = talks.messages(&talks.instagram, "900000000000001").await;
    let mut texts: Vec<_> = shown.iter().map(|one| one["text"].as_str().unwrap()).collect();
    texts.sort_unstable();
    assert_eq!(texts, ["m1", "m2", "m3", "m4", "m5", "m6"]);
    assert_eq!(talks.get("/api/conversations").await["items"].as_array().unwrap().len(), 1);
    talks.stop().await;
}

/// With a good signature, whatever it is, it is taken and recorded: Meta must not send it again for 36 hours.
#[tokio::test]
async fn bodies_that_cannot_be_read_are_recorded_as_such() {
    let talks = Talks::new().await;
    let operator = talks.logins.world.key(None, &[Scope::JobsRead]).await;
    for (body, reason) in [
        ("{\"object\":\"instagram\",\"entry\":", "the body is not JSON"),
        ("", "the body is not JSON"),
        ("[1,2]", "the body is not a webhook delivery"),
        ("{}", "the body is not a webhook delivery"),
    ] {
        deliver(&talks, json!({ "bodyText": body, "object": "instagram" })).await;
        let newest = talks.logins.world.get(&operator, "/api/admin/deliveries?limit=1").await.body["items"][0].clone();
        assert_eq!((&newest["state"], &newest["reason"]), (&json!("malformed"), &json!(reason)), "{body}");
        assert_eq!(newest["events"], json!([]));
    }
    talks.stop().await;
}

async fn deliver(talks: &Talks, what: Value) {
    let made = talks.logins.control("/sandbox/deliver", what).await;
    assert_eq!(made["results"][0]["status"], 200, "{made}");
    talks.settled().await;
}
