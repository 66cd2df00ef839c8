//go:build race

package web

// underRace: the race detector's own memory is in what the process uses.
const underRace = true
