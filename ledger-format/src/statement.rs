//! What a certificate says of a run, as an in-toto statement (SPEC §8.8): objects, claims, and the events that bear them out. Knows the
//! one form of it and what follows from what within it; knows no rule about who may sign.

use serde_json::{Map as JsonMap, Value as Json};

use crate::cbor::{Map, Value, map};
use crate::event::{EVENT_BYTES_MAX, Event, EventError};
use crate::hash::{CommitHash, ContentHash, EventId, LedgerId, NodeHash, unhex};
use crate::head::{HeadError, SignedHead};
use crate::json;
use crate::tree::{PROOF_NODES_MAX, verify_consistency, verify_inclusion};

const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// What kind of statement it is, for those who read several.
pub const PREDICATE_TYPE: &str = "urn:glyph-ledger:migration-certificate:1";

/// Most claims that stand in a statement; of more, their list is named.
pub const CLAIMS_MAX: usize = 1_000;

/// Most events that bear a statement out.
pub const EVIDENCE_EVENTS_MAX: usize = 1_000;

/// The name of the subject where that is the list of claims.
const LIST_NAME: &str = "claims";

/// What is certified of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// The ledger.
    pub ledger: LedgerId,
    /// The run.
    pub run: EventId,
    /// Its certificate.
    pub certificate: CommitHash,
    /// What it claims of its objects.
    pub claims: Claims,
    /// The head under which the events are.
    pub head: SignedHead,
    /// Heads of before, in order of size: of everyone who signed one of the events and not that head, the newest. Events carry no
    /// signature of their own.
    pub heads: Vec<ProvedHead>,
    /// The run's own events, and those by which keys may sign and agreed, in order of seq.
    pub events: Vec<ProvedEvent>,
}

/// What a run claims of its objects.
#[derive(Debug, Clone, PartialEq)]
pub enum Claims {
    /// Each claim (SPEC §8.5), in the order of object ids.
    Here(Vec<Claimed>),
    /// There are more than [`CLAIMS_MAX`]: they stand in a file of their own.
    Listed {
        /// Their number.
        count: u64,
        /// The hash of that file ([`claims_list`]).
        list: ContentHash,
    },
}

/// A claim, as a value with the fields of SPEC §8.5.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed(Value);

/// An event with the nodes that lead from it to the head's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvedEvent {
    /// The event.
    pub bytes: Vec<u8>,
    /// From the leaf's sibling up.
    pub nodes: Vec<NodeHash>,
}

/// A head with the nodes that lead from it to the one under which the events are (RFC 9162 §2.1.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvedHead {
    /// The head.
    pub head: SignedHead,
    /// The proof of consistency.
    pub nodes: Vec<NodeHash>,
}

