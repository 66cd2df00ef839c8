// Package interop holds tests only: the real rtmpd binary against publishers,
// players and proxies that other people wrote. It is a module of its own so that
// what it needs (a browser driver, an independent RTMP library) stays out of the
// product's go.mod.
//
// Every test needs the packages that scripts/test-deps installs; a missing tool
// fails the test. Logs and screenshots are left in test/artefacts.
package interop
