package segstore

import (
	"path/filepath"
	"testing"

	"github.com/rtmpd/rtmpd/internal/fuzztime"
)

func TestALineTornByAFullDiskDoesNotSwallowTheNext(t *testing.T) {
	k := &disk{path: t.TempDir()}
	if err := k.open(); err != nil {
		t.Fatal(err)
	}
	defer k.close()
	l, err := openLedger(k, LedgerName, testKinds)
	if err != nil {
		t.Fatal(err)
	}
	one := Entry{Name: "a-1.ts", Kind: "segment"}
	if err := l.put(&one); err != nil {
		t.Fatal(err)
	}
	if _, err := l.file.WriteString(`{"n":"a-2`); err != nil {
		t.Fatal(err)
	}
	l.torn = true
	three := Entry{Name: "a-3.ts", Kind: "segment"}
	if err := l.put(&three); err != nil {
		t.Fatal(err)
	}
	l.close()
	again, err := openLedger(k, LedgerName, testKinds)
	if err != nil {
		t.Fatal(err)
	}
	defer again.close()
	if len(again.live) != 2 || *again.live["a-3.ts"] != three {
		t.Errorf("%+v", again.live)
	}
}

// FuzzLedger: what a ledger says can be any bytes; only names below the
// directory come out of it.
func FuzzLedger(f *testing.F) {
	f.Add([]byte(`{"n":"test-1.ts","k":"segment","a":"show","s":"test","q":1,"keep":20000}` + "\n"))
	f.Add([]byte(`{"n":"../x.ts","k":"segment"}` + "\n" + `{"n":"a.m3u8","k":"playlist","gone":true}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzztime.Bound(t)
		l := ledger{kinds: testKinds, live: make(map[string]*Entry)}
		l.replay(b)
		for name, r := range l.live {
			if !CleanName(name) || !filepath.IsLocal(name) || r.Name != name {
				t.Errorf("%q", name)
			}
		}
	})
}
