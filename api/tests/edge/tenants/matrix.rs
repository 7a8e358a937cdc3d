//! Every operation of the document × every id it takes × {another organization's, one of nothing, malformed, of another kind}
//! × {session, key}. An operation or an id in the document that has no row here fails the test.

use super::table::{Case, METAS, METAS_IDS, WITHOUT, cases};
use crate::talks::shop::{ANN, BEN, id_of};
use crate::talks::{Account, Talks};
use crate::world::{Answer, Caller};
use domain::api_keys::Scope;
use domain::id::{IdKind, new_id};
use entities::{attachment, audit_entry, connection, contact, conversation, idempotency_key, job, lead, message};
use entities::{notification, organization, plan_slot, scheduled_message, template, usage_counter};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What an organization has, by kind.
type Things = BTreeMap<&'static str, String>;

struct Tenant {
    session: Caller,
    key: Caller,
    things: Things,
}

/// An operation as the document describes it.
struct Operation {
    method: String,
    path: String,
    whole: Value,
}

fn operations(document: &Value) -> BTreeMap<String, Operation> {
    let mut all = BTreeMap::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, whole) in methods.as_object().unwrap() {
            let operation = Operation { method: method.to_uppercase(), path: path.clone(), whole: whole.clone() };
            assert!(all.insert(whole["operationId"].as_str().unwrap().to_owned(), operation).is_none());
        }
    }
    all
}

/// The names under which an operation takes an id: all of its path, and what is called so elsewhere.
fn ids_of(document: &Value, operation: &Operation) -> BTreeSet<String> {
    let is_id = |name: &str| {
        let name = name.to_lowercase();
        name.ends_with("id") || name.ends_with("ids") || name.ends_with("token")
    };
    let parameters = operation.whole["parameters"].as_array().into_iter().flatten();
    let mut names: BTreeSet<String> = parameters
        .filter(|parameter| parameter["in"] == "path" || is_id(parameter["name"].as_str().unwrap()))
        .map(|parameter| parameter["name"].as_str().unwrap().to_owned())
        .collect();
    let body = operation.whole.pointer("/requestBody/content/application~1json/schema/$ref").and_then(Value::as_str);
    if let Some(schema) = body.and_then(|reference| document.pointer(reference.trim_start_matches('#'))) {
        let fields = schema["properties"].as_object().unwrap().keys();
        names.extend(fields.filter(|name| is_id(name)).cloned());
    }
    names
}

impl Case {
    /// The name under which this one gives the id.
    fn name(&self) -> String {
        if !self.header.is_empty() {
            return self.header.to_owned();
        }
        let arg = self.args.iter().find(|(_, value)| *value == "$").map(|(name, _)| (*name).to_owned());
        let query = || self.query.strip_suffix("=$").map(str::to_owned);
        let field =
            || self.body.as_object().unwrap().iter().find(|(_, value)| **value == "$").map(|(name, _)| name.clone());
        arg.or_else(query).or_else(field).unwrap()
    }

    async fn ask(
        &self,
        talks: &Talks,
        operation: &Operation,
        caller: &Caller,
        own: &Things,
        other: &Things,
        id: &str,
    ) -> Answer {
        let fill = |text: &str| match text.split_at_checked(1) {
            Some(("$", "")) => id.to_owned(),
            Some(("@", kind)) => own[kind].clone(),
            Some(("!", kind)) => other[kind].clone(),
            _ => text.to_owned(),
        };
        let mut path = operation.path.clone();
        for (name, value) in self.args {
            path = path.replace(&format!("{{{name}}}"), &fill(value));
        }
        if let Some((name, value)) = self.query.split_once('=') {
            path = format!("{path}?{name}={}", fill(value));
        }
        assert!(!path.contains('{'), "{path} has something left to fill in");
        let mut body = self.body.clone();
        for value in body.as_object_mut().unwrap().values_mut() {
            if let Some(text) = value.as_str() {
                *value = json!(fill(text));
            }
        }
        let mut request = talks.logins.world.request(caller, &operation.method, &path);
        if !self.header.is_empty() {
            request = request.header(self.header, id);
        }
        if operation.method != "GET" {
            request = request.json(&body);
        }
        Answer::of(request.send().await.unwrap()).await
    }
}

