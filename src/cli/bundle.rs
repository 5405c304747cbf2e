//! `bundle`: certificates in the hands of somebody who has no ledger.

use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use ledger_format::body::{Purpose, Role};
use ledger_format::bundle::BUNDLE_BYTES_MAX;
use ledger_format::hash::{CommitHash, EventId, KeyId, LedgerId, NodeHash};
use serde::{Deserialize, Serialize};

use super::context::Context;
use super::failure;
use super::output::{Answer, Done};
use super::terminal::{Paint, one_line};
use super::words::{count, time};
use crate::diagnostic::{Failure, NOT_PROVED_AGAIN, SIGNER_NOT_NAMED, SUBJECT_FOREIGN, USAGE};
use crate::evidence::{Attested, attest, find_subject};

/// What a bundle that does not hold up is not.
const NOT_BELIEVED: &str = "the bundle is not to be believed";

/// Longest list of claims that is read, in bytes.
const LIST_BYTES_MAX: usize = 1024 * 1024 * 1024;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Check a certificate that `migration certificate export` wrote; no ledger is needed, only its id (`--ledger ID`).
    Verify(Arguments),
}

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The bundle
    file: PathBuf,
    /// A file that the certificate is to be about
    #[arg(long, value_name = "FILE")]
    subject: Option<PathBuf>,
    /// The claims, where they stand in a file of their own
    #[arg(long, value_name = "FILE")]
    claims: Option<PathBuf>,
}

/// What a bundle proves.
#[derive(Serialize)]
pub(super) struct Verified {
    ledger: LedgerId,
    /// Whether the caller knew the ledger's id.
    ledger_known: bool,
    run: EventId,
    purpose: &'static str,
    from: String,
    to: String,
    plan: CommitHash,
    certificate: CommitHash,
    objects: u64,
    /// Whether the claims were seen.
    claims_seen: bool,
    outcome: &'static str,
    committed: CommittedAt,
    /// Keys of others that had agreed to the plan.
    approvals: Vec<KeyId>,
    signer: SignedBy,
    /// Of the head.
    size: u64,
    root: NodeHash,
    head_signer: KeyId,
    /// Objects that the named file is as the run left them.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<Vec<String>>,
}

#[derive(Serialize)]
struct CommittedAt {
    seq: u64,
    at: u64,
    key: KeyId,
    #[serde(skip_serializing_if = "Option::is_none")]
    suspect_since: Option<u64>,
}

#[derive(Serialize)]
struct SignedBy {
    key: KeyId,
    roles: Vec<&'static str>,
    /// The event that authorised it.
    since: u64,
}

pub(super) fn run(verb: &Verb, context: &Context) -> Result<Done<Verified>, Failure> {
    match verb {
        Verb::Verify(arguments) => verify(arguments, context),
    }
}

fn verify(arguments: &Arguments, context: &Context) -> Result<Done<Verified>, Failure> {
    let Arguments { file, subject, claims } = arguments;
    let expected = context.ledger_named()?;
    let bytes = read(file, BUNDLE_BYTES_MAX)?;
    let list = claims.as_deref().map(|path| read(path, LIST_BYTES_MAX)).transpose()?;
    must_not_be_an_account(&bytes, file)?;
    let attested = attest(&bytes, expected, list.as_deref()).map_err(|error| {
        let failure = Failure::from(error).not_done(NOT_BELIEVED);
        if failure.place.is_some() { failure } else { failure.at(file.display().to_string()) }
    })?;
    let mut verified = Verified::of(&attested, expected.is_some());
    let mut found = Vec::new();
    if let Some(path) = subject {
        match look_at(path, &attested)? {
            Ok(targets) => verified.subject = Some(targets),
            Err(failure) => found.push(failure),
        }
    }
    let place = file.display().to_string();
    let held = context.held_against(&attested.statement.head, Some(&attested.keys))?;
    found.extend(held.into_iter().map(|failure| failure.at(&place).not_done(NOT_BELIEVED)));
    if !verified.claims_seen {
        let told = "the claims stand in a file of their own, which was not given";
        let failure = Failure::new(&NOT_PROVED_AGAIN, told).at("--claims");
        found.push(failure.not_done("of the objects nothing was seen"));
    }
    if expected.is_none() {
        let told = "whose ledger it is was not compared with anything";
        let failure = Failure::new(&SIGNER_NOT_NAMED, told).at(&place);
        found.push(
            failure.not_done("the key that signed is one of that ledger, whoever made it").next([
                "bundle",
                "verify",
                &place,
                "--ledger",
                "LEDGER_ID",
            ]),
        );
    }
    Ok(found.into_iter().fold(Done::new(verified), Done::found))
}

