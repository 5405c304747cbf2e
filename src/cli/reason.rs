//! Why somebody does something, for whoever reads the history: a text that says something.

/// A reason as it is given on the command line; one of nothing but white space is none.
pub(super) fn said(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("a reason of no words".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_words() {
        for none in ["", " ", "\t\n", "\u{a0}\u{2003}"] {
            assert!(said(none).is_err(), "{none:?}");
        }
        assert_eq!(said(" a hot fix").unwrap(), " a hot fix");
    }
}
