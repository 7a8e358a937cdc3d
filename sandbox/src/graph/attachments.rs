//! Attachments of a message as Graph shows them in conversations, which is not how webhooks do.
//! What is no file (a shared post, a story) is not among them, so a client must not count on finding it here.

use serde_json::{Value, json};

use crate::{media::files, webhook::events};

use super::fields::Fields;

/// One attachment; none: Graph does not show such a one.
pub(crate) fn shown(given: &Value, fields: &Fields) -> Option<Value> {
    let full = events::attachment(given);
    let url = full["payload"]["url"].as_str()?;
    let kind = full["type"].as_str()?;
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    let mime = |usual: &str| files::named(name).map_or_else(|| usual.to_owned(), |file| file.mime.to_owned());
    let mut shown = match kind {
        "image" | "sticker" => json!({"mime_type": mime("image/jpeg"), "image_data": {
            "width": 32, "height": 32, "max_width": 32, "max_height": 32, "url": url, "preview_url": url,
            "image_type": 1, "render_as_sticker": kind == "sticker",
        }}),
        "video" => json!({"mime_type": mime("video/mp4"), "video_data": {
            "width": 32, "height": 32, "length": 1, "video_type": 1, "url": url, "preview_url": url, "rotation": 0,
        }}),
        "audio" => json!({"mime_type": mime("audio/mp4"), "file_url": url}),
        "file" => json!({"mime_type": mime("application/octet-stream"), "file_url": url}),
        _ => return None,
    };
    shown["name"] = name.into();
    Some(if fields.0.is_empty() { shown } else { fields.pick(shown) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_shown_and_nothing_else() {
        let of = |given: Value| shown(&given, &Fields::default());
        let image = of(json!({"type": "image", "url": "https://cdn.test/a/b.png?oe=1"})).unwrap();
        assert_eq!((&image["mime_type"], &image["name"]), (&json!("image/png"), &json!("b.png")));
        assert_eq!(image["image_data"]["url"], "https://cdn.test/a/b.png?oe=1");
        let audio = of(json!({"type": "audio", "payload": {"url": "https://cdn.test/x"}})).unwrap();
        assert_eq!((&audio["mime_type"], &audio["file_url"]), (&json!("audio/mp4"), &json!("https://cdn.test/x")));
        assert!(of(json!({"type": "ig_post", "payload": {"url": "https://cdn.test/x"}})).is_none());
        assert!(of(json!({"type": "fallback"})).is_none());
        let fields = Fields::parse("mime_type").unwrap();
        let short = shown(&json!({"type": "video", "url": "https://cdn.test/x"}), &fields);
        assert_eq!(short, Some(json!({"mime_type": "video/mp4"})));
    }
}
