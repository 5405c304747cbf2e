//! What is said when something is not as it should be: a registered catalogue of codes, and the one
//! form every failure is reported in. Knows no command line and no cause.

use std::path::Path;

use serde::Serialize;

/// Exit status of the program, one meaning each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// Done, or verified.
    Done = 0,
    /// Input/output failed, or the program has a defect.
    Failed = 1,
    /// The command was not understood, or there is nothing here to work on.
    Usage = 2,
    /// Something is not what it was, or a key is wrong.
    Unverified = 3,
    /// Not supported; nothing was written.
    Unsupported = 4,
    /// A confirmation is needed.
    Confirm = 5,
    /// A step or rule failed.
    Refused = 6,
    /// Nothing is wrong, and not everything could be checked.
    NotFullyChecked = 7,
    /// Somebody else is at work, or the ground moved.
    Busy = 8,
    /// Changes are pending (only where asked for).
    Pending = 10,
    /// Interrupted.
    Interrupted = 130,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Evidence or data is at stake.
    Fatal,
    /// The command did not do its work.
    Error,
    /// The command did its work; something is worth knowing.
    Warn,
}

/// A registered code.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// Its name, stable for ever.
    pub id: &'static str,
    /// Its number: 1000 configuration and schema, 1500 log and evidence, 1700 keys and trust, 1800
    /// work, 1900 replay.
    pub number: u16,
    /// The exit status it leads to.
    pub exit: Exit,
    /// How bad it is.
    pub severity: Severity,
    /// Whether the same command may succeed later.
    pub retryable: bool,
    /// What it means.
    pub meaning: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

impl Code {
    /// The area its number lies in.
    pub const fn category(&self) -> &'static str {
        match self.number {
            1000..=1499 => "configuration",
            1500..=1699 => "evidence",
            1700..=1799 => "security",
            1800..=1899 => "runtime",
            _ => "replay",
        }
    }

    /// The code of that name.
    pub fn find(id: &str) -> Option<&'static Self> {
        CATALOGUE.iter().copied().find(|code| code.id.eq_ignore_ascii_case(id))
    }
}

/// What only a hand can put right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mend {
    /// Nothing: commands do.
    Nothing,
    /// What is at the failure's place.
    Place,
}

/// One failure, in the form people and programs read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What kind of failure.
    pub code: &'static Code,
    /// What happened, naming the thing.
    pub message: String,
    /// Where: a path, a line, an event.
    pub place: Option<String>,
    /// What was not done because of it.
    pub not_done: &'static str,
    /// What has to be put right by hand before any command can do more.
    pub mend: Mend,
    /// Texts that show it to whoever was not there: heads as they were signed.
    pub evidence: Box<[String]>,
    /// Commands to run next, each as its arguments.
    pub next: Vec<Vec<String>>,
}

impl Failure {
    /// A failure of that code.
    pub fn new(code: &'static Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            place: None,
            not_done: "nothing was written",
            mend: Mend::Nothing,
            evidence: Box::default(),
            next: Vec::new(),
        }
    }

    /// Says where.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }

    /// Says what was not done, where it is not simply that nothing was written.
    #[must_use]
    pub const fn not_done(mut self, not_done: &'static str) -> Self {
        self.not_done = not_done;
        self
    }

    /// Says that what is at the place has to be put right by hand first.
    #[must_use]
    pub const fn mend_place(mut self) -> Self {
        self.mend = Mend::Place;
        self
    }

    /// What has to be put right by hand first.
    pub fn to_mend(&self) -> Option<&str> {
        match self.mend {
            Mend::Nothing => None,
            Mend::Place => self.place.as_deref(),
        }
    }

    /// Adds texts that show it to others.
    #[must_use]
    pub fn showing(mut self, evidence: impl IntoIterator<Item = String>) -> Self {
        self.evidence = self.evidence.into_iter().chain(evidence).collect();
        self
    }

    /// Adds a command to run next.
    #[must_use]
    pub fn next<const N: usize>(mut self, command: [&str; N]) -> Self {
        self.next.push(command.iter().map(|word| (*word).to_owned()).collect());
        self
    }

    /// The same where the commands that judge the ledger are to hold it against the head in the file `head` too.
    #[must_use]
    pub(crate) fn judging_with(mut self, head: &Path) -> Self {
        let trust = ["--trust".to_owned(), head.display().to_string()];
        let judges =
            |command: &&mut Vec<String>| command.first().is_some_and(|it| it == "verify-chain");
        for command in self.next.iter_mut().filter(judges) {
            command.extend(trust.clone());
        }
        self
    }
}

