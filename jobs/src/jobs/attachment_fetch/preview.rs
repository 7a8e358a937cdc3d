//! A small copy of a picture. The picture may be anything: it is decoded within bounds, away from the threads that serve.

use image::codecs::jpeg::JpegEncoder;
use image::{ImageReader, Limits};
use std::io::Cursor;

/// The longer side.
const SIDE: u32 = 320;
/// A picture with a longer side is not decoded, nor one that takes more memory.
const MAX_SIDE: u32 = 8_192;
const MAX_MEMORY: u64 = 128 * 1024 * 1024;
const QUALITY: u8 = 75;

/// The copy, as JPEG; nothing when the picture cannot be read.
pub(super) async fn of(picture: Vec<u8>) -> Option<Vec<u8>> {
    tokio::task::spawn_blocking(move || small(&picture)).await.ok().flatten()
}

fn small(picture: &[u8]) -> Option<Vec<u8>> {
    let mut reader = ImageReader::new(Cursor::new(picture)).with_guessed_format().ok()?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_MEMORY);
    reader.limits(limits);
    let whole = reader.decode().ok()?;
    let copy = if whole.width().max(whole.height()) > SIDE { whole.thumbnail(SIDE, SIDE) } else { whole };
    let mut jpeg = Vec::new();
    copy.to_rgb8().write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, QUALITY)).ok()?;
    Some(jpeg)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageFormat, RgbaImage};

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        RgbaImage::new(width, height).write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn a_picture_becomes_small_and_anything_else_nothing() {
        let side =
            |jpeg: &[u8]| image::load_from_memory_with_format(jpeg, ImageFormat::Jpeg).map(|i| (i.width(), i.height()));
        assert_eq!(side(&small(&png(1_000, 500)).unwrap()).unwrap(), (320, 160));
        assert_eq!(side(&small(&png(10, 20)).unwrap()).unwrap(), (10, 20), "never made larger");
        assert_eq!(small(&png(MAX_SIDE + 1, 1)), None);
        assert_eq!(small(b"<html>no picture</html>"), None);
        let mut cut = png(100, 100);
        cut.truncate(60);
        assert_eq!(small(&cut), None);
    }
}
