// Package viewers counts who watches over HTTP, where a viewer is no connection
// but somebody who asks for a playlist again and again, and remembers for whom a
// verdict was asked.
//
// A Counter holds the viewers of one stream: each has an ID, made of a token in
// the URL or of address and user agent, and is gone once it has not asked for
// the timeout. All of it is bounded whoever asks and however often: a Counter
// seats maxSeats viewers and all Counters of a Pool together maxHeld; one more is
// ErrFull, and nobody who is seated loses the seat. What takes no seat (who waits
// for a verdict) is a list whose oldest entry makes room. How many different
// viewers there have been is exact up to maxFew and estimated within some 2 %
// beyond, in 4 KiB. Verdicts are three tables of a fixed size, whose oldest entry
// makes room.
//
// The clock is the caller's: every method is told what time it is.
package viewers
