//go:build race

package server

// underRace: the race detector's own memory is in what the process uses.
const underRace = true
