//! How long a text may be, per product.
//! Instagram counts bytes and Messenger characters; a text that is too long is refused whole.

use super::Route;
use crate::redact::bounded;
use unicode_segmentation::UnicodeSegmentation as _;

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

    /// The text in parts that fit, in their order: cut after a line or a word where there is one in the latter half of what
    /// fits, else between two characters as people see them. White space at a cut is left out; `None` when a single
    /// character does not fit.
    pub fn split(self, text: &str) -> Option<Vec<&str>> {
        let (mut parts, mut rest) = (Vec::new(), text.trim());
        while !rest.is_empty() {
            let fits = self.truncate(rest);
            let part = if fits.len() == rest.len() { rest } else { self.beginning(rest, fits)? };
            parts.push(part.trim_end());
            rest = rest[part.len()..].trim_start();
        }
        Some(parts)
    }

    /// Where `rest`, of which only `fits` fits, is cut.
    fn beginning<'a>(self, rest: &'a str, fits: &'a str) -> Option<&'a str> {
        if rest[fits.len()..].starts_with(char::is_whitespace) {
            return Some(fits);
        }
        let half = fits.len() / 2;
        let after = |end: fn(char) -> bool| fits.rfind(end).filter(|at| *at >= half);
        if let Some(at) = after(|c| c == '\n').or_else(|| after(char::is_whitespace)) {
            return Some(&rest[..at]);
        }
        let last =
            rest.grapheme_indices(true).map(|(at, one)| at + one.len()).take_while(|end| *end <= fits.len()).last();
        last.map(|end| &rest[..end])
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

    #[test]
    fn a_long_text_is_cut_between_words_and_never_within_a_character() {
        let limit = TextLimit::Characters(10);
        assert_eq!(limit.split("one two three four").unwrap(), ["one two", "three four"]);
        assert_eq!(limit.split("one\ntwo three").unwrap(), ["one\ntwo", "three"]);
        assert_eq!(limit.split("  short ").unwrap(), ["short"]);
        assert_eq!(limit.split("abcdefghijklmno").unwrap(), ["abcdefghij", "klmno"]);
        assert_eq!(
            limit.split("a bcdefghijklmno").unwrap(),
            ["a bcdefghi", "jklmno"],
            "a word alone would be too short"
        );
        assert_eq!(limit.split("").unwrap(), Vec::<&str>::new());
        // A family of four is one character to people, seven to Unicode and twenty-five bytes.
        let family = "👨‍👩‍👧‍👦";
        assert_eq!(limit.split(&family.repeat(2)).unwrap(), [family, family]);
        assert_eq!(TextLimit::Bytes(24).split(family), None);
        assert_eq!(TextLimit::Bytes(25).split(&family.repeat(3)).unwrap().len(), 3);
    }

    proptest! {
        #[test]
        fn parts_fit_and_together_are_the_text(text in "[a-z äß\\n👩‍🚀]{0,200}", max in 20..60usize) {
            for limit in [TextLimit::Bytes(max), TextLimit::Characters(max)] {
                let parts = limit.split(&text).unwrap();
                prop_assert!(parts.iter().all(|part| limit.fits(part) && !part.is_empty()));
                let dense = |text: &str| text.split_whitespace().collect::<String>();
                prop_assert_eq!(parts.iter().map(|part| dense(part)).collect::<String>(), dense(&text));
            }
        }

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
