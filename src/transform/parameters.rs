//! Values that a document does not hold, given from outside under names.

use crate::document::{Map, Value};

/// Values given from outside. Programs see them as the object `$parameters`, and `parameter("name")` is one of them, or
/// fails and names it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parameters(Map);

impl Parameters {
    /// Names and values, in the order in which they were given.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    /// All of them as one object.
    pub fn to_value(&self) -> Value {
        self.0.clone().into()
    }
}

/// Of several values under one name the last one stands.
impl<N: AsRef<str>> FromIterator<(N, Value)> for Parameters {
    fn from_iter<I: IntoIterator<Item = (N, Value)>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}
