package apiserver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/apistate"
)

// idLength is how much of a key's SHA-256 names it, in hex digits.
const idLength = 16

func keyID(k *apistate.Key) string { return "sha256:" + k.SHA256[:idLength] }

// streamKeys lists the stream keys of the API, by a name for each: only their SHA-256 is
// kept.
func (s *Server) streamKeys(*api.Caller, json.RawMessage) (any, error) {
	kept, _ := s.o.State()
	out := make(map[string]string)
	for i := range kept.Keys {
		out[keyID(&kept.Keys[i])] = kept.Keys[i].Stream
	}
	return out, nil
}

// streamKeyAdd keeps stream keys: {KEY: STREAM}.
func (s *Server) streamKeyAdd(c *api.Caller, arg json.RawMessage) (any, error) {
	var keys map[string]string
	if json.Unmarshal(arg, &keys) != nil || len(keys) == 0 {
		return nil, refusal(http.StatusBadRequest, `write {"KEY":"STREAM"}`)
	}
	var ids []string
	for secret, stream := range keys {
		k, err := s.addKey(secret, stream)
		if err != nil {
			return nil, err
		}
		ids = append(ids, keyID(&k))
	}
	slices.Sort(ids)
	s.log(c, "streamkey_add", len(ids))
	return map[string][]string{"added": ids}, nil
}

// addKey keeps one key.
func (s *Server) addKey(secret, stream string) (k apistate.Key, err error) {
	err = s.o.Change(func(next *apistate.State, cfg *config.Config) error {
		app, name, err := resolve(cfg, stream, hasKeys)
		if err != nil {
			return err
		}
		if k, err = apistate.NewKey(app, name, secret); err != nil {
			return refusal(http.StatusBadRequest, err.Error())
		}
		if why := apistate.WhyNoKey(apistate.Application(cfg, app), k); why != "" {
			return refusal(http.StatusConflict, why)
		}
		if err := next.AddKey(k); err != nil {
			return refusal(http.StatusConflict, err.Error())
		}
		return nil
	})
	return k, err
}

// streamKeyDel forgets stream keys: the key or what streamkeys calls it, or a list.
func (s *Server) streamKeyDel(c *api.Caller, arg json.RawMessage) (any, error) {
	var named map[string]any
	var words []string
	if json.Unmarshal(arg, &named) == nil {
		for word := range named {
			words = append(words, word)
		}
	} else {
		var err error
		if words, err = texts(arg); err != nil {
			return nil, refusal(http.StatusBadRequest, `write "KEY", a list, or what streamkeys calls it`)
		}
	}
	n, err := s.deleteKeys(words)
	if err != nil {
		return nil, err
	}
	s.log(c, "streamkey_del", n)
	return map[string]int{"removed": n}, nil
}

func (s *Server) deleteKeys(words []string) (n int, err error) {
	err = s.o.Change(func(next *apistate.State, cfg *config.Config) error {
		before := len(next.Keys)
		next.Keys = slices.DeleteFunc(next.Keys, func(k apistate.Key) bool {
			return slices.ContainsFunc(words, func(w string) bool { return w == keyID(&k) || apistate.HashOf(w) == k.SHA256 })
		})
		n = before - len(next.Keys)
		for _, w := range words {
			if n == 0 && inFile(cfg, w) {
				return refusal(http.StatusConflict, "the configuration has this key: remove it there")
			}
		}
		return nil
	})
	return n, err
}

// inFile reports whether a secret is a key of the configuration.
func inFile(cfg *config.Config, secret string) bool {
	k := apistate.Key{SHA256: apistate.HashOf(secret)}
	for i := range cfg.RTMP {
		for j := range cfg.RTMP[i].Applications {
			a := &cfg.RTMP[i].Applications[j]
			if hasKeys(a) && strings.HasPrefix(apistate.WhyNoKey(a, k), "the configuration has this key") {
				return true
			}
		}
	}
	return false
}

// whyNoKey says why a key has no effect; empty: it has.
func whyNoKey(cfg *config.Config, k *apistate.Key) string {
	a := apistate.Application(cfg, k.App)
	if a == nil {
		return fmt.Sprintf("the configuration has no application %q", k.App)
	}
	return apistate.WhyNoKey(a, *k)
}