/// A text that is no such statement, or one that contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// Not the form.
    #[error("not a migration certificate: {0}")]
    Form(&'static str),
    /// Not JSON.
    #[error("not JSON: {0}")]
    Json(String),
    /// Its head is none.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// Bytes in it are no event.
    #[error("in its evidence: {0}")]
    Event(#[from] EventError),
    /// An event is not where its proof says.
    #[error("event {seq} is not under the head over {size} events")]
    NotUnderHead {
        /// The event.
        seq: u64,
        /// The head's size.
        size: u64,
    },
    /// A head is not one of the history that the newest one closes.
    #[error("the head over {size} events does not lead to the one over {newest}")]
    NotBefore {
        /// Its size.
        size: u64,
        /// The size of the newest.
        newest: u64,
    },
}

impl Claimed {
    /// The value, if it is a claim.
    pub fn new(value: &Value) -> Option<Self> {
        let Value::Map(fields) = value else { return None };
        let json = json::to_json(value);
        let read = Self::read(&json)?;
        (fields.len() == FIELDS.len() && read.0 == *value).then_some(read)
    }

    /// `CommitHash("migration_certificate", claim)`.
    #[must_use]
    pub fn hash(&self) -> CommitHash {
        CommitHash::of("migration_certificate", &self.0)
    }

    /// The object's id.
    #[must_use]
    pub fn object(&self) -> &str {
        self.text("object_id")
    }

    /// The object's kind.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.text("object_kind")
    }

    /// What the object was, as the claim has it.
    #[must_use]
    pub fn source(&self) -> &[u8] {
        self.bytes("source_hash")
    }

    /// What it became.
    #[must_use]
    pub fn target(&self) -> &[u8] {
        self.bytes("target_hash")
    }

    /// The claim as a line of a list, without its newline.
    #[must_use]
    pub fn line(&self) -> String {
        json::to_text(&self.0)
    }

    fn field(&self, key: &str) -> Option<&Value> {
        match &self.0 {
            Value::Map(fields) => fields.get(key),
            _ => None,
        }
    }

    fn text(&self, key: &str) -> &str {
        match self.field(key) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    fn bytes(&self, key: &str) -> &[u8] {
        match self.field(key) {
            Some(Value::Bytes(bytes)) => bytes,
            _ => &[],
        }
    }

    fn read(json: &Json) -> Option<Self> {
        let json = json.as_object()?;
        let mut fields = Map::new();
        for (name, kind) in FIELDS {
            fields.insert(*name, kind.read(json.get(*name)?)?);
        }
        (json.len() == FIELDS.len()).then_some(Self(fields.into()))
    }

    /// A file's hash under the name that every reader knows; of a database, which is no file for long, the hash of its content.
    fn subject(&self) -> Value {
        let name = if self.kind() == "database" { "glyphContent" } else { "sha256" };
        subject(self.object(), name, Value::Bytes(self.target().to_vec()))
    }
}

/// The fields of a claim and what each is.
const FIELDS: &[(&str, Kind)] = &[
    ("to", Kind::Text),
    ("from", Kind::Text),
    ("path", Kind::Hashes),
    ("verdicts", Kind::Verdicts),
    ("loss_hash", Kind::Hash),
    ("object_id", Kind::Text),
    ("inputs_hash", Kind::HashOrNull),
    ("object_kind", Kind::Text),
    ("operator_id", Kind::Text),
    ("source_hash", Kind::Hash),
    ("target_hash", Kind::Hash),
    ("contract_digest", Kind::HashOrNull),
    ("migration_policy_hash", Kind::Hash),
];

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Hash,
    HashOrNull,
    Hashes,
    Verdicts,
}

impl Kind {
    fn read(self, json: &Json) -> Option<Value> {
        match self {
            Self::Text => Some(json.as_str()?.into()),
            Self::Hash => hash(json).map(Value::Bytes),
            Self::HashOrNull if json.is_null() => Some(Value::Null),
            Self::HashOrNull => Self::Hash.read(json),
            Self::Hashes => {
                let hashes: Option<_> =
                    json.as_array()?.iter().map(|json| Self::Hash.read(json)).collect();
                Some(Value::Array(hashes?))
            }
            Self::Verdicts => {
                let mut verdicts = Map::new();
                for (name, verdict) in json.as_object()? {
                    let verdict = verdict.as_str()?;
                    matches!(verdict, "true" | "false" | "not_applicable").then_some(())?;
                    verdicts.insert(name.as_str(), verdict);
                }
                Some(verdicts.into())
            }
        }
    }
}

fn hash(json: &Json) -> Option<Vec<u8>> {
    unhex(json.as_str()?).filter(|bytes| bytes.len() == 32)
}

impl Claims {
    /// The claims themselves, or the name of their list where there are too many.
    #[must_use]
    pub fn of(claims: Vec<Claimed>) -> Self {
        if claims.len() <= CLAIMS_MAX {
            return Self::Here(claims);
        }
        let list = ContentHash::of(claims_list(&claims).as_bytes());
        Self::Listed { count: claims.len() as u64, list }
    }

