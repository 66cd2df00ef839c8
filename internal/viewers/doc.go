// Package viewers counts HTTP viewers and remembers the verdicts of hooks on them. A
// viewer is not a connection but a client that requests a playlist again and again.
//
// A Counter holds the viewers of one stream. Each has an ID, made of a token in the URL
// or of address and user agent, and leaves when it makes no request for the timeout.
// All memory is bounded, however many clients ask: a Counter holds maxViewers viewers
// and all Counters of a Pool together maxPoolViewers; one more gets ErrFull, and no
// viewer that has joined is displaced. Viewers that wait for a verdict are in a list
// of their own, where a new one displaces the oldest. The number of different viewers
// is exact up to maxFew and estimated within some 2 % beyond, in 4 KiB. Verdicts are
// three tables of a fixed size, where a new answer displaces the oldest.
//
// Every method takes the time from its caller. The package starts a goroutine only to
// renew a verdict, see Verdicts.Ask.
package viewers
