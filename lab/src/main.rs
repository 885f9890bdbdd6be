//! The fake by hand: `ghswarm-lab github --listen 127.0.0.1:9400 [--socket PATH] [--json]`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool for the terminal"
)]

use std::io;
use std::process::ExitCode;

use ghswarm_lab::{FakeGitHub, TokenSpec};
use serde_json::json;

const USAGE: &str = "\
usage: ghswarm-lab github [--listen ADDRESS] [--socket PATH] [--base URL] [--secondary] [--json]

  --listen ADDRESS  where to listen (127.0.0.1:9400; port 0 takes any)
  --socket PATH     listen on a Unix socket too, for gh's http_unix_socket
  --base URL        the start of addresses in answers (https://api.github.com)
  --secondary       refuse requests over the secondary limits
  --json            print one JSON line instead of text";

struct Options {
    listen: String,
    socket: Option<String>,
    base: String,
    secondary: bool,
    json: bool,
}

fn options(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options {
        listen: "127.0.0.1:9400".into(),
        socket: None,
        base: "https://api.github.com".into(),
        secondary: false,
        json: false,
    };
    if words.next().as_deref() != Some("github") {
        return Err(USAGE.into());
    }
    while let Some(word) = words.next() {
        let mut value = || {
            words
                .next()
                .ok_or(format!("{word} needs a value\n\n{USAGE}"))
        };
        match word.as_str() {
            "--listen" => options.listen = value()?,
            "--socket" => options.socket = Some(value()?),
            "--base" => options.base = value()?,
            "--secondary" => options.secondary = true,
            "--json" => options.json = true,
            _ => return Err(format!("unknown option {word}\n\n{USAGE}")),
        }
    }
    Ok(options)
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    match run(&options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ghswarm-lab: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> io::Result<()> {
    let listen = options.listen.parse().map_err(io::Error::other)?;
    let mut builder = FakeGitHub::builder()
        .listen(listen)
        .public_base(&options.base)
        .enforce_secondary(options.secondary);
    if let Some(path) = &options.socket {
        builder = builder.socket(path);
    }
    let github = builder.start().await?;
    let tokens = [
        ("classic", TokenSpec::classic("octocat").everything()),
        (
            "fine_grained",
            TokenSpec::fine_grained("octocat").write("octo-org/secret"),
        ),
        ("job", TokenSpec::job("octo-org/hello")),
        (
            "installation",
            TokenSpec::installation(1).write("octo-org/app"),
        ),
    ];
    let tokens = tokens.map(|(name, spec)| (name, github.token(spec).value().to_owned()));
    let app = github.app_token().value().to_owned();
    let repos: Vec<String> = github.change(|state| {
        state
            .repos
            .values()
            .map(ghswarm_lab::state::Repo::full_name)
            .collect()
    });
    if options.json {
        let mut all: serde_json::Map<_, _> = tokens
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        all.insert("app".into(), app.into());
        println!(
            "{}",
            json!({"url": github.url(), "socket": options.socket, "repos": repos, "tokens": all})
        );
    } else {
        println!("listening on  {}", github.url());
        if let Some(path) = &options.socket {
            println!("       and on  {path}");
        }
        for repo in repos {
            println!("repository    {repo}");
        }
        for (name, value) in tokens {
            println!("{name:<13} {value}");
        }
        println!("{:<13} {app}", "app");
        println!(
            "\ncurl -H 'Authorization: Bearer …' {}/repos/octo-org/hello",
            github.url()
        );
    }
    tokio::signal::ctrl_c().await?;
    github.stop().await;
    Ok(())
}
