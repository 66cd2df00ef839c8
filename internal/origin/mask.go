package origin

import (
	"strings"
	"sync"
)

// IsKey says whether word is a stream key of any application, in its time or not.
func (og *Origin) IsKey(word string) bool {
	if len(word) < minSecret {
		return false
	}
	if og.replaced.has(word) {
		return true
	}
	// No lock: the caller that logs may hold it.
	for _, v := range *og.services.Load() {
		for _, ring := range v.rules.Load().keys {
			if ring.holds(word) {
				return true
			}
		}
	}
	return false
}

// Mask replaces the words of s that are stream keys by ***.
func (og *Origin) Mask(s string) string { return MaskKeys(s, og.IsKey) }

// keyByte reports whether a secret may contain c (docs/reference.md, secret).
func keyByte(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '~' || c == '-'
}

// MaskKeys replaces the words of s that are keys by ***.
func MaskKeys(s string, isKey func(string) bool) string {
	if len(s) < minSecret {
		return s
	}
	var out strings.Builder
	copied := 0
	for i := 0; i < len(s); {
		if !keyByte(s[i]) {
			i++
			continue
		}
		end := i + 1
		for end < len(s) && keyByte(s[end]) {
			end++
		}
		if n := keyLength(s[i:end], isKey); n > 0 {
			out.WriteString(s[copied:i])
			out.WriteString("***")
			copied = i + n
		}
		i = end
	}
	if copied == 0 {
		return s
	}
	return out.String() + s[copied:]
}

// keyLength is how much of the beginning of word is a stream key: all of it, or
// what stands before a file's extension or the end of a sentence.
func keyLength(word string, isKey func(string) bool) int {
	if len(word) >= minSecret && isKey(word) {
		return len(word)
	}
	if i := strings.LastIndexByte(word, '.'); i >= minSecret && isKey(word[:i]) {
		return i
	}
	return 0
}

// A wordSet remembers which words triggers have replaced: to the log they are what
// stream keys are. It keeps their hashes, the newest maxReplaced of them at least.
type wordSet struct {
	mu       sync.RWMutex
	new, old map[keyID]struct{}
}

const maxReplaced = 1 << 14

func (t *wordSet) add(word string) {
	id := idOf(word)
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.new) >= maxReplaced || t.new == nil {
		t.old, t.new = t.new, make(map[keyID]struct{})
	}
	t.new[id] = struct{}{}
}

func (t *wordSet) has(word string) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if len(t.new) == 0 {
		return false
	}
	id := idOf(word)
	_, isNew := t.new[id]
	_, isOld := t.old[id]
	return isNew || isOld
}
