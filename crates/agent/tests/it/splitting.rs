//! Where lines end, whatever way the bytes come.

use lamplight_agent::lines::{Line, LineTooLong, Lines, MAX_LINE_BYTES};

fn line(text: &str, end: u64) -> Result<Line, LineTooLong> {
    Ok(Line { text: text.to_owned().into(), end })
}

#[test]
fn lines_end_where_the_log_says_however_they_are_cut() {
    let bytes = "one\n\nthree är\r\nrest".as_bytes();
    let expected = [line("one", 104), line("", 105), line("three är\r", 116)];
    for first in 0..=bytes.len() {
        for second in first..=bytes.len() {
            let mut lines = Lines::starting_at(100);
            let mut got = lines.push(&bytes[..first]);
            got.extend(lines.push(&bytes[first..second]));
            got.extend(lines.push(&bytes[second..]));
            assert_eq!(got, expected, "cut at {first} and {second}");
            assert_eq!(lines.held(), 4);
        }
    }
}

#[test]
fn a_line_of_just_the_bound_passes_and_one_byte_more_is_the_last_word() {
    let mut lines = Lines::starting_at(0);
    let longest = vec![b'x'; MAX_LINE_BYTES];
    assert_eq!(lines.push(&longest), []);
    let whole = lines.push(b"\nnext\n");
    assert_eq!(whole[0].as_ref().unwrap().text.len(), MAX_LINE_BYTES);
    let start = MAX_LINE_BYTES as u64 + 6;
    assert_eq!(whole[1], line("next", start));

    assert_eq!(lines.push(b"short\n"), [line("short", start + 6)]);
    assert_eq!(lines.push(&longest), []);
    assert_eq!(lines.push(b"y"), [Err(LineTooLong { start: start + 6 })]);
    assert_eq!((lines.push(b"\nlost\n"), lines.held()), (vec![], 0));
}

#[test]
fn any_bytes_come_back_as_they_were() {
    let mut chance = fastrand::Rng::with_seed(7411);
    for _ in 0..200 {
        let bytes: Vec<u8> = (0..chance.usize(..5_000))
            .map(|_| if chance.u8(..) < 8 { b'\n' } else { chance.u8(..) })
            .collect();
        let mut lines = Lines::starting_at(0);
        let (mut got, mut left) = (Vec::new(), bytes.as_slice());
        while !left.is_empty() {
            let (now, later) = left.split_at(chance.usize(1..=left.len()));
            for line in lines.push(now) {
                let line = line.unwrap();
                got.extend_from_slice(&line.text);
                got.push(b'\n');
                assert_eq!(line.end, got.len() as u64);
            }
            left = later;
        }
        assert_eq!(got.len() + lines.held(), bytes.len());
        assert!(bytes.starts_with(&got));
    }
}
