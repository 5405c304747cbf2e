//! `head witness`: has witnesses cosign the newest head, and keeps what they signed.

use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use ledger_format::cosignature::WitnessKey;
use ledger_format::hash::{LedgerId, NodeHash};
use ledger_format::head::SignedHead;
use ledger_format::tree::{prove_consistency, root};
use serde::Serialize;

use super::context::{Context, cosigned_heads, latest_believed, with_cosignatures};
use super::failure;
use super::new_file::NewFile;
use super::output::{Answer, Done};
use super::terminal::{Paint, one_line, path_shown};
use super::words::count;
use crate::diagnostic::{
    Failure, LEDGER_DIVERGED, LEDGER_REGRESSED, USAGE, WITNESS_INVALID, WITNESS_REFUSED,
    WITNESS_UNREACHABLE,
};
use crate::effects::Signer;
use crate::evidence::{
    Asked, Authorities, EvidenceError, HttpWire, PlainHttp, StoredTree, Wire, WitnessError,
    WitnessUrl, cosign, signed_by_log,
};
use crate::ledger::notes;
use crate::trust::{Policy, load_key};

/// As much of a file with certificates is read, in bytes: all that a browser believes is a fifth of it.
const AUTHORITY_BYTES_MAX: u64 = 1024 * 1024;

/// What did not happen with a witness that gave no cosignature.
const NOT_COSIGNED: &str = "nothing of this witness was kept";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Where witnesses answer; else at the addresses in the policy of `--witness-policy`
    #[arg(value_name = "URL")]
    urls: Vec<WitnessUrl>,
    /// The key of a witness as it gives it out (NAME+HINT+BASE64), one for each URL and in their order; else the policy has them
    #[arg(long, value_name = "VKEY", value_parser = witness_key)]
    witness_key: Vec<WitnessKey>,
    /// A private key that may publish: witnesses know a ledger by it, and take a head that it signed too
    #[arg(long, value_name = "FILE")]
    log_key: Option<PathBuf>,
    /// Write the head to this file, if somebody cosigned it; nothing is ever written over
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How long to wait for the whole answer of a witness
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(1..=600)
    )]
    timeout: u64,
    /// Ask other machines without encryption too (`http://`): who listens can keep a head from being cosigned, and no more
    #[arg(long)]
    plain_http: bool,
    /// Believe the authorities whose certificates stand in this file (PEM), instead of those that browsers believe
    #[arg(long, value_name = "FILE")]
    authority: Option<PathBuf>,
}

/// A head, and which witnesses cosigned it.
#[derive(Serialize)]
pub(super) struct Witnessed {
    ledger: LedgerId,
    size: u64,
    root: NodeHash,
    /// With all cosignatures that are kept of it.
    note: String,
    /// Those that were asked.
    witnesses: Vec<OneAsked>,
    /// Whether enough witnesses have seen it, where a policy says how many those are.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_met: Option<bool>,
    /// The file that was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
}

/// A witness that was asked.
#[derive(Serialize)]
struct OneAsked {
    name: String,
    url: String,
    /// When it says that it saw the head, in seconds since the Unix epoch; null where it gave no cosignature.
    seen: Option<u64>,
}

