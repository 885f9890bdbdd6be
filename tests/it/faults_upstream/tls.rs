//! TLS with an authority of the network's own, and certificates that are wrong.

use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};

use super::origin::{GOOD, GOOD_BODY, Origin};
use super::process::Process;
use super::{PATIENCE, READ, get};
use crate::needs;

/// The name in the certificates, beside 127.0.0.1.
pub(super) const NAME: &str = "api.ghswarm.test";

/// An origin that speaks TLS, and answers every path of these stories with [`GOOD`].
pub(super) struct Tls {
    pub(super) port: u16,
    dir: TempDir,
    _server: Child,
}

impl Tls {
    /// `None`: there is no `openssl` here. `names` is what the certificate is for, `days` how long.
    pub(super) async fn start(names: &str, days: &str) -> Option<Self> {
        let openssl = needs::program("openssl")?;
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path();
        let run = async |arguments: &str| {
            let mut command = Command::new(&openssl);
            command.args(arguments.split(' ')).current_dir(at);
            let output = command.output().await.unwrap();
            assert!(
                output.status.success(),
                "{arguments}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        };
        // Of two authorities with one name the wrong one would be tried.
        let name = at.file_name().unwrap().to_str().unwrap();
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        run(&format!(
            "req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN={name} \
             -addext basicConstraints=critical,CA:TRUE -addext keyUsage=keyCertSign"
        ))
        .await;
        run(&format!(
            "req -new {key} -keyout leaf.key -out leaf.csr -subj /CN=leaf"
        ))
        .await;
        write(
            &at.join("ext"),
            format!("subjectAltName={names}").as_bytes(),
        );
        run(&format!(
            "x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out leaf.pem \
             -days {days} -extfile ext"
        ))
        .await;
        // `-HTTP` answers a path with the file of this name, head and all.
        let page = at.join(&READ[1..]);
        std::fs::create_dir_all(page.parent().unwrap()).unwrap();
        write(&page, GOOD);
        let mut server = Command::new(&openssl)
            .args([
                "s_server",
                "-accept",
                "127.0.0.1:0",
                "-cert",
                "leaf.pem",
                "-key",
                "leaf.key",
                "-HTTP",
            ])
            .current_dir(at)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let port = announced(server.stdout.take().unwrap()).await;
        Some(Self {
            port,
            dir,
            _server: server,
        })
    }

    /// The file of the authority.
    pub(super) fn authority(&self) -> String {
        self.dir.path().join("ca.pem").to_str().unwrap().to_owned()
    }

    fn url(&self) -> url::Url {
        format!("https://127.0.0.1:{}", self.port).parse().unwrap()
    }
}

/// The port that `s_server` says it listens on.
async fn announced(output: ChildStdout) -> u16 {
    let mut lines = BufReader::new(output).lines();
    let port = loop {
        let line = tokio::time::timeout(PATIENCE, lines.next_line());
        let line = line.await.unwrap().unwrap().expect("an address");
        if let Some(address) = line.strip_prefix("ACCEPT ") {
            break address.rsplit_once(':').unwrap().1.parse().unwrap();
        }
    };
    tokio::spawn(async move { while lines.next_line().await.is_ok_and(|line| line.is_some()) {} });
    port
}

#[expect(clippy::disallowed_methods, reason = "nobody else reads it")]
fn write(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
}

const BOTH: &str = "DNS:api.ghswarm.test,IP:127.0.0.1";

#[tokio::test]
async fn ssl_cert_file_names_the_authority_of_a_network() {
    let Some(tls) = Tls::start(BOTH, "2").await else {
        return needs::skip("openssl");
    };
    let process = Process::start(&tls.url(), &[("SSL_CERT_FILE", &tls.authority())]).await;
    assert_eq!(get(process.address(), READ).await.good(), GOOD_BODY);
}

#[tokio::test]
async fn a_certificate_that_is_wrong_is_an_error_that_says_what_to_do() {
    for (names, days, trusted, said) in [
        (BOTH, "2", false, "SSL_CERT_FILE"),
        (BOTH, "-1", true, "clock"),
        ("DNS:other.test", "2", true, "another host"),
    ] {
        let Some(tls) = Tls::start(names, days).await else {
            return needs::skip("openssl");
        };
        // Some authority there must be; the system's may not be.
        let Some(other) = Tls::start(BOTH, "2").await else {
            return needs::skip("openssl");
        };
        let authority = if trusted {
            tls.authority()
        } else {
            other.authority()
        };
        let process = Process::start(&tls.url(), &[("SSL_CERT_FILE", &authority)]).await;
        let message = get(process.address(), READ).await.failure(502);
        assert!(message.contains(said), "{names} {days}: {message}");
        // No handshake is tried twice for nothing, and the daemon lives.
        get(process.address(), READ).await.failure(502);
    }
}

/// An origin without TLS where there should be some, and one that hangs up in the handshake.
#[tokio::test]
async fn an_origin_that_speaks_no_tls_is_an_error_that_says_so() {
    for answer in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        b"\x15\x03\x03\x00\x02\x02\x28",
        b"",
    ] {
        let origin = Origin::connections(move |mut line, _| async move {
            use tokio::io::AsyncReadExt as _;

            let _ = line.stream.read(&mut [0; 4096]).await;
            line.write(answer).await;
            line.end().await;
        });
        let mut url = origin.url.clone();
        url.set_scheme("https").unwrap();
        let front = super::Front::of(url);
        let message = front.get(READ).await.failure(502);
        assert!(
            message.contains("TLS") || message.contains("ended"),
            "{answer:?}: {message}"
        );
    }
}
