//! Tables of events: each line says what Meta sends, what the API then shows, and what became of the delivery. A line has a
//! customer of its own, and everything in a table that is not as it should be is told at once.

use super::{Account, Talks};
use crate::world::Caller;
use domain::api_keys::Scope;
use domain::clock::SECOND;
use serde_json::{Value, json};

/// What was said before the event.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    /// The customer's "Hello?", `$HELLO` to Meta and `$OUR_HELLO` to us.
    Hello,
    /// And the shop's "Yes!", `$ANSWER` to Meta.
    Answer,
}

/// An event and what is expected of it.
pub struct Line {
    what: &'static str,
    comes: Value,
    shows: Value,
    outcome: String,
    before: Before,
    field: &'static str,
    talk: Value,
}

/// `comes` is an element without its parties; `shows` is the one message of the conversation, or all of them, newest first, or
/// null where there is no conversation, and names what matters; `outcome` is "kind outcome: reason". In all of them `$MEDIA` is
/// where files are, `$ACCOUNT` and `$PERSON` are the parties, `"*"` is whatever there is.
pub fn line(what: &'static str, comes: Value, shows: Value, outcome: &str) -> Line {
    let outcome = outcome.to_owned();
    Line { what, comes, shows, outcome, before: Before::Nothing, field: "messaging", talk: Value::Null }
}

/// A change: it has no parties, and no conversation shows it.
pub fn change(what: &'static str, comes: Value, outcome: &str) -> Line {
    Line { field: "changes", ..line(what, comes, Value::Null, outcome) }
}

/// A change that is no direct message.
pub fn recorded(field: &'static str, value: Value) -> Line {
    let comes = json!({ "field": field, "value": value });
    change(field, comes, &format!("{field} ignored: recorded only: not a direct message"))
}

impl Line {
    /// After the customer has written.
    pub fn after_hello(self) -> Self {
        Self { before: Before::Hello, ..self }
    }

    /// After the shop has answered.
    pub fn after_answer(self) -> Self {
        Self { before: Before::Answer, ..self }
    }

    /// While another app owns the conversation.
    pub fn in_standby(self) -> Self {
        Self { field: "standby", ..self }
    }

    /// What the list of conversations shows, too.
    pub fn talk(self, talk: Value) -> Self {
        Self { talk, ..self }
    }
}

impl Talks {
    /// Plays a table against an account.
    pub async fn play(&self, account: &Account, lines: Vec<Line>) {
        assert!(!lines.is_empty());
        let operator = self.logins.world.key(None, &[Scope::JobsRead]).await;
        let mut wrong = Vec::new();
        for (n, line) in lines.into_iter().enumerate() {
            let what = line.what;
            if let Err(why) = self.play_one(account, &operator, &format!("9{n:014}"), line).await {
                wrong.push(format!("{what}: {why}"));
            }
        }
        assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    }

    async fn play_one(&self, account: &Account, operator: &Caller, person: &str, line: Line) -> Result<(), String> {
        let mut words = vec![
            ("$MEDIA", format!("{}/media", self.logins.sandbox)),
            ("$PERSON", person.to_owned()),
            ("$ACCOUNT", account.external_id.clone()),
        ];
        if line.before != Before::Nothing {
            words.push(("$HELLO", self.dm(account, person, json!({ "text": "Hello?" })).await));
            let hello = self.messages(account, person).await.remove(0);
            words.push(("$OUR_HELLO", hello["id"].as_str().unwrap().to_owned()));
            self.logins.advance(SECOND).await;
        }
        if line.before == Before::Answer {
            let path = format!("{}/messages", self.path_of(account, person).await);
            self.done("POST", &path, json!({ "text": "Yes!" })).await;
            self.settled().await;
            let answer = self.messages(account, person).await.remove(0);
            words.push(("$ANSWER", answer["externalId"].as_str().unwrap().to_owned()));
            self.logins.advance(SECOND).await;
        }
        let fill = |value: &Value| filled(value, &words);
        self.event(account, line.field, self.element(account, person, line.field, fill(&line.comes))).await;
        let outcome = self.outcomes(operator, 1).await.remove(0);
        differs("outcome", &json!(outcome), &json!([line.outcome]))?;
        let shown = self.conversation(account, person).await;
        differs("conversation", &shown, &fill(&line.talk))?;
        let expected = match fill(&line.shows) {
            Value::Null if shown.is_null() => return Ok(()),
            Value::Null => return Err(format!("there is a conversation: {shown}")),
            Value::Array(all) => Value::Array(all),
            one => json!([one]),
        };
        if shown.is_null() {
            return Err("there is no conversation".to_owned());
        }
        let messages = self.messages(account, person).await;
        differs("last message", &shown["lastMessage"]["id"], &messages[0]["id"])?;
        differs("messages", &Value::Array(messages), &expected)
    }

