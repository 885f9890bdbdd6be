//! Namespaces and positions on their way.

use super::super::Malformed;
use super::super::cbor::{Fields, Reader, Writer};
use super::super::message::{Position, Stale};
use crate::api::Namespace;

/// `owner/name`, each at most 100 characters.
const NAME_MAX: usize = 201;

const KIND: u64 = 1;
const NAME: u64 = 2;
const NUMBER: u64 = 3;
const ID: u64 = 4;

const HOST: u64 = 1;
const OWNER: u64 = 2;
const OWNER_ID: u64 = 3;
const REPO: u64 = 4;
const REPO_ID: u64 = 5;

/// Writes what a write may have changed. More than `max` become the whole host, and so does a name that GitHub
/// would not give (somebody wrote to a path that names nothing): more is asked again than need be.
pub(super) fn write(writer: &mut Writer, stale: &[Stale], max: usize) {
    if stale.len() > max {
        writer.count(1);
        write_one(writer, &Namespace::Host, None);
        return;
    }
    writer.count(stale.len());
    for stale in stale {
        write_one(writer, &stale.namespace, stale.id);
    }
}

fn write_one(writer: &mut Writer, namespace: &Namespace, id: Option<u64>) {
    let (kind, name, number) = match namespace {
        Namespace::Owner(name) if is_name(namespace, name) => (OWNER, Some(name), None),
        Namespace::Repo(name) if is_name(namespace, name) => (REPO, Some(name), None),
        Namespace::OwnerId(number) => (OWNER_ID, None, Some(*number)),
        Namespace::RepoId(number) => (REPO_ID, None, Some(*number)),
        Namespace::Host | Namespace::Owner(_) | Namespace::Repo(_) => (HOST, None, None),
    };
    writer.fields(|fields| {
        fields.field(KIND).number(kind);
        if let Some(name) = name {
            fields.field(NAME).text(name);
        }
        if let Some(number) = number {
            fields.field(NUMBER).number(number);
        }
        if let Some(id) = id {
            fields.field(ID).number(id);
        }
    });
}

/// Whether `name` is what GitHub gives, in lower case.
fn is_name(namespace: &Namespace, name: &str) -> bool {
    Namespace::named(name).as_ref() == Some(namespace)
}

/// Reads what [`write()`] wrote.
pub(super) fn read(reader: &mut Reader<'_>, max: usize) -> Result<Vec<Stale>, Malformed> {
    let count = reader.count(max)?;
    (0..count).map(|_| read_one(reader)).collect()
}

fn read_one(reader: &mut Reader<'_>) -> Result<Stale, Malformed> {
    let (mut kind, mut name, mut number, mut id) = (None, None, None, None);
    reader.fields(|field, value| {
        match field {
            KIND => kind = Some(value.number(u64::MAX)?),
            NAME => name = Some(value.text(NAME_MAX)?),
            NUMBER => number = Some(value.number(u64::MAX)?),
            ID => id = Some(value.number(u64::MAX)?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let namespace = match (kind.ok_or(Malformed::Syntax)?, name, number) {
        (HOST, None, None) => Namespace::Host,
        (OWNER, Some(name), None) => named(name, Namespace::Owner)?,
        (REPO, Some(name), None) => named(name, Namespace::Repo)?,
        (OWNER_ID, None, Some(number)) => Namespace::OwnerId(number),
        (REPO_ID, None, Some(number)) => Namespace::RepoId(number),
        (HOST | OWNER | REPO | OWNER_ID | REPO_ID, _, _) => return Err(Malformed::Syntax),
        // A part of the host that only somebody newer can name.
        _ => Namespace::Host,
    };
    Ok(Stale { namespace, id })
}

fn named(name: &str, kind: impl Fn(Box<str>) -> Namespace) -> Result<Namespace, Malformed> {
    let namespace = kind(name.into());
    if is_name(&namespace, name) {
        Ok(namespace)
    } else {
        Err(Malformed::Name)
    }
}

/// Writes a position as two fields.
pub(super) fn write_position(fields: &mut Fields<'_>, epoch: u64, position: Position) {
    fields.field(epoch).number(position.epoch);
    fields.field(epoch + 1).number(position.sequence);
}

/// The position in two fields; both or none.
pub(super) fn position(
    epoch: Option<u64>,
    sequence: Option<u64>,
) -> Result<Option<Position>, Malformed> {
    match (epoch, sequence) {
        (Some(epoch), Some(sequence)) => Ok(Some(Position { epoch, sequence })),
        (None, None) => Ok(None),
        _ => Err(Malformed::Syntax),
    }
}
