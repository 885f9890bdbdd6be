"""Reads the job's repository and a list of it with PyGithub, over the base URL that the job exported."""

import os

from github import Auth, Github

name = os.environ["GITHUB_REPOSITORY"]
github = Github(auth=Auth.Token(os.environ["GH_TOKEN"]), base_url=os.environ["GHSWARM_API_URL"])
print("PyGithub reads", github.get_repo(name).full_name)
for time in range(1, 6):
    list = f"/repos/{name}/labels"
    _, labels = github.requester.requestJsonAndCheck("GET", list, parameters={"as": f"pygithub{time}"})
    print("PyGithub reads", len(labels), "labels")