/// Refuses what tells of a certificate and is none, by what it is.
fn must_not_be_an_account(bytes: &[u8], file: &Path) -> Result<(), Failure> {
    let Ok(account) = serde_json::from_slice::<Account>(bytes) else { return Ok(()) };
    let recorded = account.recorded.map_or_else(String::new, |hash| format!(" ({})", hash.short()));
    let told = format!(
        "this is what a certificate says{recorded}, written down to be read, as `audit bundle` and `migration certificate --json` do: \
         it is signed by nobody. An export that is verified bears it out, with this certificate in run {}; `--certify` makes files that are \
         verified alone",
        account.run.short()
    );
    let failure = Failure::new(&USAGE, told).at(file.display().to_string());
    let failure = failure.not_done("nothing was verified, and nothing found to be wrong");
    let beside = file.parent().and_then(Path::parent).map(|archive| archive.join("events.jsonl"));
    let events = beside.filter(|events| events.exists()).unwrap_or_else(|| "events.jsonl".into());
    Err(failure.next(["export", "verify", &events.display().to_string(), "--trust", "HEAD"]))
}

/// What an account of a certificate has, and no bundle.
#[derive(Deserialize)]
struct Account {
    run: EventId,
    recorded: Option<CommitHash>,
    #[serde(rename = "recomputed")]
    _recomputed: CommitHash,
    #[serde(rename = "claims")]
    _claims: Vec<serde_json::Value>,
}

/// The objects that the file at `path` is now, or why it is none.
fn look_at(path: &Path, attested: &Attested) -> Result<Result<Vec<String>, Failure>, Failure> {
    let Some(claims) = &attested.claims else {
        let told = "without the list of claims (--claims) no file can be compared";
        return Err(Failure::new(&USAGE, told).at("--subject"));
    };
    let found = find_subject(path, claims)?;
    if !found.targets.is_empty() {
        return Ok(Ok(found.targets));
    }
    let told = match found.sources.first() {
        Some(object) => {
            format!("{} is what {object} was before the run", path.display())
        }
        None => format!("{} is no object as the run left it", path.display()),
    };
    let failure = Failure::new(&SUBJECT_FOREIGN, told).at(path.display().to_string());
    Ok(Err(failure.not_done("the certificate does not speak of this file")))
}

fn read(path: &Path, longest: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failure::io(path))?;
    file.take(longest as u64 + 1).read_to_end(&mut bytes).map_err(failure::io(path))?;
    Ok(bytes)
}

impl Verified {
    fn of(attested: &Attested, ledger_known: bool) -> Self {
        let Attested { statement, started, committed, signer, .. } = attested;
        let head = statement.head.head();
        Self {
            ledger: statement.ledger,
            ledger_known,
            run: statement.run,
            purpose: match started.purpose {
                Purpose::Migrate => "migrate",
                Purpose::Rollback => "rollback",
            },
            from: started.from.clone(),
            to: started.to.clone(),
            plan: started.plan,
            certificate: statement.certificate,
            objects: statement.claims.count(),
            claims_seen: attested.claims.is_some(),
            outcome: attested.outcome.word(),
            committed: CommittedAt {
                seq: committed.seq,
                at: committed.at,
                key: committed.actor,
                suspect_since: committed.suspect_since,
            },
            approvals: attested.approvals.clone(),
            signer: SignedBy {
                key: KeyId::of(&signer.public_key.0),
                roles: signer.roles.iter().map(Role::word).collect(),
                since: signer.since,
            },
            size: head.size,
            root: head.root,
            head_signer: statement.head.signer(),
            subject: None,
        }
    }
}

impl Answer for Verified {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let (from, to, run) = (one_line(&self.from), one_line(&self.to), self.run.short());
        let told = format!("run {run}: {} from {from} to {to}, {}", self.purpose, self.outcome);
        writeln!(out, "{}", paint.strong(told))?;
        writeln!(out, "  ledger       {}", self.ledger)?;
        writeln!(
            out,
            "  certificate  {}, over {}",
            self.certificate,
            count(self.objects, "object")
        )?;
        let CommittedAt { seq, at, key, suspect_since } = &self.committed;
        writeln!(out, "  committed    by event {seq} at {}, key {}", time(*at), key.short())?;
        if let Some(since) = suspect_since {
            let told = format!("what that key signed since event {since} may not be its owner's");
            writeln!(out, "               {}", paint.warning(told))?;
        }
        writeln!(out, "  agreed       {}", count(self.approvals.len() as u64, "other key"))?;
        writeln!(
            out,
            "  under        the head over {}, root {}",
            count(self.size, "event"),
            self.root
        )?;
        writeln!(out, "  signer       {}", self.signer.key)?;
        writeln!(
            out,
            "               authorised at seq {}; revocation after size {} is not visible here",
            self.signer.since, self.size
        )?;
        writeln!(
            out,
            "               nor is what was left out: that the key was revoked, or that plans need approvals"
        )?;
        for object in self.subject.iter().flatten() {
            writeln!(out, "  subject      is {} as the run left it", one_line(object))?;
        }
        Ok(())
    }
}
