//! `key`: the user's own key, and the keys that a ledger knows: who may sign, since when, and who may not any more.

use std::fs;
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use ed25519_dalek::VerifyingKey;
use ledger_format::body::{Role, Roles};
use ledger_format::hash::{EventId, KeyId, LedgerId, hex, unhex};
use projections::{KeyRing, KnownKey};
use serde::Serialize;

use super::context::Context;
use super::failure;
use super::new_file::NewFile;
use super::output::{Answer, Done};
use super::reason;
use super::terminal::{Paint, lines_of, path_shown};
use super::words::count;
use crate::diagnostic::{Failure, KEY_INVALID, KEY_REFUSED, USAGE};
use crate::effects::{Signer as _, SystemRandom};
use crate::failure::AUTHORIZE_APPROVER;
use crate::ledger::{KeyChange, Ledger, approvals_possible, other_keys, possession};
use crate::trust::{
    PUBLIC_KEY_BYTES_MAX, PublicKeyError, create_key, digits, load_key, pem, read_public_key,
    ssh_line,
};

/// Fewest digits of a key's id that name it.
const ID_DIGITS_MIN: usize = 8;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Make a private key in a file of its own.
    New(New),
    /// List the keys that the ledger knows.
    List,
    /// Print the public key of the key that signs, for whoever is to authorise it.
    Export(Export),
    /// Let another key sign.
    Authorize(Authorize),
    /// Have another key take over from the one that signs.
    Rotate(Rotate),
    /// Take a key's right to sign away.
    Revoke(Revoke),
    /// Say how many others must agree to a plan before it is carried out.
    Approvals(Approvals),
}

#[derive(Debug, Args)]
pub(super) struct New {
    /// The file to make, outside of every store; nothing is ever written over
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Export {
    /// How to write it
    #[arg(long, value_enum, default_value_t = Form::Ssh)]
    form: Form,
    /// Also show, for the ledger of this id, that the key is held
    #[arg(long, value_name = "LEDGER_ID")]
    possession: Option<LedgerId>,
    /// Write the key to this file; nothing is ever written over
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Forms of a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A line of OpenSSH
    Ssh,
    /// PEM, as OpenSSL reads it
    Pem,
    /// 64 hexadecimal digits
    Hex,
}

#[derive(Debug, Args)]
pub(super) struct Authorize {
    /// The public key: a file, or itself as 64 hexadecimal digits or a line of OpenSSH
    public_key: String,
    /// What it may do
    #[arg(long, value_enum, required = true)]
    role: Vec<RoleName>,
    /// What its owner got by `key export --possession`
    #[arg(long, value_name = "HEX")]
    possession: Option<String>,
}

/// The roles of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RoleName {
    /// Say which keys there are, and how many must agree to a plan
    Administer,
    /// Record what happens to the store
    Append,
    /// Agree to plans
    Approve,
    /// Sign heads for others under the ledger's name, and no event
    Publish,
}

