//! `proof verify` of several proofs or of folders: each is read strictly, and proved again where the document it was made
//! of still lies beside it and the contract is known.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ledger_format::hash::ContentHash;
use serde::Serialize;

use super::care::Care;
use super::context::Context;
use super::output::{Answer, Done};
use super::proving::{By, NOT_BELIEVED, differ, is_proof, proof_of, read};
use super::terminal::{Paint, one_line, path_shown};
use super::words::count;
use super::{failure, progress};
use crate::diagnostic::{Failure, NOT_PROVED_AGAIN, NOTHING_HERE, PROOF_INVALID};
use crate::document::DOCUMENT_BYTES_MAX;
use crate::migrate::proof::{
    DocumentMigration, FOLDER, Generated, Proof, ProofFileError, TreeProver, differences, load,
};

/// Most proofs that are listed, of those seen again and of the others.
const LISTED_MAX: usize = 1_000;

/// Files passed over that are shown to people; a screen of them.
const PASSED_OVER_SHOWN_MAX: usize = 20;

/// Several proofs.
#[derive(Default, Serialize)]
pub(super) struct VerifiedAll {
    /// How many were looked at.
    proofs: u64,
    /// Of which everything was seen again.
    proved_again: u64,
    /// Which are whole, and were not seen again.
    whole: u64,
    /// Which came out otherwise.
    differing: u64,
    /// Which are no proofs as they were written.
    invalid: u64,
    /// Which do not pass, among those that are whole.
    failing: u64,
    listed: Vec<Listed>,
    not_listed: u64,
    /// Files in folders of proofs that are none, under whatever name.
    passed_over: Vec<PathBuf>,
    /// How many there are.
    passed_over_total: u64,
}

#[derive(Serialize)]
struct Listed {
    file: PathBuf,
    found: Found,
    fingerprint: Option<ContentHash>,
    /// The document that it was proved again with.
    document: Option<PathBuf>,
    pass: Option<bool>,
    differs: Vec<&'static str>,
    why: Option<String>,
}

/// What became of one proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Found {
    ProvedAgain,
    Whole,
    Differs,
    Invalid,
}

pub(super) fn run(
    files: &[PathBuf],
    by: &By,
    context: &Context,
) -> Result<Done<VerifiedAll>, Failure> {
    let (mut proofs, mut others) = (BTreeSet::new(), BTreeSet::new());
    for file in files {
        if file.is_dir() {
            collect(file, &mut proofs, &mut others)?;
        } else {
            proofs.insert(file.clone());
        }
    }
    let others =
        others.into_iter().filter(|file| !is_renamed(file) || !proofs.insert(file.clone()));
    let others: Vec<PathBuf> = others.collect();
    let Some(first) = proofs.first() else {
        let place = files.first().map(|file| file.display().to_string()).unwrap_or_default();
        let told = format!("no proof at {place}: no folder {FOLDER} with proofs in it");
        let told = match others.first() {
            None => told,
            Some(other) => format!("{told}, and {} is none", other.display()),
        };
        return Err(Failure::new(&NOTHING_HERE, told).at(place));
    };
    let care = if by.is_given() { None } else { Care::of(first, by, context)? };
    let migration = if by.is_given() { Some(by.migration()?) } else { None };
    let prover = match &care {
        Some(care) => Some(TreeProver::new(&care.collection, &care.policy, &care.former)?),
        None => None,
    };
    let witness = Witness { care: care.as_ref(), prover, migration };
    let bar = progress::Documents::new(context, proofs.len() as u64);
    let mut all = VerifiedAll { passed_over_total: others.len() as u64, ..VerifiedAll::default() };
    all.passed_over = others.into_iter().take(LISTED_MAX).collect();
    let mut beside = Beside::default();
    let mut generated = BTreeMap::new();
    for file in proofs {
        all.take(witness.look(file, &mut beside, &mut generated)?.under_its_name());
        bar.one_more();
    }
    Ok(all.done())
}

/// The proofs in `folder` and below: what is named so in folders of proofs; and what else lies there.
fn collect(
    folder: &Path,
    proofs: &mut BTreeSet<PathBuf>,
    others: &mut BTreeSet<PathBuf>,
) -> Result<(), Failure> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let holds_proofs = fs::canonicalize(&folder)
            .is_ok_and(|folder| folder.file_name().is_some_and(|name| name == FOLDER));
        for entry in fs::read_dir(&folder).map_err(failure::io(&folder))? {
            let entry = entry.map_err(failure::io(&folder))?;
            let kind = entry.file_type().map_err(failure::io(&entry.path()))?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if holds_proofs && is_proof(&entry.path()) {
                proofs.insert(entry.path());
            } else if holds_proofs {
                others.insert(entry.path());
            }
        }
    }
    Ok(())
}

