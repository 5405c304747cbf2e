//! Fuzzing: for each reader of bytes that somebody else may have written, a function that says what must hold for any
//! bytes at all. libFuzzer calls these functions with inputs that it finds by coverage (`tools/fuzz/run`); a test calls
//! them with seeds and seeded mutations, so that they are run on every machine and cannot rot.
//!
//! Goes through the public interface only: nothing is public for the sake of fuzzing. A panic is a finding.

// A target is a test: what does not hold ends in a panic, and libFuzzer keeps the input.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod certificate;
mod contract;
mod documents;
mod files;
mod folder;
mod format;
mod mutate;
mod plan;
mod proof;
mod proof_file;
mod scratch;
mod seeds;
mod state;
mod table;
mod witness;

use peak_alloc::PeakAlloc;

pub use mutate::mutated;
pub use table::{FIELDS, Round, document};

/// Counts what an input makes a reader allocate.
#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// One reader of foreign bytes.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it reads and what must hold.
    pub about: &'static str,
    /// Fails by panicking.
    check: fn(&[u8]),
    /// Inputs to begin with: what the program writes itself.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Heap that any input may take, in bytes: buffers of fixed size.
    heap_bytes: usize,
    /// Heap that each byte of an input may take on top, in bytes.
    heap_bytes_per_byte: usize,
    /// Longest input worth trying, in bytes.
    pub input_bytes_max: usize,
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Every reader there is.
pub const TARGETS: &[Target] = &[
    Target {
        name: "cbor",
        about: "values: one encoding each, the same JSON by value and by text, the same answer by the reader of fields",
        check: format::cbor,
        seeds: seeds::values,
        heap_bytes: 64 * KIB,
        heap_bytes_per_byte: 1_024,
        input_bytes_max: 4 * KIB,
    },
    Target {
        name: "event",
        about: "events with their bodies: one encoding each, and a line that reads back",
        check: format::event,
        seeds: seeds::events,
        heap_bytes: 128 * KIB,
        heap_bytes_per_byte: 256,
        input_bytes_max: 5 * KIB,
    },
    Target {
        name: "head",
        about: "notes, signed heads and head texts: one form each, and no signature that another key accepts",
        check: format::head,
        seeds: seeds::heads,
        heap_bytes: 64 * KIB,
        heap_bytes_per_byte: 64,
        input_bytes_max: 4 * KIB,
    },
    Target {
        name: "line",
        about: "lines of an export: only the text that the event's bytes imply",
        check: format::line,
        seeds: seeds::lines,
        heap_bytes: 256 * KIB,
        heap_bytes_per_byte: 64,
        input_bytes_max: 16 * KIB,
    },
    Target {
        name: "frame",
        about: "frames and head records, alone and in raw bytes: whatever is found stands there as it would be written",
        check: format::frame,
        seeds: seeds::frames,
        heap_bytes: 64 * KIB,
        heap_bytes_per_byte: 512,
        input_bytes_max: 16 * KIB,
    },
    Target {
        name: "inclusion",
        about: "inclusion proofs: true for the leaf that is there, and for no other proof of it",
        check: proof::inclusion,
        seeds: seeds::inclusion_proofs,
        heap_bytes: 64 * KIB,
        heap_bytes_per_byte: 64,
        input_bytes_max: 4 * KIB,
    },
    Target {
        name: "consistency",
        about: "consistency proofs: true for trees that continue each other, and for no other proof of that",
        check: proof::consistency,
        seeds: seeds::consistency_proofs,
        heap_bytes: 64 * KIB,
        heap_bytes_per_byte: 64,
        input_bytes_max: 4 * KIB,
    },
    Target {
        name: "export",
        about: "whole exports: what is found sound is, line by line, what its events imply",
        check: format::export,
        seeds: seeds::exports,
        heap_bytes: 2 * MIB,
        heap_bytes_per_byte: 64,
        input_bytes_max: 64 * KIB,
    },
    Target {
        name: "state",
        about: "state caches: what is read has a digest, and is written to bytes that have it too",
        check: state::cache,
        seeds: seeds::states,
        heap_bytes: 128 * KIB,
        heap_bytes_per_byte: 512,
        input_bytes_max: 8 * KIB,
    },
    Target {
        name: "salvage",
        about: "a raw store that the engine does not open: what is salvaged is read and judged",
        check: folder::salvage,
        seeds: seeds::raw_stores,
        heap_bytes: 2 * MIB,
        heap_bytes_per_byte: 512,
        input_bytes_max: 16 * KIB,
    },
    Target {
        name: "pack",
        about: "packs and their index: objects have the bytes of their name, and a writer loses none that was whole",
        check: folder::pack,
        seeds: seeds::packs,
        heap_bytes: 6 * MIB,
        heap_bytes_per_byte: 256,
        input_bytes_max: 8 * KIB,
    },
    Target {
        name: "anchor",
        about: "HEAD: the newer of two slots, of this ledger",
        check: folder::anchor,
        seeds: seeds::anchors,
        heap_bytes: 64 * KIB,
        heap_bytes_per_byte: 64,
        input_bytes_max: 8 * KIB,
    },
    Target {
        name: "identity",
        about: "LEDGER: one form, and an id that follows from it",
        check: folder::identity,
        seeds: seeds::identities,
        heap_bytes: 32 * KIB,
        heap_bytes_per_byte: 8,
        input_bytes_max: 2 * KIB,
    },
    Target {
        name: "pins",
        about: "remembered heads and places: what is read is written back the same",
        check: files::pins,
        seeds: seeds::pins,
        heap_bytes: 64 * KIB,
        heap_bytes_per_byte: 64,
        input_bytes_max: 4 * KIB,
    },
    Target {
        name: "contract",
        about: "contracts in YAML or JSON: what loads is kept in a ledger and comes back with the same digest",
        check: contract::load,
        seeds: seeds::contracts,
        // Programs are compiled, each with what jq itself defines.
        heap_bytes: 16 * MIB,
        heap_bytes_per_byte: 16 * KIB,
        input_bytes_max: 8 * KIB,
    },
    Target {
        name: "jq",
        about: "jq programs of contracts: compiled or refused, with definitions as without",
        check: contract::jq,
        seeds: seeds::jq_programs,
        heap_bytes: 16 * MIB,
        heap_bytes_per_byte: 16 * KIB,
        input_bytes_max: 2 * KIB,
    },
    Target {
        name: "json",
        about: "JSON documents: written again they say the same, and what is lost beside that is told",
        check: documents::json,
        seeds: seeds::json_documents,
        heap_bytes: 64 * KIB,
        heap_bytes_per_byte: 512,
        input_bytes_max: 8 * KIB,
    },
    Target {
        name: "jsonl",
        about: "lines of JSON: as documents, and each line as it is alone",
        check: documents::jsonl,
        seeds: seeds::jsonl_documents,
        heap_bytes: 64 * KIB,
        heap_bytes_per_byte: 512,
        input_bytes_max: 8 * KIB,
    },
    Target {
        name: "yaml",
        about: "YAML documents: written again they say the same, and what is lost beside that is told",
        check: documents::yaml,
        seeds: seeds::yaml_documents,
        heap_bytes: 256 * KIB,
        heap_bytes_per_byte: 1_024,
        input_bytes_max: 4 * KIB,
    },
    Target {
        name: "cbor-document",
        about: "CBOR documents: one encoding each, every number by its digits",
        check: documents::cbor,
        seeds: seeds::values,
        heap_bytes: 64 * KIB,
        heap_bytes_per_byte: 512,
        input_bytes_max: 4 * KIB,
    },
    Target {
        name: "bundle",
        about: "contracts as kept in a ledger: one form",
        check: contract::bundle,
        seeds: seeds::bundles,
        heap_bytes: MIB,
        heap_bytes_per_byte: 1_024,
        input_bytes_max: 8 * KIB,
    },
    Target {
        name: "manifest",
        about: "manifest.yaml: another version changes the version and nothing else",
        check: files::manifest,
        seeds: seeds::manifests,
        heap_bytes: MIB,
        heap_bytes_per_byte: 1_024,
        input_bytes_max: 8 * KIB,
    },
    Target {
        name: "audit",
        about: "audit files: a file and its beginning agree on every byte",
        check: files::audit,
        seeds: seeds::audit_files,
        heap_bytes: 64 * KIB,
        heap_bytes_per_byte: 16,
        input_bytes_max: 8 * KIB,
    },
    Target {
        name: "plan",
        about: "plan files: what is read is written back and has its id",
        check: plan::file,
        seeds: seeds::plans,
        heap_bytes: 128 * KIB,
        heap_bytes_per_byte: 512,
        input_bytes_max: 8 * KIB,
    },
    Target {
        name: "documents-plan",
        about: "plan files of documents: what is read is written back and has its id",
        check: plan::documents,
        seeds: seeds::documents_plans,
        heap_bytes: 128 * KIB,
        heap_bytes_per_byte: 512,
        input_bytes_max: 8 * KIB,
    },
    Target {
        name: "certificate",
        about: "certificate bundles: one file each, a statement with one spelling, and none that proves what its events do not",
        check: certificate::file,
        seeds: seeds::certificates,
        heap_bytes: 256 * KIB,
        heap_bytes_per_byte: 128,
        input_bytes_max: 32 * KIB,
    },
    Target {
        name: "cosignature",
        about: "notes that witnesses cosigned: a time that may be, one key for a line, and what was signed anew holds",
        check: witness::cosignature,
        seeds: seeds::cosignatures,
        heap_bytes: 64 * KIB,
        heap_bytes_per_byte: 64,
        input_bytes_max: 4 * KIB,
    },
    Target {
        name: "witness-answer",
        about: "answers of witnesses: asked twice at most, and nothing believed but what the key signed of the head it was shown",
        check: witness::answer,
        seeds: seeds::answers,
        heap_bytes: 128 * KIB,
        heap_bytes_per_byte: 64,
        input_bytes_max: 20 * KIB,
    },
    Target {
        name: "policy",
        about: "policies of witnesses, and keys in them: one meaning, and no cosignature that takes anything away",
        check: witness::policy,
        seeds: seeds::policies,
        heap_bytes: 128 * KIB,
        heap_bytes_per_byte: 256,
        input_bytes_max: 8 * KIB,
    },
    Target {
        name: "tlog-proof",
        about: "proofs of events: one text each, which leads from its own event to a head and from no other",
        check: witness::proof,
        seeds: seeds::tlog_proofs,
        heap_bytes: 64 * KIB,
        heap_bytes_per_byte: 64,
        input_bytes_max: 12 * KIB,
    },
    Target {
        name: "proof-file",
        about: "proofs of migrations: one text each, under its fingerprint, and none that passes without a result",
        check: proof_file::file,
        seeds: seeds::proof_files,
        heap_bytes: 128 * KIB,
        heap_bytes_per_byte: 512,
        input_bytes_max: 8 * KIB,
    },
    Target {
        name: "image",
        about: "page trees of databases as kept in a ledger: what loads has its root",
        check: state::image,
        seeds: seeds::images,
        heap_bytes: MIB,
        heap_bytes_per_byte: 512,
        input_bytes_max: 8 * KIB,
    },
];

impl Target {
    /// The target called `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.name == name)
    }

    /// Gives `input` to the reader.
    ///
    /// # Panics
    /// When something does not hold that must, more memory than allowed among it. Memory is counted for the whole process,
    /// so nothing else may run meanwhile.
    pub fn run(&self, input: &[u8]) {
        scratch::prepare();
        seeds::prepare();
        let before = HEAP.current_usage();
        HEAP.reset_peak_usage();
        (self.check)(input);
        let taken = HEAP.peak_usage().saturating_sub(before);
        let allowed = self.heap_bytes + self.heap_bytes_per_byte * input.len();
        assert!(
            taken <= allowed,
            "{}: {taken} bytes of heap for {} of input, allowed {allowed}",
            self.name,
            input.len()
        );
    }
}
