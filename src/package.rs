//! The evidence bundle: one archive with all that somebody needs who has neither the ledger nor the program: the events, the newest
//! head, proofs, certificates, the page, a second verifier and the format's document. The same ledger gives the same bytes: no
//! time, no user and no order that differs between runs stands in it. Nothing is compressed.

use std::io::{self, Seek, Write};

use ledger_format::hash::ContentHash;
use ledger_format::head::SignedHead;
use ledger_format::statement::{Claims, claims_list};
use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::diagnostic::{Failure, INTERNAL, IO};
use crate::effects::Signer;
use crate::evidence::{
    CertifyError, CommittedRun, EvidenceError, REPORT_EVENTS_MAX, ReportError, certify, inclusion,
    report,
};
use crate::export::{ExportError, export};
use crate::ledger::{FoldError, Ledger};
use crate::migrate::account::{CertificateView, RunSpan, certificate, claimed, spans};
use crate::objects::Objects;

/// The first file of every bundle.
const PACKAGE_FIRST: &str = "README.md";

/// More events than that may fill an archive's four gigabytes: each has a line of 69,464 bytes at most.
const EVENTS_OF_SMALL_ARCHIVES_MAX: u64 = 40_000;

/// Most objects of a run whose claims are listed.
const CLAIMS_MAX: usize = 10_000;

const VERIFIER: &str = include_str!("../tools/verify/verify_export.py");
const BUNDLE_VERIFIER: &str = include_str!("../tools/verify/verify_bundle.py");
const SPEC: &str = include_str!("../ledger-format/SPEC.md");
const README: &str = include_str!("package/README.md");

/// What the table of files says where certificates were signed.
const CERTIFIED_ROWS: &str = include_str!("package/certified.md");

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
    /// A signed certificate.
    #[error(transparent)]
    Certify(#[from] CertifyError),
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

/// Writes the bundle of `ledger` under `signed` to `out`: its newest, with the cosignatures that it is to bring along. Where there is a
/// `certifier`, it signs the certificate of each committed run, so that each can be given away alone.
pub fn package(
    ledger: &Ledger,
    signed: &SignedHead,
    certifier: Option<&dyn Signer>,
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
    archive.text(PACKAGE_FIRST, &readme(ledger, certifier.is_some()))?;
    archive.begin("events.jsonl")?;
    export(ledger.batches(0..head.size), &mut archive.zip)?;
    archive.bytes("head", &signed.encode())?;
    for span in spans(ledger).into_iter().filter(|span| span.outcome.is_committed()) {
        packaged.runs += 1;
        run(ledger, signed, &span, &mut archive)?;
        if let Some(signer) = certifier {
            certified(ledger, signed, signer, &span, &mut archive)?;
        }
    }
    if head.size <= REPORT_EVENTS_MAX {
        archive.begin("report.html")?;
        let written = report(head.ledger, ledger.batches(0..head.size), objects, &mut archive.zip)?;
        (packaged.has_report, packaged.missing) = (true, written.missing);
    }
    archive.text("verify_export.py", VERIFIER)?;
    if certifier.is_some() {
        archive.text("verify_bundle.py", BUNDLE_VERIFIER)?;
    }
    archive.text("SPEC.md", SPEC)?;
    packaged.files = archive.finish()?;
    Ok(packaged)
}

fn readme(ledger: &Ledger, is_certified: bool) -> String {
    let head = ledger.head();
    let (size, root) = (head.head().size, head.head().root);
    README
        .replace("{certified}\n", if is_certified { CERTIFIED_ROWS } else { "" })
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

/// The certificate of a run as a signed file, and the list of its claims, where a bundle has no room for them. A run without objects has none.
fn certified<W: Write + Seek>(
    ledger: &Ledger,
    head: &SignedHead,
    signer: &dyn Signer,
    span: &RunSpan,
    archive: &mut Archive<W>,
) -> Result<(), PackageError> {
    let Some((certificate, claims)) = claimed(ledger, span)? else { return Ok(()) };
    if claims.is_empty() {
        return Ok(());
    }
    let run = CommittedRun { id: span.run, first: span.first, certificate, claims };
    let certified = certify(ledger, run, signer, head)?;
    let name = format!("certificates/{}", span.run);
    archive.bytes(&format!("{name}.sigstore.json"), &certified.bundle.encode())?;
    match &certified.statement.claims {
        Claims::Listed { .. } => {
            archive.text(&format!("{name}.claims.jsonl"), &claims_list(&certified.claims))
        }
        Claims::Here(_) => Ok(()),
    }
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
            PackageError::Certify(error) => error.into(),
            PackageError::Report(error) => error.into(),
            PackageError::Export(error) => error.into(),
            PackageError::Write(_) => Self::new(&IO, error.to_string()),
            PackageError::Json(_) => Self::new(&INTERNAL, error.to_string()),
        }
    }
}
