//! Links to files, made anew for each: the path is unique, so a client cannot take one file for another.
//! A life in the link itself, as with Meta, needs no memory of which links were given out.

use serde_json::{Value, json};

use crate::world::World;

/// What a file is to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Image,
    Video,
    Audio,
    File,
}

impl Kind {
    fn extension(self) -> &'static str {
        match self {
            Self::Image => "png",
            Self::Video => "mp4",
            Self::Audio => "aac",
            Self::File => "pdf",
        }
    }
}

impl World {
    /// A link as whoever reaches us at `origin` can follow it, for so many seconds or for ever.
    pub(crate) fn new_link(&mut self, origin: &str, kind: Kind, lives: Option<u64>) -> String {
        let name = self.ids.media(&mut self.rng);
        let url = format!("{origin}/media/{name}.{}", kind.extension());
        match lives.map(|lives| i64::try_from(lives).unwrap_or(i64::MAX)) {
            Some(lives) => format!("{url}?oe={:x}", (self.clock.now() / 1000).saturating_add(lives)),
            None => url,
        }
    }

    /// An attachment that says no more than its kind gets a file; any other stays as it is.
    pub(crate) fn with_link(&mut self, origin: &str, attachment: Value) -> Value {
        let bare = attachment["url"].is_null() && attachment["payload"].is_null();
        let kind = serde_json::from_value::<Kind>(attachment["type"].clone());
        match kind {
            Ok(kind) if bare => json!({"type": attachment["type"], "url": self.new_link(origin, kind, None)}),
            _ => attachment,
        }
    }
}
