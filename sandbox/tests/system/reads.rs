//! Reads: conversations and profiles, in the shapes and within the limits of Graph.
//! They are how a client finds what no webhook told it, so what they leave out is asserted too.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Harness, Pair, Reply};

const DETAIL: &str = "id,updated_time,participants,messages.limit(20){id,created_time,from,message,attachments}";

/// A read of conversations with these parameters.
async fn conversations(h: &Harness, pair: &Pair, parameters: &[(&str, &str)]) -> Reply {
    let url = format!("{}/v25.0/me/conversations", h.base);
    let url = reqwest::Url::parse_with_params(&url, parameters).unwrap();
    h.raw(h.http.get(url).bearer_auth(&pair.token)).await
}

fn list(body: &Value) -> &[Value] {
    body["data"].as_array().unwrap()
}

#[tokio::test]
async fn conversations_are_newest_first() {
    let h = Harness::start().await;
    let ig = h.instagram().await;
    h.post("clock", json!({"set": "2026-11-21T10:00:00Z", "freeze": true})).await;
    h.dm(&ig, "one").await;
    h.post("clock", json!({"advanceSeconds": 60})).await;
    let mid = h.send(&ig, "two").await.body["message_id"].clone();
    let url = format!(
        "{}/instagram-graph/v25.0/me/conversations?platform=instagram&user_id={}&fields=messages.limit(5)%7Bid,created_time,from,to,message%7D",
        h.base, ig.customer
    );
    let reply = h.raw(h.http.get(&url).bearer_auth(&ig.token)).await;
    let messages = &reply.body["data"][0]["messages"]["data"];
    assert_eq!(messages[0]["id"], mid);
    assert_eq!(messages[0]["created_time"], "2026-11-21T10:01:00+0000");
    assert_eq!(messages[0]["from"]["id"], ig.account.as_str());
    assert_eq!(messages[0]["to"]["data"][0]["id"], ig.customer.as_str());
    assert_eq!(messages[1]["message"], "one");
    let nobody = url.replace(&ig.customer, "1");
    assert_eq!(h.raw(h.http.get(nobody).bearer_auth(&ig.token)).await.body["data"], json!([]));
    for (name, status, code) in [("reads_fail", 500, 2), ("reads_rate_limit", 400, 613)] {
        h.fault(json!({"name": name, "count": 1})).await;
        let reply = h.raw(h.http.get(&url).bearer_auth(&ig.token)).await;
        assert_eq!((reply.status, reply.code().0), (status, code), "{name}");
    }
}

#[tokio::test]
async fn profiles_need_a_first_message() {
    let h = Harness::start().await;
    let (ig, page) = (h.instagram().await, h.page().await);
    let read = |pair: &Pair, fields: &str| {
        h.http.get(format!("{}/v25.0/{}?fields={fields}", h.base, pair.customer)).bearer_auth(&pair.token)
    };
    assert_eq!(h.raw(read(&ig, "name")).await.code().0, 230);
    h.dm(&ig, "hello").await;
    h.dm(&page, "hello").await;
    let reply = h.raw(read(&ig, "name,username,profile_pic")).await;
    assert_eq!(reply.body, json!({"id": ig.customer, "name": "Ada Byron", "username": "ada", "profile_pic": null}));
    assert_eq!(
        h.raw(read(&page, "first_name,last_name")).await.body,
        json!({"id": page.customer, "first_name": "Ada", "last_name": "Byron"})
    );
    let stranger = Pair { customer: "404".to_owned(), ..ig };
    assert_eq!(h.raw(read(&stranger, "name")).await.code(), (100, 33));
}

