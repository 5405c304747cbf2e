//! A witness on a socket of this machine, in a thread: one that does what c2sp.org/tlog-witness says, and others that do what they are
//! told.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use ledger_format::cosignature::{WitnessKey, statement};
use ledger_format::hash::{NodeHash, unhex};
use ledger_format::head::SignedHead;
use ledger_format::note::Note;
use ledger_format::tree::verify_consistency;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// The certificate of the authority that vouches for encrypted witnesses; everybody knows their key.
pub(crate) const AUTHORITY: &str = include_str!("tls/authority.pem");

/// When witnesses of tests say that they saw a head.
pub(crate) const SEEN_AT: u64 = 1_700_000_000;

/// The private key of the witness of that number.
pub(crate) fn witness_secret(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

/// The key of the witness of that number, as it gives it out.
pub(crate) fn witness_key(number: u8) -> WitnessKey {
    let name = format!("witness.example/w{number}");
    WitnessKey::new(&name, witness_secret(number).verifying_key()).unwrap()
}

/// The signature line of a witness under a text.
pub(crate) fn cosigned_at(text: &str, number: u8, time: u64) -> String {
    let key = witness_key(number);
    let hint = unhex(key.to_string().split('+').nth(1).unwrap()).unwrap();
    let signature = witness_secret(number).sign(&statement(text, time)).to_bytes();
    let blob = [hint.as_slice(), &time.to_be_bytes(), &signature].concat();
    format!("\u{2014} {} {}\n", key.name(), BASE64.encode(blob))
}

/// What a witness does with a request.
#[derive(Clone)]
pub(crate) enum Reply {
    /// It answers.
    Says { status: u16, headers: String, body: Vec<u8> },
    /// It writes these bytes, whatever they are, and hangs up.
    Raw(Vec<u8>),
    /// It begins to answer and says no more.
    Stalls(Vec<u8>),
}

impl Reply {
    pub(crate) fn says(status: u16, body: &str) -> Self {
        Self::Says { status, headers: String::new(), body: body.as_bytes().to_vec() }
    }

    /// 409, with the size that it has.
    pub(crate) fn has(size: impl std::fmt::Display) -> Self {
        let headers = "Content-Type: text/x.tlog.size\r\n".to_owned();
        Self::Says { status: 409, headers, body: format!("{size}\n").into_bytes() }
    }
}

/// A witness that listens until it is dropped.
pub(crate) struct Listening {
    address: SocketAddr,
    scheme: &'static str,
    over: Arc<AtomicBool>,
    requests: Arc<Mutex<Vec<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl Listening {
    /// Listens, and has `answer` answer the bodies of requests to its `add-checkpoint`.
    pub(crate) fn new(answer: impl FnMut(&str) -> Reply + Send + 'static) -> Self {
        Self::on("http", None, answer)
    }

    /// The same with a certificate of the authority of tests.
    pub(crate) fn encrypted(answer: impl FnMut(&str) -> Reply + Send + 'static) -> Self {
        let certificate = CertificateDer::from_pem_slice(include_bytes!("tls/witness.pem"));
        let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/witness.key")).unwrap();
        let config = ServerConfig::builder().with_no_client_auth();
        let config = config.with_single_cert(vec![certificate.unwrap()], key).unwrap();
        Self::on("https", Some(Arc::new(config)), answer)
    }

    fn on(
        scheme: &'static str,
        tls: Option<Arc<ServerConfig>>,
        mut answer: impl FnMut(&str) -> Reply + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (over, requests) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (ends, asked) = (Arc::clone(&over), Arc::clone(&requests));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ends.load(Ordering::SeqCst) {
                    return;
                }
                let stream = stream.unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                let mut stream: Box<dyn Stream> = match &tls {
                    None => Box::new(stream),
                    Some(config) => {
                        let tls = ServerConnection::new(Arc::clone(config)).unwrap();
                        Box::new(StreamOwned::new(tls, stream))
                    }
                };
                let Some((line, body)) = request(&mut *stream) else { continue };
                let reply = match line.as_str() {
                    "POST /submit/add-checkpoint HTTP/1.1" => answer(&body),
                    _ => Reply::says(404, "no such place"),
                };
                asked.lock().unwrap().push(body);
                reply_with(reply, &mut *stream);
            }
        });
        Self { address, scheme, over, requests, thread: Some(thread) }
    }

    pub(crate) fn url(&self) -> String {
        format!("{}://{}/submit", self.scheme, self.address)
    }

    /// The bodies of all requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // So that it sees that it is over.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

fn request(stream: &mut dyn Stream) -> Option<(String, String)> {
    let (mut bytes, mut byte) = (Vec::new(), [0]);
    while !bytes.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        bytes.push(byte[0]);
    }
    let head = String::from_utf8(bytes).unwrap();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).ok()?;
    Some((head.lines().next().unwrap().to_owned(), String::from_utf8(body).unwrap()))
}

/// Whoever asked may have hung up.
fn reply_with(reply: Reply, stream: &mut dyn Stream) {
    match reply {
        Reply::Says { status, headers, body } => {
            let head = format!(
                "HTTP/1.1 {status} Answer\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n",
                body.len()
            );
            drop(
                stream.write_all(&[head.as_bytes(), &body].concat()).and_then(|()| stream.flush()),
            );
        }
        Reply::Raw(bytes) => drop(stream.write_all(&bytes)),
        Reply::Stalls(bytes) => {
            drop(stream.write_all(&bytes));
            // Until whoever asked has had enough of it.
            drop(stream.read(&mut [0]));
        }
    }
}

/// A witness that does what c2sp.org/tlog-witness says, for one log whose key it was given.
pub(crate) struct Conforming {
    number: u8,
    log: VerifyingKey,
    last: Option<(u64, NodeHash)>,
}

impl Conforming {
    pub(crate) fn new(number: u8, log: VerifyingKey) -> Self {
        Self { number, log, last: None }
    }

    pub(crate) fn listening(mut self) -> Listening {
        Listening::new(move |body| self.answer(body).unwrap_or_else(|| Reply::says(400, "")))
    }

    fn answer(&mut self, body: &str) -> Option<Reply> {
        let (above, note) = body.split_once("\n\n")?;
        let mut lines = above.lines();
        let old: u64 = lines.next()?.strip_prefix("old ")?.parse().ok()?;
        let node = |line: &str| BASE64.decode(line).ok()?.try_into().ok().map(NodeHash::from_bytes);
        let proof: Vec<NodeHash> = lines.map(node).collect::<Option<_>>()?;
        let head = SignedHead::parse(note.as_bytes()).ok()?;
        let (size, root) = (head.head().size, head.head().root);
        if head.verify_published(&self.log).is_err() {
            return Some(Reply::says(403, "unknown log key"));
        }
        if old > size {
            return None;
        }
        let (last, last_root) = self.last.unwrap_or((0, NodeHash::empty_root()));
        if old != last {
            return Some(Reply::has(last));
        }
        if old == size && root != last_root {
            return Some(Reply::has(last));
        }
        let continues = match old {
            0 => proof.is_empty(),
            old => verify_consistency(old, &last_root, size, &root, &proof),
        };
        if !continues {
            return Some(Reply::says(422, "not consistent"));
        }
        self.last = Some((size, root));
        let text = Note::parse(note.as_bytes()).ok()?.text().to_owned();
        Some(Reply::says(200, &cosigned_at(&text, self.number, SEEN_AT)))
    }
}
