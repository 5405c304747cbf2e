//! `prove` of a folder: a proof beside every document in it, in the order of their names, and a summary.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ledger_format::hash::ContentHash;
use serde::Serialize;

use super::care::{Book, Care};
use super::context::Context;
use super::documents::{LeavingOut, no_document};
use super::output::{Answer, Done};
use super::proving::{By, missing, refused};
use super::terminal::{Paint, one_line};
use super::told::write_all_left_out;
use super::words::count;
use super::{documents, progress};
use crate::diagnostic::Failure;
use crate::effects::KernelSyncs;
use crate::migrate::MigrateError;
use crate::migrate::documents::{Collection, DocumentsPolicy, Former, Refusal};
use crate::migrate::proof::{Generated, Kept, Proof, Property, Proven, Status, TreeProver, keep};
use crate::target::documents::Survey;

/// Documents whose proofs are held at a time: they are kept and recorded together.
const PORTION: usize = 256;

/// Most documents that are listed, of those that passed and of the others.
const LISTED_MAX: usize = 1_000;

/// The proofs of a folder.
#[derive(Default, Serialize)]
pub(super) struct ProvedTree {
    documents: u64,
    passed: u64,
    failed: u64,
    /// Documents without a proof, since nothing becomes of them.
    refused: u64,
    already_there: u64,
    recorded: bool,
    proofs: Vec<Listed>,
    /// Documents that are not listed because there are many.
    not_listed: u64,
    /// What was left out because whoever asked said so, or always is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<String>,
}

/// One document.
#[derive(Serialize)]
struct Listed {
    id: String,
    status: Status,
    pass: bool,
    fingerprint: Option<ContentHash>,
    file: Option<PathBuf>,
    /// What is required and was not seen.
    missing: Vec<Property>,
    /// In words, what keeps it from passing.
    why: Option<String>,
    error: Option<Refusal>,
}

/// The proofs so far, and what is to be said of them.
#[derive(Default)]
struct Making {
    tree: ProvedTree,
    listed_passed: usize,
    listed_others: usize,
    first_failed: Option<Failure>,
    first_refused: Option<Failure>,
    not_recorded: Option<&'static str>,
}

pub(super) fn run(
    target: &Path,
    by: &By,
    leaving_out: &LeavingOut,
    generated: Generated,
    context: &Context,
) -> Result<Done<ProvedTree>, Failure> {
    let care = if by.is_given() { None } else { Care::of(target, by, context)? };
    let care = care.map(|care| {
        let left_out = leaving_out.in_tree(&care.root);
        Care { collection: care.collection.leaving_out(left_out), ..care }
    });
    let jobs = by.working.jobs();
    let making = if let Some(care) = care {
        let survey = care.below(target)?;
        let Care { collection, policy, former, mut book, .. } = care;
        let (collection, policy, former) = (&collection, &policy, &former);
        let proving = Proving { collection, policy, former, generated, jobs };
        proving.all(survey, Some(&mut book), target, context)?
    } else {
        let settings = by.settings()?;
        let ledger = documents::of_target(target, context)?;
        let collection = documents::collection(target, &settings, &by.working, ledger)?;
        let left_out = leaving_out.in_tree(collection.tree().root());
        let collection = collection.leaving_out(left_out);
        let policy = by.own_policy(settings.parameters());
        let survey = collection.survey()?;
        survey.must_leave_out_all().map_err(MigrateError::from)?;
        let (collection, policy, former) = (&collection, &policy, &Former::default());
        let proving = Proving { collection, policy, former, generated, jobs };
        proving.all(survey, None, target, context)?
    };
    Ok(making.done(target))
}

struct Proving<'a> {
    collection: &'a Collection,
    policy: &'a DocumentsPolicy,
    former: &'a Former,
    generated: Generated,
    jobs: usize,
}

impl Proving<'_> {
    fn all(
        &self,
        survey: Survey,
        mut book: Option<&mut Book>,
        target: &Path,
        context: &Context,
    ) -> Result<Making, Failure> {
        let ids = survey.documents;
        if ids.is_empty() {
            return Err(no_document(target, !survey.left_out.is_empty()));
        }
        let prover = TreeProver::new(self.collection, self.policy, self.former)?;
        let bar = progress::Documents::new(context, ids.len() as u64);
        let mut making = Making::default();
        making.tree.recorded = book.is_some();
        making.tree.left_out = survey.left_out.into_iter().collect();
        let ids: Vec<(String, usize)> = ids.into_iter().collect();
        for portion in ids.chunks(PORTION) {
            let so_far = |failure: Failure| match making.tree.documents {
                0 => failure,
                _ => failure.not_done("the proofs of documents before it were kept"),
            };
            let proven = prover.prove(portion, &self.generated, self.jobs);
            let proven = proven.map_err(|error| so_far(error.into()))?;
            let kept = proven.iter().map(|proven| self.keep(proven));
            let kept = kept.collect::<Result<Vec<_>, _>>();
            let kept = kept.map_err(|failure| {
                failure.not_done("proofs of documents before it may have been kept")
            })?;
            if let Some(book) = &mut book {
                let proofs: Vec<(&str, &Proof)> = proven
                    .iter()
                    .filter_map(|of| Some((&*of.id, of.proof.as_ref().ok()?)))
                    .collect();
                let noted = book.record(&proofs)?;
                making.not_recorded =
                    making.not_recorded.or(noted.into_iter().find_map(Result::err));
            }
            for (proven, kept) in proven.into_iter().zip(kept) {
                making.take(proven, kept);
                bar.one_more();
            }
        }
        Ok(making)
    }

    fn keep(&self, proven: &Proven) -> Result<Option<Kept>, Failure> {
        let Ok(proof) = &proven.proof else { return Ok(None) };
        let document = self.collection.tree().path(&proven.id);
        Ok(Some(keep(proof, &document, &KernelSyncs)?))
    }
}

