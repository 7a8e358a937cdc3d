//! A message and its parts, as both products describe them.
//! Everything is optional because every field has been seen missing (fact sheet §5.4, §5.6).

use serde_json::Value;

/// A message of the person, or the echo of one the account sent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Message {
    /// Id, unique per account; at once the key against duplicates.
    pub mid: Option<String>,
    /// The text, never empty. A tapped quick reply carries its title here.
    pub text: Option<String>,
    /// Usually there is either text or attachments; several images may come as one message.
    pub attachments: Vec<Attachment>,
    /// What a tapped quick reply carries.
    pub quick_reply_payload: Option<String>,
    /// The message or story this one answers.
    pub reply_to: Option<ReplyTo>,
    /// Sent by the account: through our app, another app, or Meta's own apps.
    pub is_echo: bool,
    /// The account wrote to itself.
    pub is_self: bool,
    /// Meta does not hand the content to apps.
    pub is_unsupported: bool,
    /// The app that sent an echo; absent on Instagram and for messages typed in Meta's apps.
    pub app_id: Option<String>,
    /// What we attached to a Messenger send, echoed back.
    pub metadata: Option<String>,
    /// The ad or product the conversation started from.
    pub referral: Option<Referral>,
}

/// One attachment.
#[derive(Debug, Clone, PartialEq)]
pub struct Attachment {
    /// Meta's type in lower case (`image`, `ig_post`, `fallback`, …); `unknown` if absent.
    pub kind: String,
    /// A link to the content; on Meta's CDN it dies after some days.
    pub url: Option<String>,
    /// Caption or page title.
    pub title: Option<String>,
    /// Id of the shared post, reel or sticker.
    pub id: Option<String>,
    /// Whatever else the payload has; `Null` when nothing.
    pub payload: Value,
}

/// What a message answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplyTo {
    /// Another message.
    pub mid: Option<String>,
    /// A story of the account.
    pub story: Option<Story>,
}

/// A story, named by the person's answer to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Story {
    /// Meta's id.
    pub id: Option<String>,
    /// CDN link; dies with the story.
    pub url: Option<String>,
}

/// Where the person came from: a link, an ad or a product.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Referral {
    /// The `ref` parameter of the link.
    pub ref_: Option<String>,
    /// `ADS`, `SHORTLINK`, …
    pub source: Option<String>,
    /// Meta's `type`, such as `OPEN_THREAD`.
    pub kind: Option<String>,
    /// Id of the ad.
    pub ad_id: Option<String>,
    /// Title of the ad.
    pub ad_title: Option<String>,
    /// Picture of the ad (CDN link).
    pub photo_url: Option<String>,
    /// Video of the ad (CDN link).
    pub video_url: Option<String>,
    /// The post the ad promotes.
    pub post_id: Option<String>,
    /// The product asked about.
    pub product_id: Option<String>,
    /// The page the link stood on.
    pub referer_uri: Option<String>,
    /// As Meta sent it.
    pub raw: Value,
}
