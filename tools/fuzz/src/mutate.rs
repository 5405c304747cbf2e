//! Seeded mutations, for the test that runs where there is no libFuzzer: the same number gives the same input everywhere.

use conformance::Draw;

/// Numbers that readers compare lengths, counts and positions with.
const BORDERS: [u64; 8] = [0, 1, 0x7f, 0xff, 0xffff, 0xffff_ffff, 0x7fff_ffff_ffff_ffff, u64::MAX];

/// Mutation `number` of the `seeds` of the target `name`: one of them after one to eight changes.
///
/// # Panics
/// When there is no seed.
#[must_use]
pub fn mutated(name: &str, number: u64, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut draw = Draw::new(name, number);
    let mut input = seeds[draw.index(seeds.len())].clone();
    for _ in 0..=draw.below(8) {
        change(&mut input, &mut draw, seeds);
    }
    input
}

fn change(input: &mut Vec<u8>, draw: &mut Draw, seeds: &[Vec<u8>]) {
    let at = draw.index(input.len() + 1);
    let end = (at + draw.index(64)).min(input.len());
    match draw.below(9) {
        0 => input.truncate(at),
        1 => drop(input.drain(at..end)),
        2 => input.insert(at, draw.byte()),
        3 => {
            let copied = input[at..end].to_vec();
            let to = draw.index(input.len() + 1);
            input.splice(to..to, copied);
        }
        4 => {
            let other = &seeds[draw.index(seeds.len())];
            let from = draw.index(other.len() + 1);
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        5 => {
            let width = [1, 2, 4, 8][draw.index(4)];
            let border = BORDERS[draw.index(BORDERS.len())].to_be_bytes();
            for (to, from) in input[at..].iter_mut().zip(&border[8 - width..]) {
                *to = *from;
            }
        }
        6 => input[at..end].iter_mut().for_each(|byte| *byte = draw.byte()),
        7 => input[at..].iter_mut().take(1).for_each(|byte| *byte ^= 1 << draw.below(8)),
        _ => input[at..].iter_mut().take(1).for_each(|byte| *byte = byte.wrapping_add(draw.byte())),
    }
}