    /// Their number.
    #[must_use]
    pub fn count(&self) -> u64 {
        match self {
            Self::Here(claims) => claims.len() as u64,
            Self::Listed { count, .. } => *count,
        }
    }

    fn value(&self) -> Value {
        match self {
            Self::Here(claims) => {
                Value::Array(claims.iter().map(|claim| claim.0.clone()).collect())
            }
            Self::Listed { count, list } => {
                map([("count", (*count).into()), ("list", hash_value(list.as_bytes()))])
            }
        }
    }

    fn subjects(&self) -> Vec<Value> {
        match self {
            Self::Here(claims) => claims.iter().map(Claimed::subject).collect(),
            Self::Listed { list, .. } => {
                vec![subject(LIST_NAME, "sha256", hash_value(list.as_bytes()))]
            }
        }
    }

    fn read(json: &Json) -> Option<Self> {
        if let Some(claims) = json.as_array() {
            let claims: Option<Vec<_>> = claims.iter().map(Claimed::read).collect();
            return claims.filter(|claims| claims.len() <= CLAIMS_MAX).map(Self::Here);
        }
        let count = json.get("count")?.as_u64().filter(|count| *count > CLAIMS_MAX as u64)?;
        let list = hash(json.get("list")?)?.try_into().ok().map(ContentHash::from_bytes)?;
        Some(Self::Listed { count, list })
    }
}

/// Claims as a file of their own: each on a line, in the order of object ids.
#[must_use]
pub fn claims_list(claims: &[Claimed]) -> String {
    claims.iter().flat_map(|claim| [claim.line(), "\n".to_owned()]).collect()
}

/// Reads the one form that [`claims_list`] writes.
#[must_use]
pub fn read_claims_list(text: &str) -> Option<Vec<Claimed>> {
    let read = |line| Claimed::read(&serde_json::from_str(line).ok()?);
    let claims: Vec<Claimed> = text.lines().map(read).collect::<Option<_>>()?;
    (claims_list(&claims) == text).then_some(claims)
}

/// The certificate over claims (SPEC §8.5); `None` unless their objects ascend.
#[must_use]
pub fn certificate_of(claims: &[Claimed]) -> Option<CommitHash> {
    if !claims.is_sorted_by(|one, next| one.object() < next.object()) {
        return None;
    }
    let hashes = claims.iter().map(|claim| claim.hash().into()).collect();
    Some(CommitHash::of("migration_run", &Value::Array(hashes)))
}