impl Making {
    fn take(&mut self, proven: Proven, kept: Option<Kept>) {
        let Proven { id, proof } = proven;
        let tree = &mut self.tree;
        tree.documents += 1;
        tree.already_there += u64::from(kept.as_ref().is_some_and(|kept| kept.already));
        let file = kept.map(|kept| kept.path);
        let listed = match proof {
            Ok(proof) => {
                let failure = missing(&proof);
                let why = failure.as_ref().map(|failure| failure.message.clone());
                if let Some(failure) = failure {
                    tree.failed += 1;
                    let told = Failure { message: format!("{id}: {}", failure.message), ..failure };
                    self.first_failed.get_or_insert_with(|| told.at(id.clone()));
                } else {
                    tree.passed += 1;
                }
                let (fingerprint, missing) = (Some(proof.fingerprint()), proof.missing());
                let (status, pass) = (proof.status, proof.pass);
                Listed { id, status, pass, fingerprint, file, missing, why, error: None }
            }
            Err(refusal) => {
                tree.refused += 1;
                let told = || {
                    let message = format!("{id} is not migrated: {}", refusal.message);
                    refused(&refusal, &message, &id)
                };
                self.first_refused.get_or_insert_with(told);
                let (status, missing) = (Status::Unsupported, Vec::new());
                let (fingerprint, why) = (None, Some(refusal.message.clone()));
                let error = Some(refusal);
                Listed { id, status, pass: false, fingerprint, file, missing, why, error }
            }
        };
        let alike = if listed.pass { &mut self.listed_passed } else { &mut self.listed_others };
        if *alike < LISTED_MAX {
            *alike += 1;
            tree.proofs.push(listed);
        } else {
            tree.not_listed += 1;
        }
    }

    fn done(self, target: &Path) -> Done<ProvedTree> {
        let Self { tree, first_failed, first_refused, not_recorded, .. } = self;
        let (failed, refused) = (tree.failed, tree.refused);
        let passes = failed == 0 && refused == 0;
        let recorded = tree.recorded;
        let mut done = Done::new(tree);
        let more = |failure: Failure, number: u64| match number {
            0 | 1 => failure,
            _ => Failure {
                message: format!("{}; and {} more", failure.message, number - 1),
                ..failure
            },
        };
        if let Some(failure) = first_failed {
            let kept = "the proofs were kept, and say which do not pass";
            done = done.found(more(failure, failed).not_done(kept));
        }
        if let Some(failure) = first_refused {
            done = done.found(more(failure, refused).not_done("there is no proof of it"));
        }
        if let Some(why) = not_recorded {
            done = done.note(format!("not recorded: {why}"));
        } else if !recorded {
            done = done.note("not recorded: the proofs stand in their files, and in no ledger");
        }
        if passes {
            done = done.next(&["proof", "verify", &target.display().to_string()]);
        }
        done
    }
}

impl Answer for ProvedTree {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        write_all_left_out(&self.left_out, out, paint)?;
        for Listed { id, fingerprint, pass, why, .. } in &self.proofs {
            let verdict = match (pass, fingerprint) {
                (true, _) => paint.strong("proved"),
                (false, Some(_)) => paint.warning("not proved"),
                (false, None) => paint.warning("no proof"),
            };
            let short = fingerprint.map(|fingerprint| format!("  {}", fingerprint.short()));
            writeln!(out, "{verdict}  {}{}", one_line(id), short.unwrap_or_default())?;
            if let Some(why) = why {
                writeln!(out, "  {}", one_line(why))?;
            }
        }
        if self.not_listed > 0 {
            writeln!(out, "and {} more", count(self.not_listed, "document"))?;
        }
        let Self { documents, passed, failed, refused, already_there, .. } = self;
        let documents = count(*documents, "document");
        writeln!(
            out,
            "{documents}: {passed} proved, {failed} not proved, {refused} without a proof"
        )?;
        if *already_there > 0 {
            writeln!(out, "  {} there already", count(*already_there, "proof"))?;
        }
        Ok(())
    }
}