macro_rules! catalogue {
    ($($id:ident = $number:literal, $exit:ident, $severity:ident, $retryable:literal, $meaning:literal, $remedy:literal;)*) => {
        $(
            #[doc = $meaning]
            pub static $id: Code = Code {
                id: stringify!($id),
                number: $number,
                exit: Exit::$exit,
                severity: Severity::$severity,
                retryable: $retryable,
                meaning: $meaning,
                remedy: $remedy,
            };
        )*

        /// Every code, by number.
        pub static CATALOGUE: &[&Code] = &[$(&$id),*];
    };
}

catalogue! {
    USAGE = 1000, Usage, Error, false,
        "The command or one of its arguments was not understood.",
        "Run the command with --help.";
    NOTHING_HERE = 1001, Usage, Error, false,
        "There is no ledger or store where one was looked for.",
        "Go to the store's folder, name the ledger with --ledger DIR, or run `glyph-ledger init`.";
    ALREADY_HERE = 1002, Usage, Error, false,
        "There is a ledger here already.",
        "Use it (`glyph-ledger status`), or choose another folder.";
    BASELINE_UNKNOWN = 1003, Usage, Error, false,
        "A database comes into care, and nothing tells which migrations it went through already.",
        "Say it: `glyph-ledger init --database FILE ... --baseline VERSION`, or `--baseline none`.";
    LAYOUT_AMBIGUOUS = 1004, Usage, Error, false,
        "The files of a folder of migrations fit more than one tool, or another one than the database's table.",
        "Say whose they are: `glyph-ledger init ... --layout LAYOUT`.";
    BASELINE_DIFFERS = 1005, Usage, Error, false,
        "A database that comes into care does not have the structure of the version that it is said to have.",
        "Name the version that it has; or add `--believe-baseline`, which the ledger's settings record.";
    CONTRACT_INVALID = 1010, Refused, Error, false,
        "The contract cannot be used: it is not of the contract's schema, or contradicts itself.",
        "Mend the contract at the place named.";
    CONTRACT_EDITED = 1011, Refused, Error, false,
        "A contract that a run has used was edited under the same version.",
        "Undo the edit, or give the contract a new contract_version.";
    MANIFEST_INVALID = 1012, Unsupported, Error, false,
        "The store's manifest cannot be read, or states no version.",
        "Mend the manifest by hand; nothing else of the store was opened.";
    FOLDER_INVALID = 1013, Refused, Error, false,
        "A folder of migrations cannot be used: something in it is no migration, or the tool would stumble over it.",
        "Mend what is named; the tool that the folder is for would refuse it as well, or leave it out without a word.";
    BOOKS_INVALID = 1014, Refused, Error, false,
        "The table in which a migration tool keeps account is not as that tool makes it.",
        "Mend the table with the tool that it belongs to, or name another layout (`--layout`).";
    MIGRATION_VERSION_UNKNOWN = 1020, Unsupported, Error, false,
        "The store's version is not one that this contract knows; a newer program may.",
        "Use the program that wrote the store, or a contract that knows its version.";
    MIGRATION_VERSION_AMBIGUOUS = 1021, Unsupported, Error, false,
        "More than one version matches the store.",
        "Make the contract's detectors exclude each other.";
    MIGRATION_PATH_MISSING = 1022, Unsupported, Error, false,
        "No chain of edges leads from the store's version to the one asked for.",
        "Choose another target version, or add the missing edge to the contract.";
    STORE_DISAGREES = 1023, Unsupported, Error, false,
        "Manifest and database state different versions.",
        "If a run is pending, `glyph-ledger migration resume`; else restore one of the two.";
    STORE_INVALID = 1024, Unsupported, Error, false,
        "A database is not one that can be migrated: not SQLite, empty, or damaged; or a document is none: a link, too large, its path too long.",
        "Restore a database from a backup or from the ledger (`glyph-ledger replay --out DIR`); leave such a document out (`glyph-ledger plan --leave-out GLOB`; of every command: `glyph-ledger init --documents --leave-out GLOB`).";
    NEEDS_EXCLUSIVE = 1025, Unsupported, Error, false,
        "Going there changes the database's page size, vacuum mode or encoding, which others may not see change.",
        "Close the database everywhere and give `--exclusive`; another encoding than it has is written by `glyph-ledger replay --out DIR` only.";
    MIGRATION_BELOW_MINIMUM = 1030, Unsupported, Error, false,
        "The object's version is older than the oldest one that the contract reads.",
        "Migrate it with a program that still reads that version.";
    MIGRATION_ABOVE_CURRENT = 1031, Unsupported, Error, false,
        "The version is newer than the contract's current one.",
        "Use a newer program or contract.";
    MIGRATION_VERSION_TYPE = 1032, Unsupported, Error, false,
        "What stands in the version's place is of another kind than any version.",
        "Find out what wrote the document; nothing was changed.";
    CONTRACT_VERSION_LOW = 1033, Refused, Error, false,
        "A contract was changed more than its new version says.",
        "Raise contract_version as the message says.";
    MIGRATION_EDITED = 1034, Refused, Error, false,
        "A migration that a database went through was edited afterwards.",
        "Undo the edit, and put what it was for into a new migration.";
    MIGRATION_MISSING = 1035, Refused, Error, false,
        "A migration that a database went through is not in its folder any more.",
        "Put the file back as it was; the ledger keeps its text with the contract of the run.";
    MIGRATION_LATE = 1036, Refused, Error, false,
        "A migration that was not applied stands before one that was.",
        "Give it a number after the newest one that was applied.";
    MIGRATION_NEWER = 1037, Refused, Error, false,
        "The database went through a migration that is newer than all in the folder.",
        "Bring the folder up to date (`git pull`); it is behind the database.";
    MIGRATION_DIRTY = 1038, Refused, Error, false,
        "The table of a migration tool says that a migration was begun and not finished.",
        "Finish or undo that migration with its tool; only a person can say how much of it was done.";
    LINK_DANGLING = 1040, Refused, Error, false,
        "An object refers by hash to an object that is not there.",
        "Add the object that is named to the target, or mend the reference at the place named.";
    LINK_STALE = 1041, Unverified, Error, false,
        "A hash does not match the content that it stands for: something was changed and not hashed again.",
        "Restore the content of then, or have whoever changed it compute the hash again.";
    LINK_CYCLE = 1042, Refused, Error, false,
        "References by hash lead in a circle, as contracts declare them or as objects hold them, so that no hash can be computed first.",
        "Exclude one of the places named from the hash that covers it (`exclude`).";
    LINK_AMBIGUOUS = 1043, Refused, Error, false,
        "A reference by hash fits several objects whose hashes differ after the migration.",
        "Remove all but one of the objects named.";
    LINK_INVALID = 1044, Refused, Error, false,
        "A place that must hold a hash holds something else, or a value has no canonical form to be hashed.",
        "Mend the document, or the contract's `refs` and `self_hash`, at the place named.";
    REQUEST_INVALID = 1050, Refused, Error, false,
        "What an operator was called with is not what it takes.",
        "Call it as its request schema says; the message names the place.";
    CODE_UNREGISTERED = 1051, Refused, Error, false,
        "An error was to be emitted under a code that is not in the catalogue.",
        "Use a registered code: `glyph-ledger explain CODE`.";
    LEDGER_MISSING = 1500, Unverified, Fatal, false,
        "A part of the ledger that must be there is not.",
        "Restore the ledger's folder from a backup; an empty one is never started in its place.";
    LEDGER_FOREIGN = 1501, Unverified, Fatal, false,
        "What is here belongs to another ledger than the one known at this place.",
        "Put the right ledger back: from a backup, or from where it was moved. Where it is lost, go on from what is left of it, a copy of its folder \
         or a head of it, under a new id: `glyph-ledger init --continues DIR`, with what `init` was told before. Where nothing of it is left and \
         nothing of it shall count any more, `glyph-ledger head forget ID` lets another be made there. If the change was meant, move the store \
         to another folder.";
    LEDGER_REGRESSED = 1502, Unverified, Fatal, false,
        "The ledger ends before a head that was seen earlier.",
        "Restore the newer ledger. An older copy cannot be continued under the same id: where the newer one is lost, move the copy elsewhere and \
         go on from it under a new id, with `glyph-ledger init --continues DIR` and what `init` was told before.";
    LEDGER_DIVERGED = 1503, Unverified, Fatal, false,
        "The ledger contradicts a head that was seen earlier: its history was changed.",
        "Keep both heads as evidence and restore the ledger that the earlier head belongs to.";
    LEDGER_DAMAGED = 1504, Unverified, Fatal, false,
        "Stored bytes of the ledger are not what was appended.",
        "`glyph-ledger verify-chain` names the first bad event and what is still good.";
    EVENT_ILLEGAL = 1505, Unverified, Fatal, false,
        "An event is not allowed at the place where it stands.",
        "`glyph-ledger show` prints the event; whoever signed it broke the rules of the ledger.";
    OBJECT_MISSING = 1506, Unverified, Fatal, false,
        "Stored content that an event refers to is not there.",
        "Restore the ledger's objects from a backup.";
    OBJECT_DAMAGED = 1507, Unverified, Fatal, false,
        "Stored content does not hash to its name.",
        "Restore the ledger's objects from a backup.";
    AUDIT_CHANGED = 1508, Unverified, Fatal, false,
        "Earlier lines of the store's audit file are not what they were.",
        "The ledger keeps the lines as they were recorded: `glyph-ledger replay --out DIR`.";
    LOG_FULL = 1509, Failed, Error, false,
        "An event or batch exceeds a limit of the log.",
        "This is a defect of the program; report it.";
    PROOF_INVALID = 1510, Unverified, Fatal, false,
        "A file is not a proof as it was written: it was cut off or edited, or contradicts itself.",
        "Make the proof again: `glyph-ledger prove TARGET --contract CONTRACT`.";
    PROOF_FOREIGN = 1511, Unverified, Error, false,
        "A proof is not of the document, or not of the contract, that it is compared with.",
        "Name the document that the proof was made of, and the contract as it was then.";
    PROOF_TAKEN = 1512, Unverified, Error, false,
        "Where a proof must be kept stands something else. It was not touched.",
        "Look at what stands there; move it away, and prove again.";
    PROPERTY_MISSING = 1513, Unverified, Error, false,
        "Something that the contract requires of a migration was not seen to hold.",
        "Mend the contract, or the script that is named: the proof of a document names the property, and a document that fails if one was generated.";
    CONTENT_CHANGED = 1514, Unverified, Error, false,
        "Files in which a store keeps content do not have the hash or size that its database says.",
        "Restore these files from a backup; a ledger has manifest, database and audit file, and not them.";
    IMAGE_PRUNED = 1515, Refused, Error, false,
        "The state of a database asked for was given up by `image prune`: its pages are not kept any more.",
        "Go back to a newer state: `glyph-ledger image list` names what is kept.";
    EXCEPTIONS_FOUND = 1516, Refused, Warn, false,
        "Events stand out that an auditor asks about: runs that nobody else agreed to, losses without a reason, suspect keys.",
        "Look at each: `glyph-ledger show SEQ`. Whether it was as it should be, people say.";
    REPORT_TOO_LARGE = 1517, Unsupported, Error, false,
        "A report would have more events than a browser shows.",
        "Write the events for other programs: `glyph-ledger export -o FILE`.";
    BUNDLE_INVALID = 1518, Unverified, Fatal, false,
        "A certificate bundle is not as it was written: it was edited or cut off, contradicts itself, or its events do not bear it out.",
        "Get it again from whoever made it: `glyph-ledger migration certificate export RUN -o FILE`.";
    SUBJECT_FOREIGN = 1519, Unverified, Error, false,
        "A file is not one that the certificate is about.",
        "Name the file as the run left it; the certificate lists its objects with their hashes.";
    FORMAT_UNSUPPORTED = 1520, Unsupported, Fatal, false,
        "The ledger is written in an event format that this program does not read.",
        "Use the version of glyph-ledger that wrote it. Nothing says that the ledger is damaged.";
    EXPORT_PART = 1521, Unverified, Error, false,
        "An export begins behind event 0: key, tree and state come from the events before, so nothing of it can be verified.",
        "Get the export of all events: `glyph-ledger export -o FILE`.";
    KEY_MISSING = 1700, Unverified, Error, false,
        "There is no private key to sign with.",
        "Name it with --key FILE, or restore it; only `init` makes a new one.";
    KEY_EXPOSED = 1701, Unverified, Error, false,
        "The private key can be reached by others.",
        "chmod 600 the key file; if others may have read it, stop using it.";
    KEY_INVALID = 1702, Unverified, Error, false,
        "The key file does not hold an Ed25519 private key in PKCS#8 PEM.",
        "Name the right file with --key FILE.";
    KEY_UNKNOWN = 1703, Unverified, Error, false,
        "The key is not authorised to sign in this ledger.",
        "Name an authorised key with --key FILE.";
    SIGNATURE_BAD = 1704, Unverified, Fatal, false,
        "The signature of a head does not verify under the key that it names.",
        "`glyph-ledger verify-chain` names it; what lies before it is still good.";
    COMPLETENESS_NOT_PROVEN = 1705, NotFullyChecked, Warn, false,
        "The ledger is consistent in itself; that nothing was cut off its end cannot be told here.",
        "Compare with a head kept elsewhere: `glyph-ledger verify-chain --trust HEAD`.";
    PIN_INVALID = 1706, Unverified, Error, false,
        "A remembered head cannot be read.",
        "Restore the file named, or compare the ledger with a head kept elsewhere.";
    PLAN_EDITED = 1707, Unverified, Error, false,
        "A plan file does not have the id it states: it was edited or cut off.",
        "Make the plan again: `glyph-ledger plan -o FILE`.";
    KEY_REFUSED = 1708, Refused, Error, false,
        "What was to be said of a key, or with it, is against the ledger's rules.",
        "See which keys there are and what they may do: `glyph-ledger key list`.";
    APPROVAL_MISSING = 1709, Refused, Error, false,
        "The plan needs the agreement of others, and not enough of them agreed.",
        "Have them look at the plan: `glyph-ledger migration approve PLAN`.";
    SIGNER_NOT_NAMED = 1710, NotFullyChecked, Warn, false,
        "A proof leads to its head; whether that is signed by a key to believe was not looked at.",
        "Name the public key that you know the ledger by: `--signer PUBLIC_KEY`, to `glyph-ledger proof verify FILE` as to `export verify FILE`.";
    SIGNER_UNKNOWN = 1711, Unverified, Fatal, false,
        "A head is signed by a key that was not allowed to sign it, or that the ledger does not know.",
        "`glyph-ledger key list` tells whom the ledger knows; what lies before the head is still good.";
    WITNESSES_MISSING = 1712, NotFullyChecked, Warn, false,
        "Fewer witnesses have cosigned a head than the policy asks for.",
        "Get a head that more of them have cosigned, or name another policy: `--witness-policy FILE`.";
    POLICY_INVALID = 1713, Usage, Error, false,
        "A file is not a policy that says which witnesses must have seen a head (c2sp.org/tlog-policy).",
        "Mend the line named.";
    KEY_ROLE_MISSING = 1714, Unverified, Error, false,
        "The key is known in this ledger, and may not do this: its roles do not say so.",
        "Name a key that may with --key FILE: `glyph-ledger key list` shows what each may do.";
    WITNESS_UNREACHABLE = 1715, Failed, Error, true,
        "A witness did not answer, not in time, or says that it cannot now.",
        "Ask again later; what other witnesses signed is kept.";
    WITNESS_REFUSED = 1716, Refused, Error, false,
        "A witness does not cosign the head: it does not know the ledger or its log key, or not the request.",
        "Give the witness the ledger's origin and log key, and name that key: `glyph-ledger head witness URL --log-key FILE`.";
    WITNESS_INVALID = 1717, Unverified, Error, false,
        "What a witness answered is no cosignature of the head by the key that was named, or is of a time to come.",
        "Compare the key with the one that the witness gives out, and the clock here with others; else do not rely on that witness.";
    IO = 1800, Failed, Error, true,
        "The operating system refused or failed.",
        "Mend what is named and run the command again.";
    BUSY = 1801, Busy, Error, true,
        "Another process is at work on the ledger or the database.",
        "Wait for it and run the command again, or use --wait SECONDS.";
    PLAN_STALE = 1802, Busy, Error, false,
        "The store is no longer what the plan was made for, or what was looked at.",
        "Make a new plan: `glyph-ledger plan`; of drift, look at it again: `glyph-ledger migration accept-drift --reason TEXT`.";
    CONFIRMATION_REQUIRED = 1803, Confirm, Error, false,
        "A plan loses values, drift is to be accepted, or images are to be given up, and that was not confirmed by typing its id.",
        "Read what is told; then `glyph-ledger apply PLAN --accept-lossy PLAN_ID`, or the same command with `--yes ID`.";
    STEP_FAILED = 1804, Refused, Error, false,
        "A step of the migration failed. The store is as it was.",
        "Mend the step at the file and line named, then plan again.";
    SCHEMA_DRIFT = 1805, Refused, Error, false,
        "The database's schema is not what the ledger has recorded.",
        "Look at the change and take it into the ledger: `glyph-ledger migration accept-drift --reason TEXT`; or take it back by hand.";
    PUBLISH_CONFLICT = 1806, Refused, Error, false,
        "A place to publish to holds neither what the run read nor what it made. It was not touched.",
        "Look at the place; then `glyph-ledger migration resume`, or `--abandon REASON`.";
    RUN_PENDING = 1807, Refused, Error, false,
        "A run is under way; until it has ended nothing else may begin.",
        "`glyph-ledger migration resume`.";
    LOSS_UNDECLARED = 1808, Refused, Error, false,
        "A migration would lose what its contract says it keeps.",
        "Mend the migration, or declare the loss in the contract.";
    DOCUMENT_CHANGED = 1809, Refused, Error, false,
        "A file of the store is not what the ledger has recorded.",
        "Look at the change; `--discard-changes` records it and goes back all the same.";
    NOTHING_TO_UNDO = 1810, Usage, Error, false,
        "The last run that ended changed nothing that could be undone, or there was none: what was aborted left the store as it was, and is no run to go back over.",
        "`glyph-ledger log` shows what happened; `glyph-ledger migration rollback --to CURSOR` goes back to an earlier state.";
    OUTCOME_INVALID = 1811, Refused, Error, false,
        "The migrated store does not pass its checks. The store is as it was.",
        "Mend the migration; the message names the check.";
    NO_RUN = 1812, Usage, Error, false,
        "No run is pending, or there was none yet.",
        "`glyph-ledger status` tells what there is to do.";
    NOTHING_TO_DO = 1813, Usage, Error, false,
        "The plan leads from a version to itself.",
        "`glyph-ledger status` tells what there is to do.";
    INTERRUPTED = 1814, Interrupted, Error, true,
        "The run was asked to stop. What it had done is recorded, and it stays open.",
        "Go on with `migration resume`, or give the run up with `migration resume --abandon REASON`.";
    ENVIRONMENT_DIFFERS = 1815, Refused, Error, false,
        "A run was asked to have the environment that a plan or the last run recorded, and it is another one, or none is known.",
        "Use the program that made the plan, or make a plan with this one: `glyph-ledger plan -o FILE`.";
    ATTACK_NOT_FOUND = 1898, Failed, Fatal, false,
        "A copy of the ledger was bent, and is called good though it is not what it was.",
        "Do not rely on this program's verdicts; report it with the message and the seed.";
    INTERNAL = 1899, Failed, Fatal, false,
        "The program has a defect.",
        "Report it with the message and the command.";
    CURSOR_UNKNOWN = 1900, Usage, Error, false,
        "The cursor names no place in this ledger.",
        "`glyph-ledger log` lists cursors.";
    REPLAY_DIVERGENCE = 1901, Unverified, Fatal, false,
        "Running a step again gave another result than the one recorded.",
        "Compare the environments recorded with the runs: `glyph-ledger show`.";
    NOT_RECOMPUTABLE = 1902, NotFullyChecked, Warn, false,
        "Some steps cannot be run again here.",
        "The message names the reason for each.";
    NOT_PROVED_AGAIN = 1903, NotFullyChecked, Warn, false,
        "The proof is whole; what it says was not seen again here.",
        "Name the document as it was before, and the contract: `glyph-ledger proof verify FILE TARGET --contract CONTRACT`.";
    CASES_UNSUPPORTED = 1904, NotFullyChecked, Error, false,
        "No documents can be generated from the schema of this version.",
        "Leave out --cases, or say what the schema asks with the keywords that are understood.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique_and_in_order() {
        assert!(CATALOGUE.windows(2).all(|pair| pair[0].number < pair[1].number));
    }

    #[test]
    fn codes_are_found_by_name_in_any_case() {
        assert_eq!(Code::find("busy").map(|code| code.number), Some(1801));
        assert_eq!(Code::find("no such"), None);
    }
}