/// Everything an organization can have, each of it real.
async fn tenant(talks: &Talks, mut session: Caller, page: &Account, customers: [&str; 2]) -> Tenant {
    let world = &talks.logins.world;
    let ask = async |method: &str, path: &str, body: Value| {
        let answer = world.send(&session, method, path, body).await;
        assert!((200..300).contains(&answer.status), "{method} {path}: {answer:?}");
        answer.body
    };
    talks.dm(page, customers[1], json!({ "text": "CANARY too" })).await;
    talks.dm(page, customers[0], json!({ "text": "CANARY", "attachments": [{ "type": "image" }] })).await;
    let list = ask("GET", "/api/conversations", Value::Null).await;
    let conversation =
        list["items"].as_array().unwrap().iter().find(|one| one["contact"]["externalId"] == customers[0]);
    let conversation = conversation.unwrap()["id"].as_str().unwrap().to_owned();
    let talk = format!("/api/conversations/{conversation}");
    talks.fault_with("timeout_before_accept", 1, json!({ "ms": 4_000 })).await;
    let message = ask("POST", &format!("{talk}/messages"), json!({ "text": "CANARY answer" })).await["id"].clone();
    talks.settled().await;
    let inbound = ask("GET", &format!("{talk}/messages"), Value::Null).await["items"].clone();
    let inbound = inbound.as_array().unwrap().iter().find(|one| one["direction"] == "inbound").unwrap().clone();
    let preview = inbound["attachments"][0]["previewUrl"].as_str().unwrap_or_else(|| panic!("no picture: {inbound}"));
    let attachment = preview.split('/').nth(3).unwrap().to_owned();
    let mut things = Things::new();
    let named = |name: &str| json!({ "name": format!("CANARY {name}"), "text": "CANARY words" });
    for (kind, path, body) in [
        ("template", "/api/templates", named("one")),
        ("spare template", "/api/templates", named("two")),
        (
            "scheduled",
            "/api/scheduled-messages",
            json!({ "conversationId": conversation, "text": "CANARY", "dueAt": "2026-12-24T10:00:00Z" }),
        ),
        (
            "another scheduled",
            "/api/scheduled-messages",
            json!({ "conversationId": conversation, "text": "CANARY", "dueAt": "2026-12-24T10:00:00Z" }),
        ),
        ("lead", "/api/leads", json!({ "conversationId": conversation, "note": "CANARY" })),
    ] {
        things.insert(kind, ask("POST", path, body).await["id"].as_str().unwrap().to_owned());
    }
    let jobs = job::Entity::find().filter(job::Column::OrganizationId.eq(session.organization.unwrap().0));
    let job = jobs.one(world.ctx.db.read()).await.unwrap().unwrap();
    let delivery = entities::delivery::Entity::find().one(world.ctx.db.read()).await.unwrap().unwrap();
    things.insert("job", IdKind::Job.show(job.id));
    things.insert("delivery", IdKind::Delivery.show(delivery.id));
    things.insert("connection", page.id.clone());
    things.insert("conversation", conversation);
    things.insert("message", message.as_str().unwrap().to_owned());
    things.insert("attachment", attachment);
    things.insert("handle", talks.logins.login(&mut session, "facebook", json!({})).await);
    let scopes = [Scope::InboxRead, Scope::InboxWrite, Scope::ConnectionsRead];
    let key = world.key(session.organization, &scopes).await;
    Tenant { session, key, things }
}

