//! Reads the latest messages with a person back from Meta.
//! After a send whose answer was lost, this is how to see whether the message is there.

use reqwest::Method;
use secrecy::SecretString;

use super::Route;
use crate::client::MetaClient;
use crate::error::GraphError;
use crate::json::{self, Fields};
use crate::webhook::moment;

/// The most messages asked for at once; Graph details only the latest 20 of a conversation.
const MAX_MESSAGES: u32 = 20;

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationMessage {
    /// The message's id.
    pub mid: String,
    /// Who wrote it: the account or the person.
    pub from_id: Option<String>,
    /// The text; absent for attachments.
    pub text: Option<String>,
    /// Unix milliseconds; Meta gives seconds.
    pub created_ms: Option<i64>,
}

impl MetaClient {
    /// The latest messages with one person, in Meta's order (newest first).
    ///
    /// The form of call and answer is **believed, not documented** in our fact sheet, so the reading is tolerant: a
    /// message without an id is left out, every other field may be missing. No conversation gives an empty list.
    ///
    /// # Errors
    /// [`GraphError`]; an answer without a list `data` counts as [`crate::Cause::NotJson`].
    pub async fn conversation_messages(
        &self,
        route: Route,
        token: &SecretString,
        person_id: &str,
        limit: u32,
    ) -> Result<Vec<ConversationMessage>, GraphError> {
        let platform = match route {
            Route::FacebookPage => "messenger",
            Route::InstagramLogin | Route::InstagramViaPage => "instagram",
        };
        let limit = limit.clamp(1, MAX_MESSAGES);
        let fields = format!("messages.limit({limit}){{id,created_time,from,message}}");
        let call = self.request(Method::GET, route.host(), "me/conversations", token).query(&[
            ("platform", platform),
            ("user_id", person_id),
            ("fields", &fields),
        ]);
        let answer = self.answer(call).await?;
        if let Some(error) = answer.error() {
            return Err(error);
        }
        let read = Fields::parse(&answer.body).and_then(|fields| messages(&fields));
        read.ok_or_else(|| answer.lacks("the answer has no conversations"))
    }
}

/// `None` when there is no list of conversations.
fn messages(fields: &Fields<'_>) -> Option<Vec<ConversationMessage>> {
    let conversations = list(fields)?;
    let all = conversations.iter().filter_map(|conversation| conversation.object("messages"));
    Some(all.filter_map(|messages| list(&messages)).flatten().filter_map(|fields| message(&fields)).collect())
}

fn list<'a>(fields: &Fields<'a>) -> Option<Vec<Fields<'a>>> {
    Some(json::elements(fields.get("data")?)?.into_iter().filter_map(Fields::of).collect())
}

fn message(fields: &Fields<'_>) -> Option<ConversationMessage> {
    Some(ConversationMessage {
        mid: fields.id("id")?,
        from_id: fields.object("from").and_then(|from| from.id("id")),
        text: fields.text("message"),
        created_ms: fields.text("created_time").and_then(|text| moment(&text)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_missing() {
        let body = r#"{"data":[{"id":"t_1","messages":{"data":[
            {"id":"m1","created_time":"2026-11-21T10:00:00+0000","from":{"id":17841400000000001,"username":"s"},"message":"hi"},
            {"id":"m2","created_time":"?","from":null,"message":""},
            {"created_time":"2026-11-21T10:00:00+0000"},
            7
        ]}},{"id":"t_2"},{"messages":{"data":[{"id":"m3"}]}}]}"#;
        let read = messages(&Fields::parse(body).unwrap()).unwrap();
        assert_eq!(read.iter().map(|message| message.mid.as_str()).collect::<Vec<_>>(), ["m1", "m2", "m3"]);
        assert_eq!(read[0].from_id.as_deref(), Some("17841400000000001"));
        assert_eq!((read[0].text.as_deref(), read[0].created_ms), (Some("hi"), Some(1_795_255_200_000)));
        assert_eq!((&read[1].text, read[1].created_ms), (&None, None));
        assert_eq!(messages(&Fields::parse(r#"{"data":[]}"#).unwrap()), Some(vec![]));
        assert_eq!(messages(&Fields::parse(r#"{"data":{}}"#).unwrap()), None);
    }
}
