//! `ghswarm api`: the flags of `gh api`, with its meaning.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::Target;
use crate::config::units;

/// `ghswarm api`
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[derive(Debug, Args)]
#[command(after_help = "\
PATH is as in GitHub's documentation; `graphql` asks the GraphQL API with the field `query`, and the
other fields are its variables. {owner}, {repo} and {branch} are filled in from GH_REPO,
GITHUB_REPOSITORY or the clone that this runs in. Fields make the request a POST, unless --method
says otherwise.

Answers come from the running daemon; without one, GitHub is asked directly, after one notice.
The token is GH_TOKEN, GITHUB_TOKEN or the one of `gh auth login`.
Exit codes: 1 if GitHub answers 400 or more (the body is on stdout all the same), 4 without a token.

Examples:
  ghswarm api repos/{owner}/{repo}/pulls --jq '.[].title'
  ghswarm api --paginate 'repos/octocat/hello-world/issues?per_page=100' --slurp
  ghswarm api repos/{owner}/{repo}/issues -f title='A bug' -F 'labels[]=bug' -F milestone=3
  ghswarm api -X PATCH repos/{owner}/{repo} --input settings.json
  ghswarm api graphql -f query='query($o:String!){user(login:$o){name}}' -f o=octocat
  ghswarm api --cache 10m -i users/octocat")]
pub struct Api {
    /// The path of the resource, or `graphql`
    #[arg(value_name = "PATH")]
    pub path: String,
    /// The method [default: GET, or POST with fields or --input]
    #[arg(short = 'X', long, value_name = "METHOD")]
    pub method: Option<String>,
    /// A text parameter (repeatable)
    #[arg(short = 'f', long = "raw-field", value_name = "KEY=VALUE")]
    pub raw_fields: Vec<String>,
    /// A parameter with a type: true, false, null, a whole number, @FILE, @- for stdin (repeatable)
    #[arg(short = 'F', long = "field", value_name = "KEY=VALUE")]
    pub fields: Vec<String>,
    /// A request header (repeatable)
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub headers: Vec<String>,
    /// The file with the request's body, - for stdin; fields then go into the query
    #[arg(long, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// Follow all pages
    #[arg(long)]
    pub paginate: bool,
    /// Put all pages into one array
    #[arg(long, requires = "paginate", conflicts_with = "jq")]
    pub slurp: bool,
    /// Select from the answer with a jq filter; strings are printed without quotes
    #[arg(short = 'q', long, value_name = "FILTER", conflicts_with = "silent")]
    pub jq: Option<String>,
    /// Print status and headers first
    #[arg(short = 'i', long)]
    pub include: bool,
    /// An answer may be this old
    #[arg(long, value_name = "TIME", value_parser = units::time)]
    pub cache: Option<Duration>,
    /// Print no body
    #[arg(long)]
    pub silent: bool,
    /// The GitHub host
    #[arg(long, value_name = "HOST", default_value = "github.com")]
    pub hostname: String,
    /// Which daemon
    #[command(flatten)]
    pub target: Target,
}
