package config

import (
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/viewtoken"
)

// Tokens is a tokens block: who watches needs a token that is signed and expires.
type Tokens struct {
	// A secret that tokens are signed with. The first block signs those of rtmpd token
	// new; those signed with the others are taken, so that a new key can take an old
	// one's place. Without any, rtmpd makes one and keeps it in state_dir.
	Keys []TokenKey `hcl:"key,block"`
	// A JSON Web Key Set (RFC 7517), as identity providers publish them: tokens signed
	// with one of its keys are taken, HS256, RS256, ES256 and EdDSA. It is read again when
	// it changes; while it cannot be read, its last content counts.
	JWKS   value.Path `hcl:"jwks" example:"\"/etc/rtmpd/jwks.json\""`
	KeySet []byte     // the content of JWKS
	// The iss that every token must have; unset: any. The tokens of rtmpd token new have it.
	Issuer string `hcl:"issuer" example:"\"https://id.example.org\""`
	// The aud that every token must have; unset: any. Those of rtmpd token new have it.
	Audience string `hcl:"audience" example:"\"rtmpd\""`
	// The claim that names the streams of a token: a name, a pattern with * or ?, or a list
	// of either.
	Claim string `hcl:"claim" default:"stream"`
	// A word that opens the streams without a link: the page of a player asks for it, and
	// other players take it in their URL or as the password of a login.
	Passphrase value.Secret `hcl:"passphrase"`
	// How long who has typed the passphrase may watch before the page asks again.
	PassphraseFor time.Duration `hcl:"passphrase_for" default:"12h"`
	// How long who is watching may go on after the token has expired. Nobody begins to
	// watch with an expired token.
	Overtime time.Duration `hcl:"overtime" default:"1m" off:"yes"`
	Range    hcl.Range
}

// TokenKey is a key block of a tokens block.
type TokenKey struct {
	ID string `hcl:"ID,label"` // the kid of its tokens
	// The secret: 32 or more characters; openssl rand -hex 32 makes one. Whatever else
	// signs tokens with it (HS256) needs the same characters.
	Secret value.Secret `hcl:"secret" need:"yes"`
	Range  hcl.Range
}

// minPassphrase is the length of the shortest passphrase in bytes. An address has ten
// guesses a minute.
const minPassphrase = 8

// tokens checks a tokens block, and reads its key set.
func (c *checker) tokens(n *node, t *Tokens) {
	if t.Passphrase != "" && len(t.Passphrase) < minPassphrase {
		c.errorAt(n.at("passphrase"), fmt.Sprintf("a passphrase has at least %d characters", minPassphrase), "three words are easier to read out than eight letters")
	}
	if t.Claim == "" {
		c.errorAt(n.at("claim"), "claim names nothing", "write claim = \"stream\"")
	}
	if t.JWKS != "" && !n.bad("jwks") {
		t.KeySet = c.keySet(string(t.JWKS), n.at("jwks"))
	}
	for i, k := range n.all("key") {
		if k.bad("secret") || !k.said("secret") {
			continue
		}
		if len(t.Keys[i].Secret) < viewtoken.MinSecret {
			c.errorAt(k.at("secret"), fmt.Sprintf("a secret for tokens has at least %d characters", viewtoken.MinSecret), "openssl rand -hex 32 makes one")
		}
	}
}

// keySet reads a key set. One that can't be used is an error, unless the running
// configuration has its content: then that stays.
func (c *checker) keySet(path string, at hcl.Range) []byte {
	text, err := c.reading.file(path)
	bad := ""
	if err != nil {
		bad = fmt.Sprintf("jwks: %v", pathError(path, err))
	} else if _, wrong := viewtoken.ParseKeySet(text); wrong != nil {
		bad = fmt.Sprintf("jwks: %s: %v", path, wrong)
	} else {
		return text
	}
	if kept := c.keptKeySet(path); kept != nil {
		c.warnAt(at, bad, keysStay)
		return kept
	}
	if err != nil {
		c.secretFile(at, bad)
		return nil
	}
	c.errorAt(at, bad, "it is what an identity provider serves as jwks_uri")
	return nil
}

// keptKeySet finds what the running configuration read from the file; nil: nothing.
func (c *checker) keptKeySet(path string) []byte {
	if c.o.Previous == nil {
		return nil
	}
	for i := range c.o.Previous.RTMP {
		for j := range c.o.Previous.RTMP[i].Applications {
			for _, a := range c.o.Previous.RTMP[i].Applications[j].WithStreams() {
				if a.Tokens != nil && string(a.Tokens.JWKS) == path && a.Tokens.KeySet != nil {
					return a.Tokens.KeySet
				}
			}
		}
	}
	return nil
}
