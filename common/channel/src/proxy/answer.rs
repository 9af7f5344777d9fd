//! What a proxy answers, read no further than its head.

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

/// The most bytes that an answer's head may have.
const MOST_BYTES: u64 = 8 << 10;

/// The most fields of it, and how much of the words behind its status are kept.
const MOST_FIELDS: usize = 100;
const REASON_CHARS: usize = 80;

/// The head of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// The status.
    pub(super) status: u16,
    /// The proxy's own words for it, perhaps none.
    pub(super) reason: String,
}

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// The proxy ended the connection; how.
    Ended(String),
    /// It is none of HTTP, and why.
    Malformed(String),
}

/// Reads the head of an answer, and leaves whatever follows it.
pub(super) async fn read<S: AsyncRead + Unpin>(
    socket: &mut BufReader<S>,
) -> Result<Answer, Unread> {
    let mut bounded = socket.take(MOST_BYTES);
    loop {
        let answer = one(&mut bounded).await?;
        // Others come before the one that counts, and promise nothing.
        if !(100..200).contains(&answer.status) {
            return Ok(answer);
        }
    }
}

async fn one<S: AsyncRead + Unpin>(
    bounded: &mut tokio::io::Take<&mut BufReader<S>>,
) -> Result<Answer, Unread> {
    let mut head = Vec::new();
    let mut line_begin = 0;
    loop {
        let read = bounded.read_until(b'\n', &mut head).await;
        read.map_err(|error| Unread::Ended(error.to_string()))?;
        let line = &head[line_begin..];
        // What is no HTTP is known by its first bytes; its end is not waited for.
        if line_begin == 0 && !b"HTTP/1.".starts_with(&line[..line.len().min(7)]) {
            let first = String::from_utf8_lossy(&line[..line.len().min(REASON_CHARS)]);
            return Err(Unread::Malformed(format!(
                "it is none of HTTP/1, and begins with {:?}",
                shown(&first)
            )));
        }
        match line {
            b"\r\n" | b"\n" if line_begin > 0 => return parsed(&head),
            [.., b'\n'] => line_begin = head.len(),
            _ if bounded.limit() == 0 => {
                return Err(Unread::Malformed(format!(
                    "its head has more than {MOST_BYTES} bytes"
                )));
            }
            [] if line_begin == 0 => return Err(Unread::Ended("without an answer".to_owned())),
            _ => return Err(Unread::Ended("in the middle of its answer".to_owned())),
        }
    }
}

fn parsed(head: &[u8]) -> Result<Answer, Unread> {
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut answer = httparse::Response::new(&mut fields);
    match answer.parse(head) {
        Ok(httparse::Status::Complete(_)) => Ok(Answer {
            status: answer.code.unwrap_or_default(),
            reason: shown(answer.reason.unwrap_or_default()),
        }),
        Ok(httparse::Status::Partial) => Err(Unread::Malformed("it has no end".to_owned())),
        Err(error) => Err(Unread::Malformed(error.to_string())),
    }
}

/// A stranger's words as they may stand in a log.
fn shown(words: &str) -> String {
    let readable = |c: &char| !c.is_control();
    words.chars().filter(readable).take(REASON_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPENED: &str =
        "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.0 200 Connection established\r\nVia: x\r\n\r\n";

    #[tokio::test]
    async fn an_answer_is_the_same_however_it_is_cut_and_what_follows_is_left() {
        let sent = format!("{OPENED}rest\r\n\r\n");
        for capacity in 1..=sent.len() {
            let mut socket = BufReader::with_capacity(capacity, sent.as_bytes());
            let expected = Answer {
                status: 200,
                reason: "Connection established".to_owned(),
            };
            assert_eq!(read(&mut socket).await, Ok(expected), "{capacity}");
            let mut rest = String::new();
            socket.read_to_string(&mut rest).await.unwrap();
            assert_eq!(rest, "rest\r\n\r\n", "{capacity}");
        }
    }

    #[tokio::test]
    async fn an_answer_that_is_cut_off_anywhere_is_none() {
        for end in 0..OPENED.len() {
            let mut socket = BufReader::new(&OPENED.as_bytes()[..end]);
            let read = read(&mut socket).await;
            assert!(matches!(read, Err(Unread::Ended(_))), "{end}: {read:?}");
        }
    }

    #[tokio::test]
    async fn of_bytes_without_sense_no_more_are_read_than_an_answer_may_have() {
        let mut state = 1_u64;
        for _ in 0..500 {
            let mut next = || {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                state >> 33
            };
            let length = next() % (3 * MOST_BYTES);
            // Letters of answers, so that some of them get further than the first byte.
            let letters = b"HTP/1.02 \r\n:x\0\xff";
            let noise = (0..length).map(|_| letters[next() as usize % letters.len()]);
            let sent: Vec<u8> = b"HTTP/1.1 ".iter().copied().chain(noise).collect();
            let mut socket = BufReader::new(sent.as_slice());
            let _ = read(&mut socket).await;
            let mut rest = Vec::new();
            socket.read_to_end(&mut rest).await.unwrap();
            assert!((sent.len() - rest.len()) as u64 <= MOST_BYTES);
        }
    }

    #[test]
    fn a_strangers_words_can_not_forge_a_line_of_a_log() {
        assert_eq!(shown("a\nb\r\u{1b}[31m"), "ab[31m");
        assert_eq!(shown(&"x".repeat(1000)).len(), REASON_CHARS);
    }
}
