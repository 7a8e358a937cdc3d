//! Reads along while the head of a request arrives, for one thing that hyper does not pass on: a request that gives its
//! body both a length and an encoding. It drops the length, but whoever stands in front may have believed it, and then
//! the two of us disagree on where the next request begins.

/// A request said twice how long it is.
#[derive(Clone, Copy, Debug)]
pub struct TwoLengths;

const LENGTH: &[u8] = b"content-length:";
const ENCODING: &[u8] = b"transfer-encoding:";
/// Of every line, as much as the longer name is kept.
const KEPT: usize = ENCODING.len();

/// One head, as far as it has come.
#[derive(Debug, Default)]
pub struct Head {
    line: Vec<u8>,
    has_length: bool,
    has_encoding: bool,
    begun: bool,
    ended: bool,
}

impl Head {
    /// More of it. What follows its end is ignored: a second request sent along with the first is not looked at, and hyper
    /// ends the connection after it.
    pub fn read(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.ended {
                return;
            }
            match byte {
                b'\n' => self.end_line(),
                b'\r' => {}
                _ if self.line.len() < KEPT => self.line.push(byte.to_ascii_lowercase()),
                _ => {}
            }
        }
    }

    fn end_line(&mut self) {
        self.has_length |= self.line.starts_with(LENGTH);
        self.has_encoding |= self.line.starts_with(ENCODING);
        // Empty lines before a request are allowed, and end nothing.
        self.ended = self.begun && self.line.is_empty();
        self.begun |= !self.line.is_empty();
        self.line.clear();
    }

    /// Whether it said both.
    pub fn has_two_lengths(&self) -> bool {
        self.has_length && self.has_encoding
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two(text: &str, part: usize) -> bool {
        let mut head = Head::default();
        for bytes in text.as_bytes().chunks(part) {
            head.read(bytes);
        }
        head.has_two_lengths()
    }

    #[test]
    fn both_are_seen_in_either_order_and_however_they_come() {
        for part in [1, 3, 1_000] {
            assert!(two("\r\nPOST / HTTP/1.1\r\nContent-Length: 1\r\ntransfer-encoding: chunked\r\n\r\n", part));
            assert!(two("POST / HTTP/1.1\nTRANSFER-ENCODING: chunked\nA: b\nCONTENT-LENGTH: 1\n\n", part));
            assert!(!two("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nContent-Length: 1\r\n", part));
            assert!(!two("POST / HTTP/1.1\r\nX-Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", part));
        }
    }
}