/// Whether a file that is not named as proofs are is one all the same.
fn is_renamed(file: &Path) -> bool {
    match load(file) {
        Ok(_) | Err(ProofFileError::Edited { .. } | ProofFileError::Contradicts { .. }) => true,
        Err(_) => false,
    }
}

/// Who can see again what a proof says.
struct Witness<'a> {
    care: Option<&'a Care>,
    prover: Option<TreeProver<'a>>,
    migration: Option<DocumentMigration>,
}

type ByCases = BTreeMap<Option<u64>, Generated>;

impl Witness<'_> {
    fn look(
        &self,
        file: PathBuf,
        beside: &mut Beside,
        generated: &mut ByCases,
    ) -> Result<Listed, Failure> {
        let proof = match load(&file) {
            Ok(proof) => proof,
            Err(error) => {
                let failure = Failure::from(error);
                if failure.code != &PROOF_INVALID {
                    return Err(failure);
                }
                let why = Some(failure.message);
                return Ok(Listed::of(file, Found::Invalid, None, why));
            }
        };
        let Some(document) = beside.document(&file, &proof.source) else {
            let migrated =
                proof.result.is_some_and(|result| beside.document(&file, &result).is_some());
            let why = if migrated {
                "the document was migrated since, as the proof says"
            } else {
                "the document it was made of is not beside it"
            };
            return Ok(Listed::of(file, Found::Whole, Some(&proof), Some(why.to_owned())));
        };
        let cases = proof.cases.as_ref().map(|cases| cases.asked);
        let generated = generated.entry(cases).or_insert_with(|| Generated::of(cases));
        let Some(anew) = self.anew(&document, generated)? else {
            let why = "the contract is not known here: name it".to_owned();
            return Ok(Listed::of(file, Found::Whole, Some(&proof), Some(why)));
        };
        let (found, differs, why) = match &anew {
            Ok(anew) => {
                let differs = differences(&proof, anew);
                let why = differ(&differs).map(|failure| failure.message);
                let found = if differs.is_empty() { Found::ProvedAgain } else { Found::Differs };
                (found, differs, why)
            }
            Err(refusal) => (Found::Differs, Vec::new(), Some(refusal.clone())),
        };
        let document = Some(document);
        Ok(Listed { document, differs, ..Listed::of(file, found, Some(&proof), why) })
    }

    /// The proof of a document made now; nothing where nobody knows its contract, in words why there is none now.
    fn anew(
        &self,
        document: &Path,
        generated: &Generated,
    ) -> Result<Option<Result<Proof, String>>, Failure> {
        if let Some(migration) = &self.migration {
            let source = read(document)?;
            let proof = proof_of(migration, document, &source, generated);
            return Ok(Some(proof.map_err(|failure| failure.message)));
        }
        let (Some(care), Some(prover)) = (self.care, &self.prover) else { return Ok(None) };
        let Ok(id) = care.id(document) else { return Ok(None) };
        let Some(kind) = care.collection.kind_of(&id)? else { return Ok(None) };
        let proven = prover.prove(&[(id, kind)], generated, 1)?;
        let proof = proven.into_iter().next().map(|proven| proven.proof);
        Ok(proof.map(|proof| proof.map_err(|refusal| refusal.message)))
    }
}

/// The documents beside one folder of proofs, by the hashes of their bytes; those of one folder at a time.
#[derive(Default)]
struct Beside {
    folder: PathBuf,
    documents: BTreeMap<ContentHash, PathBuf>,
}

impl Beside {
    /// The document with these bytes beside the folder that the proof `file` lies in.
    fn document(&mut self, file: &Path, bytes: &ContentHash) -> Option<PathBuf> {
        let proofs = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        let proofs = fs::canonicalize(proofs.unwrap_or(Path::new("."))).ok()?;
        let folder = proofs.parent()?;
        if self.folder != folder {
            folder.clone_into(&mut self.folder);
            self.documents = hashed(folder);
        }
        self.documents.get(bytes).cloned()
    }
}

