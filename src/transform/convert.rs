//! Scalars written as another kind of scalar, without losing a digit.

use super::step::{Conversion, Kind};
use crate::document::{Number, Value};

/// The value that `conversion` makes of `value`; `None` if it is none of those that it can convert.
pub(super) fn converted(value: &Value, conversion: Conversion) -> Option<Value> {
    match (conversion, value) {
        (Conversion::NumberToText, Value::Number(number)) => Some(Value::text(number.digits())),
        (Conversion::TextToNumber, Value::Text(text)) => Number::parse(text).map(Value::Number),
        (Conversion::BooleanToInteger, Value::Bool(truth)) => Some(i64::from(*truth).into()),
        (Conversion::IntegerToBoolean, Value::Number(number)) => match number.digits() {
            "0" => Some(false.into()),
            "1" => Some(true.into()),
            _ => None,
        },
        _ => None,
    }
}

/// The conversion that takes back what `conversion` did.
pub(super) const fn back(conversion: Conversion) -> Conversion {
    match conversion {
        Conversion::NumberToText => Conversion::TextToNumber,
        Conversion::TextToNumber => Conversion::NumberToText,
        Conversion::BooleanToInteger => Conversion::IntegerToBoolean,
        Conversion::IntegerToBoolean => Conversion::BooleanToInteger,
    }
}

/// Whether `value` is of `kind`.
pub fn is_of_kind(value: &Value, kind: Kind) -> bool {
    match (kind, value) {
        (Kind::Null, Value::Null)
        | (Kind::Boolean, Value::Bool(_))
        | (Kind::Number, Value::Number(_))
        | (Kind::String, Value::Text(_))
        | (Kind::Array, Value::List(_))
        | (Kind::Object, Value::Map(_)) => true,
        (Kind::Integer, Value::Number(number)) => !number.digits().contains(['.', 'e', 'E']),
        _ => false,
    }
}
