//! Reads messages back from Meta: the latest with one person, to see whether a send whose answer was lost is there, and
//! conversation by conversation, to find what came while no webhook reached us.

use reqwest::Method;
use secrecy::SecretString;

use super::Route;
use crate::accounts::Cursor;
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
    /// Files, by type and address.
    pub files: Vec<(&'static str, String)>,
}

/// A conversation with its latest messages, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedConversation {
    /// Ids of who takes part, the account among them.
    pub participants: Vec<String>,
    /// Unix milliseconds of the last change, where told.
    pub updated_ms: Option<i64>,
    /// At most 20: Graph details no more.
    pub messages: Vec<ConversationMessage>,
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
        let limit = limit.clamp(1, MAX_MESSAGES);
        let fields = format!("messages.limit({limit}){{id,created_time,from,message}}");
        let call = self.request(Method::GET, route.host(), "me/conversations", token).query(&[
            ("platform", platform(route)),
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

    /// A page of an account's conversations with their latest messages, the one changed last first, and where the list goes
    /// on. Meta allows two such calls a second for an account (§7.2).
    ///
    /// # Errors
    /// [`GraphError`], for `classify(Operation::ReadConversation, …)`.
    pub async fn conversations(
        &self,
        route: Route,
        token: &SecretString,
        cursor: &Cursor,
    ) -> Result<(Vec<ListedConversation>, Option<Cursor>), GraphError> {
        let fields = format!(
            "id,updated_time,participants,messages.limit({MAX_MESSAGES}){{id,created_time,from,message,attachments}}"
        );
        let parameters = [("platform", platform(route)), ("fields", &fields), ("limit", "20")];
        self.list_page(route.host(), "me/conversations", token, &parameters, cursor, |fields| Some(listed(fields)))
            .await
    }
}

fn platform(route: Route) -> &'static str {
    match route {
        Route::FacebookPage => "messenger",
        Route::InstagramLogin | Route::InstagramViaPage => "instagram",
    }
}

fn listed(fields: &Fields<'_>) -> ListedConversation {
    let inside = |name: &str| fields.object(name).and_then(|inner| list(&inner)).unwrap_or_default();
    ListedConversation {
        participants: inside("participants").iter().filter_map(|one| one.id("id")).collect(),
        updated_ms: fields.text("updated_time").and_then(|text| moment(&text)),
        messages: inside("messages").iter().filter_map(message).collect(),
    }
}

/// Type and address of a file, in the shape of this interface, which is not that of webhooks.
fn file(fields: &Fields<'_>) -> Option<(&'static str, String)> {
    let inner = |name: &str| fields.object(name).and_then(|data| data.text("url"));
    let known = [("image", "image_data"), ("video", "video_data"), ("audio", "audio_data")];
    let found = known.into_iter().find_map(|(kind, name)| Some((kind, inner(name)?)));
    found.or_else(|| Some(("file", fields.text("file_url")?)))
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
        files: fields
            .object("attachments")
            .and_then(|all| list(&all))
            .unwrap_or_default()
            .iter()
            .filter_map(file)
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_of_the_list() {
        let body = r#"{"id":"t_1","updated_time":"2026-11-21T10:00:00+0000","participants":{"data":[{"id":"1"},{"id":2,"name":"A"}]},
            "messages":{"data":[{"id":"m1","message":"","attachments":{"data":[
                {"mime_type":"image/jpeg","image_data":{"url":"https://x.fbcdn.net/i"}},
                {"video_data":{"url":"https://x.fbcdn.net/v"}},{"file_url":"https://x.fbcdn.net/f"},{"id":"?"}]}}]}}"#;
        let read = listed(&Fields::parse(body).unwrap());
        assert_eq!(
            (read.participants, read.updated_ms),
            (vec!["1".to_owned(), "2".to_owned()], Some(1_795_255_200_000))
        );
        let files: Vec<_> = read.messages[0].files.iter().map(|(kind, url)| (*kind, url.as_str())).collect();
        assert_eq!(
            files,
            [("image", "https://x.fbcdn.net/i"), ("video", "https://x.fbcdn.net/v"), ("file", "https://x.fbcdn.net/f")]
        );
        assert_eq!(listed(&Fields::default()).messages, []);
    }

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
