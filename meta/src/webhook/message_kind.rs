//! The product's kinds of message, drawn from Meta's growing list of attachment types.
//! Meta renames types over the years (`share` became `ig_post`); rules and statistics need names that stay.

use super::message::{Attachment, Message};

/// What a message is, in the words the product stores and shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// Text, also a tapped quick reply.
    Text,
    /// A picture.
    Image,
    /// A video.
    Video,
    /// A voice message or sound file.
    Audio,
    /// A document.
    File,
    /// A shared post, story or link.
    Share,
    /// A shared reel.
    Reel,
    /// The person mentioned the account in their story.
    StoryMention,
    /// An answer to a story of the account.
    StoryReply,
    /// A sticker or a heart.
    Sticker,
    /// A tap on a button; no message of Meta's, but stored like one.
    Postback,
    /// Cards and other structured content.
    Template,
    /// Content that Meta does not hand out, or of a type we do not know.
    Unsupported,
}

impl MessageKind {
    /// Every kind, for lists and schemas.
    pub const ALL: [Self; 13] = [
        Self::Text,
        Self::Image,
        Self::Video,
        Self::Audio,
        Self::File,
        Self::Share,
        Self::Reel,
        Self::StoryMention,
        Self::StoryReply,
        Self::Sticker,
        Self::Postback,
        Self::Template,
        Self::Unsupported,
    ];

    /// The name that is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Image => "image",
            Self::Video => "video",
            Self::Audio => "audio",
            Self::File => "file",
            Self::Share => "share",
            Self::Reel => "reel",
            Self::StoryMention => "story_mention",
            Self::StoryReply => "story_reply",
            Self::Sticker => "sticker",
            Self::Postback => "postback",
            Self::Template => "template",
            Self::Unsupported => "unsupported",
        }
    }
}

impl Message {
    /// The kind: an answer to a story whatever it carries, else the first known attachment, else text.
    pub fn kind(&self) -> MessageKind {
        if self.reply_to.as_ref().is_some_and(|reply| reply.story.is_some()) {
            return MessageKind::StoryReply;
        }
        let kinds = || self.attachments.iter().filter_map(Attachment::message_kind);
        // Until 2026-08-30 a sticker came twice, as an image too (§5.6); it is one sticker.
        let attached = kinds().find(|kind| *kind == MessageKind::Sticker).or_else(|| kinds().next());
        match (attached, &self.text) {
            (Some(kind), _) if !self.is_unsupported => kind,
            (_, Some(_)) => MessageKind::Text,
            _ => MessageKind::Unsupported,
        }
    }
}

impl Attachment {
    /// The kind this attachment alone would make a message; `None` for a type that is not known.
    pub fn message_kind(&self) -> Option<MessageKind> {
        Some(match self.kind.as_str() {
            "image" => MessageKind::Image,
            "video" => MessageKind::Video,
            "audio" => MessageKind::Audio,
            "file" => MessageKind::File,
            "ig_post" | "post" | "share" | "fallback" | "media" | "story" | "ig_story" => MessageKind::Share,
            "ig_reel" | "reel" => MessageKind::Reel,
            "story_mention" => MessageKind::StoryMention,
            "sticker" | "like_heart" => MessageKind::Sticker,
            "template" => MessageKind::Template,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::message::{ReplyTo, Story};
    use super::*;

    fn message(types: &[&str], text: Option<&str>) -> Message {
        let attachment = |kind: &&str| Attachment {
            kind: (*kind).to_owned(),
            url: None,
            title: None,
            id: None,
            payload: Value::Null,
        };
        Message {
            text: text.map(str::to_owned),
            attachments: types.iter().map(attachment).collect(),
            ..Message::default()
        }
    }

    #[test]
    fn every_attachment_type_has_its_kind() {
        use MessageKind::*;
        let cases: [(&[&str], Option<&str>, MessageKind); 24] = [
            (&[], Some("hi"), Text),
            (&[], None, Unsupported),
            (&["image"], None, Image),
            (&["image"], Some("hi"), Image),
            (&["video"], None, Video),
            (&["audio"], None, Audio),
            (&["file"], None, File),
            (&["ig_post"], None, Share),
            (&["post"], None, Share),
            (&["share"], None, Share),
            (&["fallback"], Some("see"), Share),
            (&["media"], None, Share),
            (&["story"], None, Share),
            (&["ig_story"], None, Share),
            (&["ig_reel"], None, Reel),
            (&["reel"], None, Reel),
            (&["story_mention"], None, StoryMention),
            (&["sticker"], None, Sticker),
            (&["image", "sticker"], None, Sticker),
            (&["like_heart"], None, Sticker),
            (&["template"], None, Template),
            (&["appointment_booking"], None, Unsupported),
            (&["appointment_booking"], Some("hi"), Text),
            (&["unknown", "image"], None, Image),
        ];
        for (types, text, expected) in cases {
            assert_eq!(message(types, text).kind(), expected, "{types:?} {text:?}");
        }
    }

    #[test]
    fn story_replies_and_unsupported_content() {
        let story = ReplyTo { mid: None, story: Some(Story::default()) };
        for types in [&[][..], &["image"]] {
            let reply = Message { reply_to: Some(story.clone()), ..message(types, Some("nice")) };
            assert_eq!(reply.kind(), MessageKind::StoryReply);
        }
        let inline = Message { reply_to: Some(ReplyTo::default()), ..message(&[], Some("re")) };
        assert_eq!(inline.kind(), MessageKind::Text);
        let hidden = Message { is_unsupported: true, ..message(&["image"], None) };
        assert_eq!(hidden.kind(), MessageKind::Unsupported);
    }

    #[test]
    fn names_are_distinct() {
        let names: std::collections::BTreeSet<_> = MessageKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(names.len(), MessageKind::ALL.len());
    }
}