struct Witness {
    url: WitnessUrl,
    key: WitnessKey,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Witnessed>, Failure> {
    let policy = context.policy()?;
    let witnesses = arguments.witnesses(policy.as_ref())?;
    if let Some(path) = &arguments.output {
        context.must_lie_outside(path)?;
    }
    let file = arguments.output.as_deref().map(NewFile::absent).transpose()?;
    let authorities = arguments
        .authority
        .as_deref()
        .map_or_else(|| Ok(Authorities::default()), authorities_in)?;
    let log_key = arguments.log_key.as_deref().map(load_key).transpose()?;
    let submission = Submission::prepare(context, log_key.as_ref().map(|key| key as &dyn Signer))?;

    let wire = HttpWire::new(arguments.timeout, &authorities);
    let (head, asked, refusals) = submission.ask_all(&witnesses, &wire);
    let cosigned = asked.iter().any(|one| one.seen.is_some());
    let head = if cosigned { cosigned_heads()?.keep(&head)? } else { with_cosignatures(&head)? };
    let made = match (file, &arguments.output, cosigned) {
        (Some(file), Some(path), true) => {
            file.make(0o644, |out| out.write_all(&head.encode()).map_err(failure::io(path)))?;
            Some(path.clone())
        }
        _ => None,
    };
    let endorsed = context.endorsement_of(&head)?;
    let done = Done::new(Witnessed {
        ledger: head.head().ledger,
        size: head.head().size,
        root: head.head().root,
        note: String::from_utf8_lossy(&head.encode()).into_owned(),
        witnesses: asked,
        policy_met: endorsed.as_ref().map(|endorsed| endorsed.met),
        file: made,
    });
    let unmet = endorsed.as_ref().and_then(|endorsed| context.unmet(endorsed));
    Ok(refusals.into_iter().chain(unmet).fold(done, Done::found))
}

fn witness_key(text: &str) -> Result<WitnessKey, String> {
    WitnessKey::parse(text).map_err(|error| error.to_string())
}

/// The authorities that a file names.
fn authorities_in(path: &Path) -> Result<Authorities, Failure> {
    let mut text = Vec::new();
    let file = File::open(path).map_err(failure::io(path))?;
    file.take(AUTHORITY_BYTES_MAX).read_to_end(&mut text).map_err(failure::io(path))?;
    Authorities::of_pem(&text)
        .map_err(|error| nobody_asked(&error.to_string(), &path.display().to_string()))
}

impl Arguments {
    /// Whom to ask where.
    fn witnesses(&self, policy: Option<&Policy>) -> Result<Vec<Witness>, Failure> {
        let Self { urls, witness_key: keys, .. } = self;
        let witnesses = match policy {
            _ if !keys.is_empty() => paired(urls, keys)?,
            Some(policy) => of_policy(urls, policy)?,
            None => {
                let told = "whose cosignature is to be believed: --witness-key VKEY for each URL, or --witness-policy FILE";
                return Err(nobody_asked(told, "--witness-key"));
            }
        };
        let plain = if self.plain_http { PlainHttp::Anywhere } else { PlainHttp::Loopback };
        for Witness { url, .. } in &witnesses {
            url.may_be_asked(plain).map_err(|error| {
                let told = format!("{error}: use https://, or say --plain-http");
                nobody_asked(&told, url.as_str())
            })?;
        }
        Ok(witnesses)
    }
}

fn paired(urls: &[WitnessUrl], keys: &[WitnessKey]) -> Result<Vec<Witness>, Failure> {
    if urls.len() != keys.len() {
        let (urls, keys) = (count(urls.len() as u64, "address"), count(keys.len() as u64, "key"));
        let told = format!("{urls} and {keys}: each witness has one of both");
        return Err(nobody_asked(&told, "--witness-key"));
    }
    let pair =
        |(url, key): (&WitnessUrl, &WitnessKey)| Witness { url: url.clone(), key: key.clone() };
    Ok(urls.iter().zip(keys).map(pair).collect())
}

/// The witnesses of a policy at those addresses; where none is named, all that have one.
fn of_policy(urls: &[WitnessUrl], policy: &Policy) -> Result<Vec<Witness>, Failure> {
    let mut known = Vec::new();
    for witness in policy.witnesses() {
        let Some(text) = &witness.url else { continue };
        let url = text.parse::<WitnessUrl>();
        let url = url.map_err(|error| nobody_asked(&error.to_string(), text))?;
        known.push(Witness { url, key: witness.key.clone() });
    }
    if known.is_empty() {
        let told = "the policy has no witness with an address: say it, and --witness-key VKEY";
        return Err(nobody_asked(told, "--witness-policy"));
    }
    if urls.is_empty() {
        return Ok(known);
    }
    let unknown = urls.iter().find(|url| known.iter().all(|witness| witness.url != **url));
    if let Some(url) = unknown {
        return Err(nobody_asked("the policy has no witness at that address", url.as_str()));
    }
    known.retain(|witness| urls.contains(&witness.url));
    Ok(known)
}

fn nobody_asked(told: &str, place: &str) -> Failure {
    let failure = Failure::new(&USAGE, told).at(place).not_done("no witness was asked");
    failure.next(["head", "witness", "--help"])
}

/// What witnesses are shown. The ledger is closed by then: whoever answers slowly is in nobody's way.
struct Submission {
    /// Signed by nobody but the ledger's own keys.
    head: SignedHead,
    /// Heads that were cosigned before.
    kept: Vec<SignedHead>,
    tree: StoredTree,
}

impl Submission {
    fn prepare(context: &Context, log_key: Option<&dyn Signer>) -> Result<Self, Failure> {
        let ledger = context.open_to_be_seen()?;
        let head = signed_by_log(&ledger, log_key)?;
        let tree = StoredTree::of(&ledger)?;
        let kept = cosigned_heads()?.all(&ledger.id())?;
        let submission = Self { head, kept, tree };
        submission.must_continue()?;
        Ok(submission)
    }

