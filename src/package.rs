//! The evidence bundle: one archive with all that somebody needs who has neither the ledger nor the program: the events, the newest
//! head, proofs, certificates, the page, a second verifier and the format's document. The same ledger gives the same bytes: no
//! time, no user and no order that differs between runs stands in it. Nothing is compressed.

use std::io::{self, Seek, Write};

use ledger_format::hash::ContentHash;
use ledger_format::head::SignedHead;
use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::diagnostic::{Failure, INTERNAL, IO};
use crate::evidence::{EvidenceError, REPORT_EVENTS_MAX, ReportError, inclusion, report};
use crate::export::{ExportError, export};
use crate::ledger::{FoldError, Ledger};
use crate::migrate::account::{CertificateView, RunSpan, certificate, spans};
use crate::objects::Objects;

/// The first file of every bundle.
const PACKAGE_FIRST: &str = "README.md";

/// More events than that may fill an archive's four gigabytes: each has a line of 69,464 bytes at most.
const EVENTS_OF_SMALL_ARCHIVES_MAX: u64 = 40_000;

/// Most objects of a run whose claims are listed.
const CLAIMS_MAX: usize = 10_000;

const VERIFIER: &str = include_str!("../tools/verify/verify_export.py");
const SPEC: &str = include_str!("../ledger-format/SPEC.md");
const README: &str = include_str!("package/README.md");

/// A bundle that was written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Packaged {
    /// Number of events in it.
    pub events: u64,
    /// Number of runs with certificate and proof.
    pub runs: u64,
    /// Whether it has a report; a ledger of very many events has none.
    pub has_report: bool,
    /// Its files, in order.
    pub files: Vec<String>,
    /// Objects that the report names and that are not kept.
    pub missing: Vec<ContentHash>,
}

/// A bundle that was not finished.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// Proofs.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// The events.
    #[error(transparent)]
    Events(#[from] FoldError),
    /// The lines.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The page.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// A certificate that has no JSON.
    #[error("a certificate cannot be written: {0}")]
    Json(#[source] serde_json::Error),
    /// The output.
    #[error("writing the bundle: {0}")]
    Write(#[source] io::Error),
}

/// Writes the bundle of `ledger` under `signed` to `out`: its newest, with the cosignatures that it is to bring along.
pub fn package(
    ledger: &Ledger,
    signed: &SignedHead,
    objects: &dyn Objects,
    out: impl Write + Seek,
) -> Result<Packaged, PackageError> {
    let head = *signed.head();
    let mut archive = Archive {
        zip: ZipWriter::new(out),
        files: Vec::new(),
        large: head.size > EVENTS_OF_SMALL_ARCHIVES_MAX,
    };
    let mut packaged = Packaged { events: head.size, ..Packaged::default() };
    archive.text(PACKAGE_FIRST, &readme(ledger))?;
    archive.begin("events.jsonl")?;
    export(ledger.batches(0..head.size), &mut archive.zip)?;
    archive.bytes("head", &signed.encode())?;
    for span in spans(ledger).into_iter().filter(|span| span.outcome.is_committed()) {
        packaged.runs += 1;
        run(ledger, signed, &span, &mut archive)?;
    }
    if head.size <= REPORT_EVENTS_MAX {
        archive.begin("report.html")?;
        let written = report(head.ledger, ledger.batches(0..head.size), objects, &mut archive.zip)?;
        (packaged.has_report, packaged.missing) = (true, written.missing);
    }
    archive.text("verify_export.py", VERIFIER)?;
    archive.text("SPEC.md", SPEC)?;
    packaged.files = archive.finish()?;
    Ok(packaged)
}

fn readme(ledger: &Ledger) -> String {
    let head = ledger.head();
    let (size, root) = (head.head().size, head.head().root);
    README
        .replace("{ledger}", &ledger.id().to_string())
        .replace("{size}", &size.to_string())
        .replace("{root}", &root.to_string())
        .replace("{signer}", &head.signer().to_string())
}

/// The certificate of a run, and the proof that it was recorded.
fn run<W: Write + Seek>(
    ledger: &Ledger,
    head: &SignedHead,
    span: &RunSpan,
    archive: &mut Archive<W>,
) -> Result<(), PackageError> {
    let view: CertificateView = certificate(ledger, span, None, CLAIMS_MAX)?;
    let mut json = serde_json::to_string_pretty(&view).map_err(PackageError::Json)?;
    json.push('\n');
    archive.text(&format!("certificates/{}.json", span.run), &json)?;
    if let Some(seq) = span.committed {
        let proof = inclusion(ledger, head, seq)?;
        archive.bytes(&format!("proofs/{}.tlog-proof", span.run), &proof.encode())?;
    }
    Ok(())
}

/// An archive in the making.
struct Archive<W: Write + Seek> {
    zip: ZipWriter<W>,
    files: Vec<String>,
    large: bool,
}

impl<W: Write + Seek> Archive<W> {
    fn begin(&mut self, name: &str) -> Result<(), PackageError> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(DateTime::default())
            .unix_permissions(0o644)
            .large_file(self.large);
        self.files.push(name.to_owned());
        self.zip.start_file(name, options).map_err(written)
    }

    fn bytes(&mut self, name: &str, bytes: &[u8]) -> Result<(), PackageError> {
        self.begin(name)?;
        self.zip.write_all(bytes).map_err(PackageError::Write)
    }

    fn text(&mut self, name: &str, text: &str) -> Result<(), PackageError> {
        self.bytes(name, text.as_bytes())
    }

    fn finish(self) -> Result<Vec<String>, PackageError> {
        self.zip.finish().map_err(written)?.flush().map_err(PackageError::Write)?;
        Ok(self.files)
    }
}

fn written(error: ZipError) -> PackageError {
    PackageError::Write(error.into())
}

impl From<PackageError> for Failure {
    fn from(error: PackageError) -> Self {
        match error {
            PackageError::Evidence(error) => error.into(),
            PackageError::Events(error) => error.into(),
            PackageError::Report(error) => error.into(),
            PackageError::Export(error) => error.into(),
            PackageError::Write(_) => Self::new(&IO, error.to_string()),
            PackageError::Json(_) => Self::new(&INTERNAL, error.to_string()),
        }
    }
}
