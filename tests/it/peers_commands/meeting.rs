//! Two daemons are brought together.

use super::{Runner, text};

#[test]
fn one_exported_file_brings_two_together_and_a_restart_keeps_them() {
    let first = Runner::in_pool("octo-org/app");
    let mut second = Runner::in_pool("Octo-Org/App");
    let file = first.path("here.peers");
    first
        .run(&["peers", "export", text(&file)])
        .ok()
        .says(&["password"]);
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&file).unwrap());
    assert_eq!(mode & 0o777, 0o600);
    second
        .run(&["peers", "import", text(&file)])
        .ok()
        .says(&["1 new"]);
    let (one, two) = (first.id(), second.id());
    assert_eq!(second.sees(&one, "connected")["admission"], "ticket");
    first.sees(&two, "connected");
    let table = second.run(&["peers", "list"]).ok();
    assert!(table.stdout.contains("connected"), "{}", table.stdout);
    let again = second.run(&["peers", "import", text(&file)]).ok();
    again.says(&["1 known already"]);

    // Whom it knows was written down, and its own name stays.
    let known = second.state().join("peers");
    let end = std::time::Instant::now() + super::PATIENCE;
    while !known.exists() && std::time::Instant::now() < end {
        second.list();
    }
    second.kill();
    second.serve(&["--pool", "octo-org/app"]);
    assert_eq!(second.id(), two);
    second.sees(&one, "connected");
}

#[test]
fn a_pipe_does_as_well_as_a_file() {
    let (first, second) = (Runner::in_pool("a/b"), Runner::in_pool("a/b"));
    let exported = first.run(&["peers", "export"]).ok();
    assert!(exported.stdout.starts_with("ghswarm peers 1\n"));
    let took = second.run_with(
        &["peers", "import", "-", "--format", "json"],
        &exported.stdout,
    );
    assert_eq!(took.ok().json()[0]["taken"][0], first.id());
    second.sees(&first.id(), "connected");
}

#[test]
fn a_directory_that_all_can_write_to_brings_everybody_together() {
    let (first, second) = (Runner::in_pool("a/b"), Runner::in_pool("a/b"));
    let shared = tempfile::tempdir().unwrap();
    let directory = ["--directory", text(shared.path())];
    let register = |runner: &Runner| {
        let arguments = [&["peers", "register"], &directory[..]].concat();
        let ran = runner.run(&arguments).ok();
        std::path::PathBuf::from(ran.stdout.trim())
    };
    let mine = register(&first);
    assert!(
        mine.starts_with(shared.path().join("ghswarm/1/0")),
        "{mine:?}"
    );
    // Under its name there is where it is, and no way in; again is in the place of before.
    assert!(text(&mine).contains(&first.id()) && register(&first) == mine);
    second
        .run(&["peers", "import", text(shared.path())])
        .ok()
        .says(&["1 new"]);
    second.sees(&first.id(), "connected");

    let broken = mine.with_file_name("broken");
    ghswarm::files::write_atomic(&broken, b"x").unwrap();
    let arguments = [&["peers", "cleanup", "--format", "json"], &directory[..]].concat();
    let cleaned = second.run(&arguments).ok().json();
    assert_eq!(
        (&cleaned["broken"], &cleaned["kept"]),
        (&1.into(), &1.into())
    );
    assert!(mine.exists() && !broken.exists());
}

#[test]
fn with_a_secret_an_address_is_enough() {
    let member = || {
        let mut runner = Runner::new().with("POOL_SECRET", "correct horse battery staple");
        runner.serve(&["--pool", "fleet", "--secret-env", "POOL_SECRET"]);
        runner
    };
    let (first, second) = (member(), member());
    // An export waits until there is an address.
    first.run(&["peers", "export"]).ok();
    let address = first.list()["multiaddrs"][0].as_str().unwrap().to_owned();
    second.run(&["peers", "add", &address]).ok();
    assert_eq!(second.sees(&first.id(), "connected")["admission"], "secret");
}
