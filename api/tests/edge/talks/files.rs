//! Files that customers send, and who customers are: Meta may have neither, or not now, or somebody lies about where they are.
//! In each case the message stands with its words, and the attachment and the job say why (rows 5 and 10 of the lessons).

use super::{Account, Talks};
use crate::world::{Answer, Caller};
use domain::api_keys::Scope;
use domain::clock::{HOUR, MINUTE, SECOND};
use domain::id::IdKind;
use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _};
use serde_json::{Value, json};

const PERSON: &str = "900000000000001";

async fn operator(talks: &Talks) -> Caller {
    talks.logins.world.key(None, &[Scope::JobsRead]).await
}

/// The newest job of a kind, as an operator sees it.
async fn job(talks: &Talks, operator: &Caller, kind: &str) -> Value {
    let path = format!("/api/admin/jobs?kind={kind}&limit=1");
    talks.logins.world.get(operator, &path).await.body["items"][0].clone()
}

async fn picture(talks: &Talks, account: &Account, person: &str, url: &str) -> Value {
    let attachment = json!({ "type": "image", "payload": { "url": url } });
    talks.dm(account, person, json!({ "text": "look", "attachments": [attachment] })).await;
    newest(talks, account, person).await
}

async fn newest(talks: &Talks, account: &Account, person: &str) -> Value {
    talks.messages(account, person).await.remove(0)
}

