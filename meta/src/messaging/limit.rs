//! How long a text may be, per product.
//! Instagram counts bytes and Messenger characters; a text that is too long is refused whole.

use super::Route;
use crate::redact::bounded;

/// The longest text of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextLimit {
    /// In bytes of UTF-8.
    Bytes(usize),
    /// In characters (Unicode scalar values).
    Characters(usize),
}

/// The limit of a route: 1000 bytes on Instagram (documented, §6.1), 2000 characters in Messenger (§6.3).
pub fn text_limit(route: Route) -> TextLimit {
    match route {
        Route::InstagramLogin | Route::InstagramViaPage => TextLimit::Bytes(1000),
        Route::FacebookPage => TextLimit::Characters(2000),
    }
}

impl TextLimit {
    /// True when the text may be sent as one message.
    pub fn fits(self, text: &str) -> bool {
        self.truncate(text).len() == text.len()
    }

    /// The longest beginning that fits, cut between two characters.
    pub fn truncate(self, text: &str) -> &str {
        match self {
            Self::Bytes(max) => &text[..text.floor_char_boundary(max)],
            Self::Characters(max) => bounded(text, max),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bytes_on_instagram_characters_in_messenger() {
        let umlauts = "ä".repeat(501);
        for route in [Route::InstagramLogin, Route::InstagramViaPage] {
            let limit = text_limit(route);
            assert!(limit.fits(&umlauts[..1000]) && !limit.fits(&umlauts));
            assert_eq!(limit.truncate(&umlauts).len(), 1000);
            assert_eq!(limit.truncate(&format!("a{umlauts}")).len(), 999);
        }
        let limit = text_limit(Route::FacebookPage);
        assert!(limit.fits(&"ä".repeat(2000)) && !limit.fits(&"ä".repeat(2001)));
        assert_eq!(limit.truncate(&"ä".repeat(3000)).chars().count(), 2000);
    }

    proptest! {
        #[test]
        fn what_is_cut_fits_and_what_fits_is_not_cut(text in ".*", max in 0..40usize) {
            for limit in [TextLimit::Bytes(max), TextLimit::Characters(max)] {
                let cut = limit.truncate(&text);
                prop_assert!(text.starts_with(cut) && limit.fits(cut));
                prop_assert_eq!(limit.fits(&text), cut == text);
            }
        }
    }
}
