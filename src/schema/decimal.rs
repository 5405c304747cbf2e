//! What a number means, whatever digits say it: `1`, `1.0` and `10e-1` are one number.

use std::cmp::Ordering;

use crate::document::Number;

/// Digits up to which every decimal has a binary64 of its own that reads back as it (IEEE 754: 15).
pub(super) const FAITHFUL_DIGITS: usize = 15;

/// Digits of the greatest integer of 64 bits.
const INTEGER_DIGITS_MAX: usize = 20;

/// A number as `0.digits × 10^exponent`, the digits without zeros at either end; zero has none, and no sign.
///
/// Exponents beyond 64 bits count as the greatest that fit: numbers of that size compare equal if their digits are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    /// What `text`, a number of JSON, means.
    pub(super) fn read(text: &str) -> Self {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let written = || whole.bytes().chain(fraction.bytes());
        let leading = written().take_while(|digit| *digit == b'0').count();
        let mut digits: Vec<u8> = written().skip(leading).collect();
        while digits.last() == Some(&b'0') {
            digits.pop();
        }
        if digits.is_empty() {
            return Self { negative: false, digits, exponent: 0 };
        }
        let shift = length(whole.len()).saturating_sub(length(leading));
        Self { negative, digits, exponent: power(exponent).saturating_add(shift) }
    }

    /// Whether there is nothing behind the decimal point.
    pub(super) fn is_integer(&self) -> bool {
        self.digits.is_empty() || length(self.digits.len()) <= self.exponent
    }

    /// The number, if it is an integer of no more than 20 digits.
    pub(super) fn to_integer(&self) -> Option<i128> {
        self.units(0)
    }

    /// The number in units of `10^-scale`, if it is a whole number of them and has no more than 20 digits then.
    pub(super) fn units(&self, scale: usize) -> Option<i128> {
        let places = usize::try_from(self.exponent.checked_add(length(scale))?).ok()?;
        if places > INTEGER_DIGITS_MAX {
            return None;
        }
        let zeros = std::iter::repeat_n(b'0', places.checked_sub(self.digits.len())?);
        let size = self.digits.iter().copied().chain(zeros);
        let size = size.fold(0, |size, digit| size * 10 + i128::from(digit - b'0'));
        Some(if self.negative { -size } else { size })
    }

    /// Number of digits behind the decimal point.
    pub(super) fn decimals(&self) -> usize {
        usize::try_from(length(self.digits.len()).saturating_sub(self.exponent)).unwrap_or(0)
    }

    /// Number of digits that matter.
    pub(super) const fn significant(&self) -> usize {
        self.digits.len()
    }

    /// The digits and exponent as one text, the same for every way to write the number.
    pub(super) fn canonical(&self) -> String {
        let sign = if self.negative { "-" } else { "" };
        let digits = String::from_utf8_lossy(&self.digits);
        format!("{sign}.{digits}e{}", self.exponent)
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |number: &Self| match (number.digits.is_empty(), number.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        let size =
            || self.exponent.cmp(&other.exponent).then_with(|| self.digits.cmp(&other.digits));
        let size = || if self.negative { size().reverse() } else { size() };
        sign(self).cmp(&sign(other)).then_with(size)
    }
}

/// The binary64 that lies on the same side as `number` of every bound that a schema can have: the nearest one, unless that
/// reads as a number of few digits that this one is not; then its neighbour on the side where the number lies. `None` beyond
/// the range of binary64.
pub(super) fn beside(number: &Number) -> Option<f64> {
    let nearest = number.to_f64();
    if !nearest.is_finite() {
        return None;
    }
    if number.digits().len() <= FAITHFUL_DIGITS {
        return Some(nearest);
    }
    let read = read_back(nearest);
    let neighbour = match Decimal::read(number.digits()).cmp(&read) {
        Ordering::Equal => return Some(nearest),
        Ordering::Less => nearest.next_down(),
        Ordering::Greater => nearest.next_up(),
    };
    let is_bound = read.significant() <= FAITHFUL_DIGITS || ends_integers(nearest);
    Some(if is_bound { neighbour } else { nearest })
}

/// The number of fewest digits that `float` is nearest to; for the ends of the integers of 64 bits, which a schema may name
/// with all their digits, those.
fn read_back(float: f64) -> Decimal {
    Decimal::read(&if ends_integers(float) { format!("{float:.0}") } else { format!("{float:?}") })
}

#[expect(clippy::float_cmp, reason = "these two are powers of two, which are exact")]
fn ends_integers(float: f64) -> bool {
    float == -9_223_372_036_854_775_808.0 || float == 18_446_744_073_709_551_616.0
}

fn length(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

fn power(digits: &str) -> i64 {
    let beyond = if digits.starts_with('-') { i64::MIN } else { i64::MAX };
    digits.strip_prefix('+').unwrap_or(digits).parse().unwrap_or(beyond)
}
