package origin

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/hls"
	"github.com/rtmpd/rtmpd/internal/listen"
	"github.com/rtmpd/rtmpd/internal/viewers"
	"github.com/rtmpd/rtmpd/internal/viewtoken"
)

// tokenRules are what a tokens block means.
type tokenRules struct {
	cfg     *config.Tokens
	checker *viewtoken.Checker
	signer  viewtoken.Key
	word    keyID // of the passphrase; zero: there is none
}

// whyNoToken is what a viewer hears whose token is refused, whatever the reason: a
// stranger is not to learn what is wrong with a guess. The log has the reason.
const whyNoToken = "this stream needs a valid link: ask whoever gave you this one for a new one"

// newTokenRules makes the rules of all tokens blocks of an application.
func newTokenRules(app *config.Application, kept func(app string) (string, error)) (map[*config.Tokens]*tokenRules, error) {
	var out map[*config.Tokens]*tokenRules
	for _, a := range app.WithStreams() {
		if a.Tokens == nil || out[a.Tokens] != nil {
			continue
		}
		keys, err := tokenKeys(app.Name, a.Tokens, kept)
		if err != nil {
			return nil, err
		}
		if out == nil {
			out = make(map[*config.Tokens]*tokenRules)
		}
		out[a.Tokens] = &tokenRules{
			cfg: a.Tokens, signer: keys[0], word: wordOf(a.Tokens.Passphrase.Reveal()),
			checker: viewtoken.NewChecker(keys, viewtoken.Options{Issuer: a.Tokens.Issuer, Audience: a.Tokens.Audience, Claim: a.Tokens.Claim}),
		}
	}
	return out, nil
}

// tokenKeys are the keys of a tokens block; the first signs. kept gives the one that rtmpd
// made.
func tokenKeys(app string, t *config.Tokens, kept func(app string) (string, error)) ([]viewtoken.Key, error) {
	var keys []viewtoken.Key
	for _, k := range t.Keys {
		keys = append(keys, viewtoken.NewSecret(k.ID, []byte(k.Secret.Reveal())))
	}
	if len(keys) == 0 {
		secret, err := kept(app)
		if err != nil {
			return nil, err
		}
		keys = append(keys, viewtoken.NewSecret("", []byte(secret)))
	}
	if t.KeySet != nil {
		set, err := viewtoken.ParseKeySet(t.KeySet)
		if err != nil {
			return nil, fmt.Errorf("jwks: %w", err)
		}
		keys = append(keys, set...)
	}
	return keys, nil
}

// tokenKeyFile is where the state directory keeps the key that an application's tokens are
// signed with.
func tokenKeyFile(app string) string { return filepath.Join("tokens", element(app)) }

// keepTokenKey returns the key that rtmpd keeps for an application's tokens, and makes it
// at its first use.
func keepTokenKey(stateDir, app string) (string, error) {
	secret, _, err := keepSecret(stateDir, tokenKeyFile(app), func() string { return NewKey() + NewKey() })
	if err != nil {
		return "", fmt.Errorf("keep the key for tokens: %w", err)
	}
	return secret, nil
}

// NewToken signs a token for a stream of an application, with the key that the
// configuration states or the state directory keeps.
func NewToken(cfg *config.Config, app string, c viewtoken.Claims) (string, error) {
	var found *config.Tokens
	owner := ""
	for i := range cfg.RTMP {
		a := cfg.RTMP[i].Application(app)
		if a == nil {
			continue
		}
		if t := a.For(c.Streams[0]).Tokens; t != nil && found == nil {
			found, owner = t, a.Name
			if !slices.ContainsFunc(cfg.RTMP[i].Applications, func(b config.Application) bool { return b.Name == a.Name }) {
				owner = "*"
			}
		}
	}
	if found == nil {
		return "", fmt.Errorf("application %q has no tokens block for a stream %q: everybody may watch it", app, c.Streams[0])
	}
	keys, err := tokenKeys(owner, found, func(app string) (string, error) {
		secret, err := keptSecret(string(cfg.StateDir), tokenKeyFile(app))
		if errors.Is(err, fs.ErrNotExist) {
			err = errors.New("the key for tokens is not made yet: rtmpd makes it when it starts")
		}
		return secret, err
	})
	if err != nil {
		return "", err
	}
	c.App, c.Issuer, c.Audience = app, found.Issuer, found.Audience
	return viewtoken.Sign(keys[0], c, found.Claim)
}