impl Statement {
    /// The statement's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let events = self.events.iter().map(ProvedEvent::value).collect();
        let head = String::from_utf8_lossy(&self.head.encode()).into_owned();
        let heads = self.heads.iter().map(ProvedHead::value).collect();
        let evidence = map([
            ("head", Value::Text(head)),
            ("heads", Value::Array(heads)),
            ("events", Value::Array(events)),
        ]);
        let predicate = map([
            ("run", hash_value(self.run.as_bytes())),
            ("claims", self.claims.value()),
            ("ledger", hash_value(self.ledger.as_bytes())),
            ("evidence", evidence),
            ("certificate", self.certificate.into()),
        ]);
        let statement = map([
            ("_type", STATEMENT_TYPE.into()),
            ("subject", Value::Array(self.claims.subjects())),
            ("predicate", predicate),
            ("predicateType", PREDICATE_TYPE.into()),
        ]);
        json::to_text(&statement).into_bytes()
    }

    /// Reads the one form that [`Statement::encode`] writes: subjects that do not follow from the claims are refused. Proofs are not
    /// looked at; see [`Statement::proved`].
    pub fn parse(bytes: &[u8]) -> Result<Self, StatementError> {
        let form = StatementError::Form;
        let json: Json = serde_json::from_slice(bytes)
            .map_err(|error| StatementError::Json(error.to_string()))?;
        let is = |key: &str, text| json.get(key).and_then(Json::as_str) == Some(text);
        if !is("_type", STATEMENT_TYPE) || !is("predicateType", PREDICATE_TYPE) {
            return Err(form("a statement of another type"));
        }
        let predicate = json.get("predicate").and_then(Json::as_object);
        let predicate = predicate.ok_or(form("there is no predicate"))?;
        let id = |key: &str| <[u8; 32]>::try_from(hash(predicate.get(key)?)?).ok();
        let id = |key| id(key).ok_or(form("a hash is missing or is none"));
        let claims = predicate.get("claims").and_then(Claims::read);
        let evidence = predicate.get("evidence").and_then(Json::as_object);
        let Evidence { head, heads, events } =
            evidence.and_then(Evidence::read).ok_or(form("its evidence is none"))?;
        let read = |(note, nodes): (String, _)| {
            Ok::<_, HeadError>(ProvedHead { head: SignedHead::parse(note.as_bytes())?, nodes })
        };
        let statement = Self {
            ledger: LedgerId::from_bytes(id("ledger")?),
            run: EventId::from_bytes(id("run")?),
            certificate: CommitHash::from_bytes(id("certificate")?),
            claims: claims.ok_or(form("its claims are none"))?,
            head: SignedHead::parse(head.as_bytes())?,
            heads: heads.into_iter().map(read).collect::<Result<_, _>>()?,
            events,
        };
        if statement.encode() == bytes {
            Ok(statement)
        } else {
            Err(form("subjects that do not follow from its claims, or not in canonical form"))
        }
    }

    /// The events that bear it out, each seen to be of the ledger and under the head, in ascending order; and every head seen to be one of the
    /// history that it closes. Whose keys signed the heads is another question.
    pub fn proved(&self) -> Result<Vec<Event>, StatementError> {
        let head = self.head.head();
        if head.ledger != self.ledger {
            return Err(StatementError::Form("its head is another ledger's"));
        }
        let mut before = 0;
        for proved in &self.heads {
            proved.must_lead_to(&self.head)?;
            let size = proved.head.head().size;
            if size <= before {
                return Err(StatementError::Form("its heads do not ascend"));
            }
            before = size;
        }
        let mut events: Vec<Event> = Vec::with_capacity(self.events.len());
        for proved in &self.events {
            let event = Event::decode(&proved.bytes)?;
            if event.ledger != self.ledger {
                return Err(StatementError::Form("an event is another ledger's"));
            }
            if events.last().is_some_and(|before| before.seq >= event.seq) {
                return Err(StatementError::Form("its events do not ascend"));
            }
            let leaf = NodeHash::leaf(EventId::of(&proved.bytes));
            if !verify_inclusion(leaf, event.seq, head.size, &proved.nodes, &head.root) {
                return Err(StatementError::NotUnderHead { seq: event.seq, size: head.size });
            }
            events.push(event);
        }
        Ok(events)
    }
}

impl ProvedEvent {
    fn value(&self) -> Value {
        map([("bytes", Value::Bytes(self.bytes.clone())), ("proof", nodes_value(&self.nodes))])
    }

    fn read(json: &Json) -> Option<Self> {
        let bytes = unhex(json.get("bytes")?.as_str()?)?;
        let nodes = read_nodes(json)?;
        (bytes.len() <= EVENT_BYTES_MAX).then_some(Self { bytes, nodes })
    }
}

impl ProvedHead {
    fn value(&self) -> Value {
        let note = String::from_utf8_lossy(&self.head.encode()).into_owned();
        map([("note", Value::Text(note)), ("proof", nodes_value(&self.nodes))])
    }

    fn must_lead_to(&self, newest: &SignedHead) -> Result<(), StatementError> {
        let (old, new) = (self.head.head(), newest.head());
        let leads = old.ledger == new.ledger
            && old.size < new.size
            && verify_consistency(old.size, &old.root, new.size, &new.root, &self.nodes);
        if leads {
            Ok(())
        } else {
            Err(StatementError::NotBefore { size: old.size, newest: new.size })
        }
    }
}

