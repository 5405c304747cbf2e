//! `init`: a ledger for a store, made new or adopted as it is.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use ledger_format::body::{ObjectState, Origin};
use ledger_format::hash::{KeyId, LedgerId};
use serde::Serialize;

use super::context::Context;
use super::job;
use super::output::{Answer, Done};
use super::terminal::{Paint, plain};
use crate::contract::load_file;
use crate::diagnostic::Failure;
use crate::effects::{Signer, SystemRandom};
use crate::migrate::{InitOptions, init};
use crate::target::glyph_store::Layout;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The folder whose `.glyph` store is taken into care, or made if there is none
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Name of the project, for a new store; else the folder's name
    #[arg(long)]
    project: Option<String>,
    /// The contract that describes the store; else the built-in one for `.glyph` stores
    #[arg(long, value_name = "FILE")]
    contract: Option<PathBuf>,
}

#[derive(Serialize)]
pub(super) struct Initialised {
    ledger: LedgerId,
    store: PathBuf,
    key: KeyId,
    key_file: PathBuf,
    key_created: bool,
    origin: Origin,
    version: String,
    objects: Vec<Object>,
}

#[derive(Serialize)]
struct Object {
    id: String,
    kind: &'static str,
    hash: String,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Initialised>, Failure> {
    let layout = context.store_to_init(&arguments.folder);
    let mut open = job::open_at(context, layout)?;
    if let Some(contract) = &arguments.contract {
        open.contract = load_file(contract)?;
    }
    let (signer, key_created) = context.signer_or_new()?;
    let key = signer.key_id();
    let project = arguments.project.clone().unwrap_or_else(|| project_name(&open.layout));
    let (store, ledger) = (open.layout.root().to_owned(), open.ledger.clone());
    let options = InitOptions { open, project, signer: Arc::new(signer) };
    let (_, adoption) = init(options, &mut SystemRandom)?;
    if let Some(contract) = &arguments.contract {
        job::remember_contract(&ledger, contract)?;
    }
    let objects = adoption.objects.into_iter().map(|(id, state)| Object::of(id, &state)).collect();
    let answer = Initialised {
        ledger: adoption.ledger,
        store,
        key,
        key_file: context.key_file()?,
        key_created,
        origin: adoption.origin,
        version: adoption.version,
        objects,
    };
    Ok(Done::new(answer).next(&["status"]).next(&["plan", "-o", "plan.json"]))
}

/// A name for the project of a new store: that of the folder it lies in.
fn project_name(layout: &Layout) -> String {
    let absolute = std::path::absolute(layout.root()).unwrap_or_default();
    let folder = absolute.parent().and_then(Path::file_name);
    folder.map_or_else(|| "project".to_owned(), |name| name.to_string_lossy().into_owned())
}

impl Object {
    fn of(id: String, state: &ObjectState) -> Self {
        let hash = match state {
            ObjectState::Document { content, .. } | ObjectState::Log { content, .. } => {
                content.to_string()
            }
            ObjectState::Database { page_root, .. } => page_root.to_string(),
        };
        Self { id, kind: state.kind(), hash }
    }
}

impl Answer for Initialised {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let done = match self.origin {
            Origin::Created => "created a store",
            Origin::Adopted => "adopted the store",
        };
        let head = format!("{done} of version {} at {}", self.version, self.store.display());
        writeln!(out, "{}", paint.strong(head))?;
        writeln!(out, "  ledger  {}", self.ledger)?;
        let made = if self.key_created { " (new)" } else { "" };
        writeln!(out, "  key     {} in {}{made}", self.key.short(), self.key_file.display())?;
        for object in &self.objects {
            writeln!(
                out,
                "  {:8}  {}  {}",
                object.kind,
                paint.faint(&object.hash),
                plain(&object.id)
            )?;
        }
        Ok(())
    }
}
