package value

import (
	"strings"
	"testing"
)

func TestADirectoryURLIsHTTPSUnlessItIsNear(t *testing.T) {
	t.Parallel()
	for url, ok := range map[string]bool{
		"https://ca.example.org/directory": true, "http://127.0.0.1:14000/dir": true, "http://localhost/dir": true,
		"http://10.1.2.3/dir": true, "http://[::1]/dir": true, "http://ca.example.org/dir": false, "ftp://127.0.0.1/dir": false, "ca.example.org": false,
	} {
		if err := checkDirectory(url); (err == nil) != ok {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestDomainsThatDNSTakes(t *testing.T) {
	t.Parallel()
	for name, ok := range map[string]bool{
		"live.example.org": true, "LIVE.example.ORG": true, "xn--bcher-kva.example": true, "live-1.example": true, "localhost": true,
		"": false, "live.example.org.": false, "a_b.example": false, "a b.example": false, "a-.example": false, "::1": false,
		strings.Repeat("a", 64) + ".example": false, strings.Repeat("a.", 130) + "example": false,
	} {
		if err := checkDomain(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}