/// The evidence as it is written: notes are not read yet.
struct Evidence {
    head: String,
    heads: Vec<(String, Vec<NodeHash>)>,
    events: Vec<ProvedEvent>,
}

impl Evidence {
    fn read(json: &JsonMap<String, Json>) -> Option<Self> {
        let head = json.get("head")?.as_str()?.to_owned();
        let heads = json.get("heads")?.as_array()?;
        let noted = |json: &Json| Some((json.get("note")?.as_str()?.to_owned(), read_nodes(json)?));
        let heads: Vec<_> = heads.iter().map(noted).collect::<Option<_>>()?;
        let events = json.get("events")?.as_array()?;
        let events: Vec<_> = events.iter().map(ProvedEvent::read).collect::<Option<_>>()?;
        let fits = events.len() <= EVIDENCE_EVENTS_MAX && heads.len() < EVIDENCE_EVENTS_MAX;
        fits.then_some(Self { head, heads, events })
    }
}

fn nodes_value(nodes: &[NodeHash]) -> Value {
    Value::Array(nodes.iter().map(|node| hash_value(node.as_bytes())).collect())
}

fn read_nodes(json: &Json) -> Option<Vec<NodeHash>> {
    let nodes = json.get("proof")?.as_array()?;
    let node = |json| hash(json)?.try_into().ok().map(NodeHash::from_bytes);
    let nodes: Vec<NodeHash> = nodes.iter().map(node).collect::<Option<_>>()?;
    (nodes.len() <= PROOF_NODES_MAX).then_some(nodes)
}

fn subject(name: &str, algorithm: &str, digest: Value) -> Value {
    map([("name", name.into()), ("digest", map([(algorithm, digest)]))])
}

