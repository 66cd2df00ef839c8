package value

import "github.com/agext/levenshtein"

// nearEnough is how many letters a name may be away from what it was meant to be.
const nearEnough = 3

// Nearest is the name of names that given was most likely meant to be; empty if
// none is near. Of two that are equally near it is the first.
func Nearest(given string, names []string) string {
	best, least := "", nearEnough
	for _, name := range names {
		if d := levenshtein.Distance(given, name, nil); d < least {
			best, least = name, d
		}
	}
	return best
}