#[tokio::test]
async fn profiles_by_platform() {
    let h = Harness::start().await;
    let (ig, page) = (h.instagram().await, h.page().await);
    let read = async |pair: &Pair| {
        let fields = "first_name,last_name,name,username,profile_pic";
        let request = h.http.get(format!("{}/v25.0/{}?fields={fields}", h.base, pair.customer));
        h.raw(request.bearer_auth(&pair.token)).await
    };
    for pair in [&ig, &page] {
        let picture =
            json!({"accountId": pair.account, "id": pair.customer, "profilePic": "https://cdn.test/p.jpg?oe=1"});
        h.post("customers", picture).await;
        h.dm(pair, "hello").await;
    }
    let picture = "https://cdn.test/p.jpg?oe=1";
    let instagram = json!({"id": ig.customer, "name": "Ada Byron", "username": "ada", "profile_pic": picture});
    assert_eq!(read(&ig).await.body, instagram);
    let messenger = read(&page).await.body;
    assert_eq!((&messenger["first_name"], &messenger["last_name"]), (&json!("Ada"), &json!("Byron")));
    assert_eq!(messenger["profile_pic"], picture);
    let nameless = Pair { customer: "900000000009999".to_owned(), ..ig.clone() };
    h.dm(&nameless, "hello").await;
    let shown = read(&nameless).await.body;
    assert_eq!(shown, json!({"id": nameless.customer, "name": null, "profile_pic": null}));
    for (name, status, code) in [
        ("profile_consent", 400, 230),
        ("profile_no_match", 400, 9010),
        ("profile_transient", 500, 2),
        ("reads_fail", 500, 2),
        ("reads_rate_limit", 400, 613),
    ] {
        h.fault(json!({"name": name, "count": 1, "accountId": ig.account})).await;
        assert_eq!(read(&page).await.status, 200, "{name} is the other account's");
        let reply = read(&ig).await;
        assert_eq!((reply.status, reply.code().0), (status, code), "{name}");
        if name == "profile_no_match" {
            assert_eq!(reply.body["error"]["type"], "IGApiException");
        }
        assert_eq!(read(&ig).await.status, 200);
    }
    h.fault(json!({"name": "profile_transient"})).await;
    assert_eq!(conversations(&h, &ig, &[]).await.status, 200, "only profiles");
    assert_eq!(h.counters().await["profileReads"], 18);
}

