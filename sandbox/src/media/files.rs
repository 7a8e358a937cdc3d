//! The files themselves, one of each kind a message may carry, and a page that none may.
//! They are real enough for whoever looks at the first bytes, and so small that they are part of the program.

/// One of them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) extension: &'static str,
    pub(crate) mime: &'static str,
    pub(crate) bytes: &'static [u8],
}

const fn file(extension: &'static str, mime: &'static str, bytes: &'static [u8]) -> File {
    File { extension, mime, bytes }
}

const JPEG: &[u8] = include_bytes!("files/sample.jpg");
const PAGE: &[u8] = b"<!DOCTYPE html><html><body><h1>Not a picture</h1><script>alert(1)</script></body></html>\n";

const FILES: &[File] = &[
    file("png", "image/png", include_bytes!("files/sample.png")),
    file("jpg", "image/jpeg", JPEG),
    file("jpeg", "image/jpeg", JPEG),
    file("mp4", "video/mp4", include_bytes!("files/sample.mp4")),
    file("mp3", "audio/mpeg", include_bytes!("files/sample.mp3")),
    file("aac", "audio/aac", include_bytes!("files/sample.aac")),
    file("pdf", "application/pdf", include_bytes!("files/sample.pdf")),
    file("html", "text/html; charset=utf-8", PAGE),
];

/// The file that a name of one part means by its ending.
pub(crate) fn named(name: &str) -> Option<&'static File> {
    let (stem, extension) = name.rsplit_once('.')?;
    let file = FILES.iter().find(|file| file.extension == extension)?;
    (!stem.is_empty() && !stem.contains('/')).then_some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_mean_files_by_their_ending() {
        assert_eq!(named("a.b.png").map(|file| file.mime), Some("image/png"));
        for none in ["png", ".png", "a.exe", "a/b.png", ""] {
            assert_eq!(named(none), None, "{none}");
        }
    }

    #[test]
    fn the_first_bytes_tell_what_they_are() {
        let begins = |name: &str, bytes: &[u8]| assert!(named(name).unwrap().bytes.starts_with(bytes), "{name}");
        begins("a.png", b"\x89PNG\r\n\x1a\n");
        begins("a.jpg", &[0xff, 0xd8, 0xff]);
        begins("a.mp3", &[0xff, 0xfb]);
        begins("a.aac", &[0xff, 0xf1]);
        begins("a.pdf", b"%PDF-1.4");
        assert_eq!(&named("a.mp4").unwrap().bytes[4..8], b"ftyp");
    }
}
