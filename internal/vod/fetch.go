package vod

// A Fetcher fetches files over HTTP.
type Fetcher struct{}
