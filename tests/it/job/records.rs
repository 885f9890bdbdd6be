//! Records that travel from job to job through the Actions cache.

use std::os::unix::fs::symlink;

use ghswarm_lab::runner::Level;

use super::{PATIENCE, PLAN, START, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_record_brings_two_jobs_together() {
    let (mut first, mut second) = (Stage::new().await, Stage::new().await);
    first.start();
    second.run(PLAN);
    // What the cache action restores.
    let record = std::fs::read(first.path("workspace/.ghswarm/peers/record")).unwrap();
    let folder = second.path("workspace/.ghswarm/peers");
    std::fs::create_dir_all(&folder).unwrap();
    ghswarm::files::write_atomic(&folder.join("record"), &record).unwrap();
    let start = second.start();
    assert_eq!(start.outputs["peer-count"], "1", "{}", start.log);
    assert!(
        start.log.contains("discovered 1 peer, registered"),
        "{}",
        start.log
    );
    // And hands its own on, with the first one's.
    let own = std::fs::read_to_string(folder.join("record")).unwrap();
    assert_eq!(own.lines().count(), 3, "{own}");

    let end = std::time::Instant::now() + PATIENCE;
    loop {
        let script = "\"$PROGRAM\" peers list --format json | grep -c '\"connected\"' || :";
        let listed = second.run(script);
        if listed.log.trim() == "1" {
            break;
        }
        assert!(std::time::Instant::now() < end, "{}", listed.log);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_checked_out_introduces_nobody() {
    let (mut first, mut second) = (Stage::new().await, Stage::new().await);
    first.start();
    let folder = second.path("workspace/.ghswarm/peers");
    std::fs::create_dir_all(&folder).unwrap();
    let record = first.path("workspace/.ghswarm/peers/record");
    std::fs::copy(record, folder.join("committed")).unwrap();
    let plan = second.run(PLAN);
    assert_ne!(plan.outputs["record-key-prefix"], "");
    assert_eq!(second.start().outputs["peer-count"], "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_in_the_checkout_leads_nowhere() {
    for (link, name) in [
        (".ghswarm", "peers/authorized_keys"),
        (".ghswarm/peers", "id"),
    ] {
        let mut stage = Stage::new().await;
        let victim = stage.path("home/victim");
        let precious = victim.join(name);
        std::fs::create_dir_all(precious.parent().unwrap()).unwrap();
        ghswarm::files::write_atomic(&precious, b"precious").unwrap();
        let link = stage.path("workspace").join(link);
        std::fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(&victim, &link).unwrap();

        let plan = stage.run(PLAN);
        assert_eq!(plan.outputs["record-key-prefix"], "", "{plan:?}");
        assert_eq!((plan.failed, plan.annotations.len()), (false, 0));
        let start = stage.run(START);
        assert!(!start.failed, "{}", start.log);
        assert_eq!(start.annotations.len(), 1, "{}", start.log);
        assert_eq!(start.annotations[0].level, Level::Notice);
        assert_eq!(start.outputs["cache-status"], "success");
        assert_eq!(start.outputs["save-record"], "false");
        assert_eq!(std::fs::read(&precious).unwrap(), b"precious");
        let below = precious.parent().unwrap();
        assert_eq!(std::fs::read_dir(below).unwrap().count(), 1);
        stage.asks();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_file_that_is_no_record_does_no_harm() {
    let mut stage = Stage::new().await;
    let folder = stage.path("workspace/.ghswarm/peers");
    std::fs::create_dir_all(&folder).unwrap();
    let texts: [&[u8]; 3] = [
        b"rubbish",
        b"ghswarm peers 1\n::error::x\nAAAA\n",
        &[0xff; 4096],
    ];
    for (number, text) in texts.into_iter().enumerate() {
        ghswarm::files::write_atomic(&folder.join(number.to_string()), text).unwrap();
    }
    let start = stage.start();
    assert_eq!(start.outputs["peer-count"], "0");
    assert!(start.log.contains("2 not taken"), "{}", start.log);
}
