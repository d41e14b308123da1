//! What the removal's lease says about each stack.
//!
//! That a stack is being deleted is recorded with its id before it is: what its deletion left is in its events, and whoever
//! comes after a killed pass finds them by the id alone.

use delivery_release::environment::{ServiceChange, ServiceResult};
use delivery_stack::deletion::leftovers::Leftover;
use delivery_stack::description::Description;
use delivery_stack::service::SERVICE_TAG;

/// The part that a stack is: its service, or its own name where it is not named after its service.
pub(crate) fn of_stack(stack: &Description) -> &str {
    let service = stack.tags.get(SERVICE_TAG);
    let service = service.filter(|service| stack.name.ends_with(&format!("-{service}")));
    service.map_or(stack.name.as_str(), String::as_str)
}

/// The stack of this id is being deleted.
pub(crate) fn removing(id: &str) -> ServiceChange {
    ServiceChange {
        result: ServiceResult::Removing,
        summary: Some(id.to_owned()),
    }
}

/// The id of the stack that is being deleted.
pub(crate) fn removed_stack(change: &ServiceChange) -> Option<&str> {
    let summary = change.summary.as_deref();
    summary.filter(|_| change.result == ServiceResult::Removing)
}

/// The stack was not deleted, for this reason.
pub(crate) fn failed(reason: String) -> ServiceChange {
    ServiceChange {
        result: ServiceResult::Failed,
        summary: Some(reason),
    }
}

/// The stack is deleted, and left this.
pub(crate) fn removed(left: &[Leftover]) -> ServiceChange {
    let named = left.iter().map(|one| {
        let Leftover { kind, logical, .. } = one;
        let name = one.physical.as_deref().unwrap_or(logical);
        format!("`{name}` ({kind}, `{}`)", one.path())
    });
    let named: Vec<_> = named.collect();
    let said = "kept, as `DeletionPolicy` in the template says";
    ServiceChange {
        result: ServiceResult::Removed,
        summary: (!named.is_empty()).then(|| format!("{said}: {}", named.join(", "))),
    }
}
