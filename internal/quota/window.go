package quota

// A window measures a bandwidth over the last Span seconds. What has just begun is not in
// that yet, what has just ended still is: come corrects it.
type window struct {
	samples [Span + 1]uint64 // bytes sent until then, one a second; a ring
	n       int              // samples taken
	coming  [Span]int64      // bits/s that came, less those that went, by second; a ring
	rate    int64            // bits/s
}

// tick takes the sample of a second, and returns the bandwidth.
func (w *window) tick(sent uint64) int64 {
	w.samples[w.n%len(w.samples)] = sent
	w.n++
	w.coming[w.n%Span] = 0
	if span := w.span(); span > 0 {
		first := w.samples[(w.n-1-span)%len(w.samples)]
		w.rate = int64((sent - first) * 8 / uint64(span))
	}
	return w.rate
}

// span is how many seconds there are samples of.
func (w *window) span() int { return min(max(w.n-1, 0), Span) }

// come notes that from now on rate bits/s more are sent.
func (w *window) come(rate int64) { w.coming[w.n%Span] += rate }

// expected is the bandwidth as it will be measured once all that has come is in the
// measure for as long as it takes.
func (w *window) expected() int64 {
	sum, span := w.rate, int64(max(w.span(), 1))
	for ago := range min(span, Span) {
		sum += w.coming[(w.n-int(ago)+Span*2)%Span] * (span - ago) / span
	}
	return max(sum, 0)
}

// idle reports whether nothing was sent and nobody came in the whole window.
func (w *window) idle() bool { return w.rate == 0 && w.coming == [Span]int64{} }