#[tokio::test]
async fn a_file_that_cannot_be_had_costs_no_message() {
    let talks = Talks::new().await;
    let operator = operator(&talks).await;
    let media = format!("{}/media", talks.logins.sandbox);
    let over = format!("{media}/old.png?oe={:x}", talks.logins.world.ctx.now() / 1_000 - 60);
    let not_metas = "The address is not one of Meta's.";
    for (n, (url, status, class, note)) in [
        (
            format!("{media}/missing.png"),
            "expired",
            "attachment_expired",
            "Meta does not have the file any more (HTTP 404).",
        ),
        (over, "expired", "attachment_expired", "Meta does not have the file any more (HTTP 403)."),
        (format!("{media}/redirect.png?to=http://169.254.169.254/latest/"), "refused", "attachment_refused", not_metas),
        ("https://shop.test/a.png".to_owned(), "refused", "attachment_refused", not_metas),
        ("http://169.254.169.254/latest/a.png".to_owned(), "refused", "attachment_refused", not_metas),
        ("http://127.0.0.1:9/a.png".to_owned(), "refused", "attachment_refused", not_metas),
        ("file:///etc/passwd".to_owned(), "refused", "attachment_refused", "The address names no host."),
        (format!("{media}/huge.png"), "refused", "attachment_refused", "The file is larger than 8 MB."),
        (
            format!("{media}/page.html"),
            "refused",
            "attachment_refused",
            "The file is of a kind that is not read: text/html",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let person = format!("90000000000001{n}");
        let good = json!({ "type": "image", "payload": { "url": format!("{media}/good.png") } });
        let bad = json!({ "type": "image", "payload": { "url": url } });
        talks.dm(&talks.instagram, &person, json!({ "text": "look", "attachments": [bad, good] })).await;
        let shown = newest(&talks, &talks.instagram, &person).await;
        assert_eq!((&shown["text"], &shown["kind"]), (&json!("look"), &json!("image")), "{url}");
        let [bad, good] = &shown["attachments"].as_array().unwrap()[..] else { panic!("{shown}") };
        assert_eq!(
            (&bad["status"], &bad["note"], &bad["previewUrl"]),
            (&json!(status), &json!(note), &Value::Null),
            "{url}"
        );
        assert_eq!((&bad["url"], &good["status"]), (&json!(url), &json!("available")), "its neighbour is there");
        let job = job(&talks, &operator, "attachment.fetch").await;
        assert_eq!((&job["state"], &job["error"]["class"]), (&json!("discarded"), &json!(class)), "{url}: {job}");
        assert_eq!(job["error"]["message"], format!("Attachment 1: {note}"));
        assert_eq!(talks.conversation(&talks.instagram, &person).await["unreadCount"], 1);
    }
    talks.stop().await;
}

#[tokio::test]
async fn a_link_that_ends_is_shown_as_ended() {
    let talks = Talks::new().await;
    let made = talks.logins.control("/sandbox/media", json!({ "kind": "image", "livesSeconds": 60 })).await;
    let shown = picture(&talks, &talks.instagram, PERSON, made["url"].as_str().unwrap()).await;
    let attachment = &shown["attachments"][0];
    let ends = domain::clock::rfc3339(talks.logins.world.ctx.now() + MINUTE);
    assert_eq!((&attachment["status"], &attachment["expiresAt"]), (&json!("available"), &json!(ends)));
    talks.logins.advance(2 * MINUTE).await;
    let shown = newest(&talks, &talks.instagram, PERSON).await;
    assert_eq!(shown["attachments"][0]["status"], "expired");
    assert!(shown["attachments"][0]["previewUrl"].is_string(), "what was kept stays");
    talks.stop().await;
}

#[tokio::test]
async fn a_file_that_meta_cannot_give_now_is_fetched_later() {
    let talks = Talks::new().await;
    let operator = operator(&talks).await;
    talks.logins.fault("media_unavailable", None).await;
    let media = format!("{}/media", talks.logins.sandbox);
    let shown = picture(&talks, &talks.instagram, PERSON, &format!("{media}/a.png")).await;
    assert_eq!(shown["text"], "look");
    assert_eq!(shown["attachments"][0]["status"], "failed");
    assert_eq!(shown["attachments"][0]["note"], "The file could not be read now: HTTP 503");
    let waiting = job(&talks, &operator, "attachment.fetch").await;
    assert_eq!((&waiting["state"], &waiting["error"]["class"]), (&json!("retryable"), &json!("transient")));
    talks.logins.no_faults().await;
    talks.logins.advance(10 * SECOND).await;
    talks.settled().await;
    let shown = newest(&talks, &talks.instagram, PERSON).await;
    assert_eq!(
        (&shown["attachments"][0]["status"], &shown["attachments"][0]["note"]),
        (&json!("available"), &Value::Null)
    );
    let done = job(&talks, &operator, "attachment.fetch").await;
    assert_eq!((&done["state"], &done["attempts"].as_array().unwrap().len()), (&json!("completed"), &1), "{done}");
    talks.stop().await;
}

/// Row 5: whoever looks after the service can have it tried again after it was given up.
#[tokio::test]
async fn a_file_that_was_given_up_can_be_fetched_by_an_operators_retry() {
    let talks = Talks::new().await;
    let operator = operator(&talks).await;
    talks.logins.fault("media_unavailable", None).await;
    let media = format!("{}/media", talks.logins.sandbox);
    picture(&talks, &talks.instagram, PERSON, &format!("{media}/a.png")).await;
    for _ in 0..4 {
        talks.logins.advance(60 * MINUTE).await;
        talks.settled().await;
    }
    let given_up = job(&talks, &operator, "attachment.fetch").await;
    assert_eq!((&given_up["state"], &given_up["attempt"]), (&json!("discarded"), &json!(5)), "{given_up}");
    assert_eq!(newest(&talks, &talks.instagram, PERSON).await["attachments"][0]["status"], "failed");
    talks.logins.no_faults().await;
    let id = IdKind::Job.parse(given_up["id"].as_str().unwrap()).unwrap();
    let ctx = &talks.logins.world.ctx;
    let tx = ctx.db.begin().await.unwrap();
    assert!(jobs::ledger::operate::retry(&tx, id, ctx.now()).await.unwrap());
    tx.commit().await.unwrap();
    talks.settled().await;
    assert_eq!(newest(&talks, &talks.instagram, PERSON).await["attachments"][0]["status"], "available");
    talks.stop().await;
}

#[tokio::test]
async fn meta_that_does_not_answer_costs_no_message() {
    let talks = Talks::new().await;
    let media = format!("{}/media", talks.logins.sandbox);
    let shown = picture(&talks, &talks.page, PERSON, &format!("{media}/slow.png")).await;
    assert_eq!((&shown["text"], &shown["attachments"][0]["status"]), (&json!("look"), &json!("failed")));
    assert_eq!(shown["attachments"][0]["note"], "The file could not be read now: it took too long");
    talks.stop().await;
}

#[tokio::test]
async fn a_customer_whom_meta_does_not_name_is_shown_all_the_same() {
    let talks = Talks::new().await;
    let operator = operator(&talks).await;
    for (n, (fault, code)) in [("profile_consent", "230"), ("profile_no_match", "9010")].into_iter().enumerate() {
        let person = format!("90000000000002{n}");
        talks.logins.fault(fault, Some(1)).await;
        talks.dm(&talks.instagram, &person, json!({ "text": "hi" })).await;
        let shown = talks.conversation(&talks.instagram, &person).await;
        assert_eq!((&shown["contact"]["profile"], &shown["contact"]["name"]), (&json!("refused"), &Value::Null));
        assert_eq!(shown["lastMessage"]["text"], "hi");
        let asked = job(&talks, &operator, "profile.fetch").await;
        assert_eq!((&asked["state"], &asked["result"]["code"]), (&json!("completed"), &json!(code)), "{asked}");
        assert_eq!(asked["result"]["profile"], "refused");
        assert_eq!(talks.get(&format!("/api/meta/connections/{}", talks.instagram.id)).await["status"], "active");
    }
    let named = |id: &str, name: &str| json!({ "accountId": talks.instagram.external_id, "id": id, "name": name });
    // Whom Meta tells of once they have written is asked for with their next message; of whom it tells nothing, an hour later.
    talks.logins.control("/sandbox/customers", named("900000000000020", "Ada")).await;
    talks.dm(&talks.instagram, "900000000000020", json!({ "text": "hi again" })).await;
    let shown = talks.conversation(&talks.instagram, "900000000000020").await["contact"].clone();
    assert_eq!((&shown["profile"], &shown["name"]), (&json!("known"), &json!("Ada")));
    talks.logins.control("/sandbox/customers", named("900000000000021", "Bea")).await;
    let asked = talks.logins.jobs("profile.fetch").await.len();
    talks.dm(&talks.instagram, "900000000000021", json!({ "text": "hi again" })).await;
    assert_eq!(talks.logins.jobs("profile.fetch").await.len(), asked);
    talks.logins.advance(HOUR).await;
    talks.dm(&talks.instagram, "900000000000021", json!({ "text": "me again" })).await;
    assert_eq!(talks.conversation(&talks.instagram, "900000000000021").await["contact"]["name"], "Bea");
    talks.stop().await;
}

#[tokio::test]
async fn a_customers_name_is_found_now_or_later() {
    let talks = Talks::new().await;
    let operator = operator(&talks).await;
    for (account, person, name) in
        [(&talks.instagram, PERSON, "Ada Byron"), (&talks.page, "900000000000002", "Bea Smith")]
    {
        let customer = json!({ "accountId": account.external_id, "id": person, "name": name, "username": "someone",
            "profilePic": "https://scontent.fbcdn.net/p.jpg" });
        talks.logins.control("/sandbox/customers", customer).await;
        talks.logins.fault("profile_transient", Some(1)).await;
        talks.dm(account, person, json!({ "text": "hi" })).await;
        let shown = talks.conversation(account, person).await;
        assert_eq!((&shown["contact"]["name"], &shown["contact"]["profile"]), (&Value::Null, &Value::Null));
        assert_eq!(shown["lastMessage"]["text"], "hi");
        let asked = job(&talks, &operator, "profile.fetch").await;
        assert_eq!((&asked["state"], &asked["error"]["class"]), (&json!("retryable"), &json!("transient")), "{asked}");
        talks.logins.advance(10 * SECOND).await;
        talks.settled().await;
        let contact = talks.conversation(account, person).await["contact"].clone();
        assert_eq!((&contact["name"], &contact["profile"]), (&json!(name), &json!("known")));
        assert_eq!(contact["pictureUrl"], "https://scontent.fbcdn.net/p.jpg");
    }
    talks.stop().await;
}

async fn rows(talks: &Talks) -> u64 {
    entities::attachment::Entity::find().count(talks.logins.world.ctx.db.read()).await.unwrap()
}

#[tokio::test]
async fn a_preview_is_its_owners_and_goes_with_its_message() {
    let talks = Talks::new().await;
    let (world, owner) = (&talks.logins.world, &talks.logins.owner);
    let shown = talks.dm(&talks.instagram, PERSON, json!({ "attachments": [{ "type": "image" }] })).await;
    let path =
        newest(&talks, &talks.instagram, PERSON).await["attachments"][0]["previewUrl"].as_str().unwrap().to_owned();
    let key = world.key(owner.organization, &[Scope::InboxRead]).await;
    for caller in [owner, &key] {
        let answer = world.get(caller, &path).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "image/jpeg"));
    }
    let eve = world.register("eve@shop.test").await;
    let theirs = world.key(eve.organization, &[Scope::InboxRead]).await;
    for stranger in [&eve, &theirs] {
        let answer = world.get(stranger, &path).await;
        assert_eq!((answer.status, answer.code()), (404, "not_found"));
    }
    let nothing = world.key(owner.organization, &[Scope::ConnectionsRead]).await;
    let of_operators = world.key(None, &[Scope::JobsRead]).await;
    for (caller, status) in [(&Caller::default(), 401), (&nothing, 403), (&of_operators, 401)] {
        assert_eq!(world.get(caller, &path).await.status, status, "{caller:?}");
    }
    assert_eq!(rows(&talks).await, 1);
    let unsend = json!({ "accountId": talks.instagram.external_id, "customerId": PERSON, "mid": shown });
    talks.logins.control("/sandbox/unsends", unsend).await;
    talks.settled().await;
    assert_eq!((world.get(owner, &path).await.status, rows(&talks).await), (404, 0));
    talks.stop().await;
}