/// Every row of an organization, but for when its people and programs were last here.
async fn rows(talks: &Talks, tenant: &Tenant) -> Vec<String> {
    let (db, id) = (talks.logins.world.ctx.db.read(), tenant.session.organization.unwrap().0);
    let mut all = Vec::new();
    macro_rules! read {
        ($($entity:ident),*) => {$(
            let found = $entity::Entity::find().filter($entity::Column::OrganizationId.eq(id)).all(db).await.unwrap();
            all.extend(found.iter().map(|row| format!("{row:?}")));
        )*};
    }
    read!(attachment, audit_entry, connection, contact, conversation, idempotency_key, job, lead, message);
    read!(notification, plan_slot, scheduled_message, template, usage_counter);
    let own = organization::Entity::find_by_id(id).one(db).await.unwrap();
    all.push(format!("{own:?}"));
    all.sort();
    all
}

/// The id of nothing, and what is none, each in the place of the other organization's.
fn strangers(kind: &str, foreign: &str) -> Vec<String> {
    if kind == "handle" {
        let mut turned: Vec<char> = foreign.chars().collect();
        turned.reverse();
        return vec![turned.into_iter().collect(), foreign.to_owned(), "nonsense".to_owned(), foreign[1..].to_owned()];
    }
    let (prefix, bare) = foreign.split_once('_').unwrap();
    let other = if prefix == "usr" { "org" } else { "usr" };
    vec![
        format!("{prefix}_{}", new_id(1).simple()),
        foreign.to_owned(),
        "nonsense".to_owned(),
        bare.to_owned(),
        foreign.to_uppercase(),
        format!("{foreign}0"),
        format!("{other}_{bare}"),
    ]
}

#[tokio::test]
async fn what_belongs_to_another_organization_does_not_exist() {
    let talks = Talks::new().await;
    let page = talks.logins.page().await;
    let mut eve = talks.logins.world.register("eve@shop.test").await;
    let made = talks.logins.connect(&mut eve, "facebook", &[&page]).await.remove(0);
    talks.logins.until_subscribed(&page, true).await;
    let hers = Account { external_id: page, id: made["id"].as_str().unwrap().to_owned() };
    let ada = tenant(&talks, talks.logins.owner.clone(), &talks.page, [ANN, BEN]).await;
    let eve = tenant(&talks, eve, &hers, ["900000000000011", "900000000000012"]).await;
    talks.settled().await;

    let document = talks.logins.world.get(&Caller::default(), "/api/openapi.json").await.body;
    let (operations, cases) = (operations(&document), cases());
    // The document is what is tried, all of it.
    for (name, operation) in &operations {
        let mut covered: BTreeSet<String> =
            cases.iter().filter(|case| case.operation == name).map(Case::name).collect();
        covered.extend(METAS_IDS.iter().filter(|(of, _)| of == name).map(|(_, id)| (*id).to_owned()));
        if WITHOUT.contains(&name.as_str()) || METAS.contains(&name.as_str()) {
            assert!(covered.is_empty(), "{name} is in two lists");
            continue;
        }
        assert!(!covered.is_empty(), "{} {} ({name}) has no row here", operation.method, operation.path);
        assert_eq!(ids_of(&document, operation), covered, "{name}");
    }
    for case in &cases {
        assert!(operations.contains_key(case.operation), "{} is gone", case.operation);
    }

    let before = rows(&talks, &ada).await;
    assert!(before.len() > 15, "{before:#?}");
    let (mut asked, mut missing) = (0, BTreeMap::new());
    for (number, case) in cases.iter().enumerate() {
        let operation = &operations[case.operation];
        for caller in [&eve.session, &eve.key] {
            let mut first: Option<Answer> = None;
            for id in strangers(case.kind, &ada.things[case.kind]) {
                let answer = case.ask(&talks, operation, caller, &eve.things, &ada.things, &id).await;
                asked += 1;
                for thing in ada.things.values() {
                    assert!(!answer.text.contains(thing.as_str()), "{} tells of {thing}: {answer:?}", case.operation);
                }
                let what = format!("{} {} with {id}", operation.method, operation.path);
                match &first {
                    None => {
                        let list = answer.body["items"].as_array().is_some_and(Vec::is_empty) && answer.status == 200;
                        assert!(list || matches!(answer.status, 401 | 404 | 410 | 422), "{what}: {answer:?}");
                        first = Some(answer);
                    }
                    Some(missing) => {
                        assert_eq!((answer.status, &answer.text), (missing.status, &missing.text), "{what}");
                    }
                }
            }
            missing.entry(number).or_insert(first.unwrap());
        }
    }
    assert!(asked > 400, "{asked}");
    talks.settled().await;
    assert_eq!(rows(&talks, &ada).await, before, "nothing of hers has changed");

    // And it is there for whom it belongs to, so that the answers above say something.
    let operator = talks.operator(&[Scope::JobsRead, Scope::JobsForce]).await;
    for (number, case) in cases.iter().enumerate() {
        let operation = &operations[case.operation];
        let caller = if case.operation.starts_with("admin") { &operator } else { &ada.session };
        let answer = case.ask(&talks, operation, caller, &ada.things, &ada.things, &ada.things[case.kind]).await;
        let missing = &missing[&number];
        assert_ne!((answer.status, &answer.text), (missing.status, &missing.text), "{} has no effect", case.operation);
        assert!(!matches!(answer.status, 401 | 404 | 410), "{}: {answer:?}", case.operation);
    }
    assert_ne!(rows(&talks, &ada).await, before);
    talks.stop().await;
}