// tokensFor returns the rules for the viewers of a stream; nil: nobody needs a token.
func (r *appRules) tokensFor(stream string) *tokenRules {
	if r.tokens == nil {
		return nil
	}
	return r.tokens[r.cfg.For(stream).Tokens]
}

// A credential is a token and who shows it.
type credential struct {
	token   string
	err     error  // why it can't be known which token is meant
	inQuery bool   // of an HTTP viewer: it stands in the query
	word    string // the passphrase, where there is no token
	addr    netip.Addr
	agent   string
}

// admit reports why somebody may not watch a stream. watching: it does already, and may go
// on for overtime.
func (a *Application) admit(rules *appRules, t *tokenRules, stream string, s credential, watching bool, now time.Time) (*viewtoken.Claims, error) {
	if s.err != nil {
		return nil, s.err
	}
	if s.token == "" && s.word != "" && t.word != (keyID{}) {
		return a.origin.opens(t, a.name, stream, s, now)
	}
	claims, err := t.checker.Check(s.token)
	if err != nil {
		return nil, err
	}
	if claims.Word != "" && claims.Word != t.mark() {
		return nil, errOldWord
	}
	overtime := time.Duration(0)
	if watching {
		overtime = t.cfg.Overtime
	}
	if err := claims.At(now, overtime); err != nil {
		return nil, err
	}
	if !isFor(claims, rules.cfg, a.name, stream) {
		return nil, viewtoken.ErrStream
	}
	if claims.Once && !a.origin.onceTokens.take(claims, a.name, s, now, t.cfg.Overtime) {
		return nil, viewtoken.ErrUsed
	}
	return claims, nil
}

// isFor reports whether a token is for a stream, or for the renditions that it is one of.
func isFor(c *viewtoken.Claims, cfg *config.Application, app, stream string) bool {
	if c.App != "" && c.App != app {
		return false
	}
	if namesStream(c.Streams, stream) {
		return true
	}
	if h := cfg.For(stream).HLS; h != nil && len(h.Variants) > 0 {
		if base, ok := hls.VariantBase(*h, stream); ok {
			return namesStream(c.Streams, base)
		}
	}
	return false
}

// namesStream reports whether one of the names and patterns of a token selects a stream. A
// name means that stream alone; a pattern has a star.
func namesStream(streams []string, stream string) bool {
	for _, s := range streams {
		if s == stream || value.IsPattern(s) && value.Glob(s, stream) {
			return true
		}
	}
	return false
}

// whoShows identifies the viewer of a token that is for one.
func whoShows(s credential) viewers.Key {
	return viewers.KeyOf(0, 0, listen.SourceOf(s.addr.Unmap()).Addr(), s.agent)
}

// refuseToken logs why a viewer was refused, and returns what it hears.
func (a *Application) refuseToken(stream string, addr netip.Addr, reason error, now time.Time) string {
	if a.origin.refusedTokens.first(viewers.KeyOf(a.id, 0, addr, stream, reason.Error()), now) {
		a.log.Info("viewer refused", zap.String("stream", stream), zap.Stringer("remote", addr), zap.String("reason", reason.Error()))
	}
	return whyNoToken
}

// shownBy returns the token of an HTTP viewer: that of the first place that has one.
func (h *viewerSet) shownBy(v *viewers.Visit, from []string) credential {
	s := credential{addr: v.Addr, agent: v.Agent}
	for _, place := range from {
		switch place {
		case "query":
			s.token, s.err = viewtoken.FromQuery(v.Query)
			s.inQuery = s.token != ""
		case "bearer":
			s.token = v.Request.Bearer()
		case "cookie":
			if s.token = v.Request.Cookie(h.cookie); s.token == "" {
				s.token = v.Request.Cookie(viewtoken.Parameter)
			}
		}
		if s.token != "" || s.err != nil {
			return s
		}
	}
	if s.word = wordFrom(v.Query); s.word == "" {
		s.word = v.Request.Password()
	}
	return s
}

