//! A beginning of a ledger: how many events, and the root over them. Two ledgers that agree in both have the same events so far.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ledger_format::hash::NodeHash;
use ledger_format::head::TreeHead;

/// The first events of a ledger, as people state them: `SIZE:ROOT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// Number of events; of none there is nothing to be said.
    pub size: u64,
    /// Root over their ids.
    pub root: NodeHash,
}

impl From<&TreeHead> for Prefix {
    fn from(head: &TreeHead) -> Self {
        Self { size: head.size, root: head.root }
    }
}

impl Display for Prefix {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.size, self.root)
    }
}

impl FromStr for Prefix {
    type Err = &'static str;

    /// The root is read as 64 hexadecimal digits, and as the base64 that a note has.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "expected SIZE:ROOT, as `head show` prints them";
        let (size, root) = text.split_once(':').ok_or(FORM)?;
        let in_note = || {
            let bytes = BASE64.decode(root).ok()?;
            bytes.try_into().ok().map(NodeHash::from_bytes)
        };
        let root = root.to_ascii_lowercase().parse().ok().or_else(in_note).ok_or(FORM)?;
        match size.parse().map_err(|_| FORM)? {
            0 => Err("a head over 0 events says nothing of any ledger: every ledger begins so"),
            size => Ok(Self { size, root }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_and_root_are_read_in_both_spellings_of_the_root() {
        let root = NodeHash::from_bytes([0xA5; 32]);
        let prefix = Prefix { size: 12, root };
        let base64 = BASE64.encode([0xA5; 32]);
        assert_eq!(prefix.to_string(), format!("12:{root}"));
        for text in
            [format!("12:{root}"), format!("12:{root}").to_uppercase(), format!("12:{base64}")]
        {
            assert_eq!(text.parse(), Ok(prefix), "{text}");
        }
        for bad in ["", "12", ":", "12:", "-1:00", &format!("x:{root}"), &format!("12:{root}0")] {
            assert!(bad.parse::<Prefix>().is_err(), "{bad}");
        }
    }

    #[test]
    fn no_events_are_no_beginning() {
        let told = format!("0:{}", NodeHash::empty_root()).parse::<Prefix>();
        assert!(told.unwrap_err().contains("0 events"));
    }
}