    /// The element with its parties: an echo is from the account, anything else from the customer.
    fn element(&self, account: &Account, person: &str, field: &str, mut element: Value) -> Value {
        if field == "changes" {
            return element;
        }
        let (person, account) = (json!({ "id": person }), json!({ "id": account.external_id }));
        let echo = element["message"]["is_echo"] == true;
        let (sender, recipient) = if echo { (account, person) } else { (person, account) };
        let all = element.as_object_mut().unwrap();
        for (name, value) in
            [("sender", sender), ("recipient", recipient), ("timestamp", json!(self.logins.world.ctx.now()))]
        {
            // What an element says of itself stands: null is for what is not there.
            let said = all.entry(name).or_insert(value).is_null();
            if said {
                all.remove(name);
            }
        }
        element
    }

    /// What became of the events of the last deliveries, each as "kind outcome: reason"; the newest delivery first.
    pub async fn outcomes(&self, operator: &Caller, deliveries: usize) -> Vec<Vec<String>> {
        let path = format!("/api/admin/deliveries?limit={deliveries}");
        let listed = self.logins.world.get(operator, &path).await.body;
        let mut found = Vec::new();
        for one in listed["items"].as_array().unwrap() {
            let path = format!("/api/admin/deliveries/{}", one["id"].as_str().unwrap());
            let one = self.logins.world.get(operator, &path).await.body;
            found.push(one["events"].as_array().unwrap().iter().map(told).collect());
        }
        found
    }
}

fn told(event: &Value) -> String {
    let text = |name: &str| event[name].as_str().unwrap_or_default();
    let reason = if event["reason"].is_null() { String::new() } else { format!(": {}", text("reason")) };
    format!("{} {}{reason}", text("kind"), text("outcome"))
}

/// With the words in place of their names.
fn filled(value: &Value, words: &[(&str, String)]) -> Value {
    match value {
        Value::String(text) => {
            Value::String(words.iter().fold(text.clone(), |all, (name, word)| all.replace(name, word)))
        }
        Value::Array(all) => all.iter().map(|one| filled(one, words)).collect(),
        Value::Object(all) => all.iter().map(|(name, one)| (name.clone(), filled(one, words))).collect(),
        other => other.clone(),
    }
}

/// Whether something is not as expected: of an object only what is named is compared, of a list everything; `"*"` is anything
/// but null.
pub fn differs(what: &str, seen: &Value, expected: &Value) -> Result<(), String> {
    let wrong = || Err(format!("{what} is {seen}, expected {expected}"));
    match (seen, expected) {
        (Value::Null, Value::String(any)) if any == "*" => wrong(),
        (_, Value::String(any)) if any == "*" => Ok(()),
        (Value::Object(seen), Value::Object(expected)) => expected.iter().try_for_each(|(name, one)| {
            differs(&format!("{what}.{name}"), seen.get(name).unwrap_or(&Value::Null), one)
        }),
        (Value::Array(some), Value::Array(all)) if some.len() == all.len() => {
            let mut pairs = some.iter().zip(all).enumerate();
            pairs.try_for_each(|(at, (one, expected))| differs(&format!("{what}[{at}]"), one, expected))
        }
        // A table that says nothing of a conversation.
        (_, Value::Null) if what == "conversation" => Ok(()),
        _ if seen == expected => Ok(()),
        _ => wrong(),
    }
}
