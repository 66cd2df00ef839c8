// Package viewtoken makes and checks the tokens that let somebody watch a stream: JSON
// Web Tokens (RFC 7519) that are signed (RFC 7515) and expire.
//
//	{"app": "show", "stream": "test", "exp": 1796040000, "jti": "…", "once": true}
//
// stream names a stream, or is a pattern, or a list of either; app, nbf, jti and once may
// be missing. A token that rtmpd makes is signed with HS256. Checked are HS256, RS256,
// ES256 and EdDSA, each with keys of its own type only: a public key is never the secret
// of HS256, and a token without a signature is none.
package viewtoken
