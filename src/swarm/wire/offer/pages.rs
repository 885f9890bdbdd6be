//! Pagination on its way: where the pages beside this one are, on the same host.

use crate::api::Links;
use crate::api::page::Link;
use crate::swarm::wire::Malformed;
use crate::swarm::wire::cbor::{Reader, Writer};

/// GitHub sends four at most.
const PAGES_MAX: usize = 8;
/// The longest target; GitHub's have some hundred bytes.
const TARGET_MAX: usize = 2 << 10;
/// The relations that are about pages, each a bit. No other one travels.
const RELATIONS: [&str; 4] = ["next", "prev", "first", "last"];

/// Where a page is, and what it is to this one.
pub(super) type Page = (u8, String);

/// The pages in `links`. Whatever is not about pages stays here. A link to a page that would not be taken
/// keeps the whole entry here: without it a list would look shorter than it is.
pub(super) fn of(links: Option<&Links>) -> Result<Vec<Page>, Malformed> {
    let links = links.map_or(&[][..], Links::links);
    let pages = links.iter().filter_map(|link| {
        let bit = |rel: &String| RELATIONS.iter().position(|known| known == rel);
        let bits = link
            .rel
            .iter()
            .filter_map(bit)
            .fold(0, |bits, bit| bits | 1 << bit);
        (bits != 0).then(|| (bits, link.target.clone()))
    });
    let pages: Vec<_> = pages.collect();
    if pages.len() > PAGES_MAX || pages.iter().any(|(_, target)| target.len() > TARGET_MAX) {
        return Err(Malformed::TooLong);
    }
    judge(&links_of(&pages))?;
    Ok(pages)
}

pub(super) fn write(writer: &mut Writer, pages: &[Page]) {
    writer.count(pages.len());
    for (relations, target) in pages {
        writer.count(2);
        writer.number((*relations).into());
        writer.text(target);
    }
}

/// Reads what [`write()`] wrote, and lets nothing through that leads to another host.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<Links, Malformed> {
    let count = reader.count(PAGES_MAX)?;
    if count == 0 {
        return Err(Malformed::Syntax);
    }
    let mut pages = Vec::with_capacity(count);
    for _ in 0..count {
        reader.pair()?;
        let relations = reader.small((1 << RELATIONS.len()) - 1)?;
        if relations == 0 {
            return Err(Malformed::OutOfRange);
        }
        pages.push((relations, reader.text(TARGET_MAX)?.to_owned()));
    }
    let links = links_of(&pages);
    judge(&links)?;
    Ok(links)
}

fn links_of(pages: &[Page]) -> Links {
    let link = |(relations, target): &Page| {
        let known = RELATIONS.iter().enumerate();
        let rel = known.filter(|(bit, _)| relations >> bit & 1 == 1);
        Link {
            target: target.clone(),
            rel: rel.map(|(_, name)| (*name).to_owned()).collect(),
            parameters: Vec::new(),
        }
    };
    Links::from(pages.iter().map(link).collect::<Vec<_>>())
}

/// Whether every target is path and query and stays so, by the rules for GitHub's own links and for what was
/// stored: an address with a host is never ours here.
fn judge(links: &Links) -> Result<(), Malformed> {
    let plain = |target: &str| target.starts_with('/') && !target.starts_with("//");
    let all_plain = links.links().iter().all(|link| plain(&link.target));
    match links.relative(|_, _| None) {
        Some(relative) if all_plain && relative == *links => Ok(()),
        _ => Err(Malformed::Link),
    }
}
