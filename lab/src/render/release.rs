//! Releases and assets.

use serde_json::{Value, json};

use super::{api, html, user};
use crate::clock::iso;
use crate::state::{Asset, Release, Repo, State, node_id};

/// `release`.
pub(crate) fn release(state: &State, repo: &Repo, release: &Release) -> Value {
    let url = api(state, repo, &format!("/releases/{}", release.id));
    let tag = &release.tag;
    let assets = repo
        .assets
        .values()
        .filter(|asset| asset.release == release.id);
    let uploads = format!("https://uploads.github.com/repos/{}", repo.full_name());
    json!({
        "id": release.id,
        "node_id": node_id("Release", release.id),
        "url": url,
        "html_url": html(state, repo, &format!("/releases/tag/{tag}")),
        "assets_url": format!("{url}/assets"),
        "upload_url": format!("{uploads}/releases/{}/assets{{?name,label}}", release.id),
        "tarball_url": api(state, repo, &format!("/tarball/{tag}")),
        "zipball_url": api(state, repo, &format!("/zipball/{tag}")),
        "tag_name": tag,
        "target_commitish": repo.default_branch,
        "name": release.name,
        "body": "What is new in this release.",
        "draft": false,
        "prerelease": false,
        "immutable": false,
        "created_at": iso(release.created_at),
        "published_at": iso(release.created_at),
        "updated_at": iso(release.created_at),
        "author": user(state, "octocat"),
        "assets": assets.map(|known| asset(state, repo, release, known)).collect::<Vec<_>>(),
    })
}

/// `release-asset`.
pub(crate) fn asset(state: &State, repo: &Repo, release: &Release, asset: &Asset) -> Value {
    let page = format!("/releases/download/{}/{}", release.tag, asset.name);
    json!({
        "id": asset.id,
        "node_id": node_id("ReleaseAsset", asset.id),
        "url": api(state, repo, &format!("/releases/assets/{}", asset.id)),
        "browser_download_url": html(state, repo, &page),
        "name": asset.name,
        "label": null,
        "state": "uploaded",
        "content_type": "application/octet-stream",
        "size": asset.size,
        "digest": null,
        "download_count": 0,
        "created_at": iso(asset.created_at),
        "updated_at": iso(asset.created_at),
        "uploader": user(state, "octocat"),
    })
}
