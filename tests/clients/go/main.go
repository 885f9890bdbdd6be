// Reads a repository and long lists with go-github, set up as CLIENT says, and prints what it got.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"

	"github.com/google/go-github/v89/github"
	"github.com/shurcooL/githubv4"
)

const owner, name = "octo-org", "app"

// What a program of its own would be given.
type clients struct {
	rest    *github.Client
	graphql *githubv4.Client
}

func main() {
	api, token := os.Getenv("API_URL"), os.Getenv("GITHUB_TOKEN")
	var used clients
	switch os.Getenv("CLIENT") {
	case "go-github":
		used = plain(api, token)
	case "enterprise":
		used = enterprise(api, token)
	case "terraform":
		used = terraform(api, token)
	default:
		log.Fatal("CLIENT is go-github, enterprise or terraform")
	}
	ctx := context.Background()
	if title := os.Getenv("RENAME"); title != "" {
		print(rename(ctx, used, title))
		return
	}
	print(read(ctx, used))
}

// Everything, over all pages.
func read(ctx context.Context, used clients) map[string]any {
	repository, _, err := used.rest.Repositories.Get(ctx, owner, name)
	check(err)
	var viewer struct {
		Viewer struct{ Login string }
	}
	check(used.graphql.Query(ctx, &viewer, nil))
	return map[string]any{
		"repository": []any{repository.GetID(), repository.GetFullName(), repository.GetDescription()},
		"titles":     titles(ctx, used),
		"messages":   messages(ctx, used),
		"runs":       runs(ctx, used),
		"unchanged":  unchanged(ctx, used),
		"login":      viewer.Viewer.Login,
	}
}

func titles(ctx context.Context, used clients) (all [][]any) {
	options := &github.IssueListByRepoOptions{State: "all", ListOptions: github.ListOptions{PerPage: 50}}
	for {
		page, response, err := used.rest.Issues.ListByRepo(ctx, owner, name, options)
		check(err)
		for _, it := range page {
			all = append(all, []any{it.GetNumber(), it.GetTitle(), it.GetBody()})
		}
		if response.NextPage == 0 {
			return all
		}
		options.ListOptions.Page = response.NextPage
	}
}

func messages(ctx context.Context, used clients) (all [][]any) {
	options := &github.CommitsListOptions{ListOptions: github.ListOptions{PerPage: 20}}
	for {
		page, response, err := used.rest.Repositories.ListCommits(ctx, owner, name, options)
		check(err)
		for _, it := range page {
			all = append(all, []any{it.GetSHA(), it.GetCommit().GetMessage()})
		}
		if response.NextPage == 0 {
			return all
		}
		options.Page = response.NextPage
	}
}

func runs(ctx context.Context, used clients) (all [][]any) {
	options := &github.ListWorkflowRunsOptions{ListOptions: github.ListOptions{PerPage: 30}}
	for {
		page, response, err := used.rest.Actions.ListRepositoryWorkflowRuns(ctx, owner, name, options)
		check(err)
		for _, it := range page.WorkflowRuns {
			all = append(all, []any{it.GetID(), it.GetStatus(), it.GetHeadSHA()})
		}
		if response.NextPage == 0 {
			return all
		}
		options.Page = response.NextPage
	}
}

// The status of a read with the validator of an earlier one, as the provider's refresh sends it.
func unchanged(ctx context.Context, used clients) int {
	_, first, err := used.rest.Issues.Get(ctx, owner, name, 1)
	check(err)
	ctx = context.WithValue(ctx, validator, first.Header.Get("ETag"))
	_, again, err := used.rest.Issues.Get(ctx, owner, name, 1)
	if again == nil {
		check(err)
	}
	return again.StatusCode
}

// Writes, and reads what was written.
func rename(ctx context.Context, used clients, title string) []string {
	before, _, err := used.rest.Issues.Get(ctx, owner, name, 1)
	check(err)
	_, _, err = used.rest.Issues.Edit(ctx, owner, name, 1, &github.IssueRequest{Title: &title})
	check(err)
	after, _, err := used.rest.Issues.Get(ctx, owner, name, 1)
	check(err)
	return []string{before.GetTitle(), after.GetTitle()}
}

func print(value any) {
	check(json.NewEncoder(os.Stdout).Encode(value))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