#[tokio::test]
async fn lists_hold_ones_own_and_cursors_are_ones_own() {
    let talks = Talks::new().await;
    let eve = talks.logins.world.register("eve@shop.test").await;
    let scopes = [Scope::InboxRead, Scope::InboxWrite, Scope::ConnectionsRead];
    let eves_key = talks.logins.world.key(eve.organization, &scopes).await;
    let ada = tenant(&talks, talks.logins.owner.clone(), &talks.page, [ANN, BEN]).await;
    let document = talks.logins.world.get(&Caller::default(), "/api/openapi.json").await.body;
    let mut secrets: Vec<String> = ada.things.values().cloned().collect();
    secrets.extend(["CANARY", "ada@shop.test", ANN, BEN].map(str::to_owned));
    secrets.push(ada.session.organization.unwrap().to_string());
    let mut paged = 0;
    for (name, operation) in operations(&document) {
        let streams = operation.whole.pointer("/responses/200/content/text~1event-stream").is_some();
        if operation.method != "GET" || operation.path.contains('{') || streams {
            continue;
        }
        for caller in [&eve, &eves_key, &Caller::default()] {
            let answer = talks.logins.world.get(caller, &operation.path).await;
            for secret in &secrets {
                assert!(!answer.text.contains(secret), "{name} tells {secret}: {answer:?}");
            }
        }
        let parameters = operation.whole["parameters"].as_array().into_iter().flatten();
        let takes_cursor = parameters.into_iter().any(|parameter| parameter["name"] == "cursor");
        if !takes_cursor || name.starts_with("admin") {
            continue;
        }
        let own = talks.logins.world.get(&ada.session, &format!("{}?limit=1", operation.path)).await;
        let Some(cursor) = own.body["nextCursor"].as_str() else { continue };
        paged += 1;
        let path = format!("{}?limit=1&cursor={cursor}", operation.path);
        assert_eq!(talks.logins.world.get(&ada.session, &path).await.status, 200);
        let (foreign, none) = (
            talks.logins.world.get(&eve, &path).await,
            talks.logins.world.get(&eve, &format!("{}?limit=1&cursor=nonsense", operation.path)).await,
        );
        assert_eq!((none.status, none.code()), (400, "invalid_cursor"), "{name}");
        assert_eq!(foreign.text, none.text, "{name}");
    }
    assert!(paged >= 4, "{paged}");
    assert!(id_of(&format!("/api/conversations/{}", ada.things["conversation"])).starts_with("cnv_"));
    talks.stop().await;
}
