#!/usr/bin/env python3
"""Makes the archives of a release, and dist/manifest.json with their hashes.

    python3 dist/package.py --out DIR [--url URL] [--manifest FILE] TARGET=PROGRAM ...
    python3 dist/package.py --out DIR [--url URL] [--manifest FILE] --build TARGET ...

The same programs give the same bytes, on any machine with the same zlib: entries are sorted, times and owners are fixed,
and nothing of the machine is in them. --build makes the programs first: `cargo zigbuild` for Linux (static, with
musl), `cargo build` for the rest, which needs their own systems.

DIR gets one archive per target, named after version and target (.zip for Windows, else .tar.gz), and manifest.json:
FILE (default: the one beside this script) with this release in place of an earlier one of its version. --url is
where the archives will be, up to their names. For a release of GitHub that is
https://github.com/OWNER/REPO/releases/download/vVERSION; the default is the folder DIR, which serves tests alone.
"""

import argparse
import gzip
import hashlib
import io
import json
import pathlib
import re
import subprocess
import sys
import tarfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BESIDE_IT = ["LICENSE-APACHE", "LICENSE-MIT", "README.md"]
# What dist/install.sh and dist/install.ps1 look for; another name would never be installed.
TARGETS = [
    "aarch64-apple-darwin",
    "aarch64-unknown-linux-musl",
    "x86_64-apple-darwin",
    "x86_64-pc-windows-msvc",
    "x86_64-unknown-linux-musl",
]
# Seconds since 1970 of everything in an archive: the first that zip can express in every zone.
TIME = 315_619_200  # 1980-01-02


def version():
    """That of the package, from Cargo.toml."""
    section = (ROOT / "Cargo.toml").read_text().split("\n[package]\n", 1)[1]
    return re.search(r'^version = "([0-9A-Za-z.+-]+)"$', section, re.MULTILINE)[1]


def build(target):
    """Compiles the program for a target; its path."""
    tool = "zigbuild" if target.endswith("-linux-musl") else "build"
    command = ["cargo", tool, "--release", "--locked", "--package", "ghswarm", "--target", target]
    subprocess.run(command, cwd=ROOT, check=True)
    name = "ghswarm.exe" if "windows" in target else "ghswarm"
    return ROOT / "target" / target / "release" / name


def contents(target, program):
    """Names, modes and bytes of what an archive holds, in its order."""
    name = "ghswarm.exe" if "windows" in target else "ghswarm"
    files = [(name, 0o755, program)]
    files += [(name, 0o644, (ROOT / name).read_bytes()) for name in BESIDE_IT]
    return sorted(files)


def tar_gz(folder, files):
    packed = io.BytesIO()
    # Without a name and with a fixed time in gzip's own header.
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, compresslevel=6, mtime=TIME) as zipped:
        with tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for name, mode, data in files:
                entry = tarfile.TarInfo(f"{folder}/{name}")
                entry.size, entry.mode, entry.mtime = len(data), mode, TIME
                tar.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def zip_file(folder, files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, mode, data in files:
            entry = zipfile.ZipInfo(f"{folder}/{name}", date_time=(1980, 1, 2, 0, 0, 0))
            entry.create_system = 3  # Unix: what zipfile writes otherwise depends on the machine
            entry.external_attr = (0o100000 | mode) << 16
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED, compresslevel=6)
    return packed.getvalue()


def package(target, program, out, url):
    """Writes the archive of one target; what the manifest says of it."""
    folder = f"ghswarm-{version()}-{target}"
    program = program.read_bytes()
    windows = "windows" in target
    archive = (zip_file if windows else tar_gz)(folder, contents(target, program))
    path = out / (folder + (".zip" if windows else ".tar.gz"))
    path.write_bytes(archive)
    return {
        "url": f"{url}/{path.name}",
        "size": len(archive),
        "sha256": hashlib.sha256(archive).hexdigest(),
        "program_size": len(program),
        "program_sha256": hashlib.sha256(program).hexdigest(),
    }


def newest_first(release):
    return [int(part) if part.isdigit() else -1 for part in re.split(r"[.+-]", release)]


def manifest_text(manifest):
    """JSON in the layout that dist/install.sh reads: two blanks per level, and one line for all of a target."""
    lines = ["{", f'  "about": {json.dumps(manifest["about"])},', f'  "version": "{manifest["version"]}",']
    releases = []
    for release in sorted(manifest["releases"], key=newest_first, reverse=True):
        targets = sorted(manifest["releases"][release].items())
        rows = ",\n".join(f'      "{target}": {json.dumps(fields)}' for target, fields in targets)
        releases.append(f'    "{release}": {{\n{rows}\n    }}')
    lines.append('  "releases": {' + ("\n" + ",\n".join(releases) + "\n  " if releases else "") + "}")
    return "\n".join([*lines, "}", ""])


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True, metavar="DIR")
    parser.add_argument("--url", metavar="URL")
    parser.add_argument("--manifest", type=pathlib.Path, default=ROOT / "dist/manifest.json", metavar="FILE")
    parser.add_argument("--build", action="store_true")
    parser.add_argument("targets", nargs="+", metavar="TARGET[=PROGRAM]")
    given = parser.parse_args()
    if given.url and not re.fullmatch(r"https?://[\w.~:/%+=\[\]-]+", given.url, re.ASCII):
        parser.error("--url takes a URL without user, password and query")
    for target in given.targets:
        name, _, program = target.partition("=")
        if name not in TARGETS:
            parser.error(f"{name} is not a target: {', '.join(TARGETS)}")
        if bool(program) == given.build:
            parser.error(f"{target}: TARGET=PROGRAM packs a program, --build TARGET makes one")
    return given


def main():
    given = arguments()
    out = given.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    url = (given.url or out.as_uri()).rstrip("/")
    manifest = json.loads(given.manifest.read_text())
    manifest["version"] = version()
    release = manifest["releases"][version()] = {}
    for target in given.targets:
        name, _, program = target.partition("=")
        release[name] = package(name, build(name) if given.build else pathlib.Path(program), out, url)
        print(f"{release[name]['sha256']}  {release[name]['url'].rsplit('/', 1)[1]}")
    (out / "manifest.json").write_text(manifest_text(manifest), newline="\n")


if __name__ == "__main__":
    sys.exit(main())
