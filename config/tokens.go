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

// tokens checks a tokens block.
func (c *checker) tokens(n *node, t *Tokens) {
	for i, k := range n.all("key") {
		if k.bad("secret") || !k.said("secret") {
			continue
		}
		if len(t.Keys[i].Secret) < viewtoken.MinSecret {
			c.errorAt(k.at("secret"), fmt.Sprintf("a secret for tokens has at least %d characters", viewtoken.MinSecret), "openssl rand -hex 32 makes one")
		}
	}
}