#[tokio::test]
async fn conversations_in_graphs_shape() {
    let h = Harness::start().await;
    let (ig, page) = (h.instagram().await, h.page().await);
    for pair in [&ig, &page] {
        let post = json!({"type": "ig_post", "url": "https://cdn.test/p"});
        let attachments = json!([{"type": "image"}, {"type": "video"}, {"type": "audio"}, {"type": "file"}, post]);
        let dm = json!({"accountId": pair.account, "customerId": pair.customer, "attachments": attachments});
        h.post("messages", dm).await;
        h.dm(pair, "hello").await;
    }
    let reply = conversations(&h, &ig, &[("platform", "instagram"), ("fields", DETAIL)]).await;
    let one = &list(&reply.body)[0];
    let parties = json!([{"username": "shop", "id": ig.account}, {"username": "ada", "id": ig.customer}]);
    assert_eq!(one["participants"]["data"], parties);
    assert!(one["id"].is_string() && one["updated_time"].as_str().unwrap().ends_with("+0000"));
    let messages = list(&one["messages"]);
    assert_eq!((&messages[0]["message"], messages[0].get("attachments")), (&json!("hello"), None));
    assert_eq!(messages[1]["from"], json!({"username": "ada", "id": ig.customer}));
    let files = list(&messages[1]["attachments"]);
    assert_eq!(files.len(), 4, "a shared post is no file");
    let kinds: Vec<_> = files.iter().map(|file| file["mime_type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["image/png", "video/mp4", "audio/aac", "application/pdf"]);
    let urls =
        [&files[0]["image_data"]["url"], &files[1]["video_data"]["url"], &files[2]["file_url"], &files[3]["file_url"]];
    for url in urls {
        assert_eq!(h.http.get(url.as_str().unwrap()).send().await.unwrap().status().as_u16(), 200);
    }
    let reply = conversations(&h, &page, &[("platform", "messenger"), ("fields", "participants")]).await;
    let customer =
        json!({"name": "Ada Byron", "email": format!("{}@facebook.com", page.customer), "id": page.customer});
    assert_eq!(list(&list(&reply.body)[0]["participants"])[1], customer);
    assert_eq!(conversations(&h, &ig, &[("fields", "messages.limit(x){id}")]).await.code().0, 2500);
}

#[tokio::test]
async fn only_the_newest_twenty_in_detail() {
    let h = Harness::start().await;
    let ig = h.instagram().await;
    for number in 0..25 {
        h.dm(&ig, &format!("number {number}")).await;
    }
    let fields = "messages.limit(50){id,created_time,from,message}";
    let reply = conversations(&h, &ig, &[("fields", fields)]).await;
    let messages = list(&list(&reply.body)[0]["messages"]);
    assert_eq!((messages.len(), &messages[0]["message"]), (25, &json!("number 24")));
    assert_eq!(messages[19]["message"], "number 5");
    for brief in &messages[20..] {
        let keys: Vec<_> = brief.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["created_time", "id"]);
    }
}

#[tokio::test]
async fn conversations_are_paged_by_position() {
    let h = Harness::start().await;
    let ig = h.instagram().await;
    h.post("clock", json!({"set": "2026-11-21T10:00:00Z", "freeze": true})).await;
    let of = |number: u64| Pair { customer: (900_000_000_000_100 + number).to_string(), ..ig.clone() };
    for number in 0..5 {
        h.dm(&of(number), "hello").await;
        // Two of them at the same moment.
        h.post("clock", json!({"advanceSeconds": u64::from(number != 2)})).await;
    }
    let fields = "participants";
    let first = conversations(&h, &ig, &[("platform", "instagram"), ("fields", fields), ("limit", "2")]).await;
    let after = first.body["paging"]["cursors"]["after"].as_str().unwrap();
    // The oldest writes meanwhile: nobody else must be shown twice or left out.
    h.dm(&of(0), "again").await;
    let second = conversations(&h, &ig, &[("fields", fields), ("limit", "2"), ("after", after)]).await;
    assert_eq!(second.body["paging"].get("next"), None);
    let next = first.body["paging"]["next"].as_str().unwrap();
    assert!(next.starts_with(&h.base) && next.contains("platform=instagram"), "{next}");
    assert_eq!(h.raw(h.http.get(next)).await.body["data"], second.body["data"]);
    let seen: Vec<_> = [&first, &second]
        .into_iter()
        .flat_map(|reply| list(&reply.body))
        .map(|one| list(&one["participants"])[1]["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(seen, [4, 2, 3, 1].map(|number| of(number).customer));
    let last = second.body["paging"]["cursors"]["after"].as_str().unwrap();
    let empty = conversations(&h, &ig, &[("after", last)]).await;
    assert_eq!(empty.body, json!({"data": []}));
    assert_eq!(conversations(&h, &ig, &[("after", "25")]).await.code().0, 100);
    assert_eq!(conversations(&h, &ig, &[("limit", "many")]).await.code().0, 100);
}

#[tokio::test]
async fn reads_of_conversations_have_a_rate() {
    let h = Harness::start().await;
    let (ig, other) = (h.instagram().await, h.instagram().await);
    for _ in 0..10 {
        assert_eq!(conversations(&h, &ig, &[]).await.status, 200, "without a limit");
    }
    h.post("settings", json!({"conversationReadsPerSecond": 2})).await;
    // Two at once are allowed, and twelve only when they take five seconds.
    let mut refused = 0;
    for number in 0..12 {
        let reply = conversations(&h, &ig, &[]).await;
        assert!(number > 1 || reply.status == 200);
        if reply.status != 200 {
            assert_eq!((reply.status, reply.code().0), (400, 613));
            refused += 1;
        }
    }
    assert!(refused > 0);
    assert_eq!(conversations(&h, &other, &[]).await.status, 200, "each account has its own");
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(conversations(&h, &ig, &[]).await.status, 200);
    let counters = h.counters().await;
    assert_eq!((&counters["conversationReads"], &counters["conversationReadsRefused"]), (&json!(24), &json!(refused)));
}

#[tokio::test]
async fn a_lost_webhook_is_found_in_the_conversation() {
    let h = Harness::start().await;
    let ig = h.instagram().await;
    h.fault(json!({"name": "webhook_lost", "count": 1, "accountId": ig.account})).await;
    let lost = h.dm(&ig, "nobody hears this").await;
    assert_eq!((&lost["deliveryId"], &lost["deliveryIds"]), (&Value::Null, &json!([])));
    h.dm(&ig, "hello").await;
    assert_eq!(h.receiver.wait(1).await[0].text(), "hello");
    h.quiet().await;
    h.post("clock", json!({"advanceSeconds": 3600})).await;
    h.quiet().await;
    assert_eq!(h.receiver.count(), 1, "it is not tried again");
    let deliveries = h.get("deliveries?state=lost&bodies=true").await;
    assert_eq!((&deliveries["total"], &deliveries["items"][0]["attempts"]), (&json!(1), &json!([])));
    assert!(deliveries["items"][0]["body"].as_str().unwrap().contains("nobody hears this"));
    let counters = h.counters().await;
    assert_eq!((&counters["webhooksQueued"], &counters["messagesIn"]), (&json!(1), &json!(2)));
    assert_eq!(counters["faultsFired"]["webhook_lost"], 1);
    let reply = conversations(&h, &ig, &[("fields", DETAIL)]).await;
    let messages = list(&list(&reply.body)[0]["messages"]);
    assert_eq!((&messages[1]["id"], &messages[1]["message"]), (&lost["mid"], &json!("nobody hears this")));
}
