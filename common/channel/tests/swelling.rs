//! What a frame takes once it is read, held against what it takes on the wire. Alone in its process, whose memory it looks at.
#![cfg(target_os = "linux")]

use passage_channel::decode;
use protocol::frame::MAX_FRAME_BYTES;
use std::fs;

/// What is read, beside the frame itself, may take so much.
const MOST_KIB: u64 = 8 << 10;

/// The most memory that this process had at a time.
fn peak_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line?.trim().strip_suffix(" kB")?.parse().ok()
}

/// A frame as long as any may be, that is a message full of these fields.
fn full_of(frame_field: u8, item: &[u8]) -> Vec<u8> {
    let room = MAX_FRAME_BYTES - 5;
    let items = item.repeat(room / item.len());
    let mut frame = vec![frame_field << 3 | 2];
    prost::encoding::encode_varint(items.len() as u64, &mut frame);
    frame.extend(items);
    assert!(frame.len() <= MAX_FRAME_BYTES);
    frame
}

#[test]
fn no_frame_swells_when_it_is_read() {
    let column = full_of(7, &[7 << 3 | 2, 0]);
    let part = full_of(8, &[1 << 3 | 2, 0]);
    let channels = [&[2 << 3 | 2, 126][..], &[3 << 3 | 2, 0].repeat(63)].concat();
    let frames = [column, part, full_of(7, &channels)];
    for frame in frames.map(bytes::Bytes::from) {
        let before = peak_kib().unwrap();
        let refusal = decode(frame).unwrap_err().to_string();
        assert!(refusal.contains("at most"), "{refusal}");
        let more = peak_kib().unwrap().saturating_sub(before);
        assert!(more <= MOST_KIB, "{refusal}: {more} KiB");
    }
}
