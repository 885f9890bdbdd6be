"""Reads a repository, long lists and their members with PyGithub, and prints what it got."""

import json
import os

from github import Auth, Github

github = Github(
    auth=Auth.Token(os.environ["GITHUB_TOKEN"]),
    base_url=os.environ["API_URL"],
    per_page=30,
    seconds_between_requests=0,
    seconds_between_writes=0,
)
repository = github.get_repo("octo-org/app")
issues = list(repository.get_issues(state="all"))
commits = list(repository.get_commits())
first = issues[0]

print(
    json.dumps(
        {
            "repository": repository.raw_data,
            "titles": [[issue.number, issue.title, issue.body] for issue in issues],
            "messages": [[commit.sha, commit.commit.message] for commit in commits],
            # Members of a list are fetched in full, from the address in the list's body.
            "issue": first.raw_data,
            # Asked conditionally: true only if there is something new.
            "changed": [repository.update(), first.update()],
        }
    )
)
