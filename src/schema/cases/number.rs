//! Numbers between bounds.

use super::dice::Dice;
use super::make::Lean;
use super::shape::Shape;
use crate::document::{Number, Value};
use crate::schema::decimal::Decimal;

/// Digits behind the point that a number gets where nothing asks for others.
const DECIMALS: usize = 2;

/// How far from the one bound that is given, or from zero, a number lies where the other is not.
const REACH: i128 = 1000;

/// Numbers that programs get wrong, for where no bound forbids them.
const UNUSUAL: [&str; 6] =
    ["9007199254740993", "-9007199254740993", "0", "-1", "4294967296", "12345678901234567890123"];
const UNUSUAL_FRACTIONS: [&str; 4] = ["-0.0", "1.0", "0.1", "1e21"];

/// A number as `shape` asks for, an integer if it must be; `None` if there is none.
pub(super) fn number(
    shape: &Shape<'_>,
    integer: bool,
    lean: Lean,
    dice: &mut Dice,
) -> Option<Value> {
    let bounds = |key| -> Vec<Decimal> { shape.all(key).filter_map(decimal).collect() };
    let (low, over) = (bounds("minimum"), bounds("exclusiveMinimum"));
    let (high, under) = (bounds("maximum"), bounds("exclusiveMaximum"));
    let multiples = bounds("multipleOf");
    let given = || low.iter().chain(&over).chain(&high).chain(&under).chain(&multiples);
    let open = low.len() + over.len() == 0 || high.len() + under.len() == 0;
    if open && multiples.is_empty() && lean == Lean::Free && dice.once_in(4) {
        let fractions: &[&str] = if integer { &[] } else { &UNUSUAL_FRACTIONS };
        let allowed = |text: &&str| {
            let number = Decimal::read(text);
            low.iter().all(|bound| *bound <= number)
                && over.iter().all(|bound| *bound < number)
                && high.iter().all(|bound| number <= *bound)
                && under.iter().all(|bound| number < *bound)
        };
        let unusual: Vec<&str> = UNUSUAL.iter().chain(fractions).copied().filter(allowed).collect();
        if let Some(digits) = dice.one_of(&unusual) {
            return Number::parse(digits).map(Value::Number);
        }
    }
    let more = if integer || !multiples.is_empty() { 0 } else { DECIMALS };
    let scale = given().map(Decimal::decimals).max().unwrap_or(0).max(more);
    let in_units = |bounds: &[Decimal], add: i128| -> Option<Vec<i128>> {
        bounds.iter().map(|bound| Some(bound.units(scale)? + add)).collect()
    };
    let low = in_units(&low, 0)?.into_iter().chain(in_units(&over, 1)?).max();
    let high = in_units(&high, 0)?.into_iter().chain(in_units(&under, -1)?).min();
    let one = 10_i128.checked_pow(u32::try_from(scale).ok()?)?;
    let steps = in_units(&multiples, 0)?.into_iter().chain(integer.then_some(one));
    let step = steps.reduce(common_multiple).unwrap_or(1).max(1);
    let reach = REACH.saturating_mul(one.max(step));
    let (low, high) = match (low, high) {
        (Some(low), Some(high)) => (low, high),
        (Some(low), None) => (low, low.saturating_add(reach)),
        (None, Some(high)) => (high.saturating_sub(reach), high),
        (None, None) => (-reach, reach),
    };
    let (first, last) =
        (low.div_euclid(step) + i128::from(low.rem_euclid(step) != 0), high.div_euclid(step));
    if first > last {
        return None;
    }
    let times = match lean.choose(dice) {
        Lean::Small => first,
        Lean::Large => last,
        Lean::Free => dice.between(first, last),
    };
    written(times.checked_mul(step)?, scale)
}

fn decimal(value: &Value) -> Option<Decimal> {
    if let Value::Number(number) = value { Some(Decimal::read(number.digits())) } else { None }
}

fn common_multiple(one: i128, other: i128) -> i128 {
    let (mut divisor, mut rest) = (one, other);
    while rest != 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    (one / divisor.max(1)).saturating_mul(other)
}

/// `units` of `10^-scale`, without zeros at the end.
fn written(units: i128, scale: usize) -> Option<Value> {
    let sign = if units < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", units.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at_checked(digits.len().checked_sub(scale)?)?;
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    Number::parse(&format!("{sign}{whole}{point}{fraction}")).map(Value::Number)
}