/// By Meta's terms: no copy of a story, and nothing is kept of an account whose owner had its data deleted.
#[tokio::test]
async fn stories_are_not_kept_and_deleted_data_is_gone() {
    let talks = Talks::new().await;
    let media = format!("{}/media", talks.logins.sandbox);
    let image = |kind: &str| json!({ "type": kind, "payload": { "url": format!("{media}/a.jpg") } });
    talks.dm(&talks.instagram, PERSON, json!({ "attachments": [image("story_mention")] })).await;
    talks.dm(&talks.instagram, PERSON, json!({ "attachments": [image("image")], "story": { "id": "s" } })).await;
    talks.dm(&talks.instagram, PERSON, json!({ "attachments": [image("ig_story")] })).await;
    use entities::attachment::{Column, Entity};
    let db = talks.logins.world.ctx.db.read();
    assert_eq!(Entity::find().filter(Column::Preview.is_not_null()).count(db).await.unwrap(), 0);
    talks.dm(&talks.instagram, PERSON, json!({ "attachments": [image("image")] })).await;
    let path =
        newest(&talks, &talks.instagram, PERSON).await["attachments"][0]["previewUrl"].as_str().unwrap().to_owned();
    let other = picture(&talks, &talks.page, PERSON, &format!("{media}/b.jpg")).await;
    assert_eq!(rows(&talks).await, 5);
    talks.logins.control("/sandbox/data-deletion", json!({ "accountId": talks.instagram.external_id })).await;
    talks.settled().await;
    let gone: Answer = talks.logins.world.get(&talks.logins.owner, &path).await;
    assert_eq!((gone.status, rows(&talks).await), (404, 1), "and the other account's stays");
    let stays = other["attachments"][0]["previewUrl"].as_str().unwrap();
    assert_eq!(talks.logins.world.get(&talks.logins.owner, stays).await.status, 200);
    talks.stop().await;
}
