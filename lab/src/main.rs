//! The fakes by hand: `ghswarm-lab github --listen 127.0.0.1:9400 [--socket PATH] [--json]`, and
//! `ghswarm-lab actions-cache [--seed N] [--json]`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool for the terminal"
)]

use std::io;
use std::process::ExitCode;

use ghswarm_lab::actions_cache::Claims;
use ghswarm_lab::{FakeActionsCache, FakeGitHub, TokenSpec};
use serde_json::json;

const USAGE: &str = "\
usage: ghswarm-lab github [--listen ADDRESS] [--socket PATH] [--base URL] [--secondary] [--json]

  --listen ADDRESS  where to listen (127.0.0.1:9400; port 0 takes any)
  --socket PATH     listen on a Unix socket too, for gh's http_unix_socket
  --base URL        the start of addresses in answers (https://api.github.com)
  --secondary       refuse requests over the secondary limits
  --json            print one JSON line instead of text

       ghswarm-lab actions-cache [--listen ADDRESS] [--seed N] [--repository ID] [--json]

  --listen ADDRESS  where to listen (127.0.0.1:9401)
  --seed N          what tokens and signed URLs are made from (1)
  --repository ID   whose jobs the tokens are for (1)
  --json            print ACTIONS_RESULTS_URL and tokens as one JSON line
More tokens: curl 'URL/_lab/token?repository=1&scope=refs/heads/next&permission=1'";

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
    let mut words = std::env::args().skip(1);
    let ran = match words.next().as_deref() {
        Some("github") => match options(words) {
            Ok(options) => run(&options).await,
            Err(message) => return usage(&message),
        },
        Some("actions-cache") => match cache_options(words) {
            Ok(options) => run_cache(&options).await,
            Err(message) => return usage(&message),
        },
        _ => return usage(USAGE),
    };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ghswarm-lab: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::from(2)
}

struct CacheOptions {
    listen: String,
    seed: u64,
    repository: u64,
    json: bool,
}

fn cache_options(mut words: impl Iterator<Item = String>) -> Result<CacheOptions, String> {
    let mut options = CacheOptions {
        listen: "127.0.0.1:9401".into(),
        seed: 1,
        repository: 1,
        json: false,
    };
    while let Some(word) = words.next() {
        let mut value = || {
            let value = words.next();
            value.ok_or(format!("{word} needs a value\n\n{USAGE}"))
        };
        let number = |text: String| text.parse().map_err(|_| format!("{text:?} is no number"));
        match word.as_str() {
            "--listen" => options.listen = value()?,
            "--seed" => options.seed = number(value()?)?,
            "--repository" => options.repository = number(value()?)?,
            "--json" => options.json = true,
            _ => return Err(format!("unknown option {word}\n\n{USAGE}")),
        }
    }
    Ok(options)
}

async fn run_cache(options: &CacheOptions) -> io::Result<()> {
    let listen = options.listen.parse().map_err(io::Error::other)?;
    let cache = FakeActionsCache::builder()
        .listen(listen)
        .seed(options.seed)
        .start()
        .await?;
    let claims = Claims::new(options.repository);
    let main = cache.token(&Claims::main(options.repository));
    let reader = cache.token(&claims.reads("refs/heads/main"));
    let url = cache.url();
    if options.json {
        println!(
            "{}",
            json!({"ACTIONS_RESULTS_URL": url, "ACTIONS_RUNTIME_TOKEN": main, "read_only": reader})
        );
    } else {
        println!("ACTIONS_RESULTS_URL={url}");
        println!("ACTIONS_CACHE_SERVICE_V2=True");
        println!("ACTIONS_RUNTIME_TOKEN={main}");
        println!("\nof a job that may only read:\n{reader}");
    }
    tokio::signal::ctrl_c().await?;
    cache.stop().await;
    Ok(())
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
