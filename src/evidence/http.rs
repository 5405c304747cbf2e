//! The way to witnesses over HTTP. Knows addresses, times and lengths; knows not what is said. The one place that opens a connection.

use std::fmt::{self, Display, Formatter};
use std::io::{self, Read as _};
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use ureq::Agent;
use ureq::http::Uri;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::witness::{ANSWER_BYTES_MAX, Wire, WireAnswer, WireError};

/// Longest wait for a connection, in seconds; less where the whole may not take as long.
const CONNECT_SECONDS_MAX: u64 = 10;

/// Longest address taken, in bytes.
const URL_BYTES_MAX: usize = 2048;

/// Longest head of an answer that is read, in bytes.
const HEADER_BYTES_MAX: usize = 16 * 1024;

/// Where http without TLS may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainHttp {
    /// To this machine: to some program that speaks to the witness.
    Loopback,
    /// Anywhere. What is sent is no secret and what comes back is signed, so whoever listens can only keep a head from being cosigned.
    Anywhere,
}

/// Whose certificates are believed: of the authorities that browsers know, or of those alone that the user named.
#[derive(Debug, Clone, Default)]
pub struct Authorities(Option<Vec<Certificate<'static>>>);

/// A text that names no authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected certificates of authorities in PEM, and nothing else")]
pub struct NoAuthority;

/// Where a witness answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessUrl(String);

/// A text that is no address to ask a witness at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Not the form.
    #[error(
        "expected the address that a witness answers at, such as https://witness.example/submit: {0}"
    )]
    Form(&'static str),
    /// Not encrypted, and of another machine.
    #[error("{url} is not encrypted and not on this machine")]
    Plain {
        /// The address.
        url: String,
    },
}

/// Asks over HTTP/1.1: no redirect is followed, no proxy used, and no more read than an answer needs.
#[derive(Debug)]
pub struct HttpWire {
    agent: Agent,
    seconds: u64,
}

impl Authorities {
    /// Those whose certificates stand in a text in PEM.
    pub fn of_pem(text: &[u8]) -> Result<Self, NoAuthority> {
        let mut named = Vec::new();
        for item in parse_pem(text) {
            match item {
                Ok(PemItem::Certificate(certificate)) => named.push(certificate),
                _ => return Err(NoAuthority),
            }
        }
        if named.is_empty() { Err(NoAuthority) } else { Ok(Self(Some(named))) }
    }

    fn roots(&self) -> RootCerts {
        match &self.0 {
            None => RootCerts::WebPki,
            Some(named) => RootCerts::new_with_certs(named),
        }
    }
}

impl WitnessUrl {
    /// Whether `plain` lets it be asked.
    pub fn may_be_asked(&self, plain: PlainHttp) -> Result<(), UrlError> {
        let Ok(uri) = self.0.parse::<Uri>() else { return Ok(()) };
        let near = uri.host().is_some_and(is_loopback);
        let encrypted = uri.scheme_str() == Some("https");
        if encrypted || near || plain == PlainHttp::Anywhere {
            return Ok(());
        }
        Err(UrlError::Plain { url: self.0.clone() })
    }

