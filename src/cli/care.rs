//! Documents that lie in a tree which a ledger has in its care, for those commands that make proofs of them: the ledger is
//! open, its contracts are what they were, and whoever is here may sign.

use std::path::{Path, PathBuf};

use ledger_format::hash::CommitHash;

use super::context::Context;
use super::documents::{self, Contracts, inside};
use super::proving::{By, refused};
use crate::diagnostic::{Failure, USAGE};
use crate::effects::KeySigner;
use crate::migrate::MigrateError;
use crate::migrate::documents::{
    Collection, Documents, DocumentsPolicy, Former, Noted, ProofNote, RecordedProofs, note_proofs,
    recorded_proofs,
};
use crate::migrate::proof::{Generated, Proof, TreeProver};
use crate::target::documents::Survey;

/// A tree in the care of a ledger, open for proofs.
pub(super) struct Care {
    /// Where the tree lies.
    pub(super) root: PathBuf,
    /// Its documents, as the ledger's contracts describe them.
    pub(super) collection: Collection,
    /// What a run on them would be allowed.
    pub(super) policy: DocumentsPolicy,
    /// What they were called before.
    pub(super) former: Former,
    pub(super) book: Book,
}

/// The ledger, for recording proofs in.
pub(super) struct Book {
    open: Documents,
    recorded: Option<RecordedProofs>,
    signer: KeySigner,
}

impl Care {
    /// The ledger of documents in whose tree `target` lies, here or at or above `target`. Where no contract is named the ledger's own
    /// are used, and must be what they were when they were frozen.
    pub(super) fn of(target: &Path, by: &By, context: &Context) -> Result<Option<Self>, Failure> {
        let Some(ledger) = documents::of_target(target, context)? else { return Ok(None) };
        let (dir, settings) = ledger.clone();
        let root = documents::tree_of(&dir)?;
        if inside(&root, target).is_none() {
            return Ok(None);
        }
        let signer = context.signer()?;
        let contracts = settings.contracts()?;
        let policy = if by.is_given() {
            by.own_policy(settings.parameters())
        } else {
            by.policy(settings.parameters(), &contracts)?
        };
        let (open, _) = documents::open_at(ledger, context, &by.working, Contracts::AtHand)?;
        open.may_take_proofs(&signer)?;
        if !by.is_given() {
            open.must_be_unedited()?;
        }
        let collection = Collection::of(settings.tree(root.clone()), contracts, &policy.outside())?;
        let former = open.former()?;
        let book = Book { open, recorded: None, signer };
        Ok(Some(Self { root, collection, policy, former, book }))
    }

    /// The proof of one document.
    pub(super) fn proof(&self, target: &Path, generated: &Generated) -> Result<Proof, Failure> {
        let place = target.display().to_string();
        let id = self.id(target)?;
        let Some(kind) = self.collection.kind_of(&id)? else {
            let told = "no contract of the ledger describes it: name one";
            return Err(Failure::new(&USAGE, told).at(place));
        };
        let prover = TreeProver::new(&self.collection, &self.policy, &self.former)?;
        let proven = prover.prove(&[(id, kind)], generated, 1)?;
        match proven.into_iter().next().map(|proven| proven.proof) {
            Some(Ok(proof)) => Ok(proof),
            Some(Err(refusal)) => {
                let told = format!("the document is not migrated: {}", refusal.message);
                Err(refused(&refusal, &told, &place))
            }
            None => Err(Failure::new(&USAGE, "there is no such document").at(place)),
        }
    }

    /// The documents below `target`, each with the place of its contract, and what was left out there.
    pub(super) fn below(&self, target: &Path) -> Result<Survey, Failure> {
        let mut survey = self.collection.survey()?;
        survey.must_leave_out_all().map_err(MigrateError::from)?;
        let folder = inside(&self.root, target).unwrap_or_default();
        if !folder.is_empty() {
            let folder = format!("{folder}/");
            survey.documents.retain(|id, _| id.starts_with(&folder));
            survey.left_out.retain(|id| id.starts_with(&folder));
        }
        Ok(survey)
    }

    /// The id of a document.
    pub(super) fn id(&self, target: &Path) -> Result<String, Failure> {
        documents::id_in(&self.root, target)
    }
}

impl Book {
    /// Records proofs, given with the ids of their documents; says of each whether the ledger has it, or why not.
    pub(super) fn record(
        &mut self,
        proofs: &[(&str, &Proof)],
    ) -> Result<Vec<Result<(), &'static str>>, Failure> {
        let Self { open, recorded, signer } = self;
        let mut known = match recorded.take() {
            Some(known) => known,
            None => recorded_proofs(open).map_err(kept_only)?,
        };
        let texts: Vec<String> = proofs.iter().map(|(_, proof)| proof.to_json()).collect();
        let notes: Vec<(&str, ProofNote<'_>)> = proofs
            .iter()
            .zip(&texts)
            .map(|((id, proof), text)| {
                let note = ProofNote {
                    contract: proof.contract.digest,
                    fingerprint: CommitHash::from_bytes(*proof.fingerprint().as_bytes()),
                    bytes: text.as_bytes(),
                    pass: proof.pass,
                };
                (*id, note)
            })
            .collect();
        let noted = note_proofs(open, &notes, &mut known, signer).map_err(kept_only)?;
        *recorded = Some(known);
        Ok(noted.into_iter().map(told).collect())
    }
}

fn kept_only(error: crate::migrate::MigrateError) -> Failure {
    Failure::from(error).not_done("the proof stands in its file, and is not recorded")
}

fn told(noted: Noted) -> Result<(), &'static str> {
    match noted {
        Noted::Now | Noted::Before => Ok(()),
        Noted::OtherContract => Err("its contract is none of those that the ledger was given"),
    }
}
