//! Events in the words of a log line. Knows what each kind says; knows no form of output.

use std::fmt::Display;

use ledger_format::body::{
    Body, Cause, Changes, ObjectMigrated, ObjectState, Origin, Purpose, Role,
};
use ledger_format::hash::KeyId;

/// What an event concerns, in a few words.
pub(super) fn summary(body: &Body) -> String {
    match body {
        Body::KeyAuthorized(body) => {
            let roles: Vec<_> = body.roles.iter().map(Role::word).collect();
            format!("key {} may {}", KeyId::of(&body.public_key.0).short(), roles.join(", "))
        }
        Body::KeyRotated(body) => {
            format!("key {} took over", KeyId::of(&body.public_key.0).short())
        }
        Body::KeyRevoked(body) => format!("key {}: {}", body.key.short(), body.reason),
        Body::ApprovalsSet(body) => format!("{} by others", body.count),
        Body::PlanApproved(body) => format!("plan {}", body.plan.short()),
        Body::LedgerCreated(body) => format!("by key {}", KeyId::of(&body.public_key.0).short()),
        Body::StoreAdopted(body) => {
            let origin = match body.origin {
                Origin::Created => "created",
                Origin::Adopted => "adopted",
            };
            let objects = count(body.objects, "object");
            let open = if body.open { ", open" } else { "" };
            format!("{} at version {}, {origin}, {objects}{open}", body.contract, body.version)
        }
        Body::ObjectObserved(body) => {
            let cause = match body.cause {
                Cause::Baseline => "baseline",
                Cause::DataChange => "data change",
                Cause::Abandoned => "after a run was abandoned",
                Cause::Joined => "joined",
            };
            format!("{}, {cause}", body.object)
        }
        Body::ObjectPruned(body) => {
            let images = count(body.images, "image");
            format!("{}, {images} before event {}: {}", body.object, body.keep, body.reason)
        }
        Body::DriftAccepted(body) => {
            format!("{}, at version {}: {}", body.object, body.version, body.reason)
        }
        Body::ContractFrozen(body) => format!("{} {}", body.contract, body.contract_version),
        Body::ProofRecorded(body) => {
            let outcome = if body.pass { "passed" } else { "failed" };
            format!("{}, {outcome}, contract {}", body.object, body.contract.short())
        }
        Body::RunStarted(body) => {
            let purpose = match body.purpose {
                Purpose::Migrate => "migrate",
                Purpose::Rollback => "roll back",
            };
            let changes = match body.changes {
                None => "",
                Some(Changes::Keep) => ", changed documents stay",
                Some(Changes::Discard) => ", changed documents too",
            };
            format!("{purpose} {} -> {}, plan {}{changes}", body.from, body.to, body.plan.short())
        }
        Body::RunRoute(body) => {
            let edges = count(body.edges.len() as u64, "edge");
            let (number, contract) = (body.route, body.contract.short());
            format!("{number}: {} -> {}, {edges} of contract {contract}", body.from, body.to)
        }
        Body::ObjectStaged(body) => format!("{}, step {}", body.object, body.step),
        Body::ObjectMigrated(body) if body.lost == 0 => body.object.clone(),
        Body::ObjectMigrated(body) => {
            let lost = match body.target {
                // How many of them are rows, and how many values, stands in the list of what was lost.
                ObjectState::Database { .. } => together(body.lost),
                _ => count(body.lost, "value"),
            };
            of_loss(body, &lost)
        }
        Body::RunCommitted(body) => {
            format!("certificate {}, {}", body.certificate.short(), count(body.places, "place"))
        }
        Body::RunPublished(body) => count(body.places, "place"),
        Body::RunAborted(body) => format!("{}: {}", body.code, body.message),
        Body::RunAbandoned(body) => format!("at version {}: {}", body.version, body.reason),
        Body::StateRecorded(body) => {
            format!("over {}: {}", count(body.size, "event"), body.digest.short())
        }
    }
}

/// What of an object was lost, as it was counted.
pub(super) fn of_loss(body: &ObjectMigrated, lost: &impl Display) -> String {
    format!("{}, {lost} lost", body.object)
}

/// How much a database lost, where it is not known what of it.
pub(super) fn together(lost: u64) -> String {
    format!("{lost} in all, rows, ids and values together,")
}

/// `1 event`, `2 events`.
pub(super) fn count(number: u64, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        _ if thing.ends_with('s') => format!("{number} {thing}es"),
        _ => format!("{number} {thing}s"),
    }
}

/// A time in milliseconds since the Unix epoch as RFC 3339 has it, in UTC.
pub(super) fn time(ms: u64) -> String {
    let timestamp =
        i64::try_from(ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    timestamp.map_or_else(|| format!("{ms} ms"), |timestamp| format!("{timestamp:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_cursors() {
        assert_eq!(time(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(time(1_763_682_622_120), "2025-11-20T23:50:22.120Z");
        assert_eq!(time(u64::MAX), "18446744073709551615 ms");
    }
}