fn hash_value(bytes: &[u8; 32]) -> Value {
    Value::Bytes(bytes.to_vec())
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};

    use super::*;
    use crate::body::LedgerCreated;
    use crate::hash::KeyId;
    use crate::head::TreeHead;

    fn claim(object: &str, kind: &str) -> Claimed {
        let hash = |byte| Value::Bytes(vec![byte; 32]);
        let verdicts: Map = [("validates", "true")].into_iter().collect();
        let value = map([
            ("to", "2".into()),
            ("from", "1".into()),
            ("path", Value::Array(vec![hash(1)])),
            ("verdicts", verdicts.into()),
            ("loss_hash", hash(2)),
            ("object_id", object.into()),
            ("inputs_hash", Value::Null),
            ("object_kind", kind.into()),
            ("operator_id", "operator".into()),
            ("source_hash", hash(3)),
            ("target_hash", hash(4)),
            ("contract_digest", hash(5)),
            ("migration_policy_hash", hash(6)),
        ]);
        Claimed::new(&value).unwrap()
    }

    fn statement(claims: Vec<Claimed>) -> Statement {
        let key = SigningKey::from_bytes(&[7; 32]);
        let public_key = key.verifying_key().to_bytes();
        let ledger = LedgerId::of(&public_key, &[2; 16]);
        let event = Event {
            at: 1,
            seq: 0,
            body: LedgerCreated::anew(public_key, [2; 16]).into(),
            prev: EventId::GENESIS,
            actor: KeyId::of(&public_key),
            ledger,
        };
        let bytes = event.encode().unwrap();
        let root = NodeHash::leaf(EventId::of(&bytes));
        let head = TreeHead { ledger, size: 1, root };
        Statement {
            ledger,
            run: EventId::of(b"run"),
            certificate: certificate_of(&claims).unwrap(),
            claims: Claims::of(claims),
            head: SignedHead::sign(head, &key.verifying_key(), |text| key.sign(text)),
            heads: Vec::new(),
            events: vec![ProvedEvent { bytes, nodes: Vec::new() }],
        }
    }

    #[test]
    fn a_statement_reads_back_and_its_subjects_follow_from_its_claims() {
        let statement = statement(vec![claim("a.json", "document"), claim("b.db", "database")]);
        let bytes = statement.encode();
        assert_eq!(Statement::parse(&bytes), Ok(statement.clone()));
        assert_eq!(statement.proved().map(|events| events.len()), Ok(1));
        let json: Json = serde_json::from_slice(&bytes).unwrap();
        let digest = "04".repeat(32);
        let of =
            |at: usize, name: &str| json["subject"][at]["digest"][name].as_str().map(str::to_owned);
        assert_eq!(of(0, "sha256"), Some(digest.clone()));
        assert_eq!(of(1, "glyphContent"), Some(digest.clone()));
        let text = String::from_utf8(bytes).unwrap();
        for bad in [
            text.replacen(&digest, &"07".repeat(32), 1),
            text.replacen("\"a.json\"", "\"c.json\"", 1),
            text.replacen("sha256", "sha512", 1),
            text.replacen("statement/v1", "statement/v2", 1).replacen(
                "Statement/v1",
                "Statement/v0",
                1,
            ),
            text.replacen(PREDICATE_TYPE, "urn:other", 1),
            text.replacen("\"validates\":\"true\"", "\"validates\":\"yes\"", 1),
            text.replacen("\"from\":\"1\",", "", 1),
            text.replacen("{\"run\"", "{\"more\":1,\"run\"", 1),
            format!("{text}\n"),
            text.replacen(':', ": ", 1),
        ] {
            assert_ne!(bad, text);
            assert!(Statement::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn more_claims_than_a_statement_holds_stand_in_a_list() {
        let claims: Vec<_> =
            (0..=CLAIMS_MAX).map(|n| claim(&format!("{n:05}.json"), "document")).collect();
        let list = claims_list(&claims);
        let statement = statement(claims.clone());
        assert_eq!(statement.claims.count(), claims.len() as u64);
        let Claims::Listed { list: hash, .. } = &statement.claims else { panic!("no list") };
        assert_eq!(*hash, ContentHash::of(list.as_bytes()));
        assert_eq!(Statement::parse(&statement.encode()), Ok(statement));
        assert_eq!(read_claims_list(&list), Some(claims));
        assert_eq!(read_claims_list(&list.replacen(':', ": ", 1)), None);
        assert_eq!(read_claims_list(list.trim_end()), None);
    }

    #[test]
    fn claims_ascend_by_object_and_have_every_field() {
        let (a, b) = (claim("a", "document"), claim("b", "document"));
        assert!(certificate_of(&[a.clone(), b.clone()]).is_some());
        assert_eq!(certificate_of(&[b.clone(), a.clone()]), None);
        assert_eq!(certificate_of(&[a.clone(), a.clone()]), None);
        assert_ne!(certificate_of(std::slice::from_ref(&a)), certificate_of(&[b]));
        let Value::Map(fields) = &a.0 else { panic!("no map") };
        for (left_out, _) in fields.iter() {
            let rest: Map = fields
                .iter()
                .filter(|(name, _)| *name != left_out)
                .map(|(name, value)| (name, value.clone()))
                .collect();
            assert_eq!(Claimed::new(&rest.into()), None, "{left_out}");
        }
    }

    #[test]
    fn an_event_that_is_not_under_the_head_proves_nothing() {
        let good = statement(vec![claim("a", "document")]);
        let twice = Statement {
            events: [good.events.clone(), good.events.clone()].concat(),
            ..good.clone()
        };
        assert!(matches!(twice.proved(), Err(StatementError::Form(_))));
        let mut bent = good.clone();
        bent.events[0].nodes.push(NodeHash::empty_root());
        assert!(matches!(bent.proved(), Err(StatementError::NotUnderHead { seq: 0, size: 1 })));
        let other = Statement { ledger: LedgerId::of(&[1; 32], &[2; 16]), ..good };
        assert!(matches!(other.proved(), Err(StatementError::Form(_))));
    }
}