#[derive(Debug, Args)]
pub(super) struct Rotate {
    /// The private key that takes over (`key new FILE` makes one)
    #[arg(value_name = "NEW_KEY")]
    to: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Revoke {
    /// The first digits of the key's id, as `key list` shows it
    #[arg(value_name = "KEY_ID")]
    id: String,
    /// Why
    #[arg(long, value_name = "TEXT", value_parser = reason::said)]
    reason: String,
    /// The first event that its owner may not have signed, where that is known
    #[arg(long, value_name = "SEQ")]
    suspect_since: Option<u64>,
}

#[derive(Debug, Args)]
pub(super) struct Approvals {
    /// How many; 0 for none
    count: u64,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Answered {
    Listed(Listed),
    Mine(Mine),
    Said(Said),
}

#[derive(Serialize)]
pub(super) struct Listed {
    ledger: LedgerId,
    approvals_required: u64,
    keys: Vec<Shown>,
}

#[derive(Serialize)]
struct Shown {
    key: KeyId,
    public_key: String,
    roles: Vec<&'static str>,
    /// The event that authorised it.
    since: u64,
    /// The event that ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    successor: Option<KeyId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    suspect_since: Option<u64>,
    /// Whether it is the one that signs here and now.
    own: bool,
}

/// The key that signs, as far as others may know it.
#[derive(Serialize)]
pub(super) struct Mine {
    key: KeyId,
    public_key: String,
    /// The file that was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    possession: Option<String>,
}

/// An event about keys.
#[derive(Serialize)]
pub(super) struct Said {
    seq: u64,
    event: EventId,
    /// The key that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<KeyId>,
    /// More keys must agree to a plan than can.
    #[serde(skip_serializing_if = "Option::is_none")]
    unreachable: Option<Unreachable>,
    #[serde(skip)]
    told: String,
}

/// Plans that cannot be carried out, since not enough keys are left that may agree.
#[derive(Serialize)]
struct Unreachable {
    approvals_required: u64,
    approvals_possible: u64,
}

impl Unreachable {
    fn of(ring: &KeyRing) -> Option<Self> {
        let (required, possible) = (ring.approvals_required(), approvals_possible(ring));
        (possible < required)
            .then_some(Self { approvals_required: required, approvals_possible: possible })
    }
}

pub(super) fn run(verb: &Verb, context: &Context) -> Result<Done<Answered>, Failure> {
    match verb {
        Verb::New(new) => make(new, context),
        Verb::List => list(context),
        Verb::Export(export) => export.run(context),
        Verb::Authorize(authorize) => authorize.run(context),
        Verb::Rotate(rotate) => rotate.run(context),
        Verb::Revoke(revoke) => revoke.run(context),
        Verb::Approvals(approvals) => approvals.run(context),
    }
}

fn make(new: &New, context: &Context) -> Result<Done<Answered>, Failure> {
    context.must_lie_outside(&new.file)?;
    NewFile::absent(&new.file)?;
    let signer = create_key(&new.file, &mut SystemRandom)?;
    let mine = Mine {
        key: signer.key_id(),
        public_key: ssh_line(&signer.public_key()),
        file: Some(new.file.clone()),
        possession: None,
    };
    Ok(Done::new(Answered::Mine(mine)).note("keep the file; nobody can make it again"))
}

fn list(context: &Context) -> Result<Done<Answered>, Failure> {
    let ledger = context.open()?;
    // Whoever only looks needs no key.
    let own = context.signer().ok().map(|signer| signer.key_id());
    let ring = ledger.state().keys();
    let mut keys: Vec<Shown> = ring.all().map(|known| Shown::of(known, own)).collect();
    keys.sort_by_key(|shown| (shown.since, shown.key));
    let approvals_required = ring.approvals_required();
    Ok(Done::new(Answered::Listed(Listed { ledger: ledger.id(), approvals_required, keys })))
}

impl Shown {
    fn of(known: &KnownKey, own: Option<KeyId>) -> Self {
        let key = KeyId::of(&known.public_key.0);
        let ended = known.ended.as_ref();
        Self {
            key,
            public_key: hex(&known.public_key.0),
            roles: known.roles.iter().map(Role::word).collect(),
            since: known.since,
            ended: ended.map(|ended| ended.at),
            successor: ended.and_then(|ended| ended.successor),
            suspect_since: ended.and_then(|ended| ended.suspect_since),
            own: own == Some(key),
        }
    }
}

impl Export {
    fn run(&self, context: &Context) -> Result<Done<Answered>, Failure> {
        let signer = context.signer()?;
        let key = signer.public_key();
        let text = match self.form {
            Form::Ssh => ssh_line(&key) + "\n",
            Form::Pem => {
                pem(&key).map_err(|error| Failure::new(&KEY_INVALID, error.to_string()))?
            }
            Form::Hex => digits(&key) + "\n",
        };
        if let Some(file) = &self.output {
            context.must_lie_outside(file)?;
            NewFile::absent(file)?
                .make(0o644, |out| out.write_all(text.as_bytes()).map_err(failure::io(file)))?;
        }
        let mine = Mine {
            key: signer.key_id(),
            public_key: text.trim_end().to_owned(),
            file: self.output.clone(),
            possession: self.possession.map(|ledger| hex(&possession(ledger, &signer))),
        };
        Ok(Done::new(Answered::Mine(mine)))
    }
}

impl Authorize {
    fn run(&self, context: &Context) -> Result<Done<Answered>, Failure> {
        let public_key = public_key(&self.public_key)?.to_bytes();
        let shown = self.possession.as_deref().map(signature).transpose()?;
        let roles = Roles::new(self.role.iter().map(|role| role.role()));
        let roles = roles.ok_or_else(|| Failure::new(&USAGE, "a key needs a role").at("--role"))?;
        let words: Vec<_> = roles.iter().map(Role::word).collect();
        let key = KeyId::of(&public_key);
        let told = format!("key {} may {}", key.short(), words.join(", "));
        let change = KeyChange::Authorize { public_key, roles, possession: shown };
        said(context, change, Some(key), told)
    }
}

impl Rotate {
    fn run(&self, context: &Context) -> Result<Done<Answered>, Failure> {
        let new = load_key(&self.to)?;
        let (key, file) = (new.key_id(), self.to.display().to_string());
        let told = format!("key {} took over", key.short());
        let mut ledger = context.open()?;
        let recovery = ledger.begins()?.recovery.map(|key| KeyId::of(&key));
        must_not_be_the_last_resort(&key, recovery.as_ref())?;
        let ended = context.signer()?.key_id();
        let done = append(&mut ledger, context, KeyChange::Rotate { to: &new }, Some(key), told)?;
        let done = done.note(format!("from now on: --key {file}"));
        Ok(if recovery == Some(ended) {
            done.note("warning: it took over from the key to recover with, and may administer and nothing else: keep it where that one lay. A working key that was lost is replaced by `key authorize` and `key revoke`")
        } else {
            done
        })
    }
}

/// Refuses the key to recover with as the one that works from now on: it has lain where no machine reaches it, and would do so no more.
fn must_not_be_the_last_resort(key: &KeyId, recovery: Option<&KeyId>) -> Result<(), Failure> {
    if recovery != Some(key) {
        return Ok(());
    }
    let told =
        "the key to recover with does not take over: used every day, it is kept for no other";
    let failure = Failure::new(&KEY_REFUSED, told).not_done("no event was appended");
    Err(failure.next(["key", "new", "NEW_KEY"]))
}

impl Revoke {
    fn run(&self, context: &Context) -> Result<Done<Answered>, Failure> {
        let mut ledger = context.open()?;
        let key = find(ledger.state().keys(), &self.id)?;
        let ended = ledger.state().keys().get(&key).is_none();
        let told = match self.suspect_since.filter(|_| ended) {
            None => format!("key {} may not sign any more", key.short()),
            Some(since) => {
                let short = key.short();
                format!("what key {short} signed since event {since} may not be its owner's")
            }
        };
        let (reason, suspect_since) = (self.reason.clone(), self.suspect_since);
        append(
            &mut ledger,
            context,
            KeyChange::Revoke { key, reason, suspect_since },
            Some(key),
            told,
        )
    }
}

impl Approvals {
    fn run(&self, context: &Context) -> Result<Done<Answered>, Failure> {
        let told = match self.count {
            0 => "plans need nobody's agreement".to_owned(),
            1 => "another key must agree to each plan".to_owned(),
            count => format!("{count} other keys must agree to each plan"),
        };
        said(context, KeyChange::RequireApprovals { count: self.count }, None, told)
    }
}

impl RoleName {
    const fn role(self) -> Role {
        match self {
            Self::Administer => Role::Administer,
            Self::Append => Role::Append,
            Self::Approve => Role::Approve,
            Self::Publish => Role::Publish,
        }
    }
}

fn said(
    context: &Context,
    change: KeyChange<'_>,
    key: Option<KeyId>,
    told: String,
) -> Result<Done<Answered>, Failure> {
    append(&mut context.open()?, context, change, key, told)
}

fn append(
    ledger: &mut Ledger,
    context: &Context,
    change: KeyChange<'_>,
    key: Option<KeyId>,
    told: String,
) -> Result<Done<Answered>, Failure> {
    let signer = context.signer()?;
    let recorded = ledger.change_keys(&signer, change)?;
    let unreachable = Unreachable::of(ledger.state().keys());
    let possible = unreachable.as_ref().map(|found| found.approvals_possible.to_string());
    let said = Said { seq: recorded.event.seq, event: recorded.id, key, unreachable, told };
    let done = Done::new(Answered::Said(said));
    // Who signed this may have ended with it: somebody else goes on.
    let may = ledger.state().keys().may(&signer.key_id(), Role::Administer);
    let by: &[&str] = if may { &[] } else { &["--key", "ADMINISTRATORS_KEY"] };
    Ok(match possible {
        None => done.next(&["key", "list"]),
        Some(possible) => done
            .next(&[&AUTHORIZE_APPROVER, by].concat())
            .next(&[&["key", "approvals", &possible], by].concat()),
    })
}

/// The one key whose id begins with `digits`.
fn find(ring: &KeyRing, digits: &str) -> Result<KeyId, Failure> {
    let wrong = |told: String| Failure::new(&USAGE, told).at("KEY_ID").next(["key", "list"]);
    if digits.len() < ID_DIGITS_MIN {
        return Err(wrong(format!("{ID_DIGITS_MIN} digits of a key's id are needed at least")));
    }
    let mut found = ring.all().map(|known| KeyId::of(&known.public_key.0));
    let mut found = found.by_ref().filter(|key| key.to_string().starts_with(digits));
    match (found.next(), found.next()) {
        (Some(key), None) => Ok(key),
        (None, _) => Err(wrong(format!("the ledger knows no key {digits}"))),
        (Some(_), Some(_)) => Err(wrong(format!("more than one key begins with {digits}"))),
    }
}

/// A public key that was typed, or the name of a file with one.
pub(super) fn public_key(given: &str) -> Result<VerifyingKey, Failure> {
    let path = Path::new(given);
    let text = if path.is_file() { read(path)? } else { given.to_owned() };
    read_public_key(&text)
        .map_err(|error| Failure::new(&KEY_INVALID, error.to_string()).at(given.to_owned()))
}

fn read(path: &Path) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(failure::io(path))?;
    file.take(PUBLIC_KEY_BYTES_MAX as u64).read_to_end(&mut bytes).map_err(failure::io(path))?;
    String::from_utf8(bytes).map_err(|_| {
        Failure::new(&KEY_INVALID, PublicKeyError::Form.to_string()).at(path.display().to_string())
    })
}

fn signature(text: &str) -> Result<[u8; 64], Failure> {
    let bytes = unhex(text).and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| Failure::new(&USAGE, "expected 128 hexadecimal digits").at("--possession"))
}

