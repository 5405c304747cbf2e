//! Sets of small documents on their way from one version to the next. Knows no file.

use std::collections::BTreeMap;

use super::*;
use crate::contract::load_bytes;
use crate::diagnostic;
use crate::document::{Value, WriteError, json};
use crate::transform::Effect;

/// A contract of `kind` with `links` below it.
fn contract(kind: &str, links: &str) -> Contract {
    let text = format!(
        "
contract: {kind}
contract_version: 1.0.0
format: json
versions: ['1', '2']
current: '2'
min: '1'
detect:
  - {{version: '1', when: {{path: /v, equals: 1}}}}
  - {{version: '2', when: {{path: /v, equals: 2}}}}
edges:
  - {{from: '1', to: '2', steps: [{{set: {{path: /v, value: 2}}}}], proof: {{addsDefaulted: [], dropsNothing: true}}}}
{links}"
    );
    load_bytes(kind, text.as_bytes(), BTreeMap::new()).unwrap()
}

fn links(contracts: &[(&str, &str)]) -> Result<Links, LinkError> {
    let contracts: Vec<Contract> =
        contracts.iter().map(|(kind, links)| contract(kind, links)).collect();
    Links::of(&contracts.iter().collect::<Vec<_>>())
}

/// Manifest, named by checkpoint, which states a hash of its own by which the certificate names it, with the manifest.
fn chain() -> Links {
    links(&[
        (
            "certificate",
            "refs:
  - {at: /manifests/*, to_kind: manifest, preimage: jcs_sha256, encoding: sha256-hex}
  - {at: /checkpoint, to_kind: checkpoint, preimage: 'stated:/own', encoding: hex}
  - {at: /file, to_kind: checkpoint, preimage: file_bytes, encoding: base64}
signature: {at: [/sig], drop: false}",
        ),
        (
            "checkpoint",
            "refs:
  - {at: /manifest, to_kind: manifest, preimage: jcs_sha256, encoding: hex}
self_hash:
  - {at: /own, preimage: object_digest, exclude: [/own], encoding: hex}",
        ),
        ("manifest", ""),
    ])
    .unwrap()
}

/// A set of documents on its way from version 1 to version 2, whose step is to set `v`.
struct Scene {
    links: Links,
    census: Census,
    objects: Vec<(&'static str, String, ObjectIndex, Value)>,
}

fn subject<'a>(kind: &'a str, version: &'a str, id: &'a str) -> Subject<'a> {
    Subject { kind, version, id }
}

fn bytes(value: &Value) -> Result<Vec<u8>, WriteError> {
    json::write(value, &json::Style::default()).map(String::into_bytes)
}

fn value(text: &str) -> Value {
    json::read(text.as_bytes()).unwrap().value
}

fn name(preimage: &Preimage, of: &Value) -> String {
    let hash = preimage::hash(preimage, &[], &mut bytes, of).unwrap().unwrap();
    ledger_format::hash::hex(&hash)
}

fn to_link<'a>(subject: Subject<'a>, object: ObjectIndex, value: &'a mut Value) -> Linked<'a> {
    Linked { subject, object, value, write: Box::new(bytes), effects: Vec::new(), refusal: None }
}

impl Scene {
    fn new(links: Links) -> Self {
        Self { links, census: Census::new(), objects: Vec::new() }
    }

    fn add(&mut self, kind: &'static str, id: &str, value: Value) -> Result<(), LinkError> {
        self.links.check_self(subject(kind, "1", id), &value)?;
        let names = self.links.names(subject(kind, "1", id), &bytes(&value).unwrap(), &value)?;
        let index = self.census.add(&self.links, kind, id, names)?;
        self.objects.push((kind, id.to_owned(), index, value));
        Ok(())
    }

    fn check(&self) -> Result<(), LinkError> {
        for (kind, id, _, value) in &self.objects {
            for found in self.links.references(subject(kind, "1", id), value)? {
                self.census.check(id, &found)?;
            }
        }
        Ok(())
    }

    fn migrate(&mut self) -> Result<Vec<Effect>, LinkError> {
        for (kind, _, _, value) in &mut self.objects {
            if !self.links.is_signed(kind, value)? {
                value.as_map_mut().unwrap().set("v", 2.into());
            }
        }
        let mut effects = Vec::new();
        let mut linked = Vec::new();
        for (kind, id, index, value) in &mut self.objects {
            if !self.links.is_signed(kind, value)? {
                linked.push(to_link(subject(kind, "2", id), *index, value));
            }
        }
        self.links.link_again(&mut linked, &mut self.census);
        for linked in linked {
            match linked.refusal {
                Some(refusal) => return Err(refusal),
                None => effects.extend(linked.effects),
            }
        }
        Ok(effects)
    }

    fn value(&self, id: &str) -> &Value {
        &self.objects.iter().find(|(_, known, ..)| known == id).unwrap().3
    }

    fn text(&self, id: &str, place: &str) -> &str {
        place
            .parse::<crate::document::Pointer>()
            .unwrap()
            .get(self.value(id))
            .unwrap()
            .as_text()
            .unwrap()
    }
}

fn linked_set() -> Scene {
    let mut scene = Scene::new(chain());
    let manifest = value(r#"{"v":1,"name":"m"}"#);
    let digest = name(&Preimage::JcsSha256, &manifest);
    let open = value(&format!(r#"{{"v":1,"manifest":"{digest}"}}"#));
    let own = name(&Preimage::ObjectDigest, &open);
    let checkpoint = value(&format!(r#"{{"v":1,"manifest":"{digest}","own":"{own}"}}"#));
    let file = encoding::write(
        crate::contract::Encoding::Base64,
        &preimage::hash(&Preimage::FileBytes, &[], &mut bytes, &checkpoint).unwrap().unwrap(),
    );
    let file = file.as_text().unwrap();
    let certificate = format!(
        r#"{{"v":1,"manifests":["sha256:{digest}",null],"checkpoint":"{own}","file":"{file}"}}"#
    );
    scene.add("certificate", "cert", value(&certificate)).unwrap();
    scene.add("checkpoint", "check", checkpoint).unwrap();
    scene.add("manifest", "mani", manifest).unwrap();
    scene
}

#[test]
fn m14_what_refers_follows_what_it_refers_to() {
    let mut scene = linked_set();
    scene.check().unwrap();
    assert_eq!(scene.links.kinds(), ["manifest", "checkpoint", "certificate"]);
    let effects = scene.migrate().unwrap();
    let digest = name(&Preimage::JcsSha256, scene.value("mani"));
    assert_eq!(scene.text("check", "/manifest"), digest);
    assert_eq!(scene.text("cert", "/manifests/0"), format!("sha256:{digest}"));
    scene.links.check_self(subject("checkpoint", "2", "check"), scene.value("check")).unwrap();
    assert_eq!(scene.text("cert", "/checkpoint"), scene.text("check", "/own"));
    let changed: Vec<String> = effects.iter().map(|effect| effect.path.to_string()).collect();
    assert_eq!(changed, ["/manifests/0", "/checkpoint", "/file", "/manifest", "/own"]);
    assert!(effects.iter().all(|effect| effect.lost().is_empty()));

    let mut again = Scene::new(chain());
    for (kind, id, _, value) in &scene.objects {
        let names =
            again.links.names(subject(kind, "2", id), &bytes(value).unwrap(), value).unwrap();
        let index = again.census.add(&again.links, kind, id, names).unwrap();
        again.objects.push((kind, id.clone(), index, value.clone()));
    }
    again.check().unwrap();
    assert_eq!(again.migrate().unwrap(), [], "what is linked already stays");
}

#[test]
fn a_reference_to_nothing_dangles() {
    let mut scene = linked_set();
    let lost = format!(r#"{{"v":1,"manifest":"{}"}}"#, "0".repeat(64));
    scene.add("checkpoint", "lost", value(&lost)).unwrap();
    let error = scene.check().unwrap_err();
    assert_eq!(error.code(), &diagnostic::LINK_DANGLING);
    assert_eq!(error.place().unwrap().to_string(), "/manifest");
    assert_eq!(
        error.to_string(),
        format!("lost /manifest: no manifest here has the hash {}", "0".repeat(64))
    );
}

#[test]
fn an_object_changed_and_not_hashed_again_is_stale() {
    let mut scene = linked_set();
    let mut renamed = scene.value("check").clone();
    renamed.as_map_mut().unwrap().set("name", Value::text("new"));
    let error = scene.add("checkpoint", "renamed", renamed).unwrap_err();
    assert_eq!(error.code(), &diagnostic::LINK_STALE);
    assert!(error.to_string().starts_with("renamed /own: states "), "{error}");
}

#[test]
fn a_reference_by_a_hash_that_an_object_had_once_or_has_of_another_part_is_stale() {
    let mut scene = linked_set();
    let old = value(r#"{"v":0,"name":"m"}"#);
    let at = subject("manifest", "1", "mani");
    let former = scene.links.names(at, &bytes(&old).unwrap(), &old).unwrap();
    let manifest = scene.objects[2].2;
    scene.census.add_former(&scene.links, "manifest", manifest, &former).unwrap();
    let stale = format!(r#"{{"v":1,"manifest":"{}"}}"#, name(&Preimage::JcsSha256, &old));
    scene.add("checkpoint", "stale", value(&stale)).unwrap();
    let error = scene.check().unwrap_err();
    assert_eq!(error.code(), &diagnostic::LINK_STALE);
    assert!(error.to_string().ends_with("it is one that it had before it was changed"), "{error}");
    assert!(error.to_string().contains("the present hash of mani"), "{error}");

    let mut scene = linked_set();
    let file = name(&Preimage::FileBytes, scene.value("check"));
    let other = format!(r#"{{"v":1,"manifests":[],"checkpoint":"{file}"}}"#);
    scene.add("certificate", "other", value(&other)).unwrap();
    let error = scene.check().unwrap_err();
    assert_eq!(error.code(), &diagnostic::LINK_STALE);
    assert!(error.to_string().ends_with("it is the hash of another part of it"), "{error}");
}

#[test]
fn what_is_no_hash_is_refused_with_its_place() {
    let mut scene = linked_set();
    scene.add("checkpoint", "odd", value(r#"{"v":1,"manifest":"ABC"}"#)).unwrap();
    let error = scene.check().unwrap_err();
    assert_eq!(error.code(), &diagnostic::LINK_INVALID);
    assert_eq!(error.to_string(), "odd /manifest: expected 64 lower-case hexadecimal digits");
    let error = scene.add("manifest", "big", value(r#"{"n":[9007199254740993]}"#)).unwrap_err();
    assert_eq!(error.code(), &diagnostic::LINK_INVALID);
    assert!(error.to_string().starts_with("big /n/0: the integer 9007199254740993"), "{error}");
}

#[test]
fn twins_are_one_target_and_ambiguous_only_when_their_new_hashes_differ() {
    let mut scene = linked_set();
    let twin = scene.value("mani").clone();
    scene.add("manifest", "twin", twin).unwrap();
    scene.check().unwrap();
    scene.clone_and_migrate().unwrap();
    let (.., twin) = scene.objects.last_mut().unwrap();
    twin.as_map_mut().unwrap().set("name", Value::text("other"));
    let error = scene.migrate().unwrap_err();
    assert_eq!(error.code(), &diagnostic::LINK_AMBIGUOUS);
    assert!(error.to_string().ends_with("mani, twin"), "{error}");
}

impl Scene {
    fn clone_and_migrate(&self) -> Result<Vec<Effect>, LinkError> {
        let (links, census) = (self.links.clone(), self.census.clone());
        Self { links, census, objects: self.objects.clone() }.migrate()
    }
}

#[test]
fn a_signed_object_stays_and_its_successors_are_told() {
    let mut scene = linked_set();
    let mut signed = scene.value("cert").clone();
    signed.as_map_mut().unwrap().set("sig", Value::text("x"));
    scene.add("certificate", "signed", signed.clone()).unwrap();
    scene.migrate().unwrap();
    assert_eq!(scene.value("signed"), &signed);
    let told =
        scene.links.successors(subject("certificate", "1", "signed"), &signed, &scene.census);
    let told: Vec<_> =
        told.unwrap().into_iter().map(|pair| (pair.place.to_string(), pair)).collect();
    let places: Vec<&str> = told.iter().map(|(place, _)| place.as_str()).collect();
    assert_eq!(places, ["/manifests/0", "/checkpoint", "/file"]);
    assert_eq!(ledger_format::hash::hex(&told[1].1.new_hash), scene.text("check", "/own"));
    assert_ne!(told[1].1.old_hash, told[1].1.new_hash);
}

/// On the run after the one that migrated what it refers to.
#[test]
fn a_signed_object_may_name_what_was_and_no_more() {
    let mut scene = linked_set();
    let old = value(r#"{"v":0,"name":"m"}"#);
    let names =
        scene.links.names(subject("manifest", "1", "mani"), &bytes(&old).unwrap(), &old).unwrap();
    let manifest = scene.objects[2].2;
    scene.census.add_former(&scene.links, "manifest", manifest, &names).unwrap();
    let hash = |of: &Value| format!("sha256:{}", name(&Preimage::JcsSha256, of));
    let signed = value(&format!(r#"{{"manifests":["{}"],"sig":"x"}}"#, hash(&old)));
    let at = subject("certificate", "1", "signed");
    let found = scene.links.references(at, &signed).unwrap();
    scene.census.check_signed("signed", &found[0]).unwrap();
    assert_eq!(
        scene.census.check("signed", &found[0]).unwrap_err().code(),
        &diagnostic::LINK_STALE
    );
    scene.migrate().unwrap();
    let told = scene.links.successors(at, &signed, &scene.census).unwrap();
    let new_hash = ledger_format::hash::hex(&told[0].new_hash);
    assert_eq!(format!("sha256:{new_hash}"), hash(scene.value("mani")));
    let nothing = value(&format!(r#"{{"manifests":["sha256:{}"],"sig":"x"}}"#, "0".repeat(64)));
    let found = scene.links.references(at, &nothing).unwrap();
    let error = scene.census.check_signed("signed", &found[0]).unwrap_err();
    assert_eq!(error.code(), &diagnostic::LINK_DANGLING);
}

#[test]
fn a_signature_that_may_be_dropped_is_lost() {
    let links = links(&[("a", "signature: {at: [/sig, /more/*/sig], drop: true}")]).unwrap();
    let mut signed = value(r#"{"sig":"x","more":[{"sig":"y"},{"z":1}]}"#);
    assert!(links.is_signed("a", &signed).unwrap());
    let lost: Vec<String> = links
        .unsign("a", &mut signed)
        .unwrap()
        .iter()
        .flat_map(Effect::lost)
        .map(|place| place.to_string())
        .collect();
    assert_eq!(lost, ["/sig", "/more/0/sig"]);
    assert!(!links.is_signed("a", &signed).unwrap());
    let kept = chain();
    let mut signed = value(r#"{"sig":"x"}"#);
    assert_eq!(kept.unsign("certificate", &mut signed).unwrap(), []);
}

#[test]
fn a_reference_holds_in_the_versions_that_are_named() {
    let links = links(&[
        ("m", ""),
        (
            "c",
            "refs:
  - {at: /old, to_kind: m, preimage: object_digest, encoding: hex, versions: ['1']}
  - {at: /new, to_kind: m, preimage: jcs_sha256, encoding: hex, versions: ['2']}",
        ),
    ])
    .unwrap();
    let hash = "0".repeat(64);
    let both = value(&format!(r#"{{"old":"{hash}","new":"{hash}"}}"#));
    for (version, place) in [("1", "/old"), ("2", "/new")] {
        let found = links.references(subject("c", version, "c"), &both).unwrap();
        let found: Vec<String> = found.iter().map(|found| found.place.to_string()).collect();
        assert_eq!(found, [place]);
    }
}

/// The name changes with the version: an object is found by its old name of either sort, and named by the new sort.
#[test]
fn a_reference_may_change_the_way_it_names() {
    let links = links(&[
        ("m", ""),
        (
            "c",
            "refs:
  - {at: /h, to_kind: m, preimage: object_digest, encoding: hex, versions: ['1']}
  - {at: /h, to_kind: m, preimage: jcs_sha256, encoding: hex, versions: ['2']}",
        ),
    ])
    .unwrap();
    let mut scene = Scene::new(links);
    let target = value(r#"{"v":1}"#);
    let refers = format!(r#"{{"v":1,"h":"{}"}}"#, name(&Preimage::ObjectDigest, &target));
    scene.add("m", "m", target).unwrap();
    scene.add("c", "c", value(&refers)).unwrap();
    scene.check().unwrap();
    scene.migrate().unwrap();
    assert_eq!(scene.text("c", "/h"), name(&Preimage::JcsSha256, scene.value("m")));
}

const REFERS_TO_B: &str = "refs: [{at: /b, to_kind: b, preimage: object_digest, encoding: hex}]";

#[test]
fn a_circle_is_refused_and_named() {
    let refers_to_a = "refs: [{at: /a, to_kind: a, preimage: object_digest, encoding: hex}]";
    let error = links(&[("a", REFERS_TO_B), ("b", refers_to_a)]).unwrap_err();
    assert_eq!(error.code(), &diagnostic::LINK_CYCLE);
    assert_eq!(
        error.to_string(),
        "no hash can be computed first: a /b needs the object_digest of b needs b /a needs the object_digest of a needs a /b"
    );
    let seals = "self_hash:
  - {at: /x, preimage: object_digest, exclude: [/x], encoding: hex}
  - {at: /y, preimage: object_digest, exclude: [/y], encoding: hex}";
    assert_eq!(links(&[("a", seals)]).unwrap_err().code(), &diagnostic::LINK_CYCLE);
    links(&[("a", &seals.replace("[/y]", "[/x, /y]"))]).unwrap();
}

#[test]
fn an_exclude_breaks_a_circle() {
    let refers_to_a =
        "refs: [{at: /a, to_kind: a, preimage: object_digest, exclude: [/b], encoding: hex}]";
    let links = links(&[("a", REFERS_TO_B), ("b", refers_to_a)]).unwrap();
    let mut scene = Scene::new(links);
    let a = value(r#"{"v":1}"#);
    let b = value(&format!(r#"{{"v":1,"a":"{}"}}"#, name(&Preimage::ObjectDigest, &a)));
    let full = format!(r#"{{"v":1,"b":"{}"}}"#, name(&Preimage::ObjectDigest, &b));
    scene.add("a", "a", value(&full)).unwrap();
    scene.add("b", "b", b).unwrap();
    scene.check().unwrap();
    scene.migrate().unwrap();
    let open = value(r#"{"v":2}"#);
    assert_eq!(scene.text("b", "/a"), name(&Preimage::ObjectDigest, &open));
    assert_eq!(scene.text("a", "/b"), name(&Preimage::ObjectDigest, scene.value("b")));
}

/// Objects of one kind that name their predecessor, taken in with the newest first.
fn a_chain(length: usize) -> Scene {
    let own = "refs: [{at: /prev, to_kind: a, preimage: object_digest, encoding: hex}]";
    let mut scene = Scene::new(links(&[("a", own)]).unwrap());
    let mut values = vec![value(r#"{"v":1}"#)];
    for number in 1..length {
        let prev = name(&Preimage::ObjectDigest, values.last().unwrap());
        values.push(value(&format!(r#"{{"v":1,"n":{number},"prev":"{prev}"}}"#)));
    }
    for (number, value) in values.into_iter().enumerate().rev() {
        scene.add("a", &format!("a{number}"), value).unwrap();
    }
    scene
}

#[test]
fn m14_a_kind_may_refer_to_itself_and_each_object_waits_for_those_it_names() {
    let mut scene = a_chain(2_000);
    scene.check().unwrap();
    let effects = scene.migrate().unwrap();
    assert_eq!(effects.len(), 1_999);
    for number in 1..2_000 {
        let prev = name(&Preimage::ObjectDigest, scene.value(&format!("a{}", number - 1)));
        assert_eq!(scene.text(&format!("a{number}"), "/prev"), prev, "{number}");
    }
}

#[test]
fn m14_objects_that_need_each_other_are_refused_by_name() {
    let stated = "refs: [{at: /own, to_kind: a, preimage: 'stated:/own', encoding: hex}]";
    let hash = "1".repeat(64);
    let holds = value(&format!(r#"{{"v":1,"own":"{hash}"}}"#));
    let mut scene = Scene::new(links(&[("a", stated)]).unwrap());
    for id in ["one", "two"] {
        scene.add("a", id, holds.clone()).unwrap();
    }
    scene.check().unwrap();
    let error = scene.migrate().unwrap_err();
    assert_eq!(error.code(), &diagnostic::LINK_CYCLE);
    assert_eq!(
        error.to_string(),
        "no hash can be computed first: one /own needs the stated:/own of one needs one /own"
    );
}

#[test]
fn declarations_that_make_no_sense_are_refused() {
    for (contracts, expected) in [
        (vec![("a", REFERS_TO_B)], "a: refs /b: b is no declared kind"),
        (vec![("a", ""), ("a", "")], "a: the kind is declared twice"),
        (
            vec![
                (
                    "a",
                    "refs: [{at: /b, to_kind: b, preimage: file_bytes, exclude: [/x], encoding: hex}]",
                ),
                ("b", ""),
            ],
            "a: refs /b: nothing can be excluded from file_bytes",
        ),
        (
            vec![(
                "a",
                "self_hash: [{at: /b, preimage: file_bytes, exclude: [/b], encoding: hex}]",
            )],
            "a: self_hash /b: file_bytes would hash itself",
        ),
    ] {
        let error = links(&contracts).unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.code(), &diagnostic::CONTRACT_INVALID);
    }
    let unknown = chain().references(subject("x", "1", "x"), &Value::Null).unwrap_err();
    assert_eq!(unknown.to_string(), "x is no declared kind");
}

#[test]
fn a_part_may_be_hashed_by_itself() {
    let links = links(&[(
        "c",
        "self_hash:
  - {at: /head/own, preimage: object_digest, of: /head, exclude: [/head/own], encoding: hex}
  - {at: /head/body, preimage: object_digest, of: /body, exclude: [], encoding: hex}",
    )])
    .unwrap();
    let body = name(&Preimage::ObjectDigest, &value(r#"{"x":2}"#));
    let head = name(&Preimage::ObjectDigest, &value(&format!(r#"{{"body":"{body}"}}"#)));
    let good =
        value(&format!(r#"{{"v":1,"head":{{"own":"{head}","body":"{body}"}},"body":{{"x":2}}}}"#));
    let at = subject("c", "1", "c");
    links.check_self(at, &good).unwrap();
    let mut changed = value(&json_text(&good).replace(r#""x":2"#, r#""x":3"#));
    let error = links.check_self(at, &changed).unwrap_err();
    assert_eq!(error.place().unwrap().to_string(), "/head/body");
    let mut census = Census::new();
    let index = census.add(&links, "c", "c", Names::default()).unwrap();
    {
        let mut linked = [to_link(at, index, &mut changed)];
        links.link_again(&mut linked, &mut census);
        assert_eq!(linked[0].refusal, None);
    }
    links.check_self(at, &changed).unwrap();
    let error = links.check_self(at, &value(r#"{"head":{"body":"0"}}"#)).unwrap_err();
    assert_eq!(error.code(), &diagnostic::LINK_INVALID);
}

fn json_text(value: &Value) -> String {
    let style =
        json::Style { indent: None, colon: "".into(), comma: "".into(), ..json::Style::default() };
    json::write(value, &style).unwrap()
}
