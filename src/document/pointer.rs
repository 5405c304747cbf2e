//! Places in a document: JSON Pointer (RFC 6901).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use ecow::EcoString;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Value;

/// A place in a document, as names and list positions from the root. The empty pointer is the document itself. Places are made
/// for every element of a list that steps change, so that names share their memory, or need none where they are short.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Pointer(Vec<EcoString>);

/// A text that is no JSON Pointer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PointerError {
    /// It is neither empty nor begins with a slash.
    #[error("{0:?} is no JSON Pointer: it must be empty or begin with /")]
    Start(String),
    /// A `~` is followed by neither 0 nor 1.
    #[error("{0:?} is no JSON Pointer: after ~ comes 0 (for ~) or 1 (for /)")]
    Escape(String),
}

impl Pointer {
    /// The names and positions, unescaped.
    pub fn tokens(&self) -> &[EcoString] {
        &self.0
    }

    /// The place below this one under `token`.
    #[must_use]
    pub fn below(&self, token: &str) -> Self {
        self.0.iter().cloned().chain([token.into()]).collect()
    }

    /// The place that holds this one, and this one's name there; `None` for the root.
    pub fn split(&self) -> Option<(Self, &str)> {
        let (last, above) = self.0.split_last()?;
        Some((Self(above.to_vec()), last))
    }

    /// This place as seen from the root, if it was meant from `root`.
    #[must_use]
    pub fn under(&self, root: &Self) -> Self {
        Self(root.0.iter().chain(&self.0).cloned().collect())
    }

    /// This place after `above`, which it is or lies below, was moved to `to`; none if it does not lie there.
    pub(crate) fn moved(&self, above: &Self, to: &Self) -> Option<Self> {
        let rest = self.0.strip_prefix(above.0.as_slice())?;
        Some(Self(to.0.iter().chain(rest).cloned().collect()))
    }

    /// What stands here.
    pub fn get<'a>(&self, root: &'a Value) -> Option<&'a Value> {
        Self::look(&self.0, root)
    }

    /// What stands here, to change it.
    pub fn get_mut<'a>(&self, root: &'a mut Value) -> Option<&'a mut Value> {
        Self::look_mut(&self.0, root)
    }

    /// What stands where `tokens` lead from `root`.
    pub(crate) fn look<'a>(tokens: &[EcoString], root: &'a Value) -> Option<&'a Value> {
        tokens.iter().try_fold(root, |value, token| match value {
            Value::Map(map) => map.get(token),
            Value::List(values) => values.get(position(token)?),
            _ => None,
        })
    }

    /// What stands where `tokens` lead from `root`, to change it.
    pub(crate) fn look_mut<'a>(tokens: &[EcoString], root: &'a mut Value) -> Option<&'a mut Value> {
        tokens.iter().try_fold(root, |value, token| match value {
            Value::Map(map) => Arc::make_mut(map).get_mut(token),
            Value::List(values) => values.make_mut().get_mut(position(token)?),
            _ => None,
        })
    }
}

/// A position in a list: digits without leading zeros (RFC 6901, section 4).
fn position(token: &str) -> Option<usize> {
    let plain = token == "0" || !token.starts_with('0');
    (plain && token.bytes().all(|byte| byte.is_ascii_digit())).then(|| token.parse().ok())?
}

impl<T: Into<EcoString>> FromIterator<T> for Pointer {
    fn from_iter<I: IntoIterator<Item = T>>(tokens: I) -> Self {
        Self(tokens.into_iter().map(Into::into).collect())
    }
}

impl FromStr for Pointer {
    type Err = PointerError;

    fn from_str(text: &str) -> Result<Self, PointerError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let Some(rest) = text.strip_prefix('/') else {
            return Err(PointerError::Start(text.to_owned()));
        };
        let token = |token: &str| {
            unescape(token)
                .map(EcoString::from)
                .ok_or_else(|| PointerError::Escape(text.to_owned()))
        };
        Ok(Self(rest.split('/').map(token).collect::<Result<_, _>>()?))
    }
}

fn unescape(token: &str) -> Option<String> {
    let mut parts = token.split('~');
    let mut name = parts.next()?.to_owned();
    for part in parts {
        let rest = part.strip_prefix('0').map(|rest| ('~', rest));
        let (meant, rest) = rest.or_else(|| part.strip_prefix('1').map(|rest| ('/', rest)))?;
        name.push(meant);
        name.push_str(rest);
    }
    Some(name)
}

impl Serialize for Pointer {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Pointer {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for token in &self.0 {
            write!(f, "/{}", token.as_str().replace('~', "~0").replace('/', "~1"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use quickcheck::quickcheck;

    use super::*;

    #[test]
    fn the_examples_of_the_rfc_lead_where_it_says() {
        let text = br#"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}"#;
        let root = super::super::json::read(text).unwrap().value;
        let at = |text: &str| text.parse::<Pointer>().unwrap().get(&root).cloned();
        assert_eq!(at(""), Some(root.clone()));
        assert_eq!(at("/foo/0"), Some(Value::text("bar")));
        for (place, number) in [
            ("/", 0),
            ("/a~1b", 1),
            ("/c%d", 2),
            ("/e^f", 3),
            ("/g|h", 4),
            ("/i\\j", 5),
            ("/k\"l", 6),
            ("/ ", 7),
            ("/m~0n", 8),
        ] {
            assert_eq!(at(place), Some(Value::from(number)), "{place}");
        }
        for nowhere in ["/foo/2", "/foo/00", "/foo/-", "/foo/+1", "/foo/0/x", "/none"] {
            assert_eq!(at(nowhere), None, "{nowhere}");
        }
    }

    #[test]
    fn what_is_no_pointer_is_refused() {
        assert_eq!("a".parse::<Pointer>(), Err(PointerError::Start("a".into())));
        for bad in ["/~", "/a~2", "/~01~"] {
            assert_eq!(bad.parse::<Pointer>(), Err(PointerError::Escape(bad.into())));
        }
    }

    quickcheck! {
        fn every_pointer_reads_back(tokens: Vec<String>) -> bool {
            let pointer: Pointer = tokens.into_iter().collect();
            pointer.to_string().parse() == Ok(pointer)
        }
    }
}
