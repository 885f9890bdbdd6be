package main

import (
	"context"
	"net/http"
	"net/url"

	"github.com/google/go-github/v89/github"
	"github.com/shurcooL/githubv4"
	"golang.org/x/oauth2"
)

// The base URL as it is.
func plain(api, token string) clients {
	rest, err := github.NewClient(
		github.WithAuthToken(token),
		github.WithHTTPClient(sender()),
		github.WithURLs(github.Ptr(api+"/"), nil),
	)
	check(err)
	return clients{rest, githubv4.NewEnterpriseClient(api+"/graphql", authenticated(token))}
}

// As for an Enterprise Server: go-github adds /api/v3/ and /api/uploads/ itself.
func enterprise(api, token string) clients {
	rest, err := github.NewClient(
		github.WithAuthToken(token),
		github.WithHTTPClient(sender()),
		github.WithEnterpriseURLs(api, api),
	)
	check(err)
	return clients{rest, githubv4.NewEnterpriseClient(api+"/api/graphql", authenticated(token))}
}

// As Terraform's provider sets its clients up when base_url is no host of github.com: one HTTP client
// for both APIs, a preview in every Accept, validators from its state.
func terraform(api, token string) clients {
	base, err := url.Parse(api)
	check(err)
	both := authenticated(token)
	both.Transport = preview{both.Transport}
	rest, err := github.NewClient(
		github.WithHTTPClient(both),
		github.WithURLs(github.Ptr(base.JoinPath("api/v3/").String()), nil),
	)
	check(err)
	return clients{rest, githubv4.NewEnterpriseClient(base.JoinPath("api/graphql").String(), both)}
}

func authenticated(token string) *http.Client {
	source := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: token})
	client := oauth2.NewClient(context.Background(), source)
	client.Transport = conditional{client.Transport}
	return client
}

func sender() *http.Client {
	return &http.Client{Transport: conditional{http.DefaultTransport}}
}

type key string

// What a context carries the validator of an earlier answer under.
const validator = key("validator")

type conditional struct{ next http.RoundTripper }

func (this conditional) RoundTrip(request *http.Request) (*http.Response, error) {
	if etag, ok := request.Context().Value(validator).(string); ok && etag != "" {
		request.Header.Set("If-None-Match", etag)
	}
	return this.next.RoundTrip(request)
}

type preview struct{ next http.RoundTripper }

func (this preview) RoundTrip(request *http.Request) (*http.Response, error) {
	accept := "application/vnd.github.stone-crop-preview+json"
	if own := request.Header.Get("Accept"); own != "" {
		accept = own + "," + accept
	}
	request.Header.Set("Accept", accept)
	return this.next.RoundTrip(request)
}
