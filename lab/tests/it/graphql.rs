//! `GraphQL` as clients send it.

use ghswarm_lab::TokenSpec;
use serde_json::{Value, json};

use crate::client::{ask, fake};

const LIST: &str =
    "fragment pr on PullRequest{number,title,state,author{login,...on User{id,name}}}
    query PullRequestList($owner: String!, $repo: String!, $limit: Int!, $endCursor: String,
        $state: [PullRequestState!] = OPEN) {
      repository(owner: $owner, name: $repo) {
        pullRequests(states: $state, first: $limit, after: $endCursor,
            orderBy: {field: CREATED_AT, direction: DESC}) {
          totalCount nodes { ...pr } pageInfo { hasNextPage endCursor }
        }
      }
    }";

async fn run(query: &str, variables: Value) -> Value {
    let github = fake().await;
    let token = github.token(TokenSpec::classic("octocat").everything());
    let body = json!({"query": query, "variables": variables});
    let answer = ask("POST", "/graphql")
        .by(&token)
        .body(&body)
        .send(&github)
        .await;
    assert_eq!(answer.status, 200);
    answer.json()
}

#[tokio::test]
async fn a_list_answers_just_the_asked_fields_page_by_page() {
    let mut variables = json!({"owner": "octo-org", "repo": "app", "limit": 20});
    let first = run(LIST, variables.clone()).await;
    let pulls = &first["data"]["repository"]["pullRequests"];
    assert_eq!(pulls["totalCount"], 37);
    assert_eq!(pulls["pageInfo"]["hasNextPage"], true);
    let node = pulls["nodes"][0].as_object().unwrap();
    assert_eq!(
        node.keys().collect::<Vec<_>>(),
        ["author", "number", "state", "title"]
    );
    assert_eq!(node["author"]["name"], "The octocat");
    variables["endCursor"] = pulls["pageInfo"]["endCursor"].clone();
    let second = run(LIST, variables).await;
    let pulls = &second["data"]["repository"]["pullRequests"];
    assert_eq!(pulls["nodes"].as_array().unwrap().len(), 17);
    assert_eq!(pulls["pageInfo"]["hasNextPage"], false);
}

#[tokio::test]
async fn aliases_inline_arguments_and_directives_work() {
    let query = "query($no: Boolean!) { r: repository(owner: \"octo-org\", name: \"hello\") {
        hasIssuesEnabled nameWithOwner @skip(if: true) isPrivate @include(if: $no)
        one: issue(number: 1) { title labels(first: 10) { nodes { name } } } __typename } }";
    let answer = run(query, json!({"no": false})).await;
    let expected = json!({"data": {"r": {
        "hasIssuesEnabled": true,
        "one": {"title": "First issue", "labels": {"nodes": [{"name": "bug"}]}},
        "__typename": "Repository",
    }}});
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn errors_come_with_status_200() {
    let unknown = run("{ viewer { nothing } }", json!({})).await;
    assert_eq!(unknown["errors"][0]["extensions"]["code"], "undefinedField");
    assert!(unknown.get("data").is_none());
    let missing = run(
        "{ repository(owner: \"a\", name: \"b\") { id } }",
        json!({}),
    )
    .await;
    assert_eq!(missing["errors"][0]["type"], "NOT_FOUND");
    assert_eq!(missing["data"], json!({"repository": null}));
    assert!(run("{ viewer { login }", json!({})).await["errors"].is_array());
}

#[tokio::test]
async fn mutations_change_the_state_and_cost_five_points() {
    let github = fake().await;
    let token = github.token(TokenSpec::classic("octocat").everything());
    let send = async |query: &str, variables: Value| {
        let body = json!({"query": query, "variables": variables});
        ask("POST", "/graphql")
            .by(&token)
            .body(&body)
            .send(&github)
            .await
            .json()
    };
    let find = "{repository(owner:\"octo-org\",name:\"hello\"){id issue(number:1){id}}}";
    let ids = send(find, json!({})).await["data"]["repository"].clone();
    let create = "mutation($input: CreateIssueInput!) {
        createIssue(input: $input) { issue { number url } } }";
    let input = json!({"input": {"repositoryId": ids["id"], "title": "By mutation", "body": ""}});
    let made = send(create, input).await;
    assert_eq!(made["data"]["createIssue"]["issue"]["number"], 4);
    let comment = "mutation($input: AddCommentInput!) {
        addComment(input: $input) { commentEdge { node { body } } } }";
    let input = json!({"input": {"subjectId": ids["issue"]["id"], "body": "said"}});
    let said = send(comment, input).await;
    assert_eq!(
        said["data"]["addComment"]["commentEdge"]["node"]["body"],
        "said"
    );
    let count = github.change(|state| {
        state.repo("octo-org/hello").unwrap().issues[&1]
            .comments
            .len()
    });
    assert_eq!(count, 2);
    assert_eq!(github.usage().total.points, 11);
}