    /// As it was given, without slashes at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for WitnessUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let form = UrlError::Form;
        if text.len() > URL_BYTES_MAX {
            return Err(form("it is too long"));
        }
        let uri: Uri = text.parse().map_err(|_| form("this is none"))?;
        if !matches!(uri.scheme_str(), Some("https" | "http")) {
            return Err(form("it begins with https://, or with http:// on this machine"));
        }
        if uri.host().is_none_or(str::is_empty) {
            return Err(form("it names no host"));
        }
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(form("it may name no user"));
        }
        if text.contains(['?', '#']) {
            return Err(form("nothing stands behind its path"));
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

impl Display for WitnessUrl {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

impl HttpWire {
    /// Asks whom `authorities` vouch for, and waits for so many seconds for a whole answer.
    pub fn new(seconds: u64, authorities: &Authorities) -> Self {
        let whole = Duration::from_secs(seconds);
        let connect = Duration::from_secs(CONNECT_SECONDS_MAX);
        let config = Agent::config_builder()
            .timeout_global(Some(whole))
            .timeout_connect(Some(connect.min(whole)))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .max_response_header_size(HEADER_BYTES_MAX)
            .max_idle_connections(0)
            .proxy(None)
            .tls_config(TlsConfig::builder().root_certs(authorities.roots()).build())
            .user_agent(concat!("glyph-ledger/", env!("CARGO_PKG_VERSION")))
            .build();
        Self { agent: config.new_agent(), seconds }
    }

    fn ask(&self, url: &str, body: &[u8]) -> Result<WireAnswer, ureq::Error> {
        let request = self.agent.post(url).content_type("text/plain; charset=utf-8");
        let mut answer = request.send(body)?;
        let status = answer.status().as_u16();
        let named = answer.headers().get("content-type").and_then(|value| value.to_str().ok());
        let content_type = named.map(str::to_owned);
        let mut body = Vec::new();
        // One byte more than is taken shows that there is too much.
        let most = ANSWER_BYTES_MAX as u64 + 1;
        answer.body_mut().as_reader().take(most).read_to_end(&mut body)?;
        Ok(WireAnswer { status, content_type, body })
    }

    fn reason(&self, error: &ureq::Error) -> String {
        if is_timeout(error) {
            return format!("no whole answer within {} s", self.seconds);
        }
        error.to_string()
    }
}

impl Wire for HttpWire {
    fn post(&self, url: &str, body: &[u8]) -> Result<WireAnswer, WireError> {
        let wrong = |error| WireError { url: url.to_owned(), reason: self.reason(&error) };
        self.ask(url, body).map_err(wrong)
    }
}

/// While a body is read, the time that is over comes as an error of reading.
fn is_timeout(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Timeout(_) => true,
        ureq::Error::Io(error) => {
            let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>());
            error.kind() == io::ErrorKind::TimedOut || inner.is_some_and(is_timeout)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_address_of_a_witness_is_refused() {
        for bad in [
            "",
            "witness.example",
            "/submit",
            "ftp://witness.example",
            "https://",
            "https://user@witness.example",
            "http://localhost@witness.example/",
            "https://witness.example/?a=b",
            "https://witness.example/#a",
            "https://witness .example",
            "https://witness.example/\n",
            &format!("https://witness.example/{}", "a".repeat(URL_BYTES_MAX)),
        ] {
            assert!(bad.parse::<WitnessUrl>().is_err(), "{bad}");
        }
        let url: WitnessUrl = "https://witness.example/submit//".parse().unwrap();
        assert_eq!(url.as_str(), "https://witness.example/submit");
    }

    #[test]
    fn what_names_no_authority_is_refused() {
        let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let key = certificate.replace("CERTIFICATE", "PRIVATE KEY");
        assert!(Authorities::of_pem(certificate.as_bytes()).is_ok());
        for bad in ["", "hello", &certificate[..40], &key, &format!("{certificate}{key}")] {
            assert_eq!(Authorities::of_pem(bad.as_bytes()).err(), Some(NoAuthority), "{bad}");
        }
    }

    #[test]
    fn without_encryption_this_machine_alone_is_asked_unless_it_is_said() {
        for (text, near) in [
            ("http://localhost/", true),
            ("http://LOCALHOST:8080/a", true),
            ("http://127.0.0.1:1/", true),
            ("http://[::1]:1/", true),
            ("https://witness.example", true),
            ("http://witness.example", false),
            ("http://localhost.example", false),
            ("http://10.0.0.5:1/", false),
            ("http://127.0.0.1.example/", false),
        ] {
            let url: WitnessUrl = text.parse().unwrap();
            assert_eq!(url.may_be_asked(PlainHttp::Loopback).is_ok(), near, "{text}");
            assert_eq!(url.may_be_asked(PlainHttp::Anywhere), Ok(()), "{text}");
        }
    }
}