    /// Refuses a ledger that does not continue what was cosigned of it.
    fn must_continue(&self) -> Result<(), Failure> {
        let ours = self.head.head().size;
        for kept in &self.kept {
            let (size, there) = (kept.head().size, kept.head().root);
            let (code, told) = if size > ours {
                let told =
                    format!("witnesses cosigned a head over {size} events, the ledger has {ours}");
                (&LEDGER_REGRESSED, told)
            } else if root(&self.tree.nodes(size), size) == Some(there) {
                continue;
            } else {
                let told = format!(
                    "witnesses cosigned a head over {size} events with root {there}, which the ledger does not continue"
                );
                (&LEDGER_DIVERGED, told)
            };
            let failure = Failure::new(code, told).not_done("no witness was asked");
            return Err(failure.showing(notes([kept, &self.head])).next(["verify-chain"]));
        }
        Ok(())
    }

    /// The head with what each witness signed, and why some did not.
    fn ask_all(
        &self,
        witnesses: &[Witness],
        wire: &dyn Wire,
    ) -> (SignedHead, Vec<OneAsked>, Vec<Failure>) {
        let (mut head, mut asked, mut refusals) = (self.head.clone(), Vec::new(), Vec::new());
        for witness in witnesses {
            let answer = self.ask(witness, wire).and_then(|cosigned| {
                let together =
                    cosigned.head.with_signatures_of(&head).unwrap_or_else(|| head.clone());
                SignedHead::parse(&together.encode())?;
                head = together;
                Ok(cosigned.seen)
            });
            let (name, url) = (witness.key.name().to_owned(), witness.url.to_string());
            asked.push(OneAsked { name, url, seen: answer.as_ref().ok().copied() });
            refusals.extend(answer.err().map(|error| of_witness(&error, witness, &self.head)));
        }
        (head, asked, refusals)
    }

    fn ask(
        &self,
        witness: &Witness,
        wire: &dyn Wire,
    ) -> Result<crate::evidence::Cosigned, WitnessError> {
        let Witness { url, key } = witness;
        let latest = latest_believed();
        let saw = |head: &&SignedHead| key.seen(head.note(), latest).is_ok();
        let known = self.kept.iter().find(saw).map_or(0, |head| head.head().size);
        let size = self.head.head().size;
        let prove = |old| {
            let beyond = EvidenceError::Beyond { asked: old, size };
            prove_consistency(&self.tree.nodes(size), old, size).ok_or(beyond)
        };
        cosign(&self.head, Asked { url: url.as_str(), key, known, latest }, prove, wire)
    }
}

fn of_witness(error: &WitnessError, witness: &Witness, head: &SignedHead) -> Failure {
    let url = witness.url.as_str();
    let said = |code| Failure::new(code, error.to_string()).at(url).not_done(NOT_COSIGNED);
    let shown = |code| said(code).showing(notes([head])).next(["verify-chain"]);
    let again =
        ["head", "witness", url, "--witness-key", &witness.key.to_string()].map(str::to_owned);
    match error {
        WitnessError::Wire(_) | WitnessError::Refused { status: 429 | 500..=599, .. } => {
            let [head, witness, url, option, key] = &again;
            said(&WITNESS_UNREACHABLE).next([head, witness, url, option, key])
        }
        WitnessError::Ahead { .. } => shown(&LEDGER_REGRESSED),
        WitnessError::Fork { .. } => shown(&LEDGER_DIVERGED),
        WitnessError::Refused { status: 403, .. } => {
            let [head, witness, url, option, key] = &again;
            let next = [head, witness, url, option, key, "--log-key", "FILE"];
            said(&WITNESS_REFUSED).next(next)
        }
        WitnessError::Refused { .. } => said(&WITNESS_REFUSED).next(["head", "witness", "--help"]),
        WitnessError::Nonsense { .. } | WitnessError::Cosignature(_) | WitnessError::Note(_) => {
            said(&WITNESS_INVALID).next(["explain", WITNESS_INVALID.id])
        }
        WitnessError::Proof(error) => Failure::from(error).at(url).not_done(NOT_COSIGNED),
    }
}

impl Answer for Witnessed {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let Self { size, root, witnesses, .. } = self;
        let seen = witnesses.iter().filter(|witness| witness.seen.is_some()).count();
        let told = format!(
            "the head over {} was cosigned by {seen} of {}",
            count(*size, "event"),
            count(witnesses.len() as u64, "witness")
        );
        writeln!(out, "{}", paint.strong(told))?;
        writeln!(out, "  root     {root}")?;
        for OneAsked { name, url, seen } in witnesses {
            let told = if seen.is_some() { "cosigned" } else { "not" };
            writeln!(out, "  {told:<8}  {} at {}", one_line(name), one_line(url))?;
        }
        match self.policy_met {
            Some(true) => writeln!(out, "  policy   met")?,
            Some(false) => writeln!(out, "  policy   {}", paint.warning("not met"))?,
            None => {}
        }
        match &self.file {
            Some(path) => writeln!(out, "written to {}", path_shown(path)),
            None => Ok(()),
        }
    }
}
