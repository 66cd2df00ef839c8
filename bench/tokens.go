//go:build linux

package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"
)

// The scenarios of measureTokens.
const (
	watchTokens = "hls-tokens" // a token for each viewer, and sessions
	watchOpen   = "hls-open"   // neither
)

// variantSuffix ends the name of the one rendition in appOpen and appTokens.
const variantSuffix = "_hi"

// viewSecret signs the viewers' tokens. It guards nothing: the server is the tool's own.
const viewSecret = "the bench signs with this, for itself"

// tokenConfig is what measureTokens needs in rtmpd's configuration: two applications and
// two locations that differ in tokens and sessions alone.
func (t *target) tokenConfig() (applications, locations string) {
	for _, app := range []struct{ name, access string }{
		{appOpen, ""},
		{appTokens, fmt.Sprintf("    sessions {}\n\n    tokens {\n      key \"bench\" {\n        secret = %q\n      }\n    }\n\n", viewSecret)},
	} {
		dir := t.segments() + "-" + app.name
		applications += fmt.Sprintf(`
  application %q {
%s    hls {
      path            = %q
      fragment        = %q
      playlist_length = %q

      variant %q {}
    }
  }
`, app.name, app.access, dir, hlsFragment, hlsPlaylist, variantSuffix)
		locations += fmt.Sprintf(`
  location "/%s" {
    alias = %q
  }
`, app.name, dir)
	}
	return applications, locations
}

// viewToken is a token of the n-th viewer, for all streams and a day: a JSON Web Token
// with HS256 (RFC 7515 §3.1).
func viewToken(n int, now time.Time) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256"}`)) + "." +
		base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"stream":"*","exp":%d,"jti":"%d"}`, now.Add(24*time.Hour).Unix(), n))
	mac := hmac.New(sha256.New, []byte(viewSecret))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// measureTokens measures n viewers of one stream twice on one server: where each must have
// a token and is a session, and where nothing is asked for. Both come by way of a multivariant
// playlist, as players do, so that its link carries the token. Which comes first changes with
// the round. The stream is published for its own viewers alone.
func measureTokens(ctx context.Context, t *target, n int, o options, round int) ([]Result, error) {
	idle, err := treeMemory(t.pids)
	if err != nil {
		return nil, err
	}
	one := func(scenario, app string, query func(int) string) (Result, error) {
		r := Result{Scenario: scenario, Streams: 1, BitRate: o.bitRate, MSS: o.mss, Idle: idle}
		ctx, cancel := context.WithCancel(ctx)
		p := newPublishers(t, app, o.bitRate, clock{time.Now()})
		p.suffix = variantSuffix
		defer p.sending.Wait()
		defer cancel()
		if err := p.add(ctx, 1); err != nil {
			return r, err
		}
		a := &audience{path: "/" + app + "/" + streamName(0) + ".m3u8", query: query}
		return measureAudience(ctx, t, p, a, n, o, r)
	}
	now := time.Now()
	both := [2]struct {
		scenario, app string
		query         func(int) string
	}{
		{watchTokens, appTokens, func(n int) string { return "token=" + viewToken(n, now) }},
		{watchOpen, appOpen, nil},
	}
	var results []Result
	for i := range both {
		which := both[(i+round)%2]
		r, err := one(which.scenario, which.app, which.query)
		if err != nil {
			return results, fmt.Errorf("%s: %w", which.scenario, err)
		}
		results = append(results, r)
	}
	return results, nil
}
