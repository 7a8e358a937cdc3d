//! Reads messages, attachments and referrals out of raw JSON.
//! Kept apart from the types so that those stay a plain description of what the product knows.

use serde_json::Value;
use serde_json::value::RawValue;

use super::message::{Attachment, Message, Referral, ReplyTo, Story};
use crate::json::{self, Fields};

/// Keys of an attachment payload that hold the id of what is shared or shown, in order of preference.
const ATTACHMENT_IDS: [&str; 4] = ["ig_post_media_id", "reel_video_id", "sticker_id", "id"];

pub(super) fn message(fields: &Fields<'_>) -> Message {
    Message {
        mid: fields.id("mid"),
        text: fields.text("text"),
        attachments: attachments(fields),
        quick_reply_payload: fields.object("quick_reply").and_then(|reply| reply.text("payload")),
        reply_to: fields.object("reply_to").map(|reply| reply_to(&reply)),
        is_echo: fields.flag("is_echo"),
        is_self: fields.flag("is_self"),
        is_unsupported: fields.flag("is_unsupported"),
        app_id: fields.id("app_id"),
        metadata: fields.text("metadata"),
        referral: fields.get("referral").and_then(referral),
    }
}

/// A list; a single object is taken for a list of one.
fn attachments(fields: &Fields<'_>) -> Vec<Attachment> {
    let Some(raw) = fields.get("attachments") else {
        return Vec::new();
    };
    let elements = json::elements(raw).unwrap_or_else(|| vec![raw]);
    elements.into_iter().filter_map(Fields::of).map(|fields| attachment(&fields)).collect()
}

fn attachment(fields: &Fields<'_>) -> Attachment {
    // Absent in a like_heart, null in some fallbacks (§5.6).
    let payload = fields.object("payload").unwrap_or_default();
    let kind = fields.text("type").map_or_else(|| "unknown".to_owned(), |kind| kind.to_ascii_lowercase());
    Attachment {
        kind,
        // A shared story names its address otherwise.
        url: payload.text("url").or_else(|| fields.text("url")).or_else(|| payload.text("story_media_url")),
        title: payload.text("title").or_else(|| fields.text("title")),
        id: ATTACHMENT_IDS.iter().find_map(|key| payload.id(key)),
        payload: remainder(fields),
    }
}

/// The payload without what has a field of its own.
fn remainder(fields: &Fields<'_>) -> Value {
    match fields.value("payload") {
        Value::Object(mut map) => {
            for key in ["url", "title"].iter().chain(&ATTACHMENT_IDS) {
                map.remove(*key);
            }
            if map.is_empty() { Value::Null } else { Value::Object(map) }
        }
        other => other,
    }
}

fn reply_to(fields: &Fields<'_>) -> ReplyTo {
    let story = fields.object("story").map(|story| Story { id: story.id("id"), url: story.text("url") });
    ReplyTo { mid: fields.id("mid"), story }
}

/// `None` when the value is not an object.
pub(super) fn referral(raw: &RawValue) -> Option<Referral> {
    let fields = Fields::of(raw)?;
    let ad = fields.object("ads_context_data").unwrap_or_default();
    let product = fields.object("product").and_then(|product| product.id("id"));
    Some(Referral {
        ref_: fields.text("ref"),
        source: fields.text("source"),
        kind: fields.text("type"),
        ad_id: fields.id("ad_id"),
        ad_title: ad.text("ad_title"),
        photo_url: ad.text("photo_url"),
        video_url: ad.text("video_url"),
        post_id: ad.id("post_id"),
        product_id: product.or_else(|| ad.id("product_id")),
        referer_uri: fields.text("referer_uri"),
        raw: json::value(raw),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Message {
        message(&Fields::parse(text).unwrap())
    }

    #[test]
    fn attachments_in_every_published_form() {
        let cases = [
            (r#"[{"type":"like_heart"}]"#, "like_heart", None, None, Value::Null),
            (r#"[{"type":"fallback","payload":null,"title":"T","url":"u"}]"#, "fallback", Some("u"), None, Value::Null),
            (r#"[{"type":"IMAGE","payload":{"url":"u"}}]"#, "image", Some("u"), None, Value::Null),
            (r#"[{"payload":{"url":"u"}}]"#, "unknown", Some("u"), None, Value::Null),
            (r#"{"type":"file","payload":{"url":"u"}}"#, "file", Some("u"), None, Value::Null),
            (
                r#"[{"type":"sticker","payload":{"url":"u","sticker_id":369239263222822}}]"#,
                "sticker",
                Some("u"),
                Some("369239263222822"),
                Value::Null,
            ),
            (
                r#"[{"type":"post","payload":{"id":18091626484740369123,"title":"t"}}]"#,
                "post",
                None,
                Some("18091626484740369123"),
                Value::Null,
            ),
            (
                r#"[{"type":"appointment_booking","payload":{"booking_id":"b"}}]"#,
                "appointment_booking",
                None,
                None,
                json!({"booking_id": "b"}),
            ),
        ];
        for (text, kind, url, id, payload) in cases {
            let message = read(&format!(r#"{{"mid":"m","attachments":{text}}}"#));
            let attachment = &message.attachments[0];
            assert_eq!(
                (attachment.kind.as_str(), attachment.url.as_deref(), attachment.id.as_deref(), &attachment.payload),
                (kind, url, id, &payload),
                "{text}"
            );
        }
        let odd = read(r#"{"attachments":[1,null,"x",[],{"type":"image"}]}"#);
        assert_eq!(odd.attachments.len(), 1);
        assert!(read(r#"{"attachments":"none"}"#).attachments.is_empty());
    }

    #[test]
    fn an_ad_and_a_product() {
        let ad = read(
            r#"{"referral":{"ref":"R","ad_id":120210000000000001,"source":"ADS","type":"OPEN_THREAD","ads_context_data":{"ad_title":"T","photo_url":"p","video_url":"v","post_id":"o","product_id":"d"}}}"#,
        );
        let referral = ad.referral.unwrap();
        assert_eq!(referral.ad_id.as_deref(), Some("120210000000000001"));
        assert_eq!((referral.ad_title.as_deref(), referral.product_id.as_deref()), (Some("T"), Some("d")));
        assert_eq!((referral.source.as_deref(), referral.kind.as_deref()), (Some("ADS"), Some("OPEN_THREAD")));
        let product = read(r#"{"text":"t","referral":{"product":{"id":"P"}}}"#);
        assert_eq!(product.referral.unwrap().product_id.as_deref(), Some("P"));
        assert_eq!(read(r#"{"referral":[]}"#).referral, None);
    }
}