/// What cannot be read is no document that a proof could be seen again with.
fn hashed(folder: &Path) -> BTreeMap<ContentHash, PathBuf> {
    let mut documents = BTreeMap::new();
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let fits =
            |found: &fs::Metadata| found.is_file() && found.len() <= DOCUMENT_BYTES_MAX as u64;
        if fs::symlink_metadata(&path).is_ok_and(|found| fits(&found))
            && let Ok(bytes) = fs::read(&path)
        {
            documents.entry(ContentHash::of(&bytes)).or_insert(path);
        }
    }
    documents
}

impl Listed {
    fn of(file: PathBuf, found: Found, proof: Option<&Proof>, why: Option<String>) -> Self {
        let (fingerprint, pass) = (proof.map(Proof::fingerprint), proof.map(|proof| proof.pass));
        Self { file, found, fingerprint, document: None, pass, differs: Vec::new(), why }
    }
}

impl Listed {
    /// The same, said of a proof that has another name than it was written under.
    fn under_its_name(self) -> Self {
        let Some(fingerprint) = self.fingerprint else { return self };
        if is_proof(&self.file) {
            return self;
        }
        let told = format!("its own name is {fingerprint}.json");
        let why = self.why.map_or_else(|| told.clone(), |why| format!("{why}; {told}"));
        Self { why: Some(why), ..self }
    }
}

impl VerifiedAll {
    fn take(&mut self, listed: Listed) {
        self.proofs += 1;
        self.failing += u64::from(listed.pass == Some(false));
        let alike = match listed.found {
            Found::ProvedAgain => &mut self.proved_again,
            Found::Whole => &mut self.whole,
            Found::Differs => &mut self.differing,
            Found::Invalid => &mut self.invalid,
        };
        *alike += 1;
        if *alike <= LISTED_MAX as u64 {
            self.listed.push(listed);
        } else {
            self.not_listed += 1;
        }
    }

    fn done(self) -> Done<Self> {
        let first = |found: Found| {
            let first = self.listed.iter().find(|listed| listed.found == found)?;
            let why = first.why.clone().unwrap_or_default();
            Some((first.file.display().to_string(), why))
        };
        let more = |told: String, number: u64| match number {
            0 | 1 => told,
            _ => format!("{told}; and {} more", number - 1),
        };
        let mut failures = Vec::new();
        if let Some((place, why)) = first(Found::Invalid) {
            let told = more(why, self.invalid);
            failures.push(Failure::new(&PROOF_INVALID, told).at(place).not_done(NOT_BELIEVED));
        }
        if let Some((place, why)) = first(Found::Differs) {
            let told = more(why, self.differing);
            let code = &crate::diagnostic::PROOF_FOREIGN;
            failures.push(Failure::new(code, told).at(place).not_done(NOT_BELIEVED));
        }
        if let Some((place, why)) = first(Found::Whole) {
            let told = more(format!("not seen again: {why}"), self.whole);
            let failure = Failure::new(&NOT_PROVED_AGAIN, told).at(place);
            failures.push(failure.not_done("the proofs themselves are whole"));
        }
        let done = Done::new(self);
        failures.into_iter().fold(done, Done::found)
    }
}

impl Answer for VerifiedAll {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        for Listed { file, found, pass, why, .. } in &self.listed {
            let word = match found {
                Found::ProvedAgain => paint.strong("seen again"),
                Found::Whole => paint.strong("whole"),
                Found::Differs => paint.warning("differs"),
                Found::Invalid => paint.warning("invalid"),
            };
            let fails = if *pass == Some(false) { ", and does not pass" } else { "" };
            writeln!(out, "{word}  {}{fails}", path_shown(file))?;
            if let Some(why) = why {
                writeln!(out, "  {}", one_line(why))?;
            }
        }
        if self.not_listed > 0 {
            writeln!(out, "and {} more", count(self.not_listed, "proof"))?;
        }
        for file in self.passed_over.iter().take(PASSED_OVER_SHOWN_MAX) {
            let file = file.display().to_string();
            writeln!(out, "{}  {}", paint.warning("passed over, no proof"), one_line(&file))?;
        }
        if self.passed_over_total > PASSED_OVER_SHOWN_MAX as u64 {
            let more = self.passed_over_total - PASSED_OVER_SHOWN_MAX as u64;
            writeln!(out, "and {} more passed over", count(more, "file"))?;
        }
        let Self { proofs, proved_again, whole, differing, invalid, failing, .. } = self;
        writeln!(
            out,
            "{}: {proved_again} seen again, {whole} whole, {differing} otherwise, {invalid} invalid; {failing} do not pass",
            count(*proofs, "proof")
        )
    }
}