// carryToken puts the token where the viewer's next requests have it: into the links to
// other playlists, because players drop the query, and into a cookie where sessions take
// one.
func (h *viewerSet) carryToken(g *viewers.Grant, cfg *config.Application, s credential, c *viewtoken.Claims) {
	if s.token == "" { // a passphrase: the links carry it as the query has it, or the login is repeated
		return
	}
	if s.inQuery { // the query of the request is carried anyway
		if cfg.Sessions != nil && slices.Contains(cfg.Sessions.TokenFrom, "cookie") {
			g.Cookie, g.CookieName, g.CookieUntil = s.token, h.cookie, c.Expires
		}
		return
	}
	if g.Links != "" {
		g.Links += "&"
	}
	g.Links += viewtoken.Parameter + "=" + url.QueryEscape(s.token)
}

// cookieName is the name of the cookie that keeps the token for a stream. It tells nothing
// about the stream.
func cookieName(app, stream string) string {
	sum := sha256.Sum256([]byte(app + "/" + stream))
	return "rtmpd_" + hex.EncodeToString(sum[:6])
}

// tokenOf returns what an RTMP player shows: the token behind the stream's name.
func tokenOf(r *PlayRequest, agent string) credential {
	s := credential{addr: r.Address, agent: agent}
	if s.token, s.err = viewtoken.FromQuery(r.RawArgs); s.token == "" && s.err == nil {
		s.word = wordFrom(r.RawArgs)
	}
	return s
}

// letIn decides on an RTMP player's token. t is nil where none is needed.
func (a *Application) letIn(rules *appRules, r *PlayRequest, p Player, name string) (credential, error) {
	t := rules.tokensFor(name)
	if t == nil || r.Ordered { // an operator has chosen the stream
		return credential{}, nil
	}
	s := tokenOf(r, p.Describe().Session.FlashVer)
	for _, secret := range []string{s.token, s.word} {
		if secret != "" {
			p.Hide(secret, false)
		}
	}
	now := time.Now()
	if _, err := a.admit(rules, t, name, s, false, now); err != nil {
		return s, &Refusal{RuleDenied, a.refuseToken(name, r.Address, err, now)}
	}
	return s, nil
}

// tokenRefusedBy says why rules do not let a player go on that showed what it did; empty if
// they do.
func (p *Playing) tokenRefusedBy(rules *appRules) string {
	t := rules.tokensFor(p.asked)
	if t == nil || p.ordered {
		return ""
	}
	if _, err := p.app.admit(rules, t, p.asked, p.shown, true, time.Now()); err != nil {
		return "the view link is not valid any more: " + err.Error()
	}
	return ""
}

// watchToken ends a player whose token has expired.
func (p *Playing) watchToken() {
	rules := p.app.rules.Load()
	t := rules.tokensFor(p.asked)
	if t == nil || p.ordered {
		return
	}
	if why := p.tokenRefusedBy(rules); why != "" {
		p.player.Kick(Reason{RuleDenied, why})
		return
	}
	if p.shown.token == "" {
		return // a passphrase does not end
	}
	claims, err := t.checker.Check(p.shown.token)
	if err != nil {
		return // a reload has ended it
	}
	p.timing.Lock()
	defer p.timing.Unlock()
	if !p.left {
		p.expiry = time.AfterFunc(time.Until(claims.Expires.Add(t.cfg.Overtime)), p.watchToken)
	}
}

// unwatchToken ends that.
func (p *Playing) unwatchToken() {
	p.timing.Lock()
	defer p.timing.Unlock()
	p.left = true
	if p.expiry != nil {
		p.expiry.Stop()
	}
}

// Shows implements web.Audience: who comes from another address than for the playlist, and
// sends its cookie or its login with every request, or adds the token to all of them, goes
// on.
func (au *Audience) Shows(v viewers.Visit) bool {
	h := au.viewersOf(v.File)
	if h == nil {
		return false
	}
	rules := h.app.rules.Load()
	t := rules.tokensFor(h.name)
	if t == nil || rules.asksHTTP(h.name) { // a hook is asked about playlists only
		return false
	}
	s := h.shownBy(&v, tokenFrom(rules.cfg))
	if s.token == "" && s.word == "" {
		return false
	}
	_, err := h.app.admit(rules, t, h.name, s, true, v.Now)
	return err == nil
}