impl Answer for Answered {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        match self {
            Self::Listed(listed) => listed.write(out, paint),
            Self::Mine(mine) => mine.write(out, paint),
            Self::Said(said) => {
                writeln!(out, "{}", paint.strong(&said.told))?;
                if let Some(found) = &said.unreachable {
                    let Unreachable { approvals_required, approvals_possible } = found;
                    let told = format!(
                        "warning: no plan can be applied now: {} must agree to each, and at most {approvals_possible} can",
                        other_keys(*approvals_required)
                    );
                    writeln!(out, "{}", paint.warning(told))?;
                }
                writeln!(out, "event {}  {}", said.seq, said.event)
            }
        }
    }
}

impl Listed {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        for shown in &self.keys {
            let roles = shown.roles.join(", ");
            let own = match (shown.own, shown.ended) {
                (false, _) => "",
                (true, None) => "  (the one that signs here)",
                (true, Some(_)) => "  (yours, which signs nothing here any more)",
            };
            let line = format!("{}  {roles}, since event {}{own}", shown.key.short(), shown.since);
            match (shown.ended, shown.successor) {
                (None, _) => writeln!(out, "{line}")?,
                (Some(at), Some(next)) => {
                    let told = format!("{line}, until event {at}: {} took over", next.short());
                    writeln!(out, "{}", paint.faint(told))?;
                }
                (Some(at), None) => {
                    writeln!(out, "{}", paint.faint(format!("{line}, revoked by event {at}")))?;
                }
            }
            if let Some(since) = shown.suspect_since {
                let told = format!("    what it signed since event {since} may not be its owner's");
                writeln!(out, "{}", paint.warning(told))?;
            }
        }
        match self.approvals_required {
            0 => writeln!(out, "plans need nobody's agreement"),
            required => {
                writeln!(out, "each plan needs the agreement of {}", count(required, "other key"))
            }
        }
    }
}

impl Mine {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        writeln!(out, "{}", lines_of(&self.public_key))?;
        // Alone, it is what other programs are given.
        if self.file.is_some() || self.possession.is_some() {
            writeln!(out, "{}", paint.faint(format_args!("key {}", self.key)))?;
        }
        if let Some(file) = &self.file {
            writeln!(out, "written to {}", path_shown(file))?;
        }
        match &self.possession {
            Some(shown) => writeln!(out, "possession {shown}"),
            None => Ok(()),
        }
    }
}
