//! How far a text goes on without a character that JSON has escaped, eight bytes at a time.

/// Bytes at the beginning of `text` before the first control character, quotation mark or backslash. All bytes of characters
/// beyond ASCII are plain.
pub(super) fn plain_length(text: &[u8]) -> usize {
    let (words, rest) = text.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // Marks above the first true one may be wrong: a subtraction borrowed there.
        let marks = below_space(word) | equal(word, b'"') | equal(word, b'\\');
        if marks != 0 {
            return number * 8 + marks.trailing_zeros() as usize / 8;
        }
    }
    let is_special = |byte: &u8| *byte < b' ' || *byte == b'"' || *byte == b'\\';
    text.len() - rest.len() + rest.iter().position(is_special).unwrap_or(rest.len())
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Marks the lowest byte that is below a space.
const fn below_space(word: u64) -> u64 {
    word.wrapping_sub(ONES * b' ' as u64) & !word & HIGH
}

/// Marks the lowest byte that is this one.
const fn equal(word: u64, byte: u8) -> u64 {
    let differs = word ^ (ONES * byte as u64);
    differs.wrapping_sub(ONES) & !differs & HIGH
}

#[cfg(test)]
mod tests {
    use quickcheck::quickcheck;

    use super::*;

    quickcheck! {
        fn it_is_that_of_a_look_at_each_byte(bytes: Vec<u8>, few: Vec<u8>) -> bool {
            let each = |text: &[u8]| {
                let special = |byte: &u8| *byte < b' ' || matches!(byte, b'"' | b'\\');
                text.iter().position(special).unwrap_or(text.len())
            };
            let near: Vec<u8> = few.iter().map(|byte| b" !\"#[\\]\x1f\x80\xff"[*byte as usize % 10]).collect();
            let late = [&b"long enough to fill two words of them "[..], &near].concat();
            [bytes, near, late].iter().all(|text| plain_length(text) == each(text))
        }
    }

    #[test]
    fn every_byte_at_every_place_of_a_word_is_told() {
        for byte in 0..=u8::MAX {
            let special = byte < b' ' || byte == b'"' || byte == b'\\';
            for place in 0..17 {
                let mut text = [b'a'; 17];
                text[place] = byte;
                assert_eq!(plain_length(&text), if special { place } else { 17 }, "{byte} {place}");
            }
        }
    }
}
