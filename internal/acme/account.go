package acme

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3/acme"
)

// kept is an account as it is stored.
type kept struct {
	Location string `json:"location"` // its URL at the authority
	Email    string `json:"email,omitempty"`
	Key      string `json:"key"` // PEM
}

// accountFile returns the storage key of the account at this authority with this address.
func (a *authority) accountFile(directory string) string {
	name := "account"
	if a.settings.Email != "" {
		name += "-" + certmagic.StorageKeys.Safe(a.settings.Email)
	}
	return path.Join("acme", certmagic.StorageKeys.Safe(keyOf(directory)), name+".json")
}

// account returns our account at the client's authority. It registers one if there is
// none. Domains in the configuration count as consent to the authority's terms of
// service; docs/tls.md says so.
func (a *authority) account(ctx context.Context, client *acme.Client) (acme.Account, error) {
	file := a.accountFile(client.Directory)
	lock := "account " + file
	if err := a.store.Lock(ctx, lock); err != nil {
		return acme.Account{}, err
	}
	defer a.store.unlock(lock)
	acc := acme.Account{Status: acme.StatusValid, TermsOfServiceAgreed: true}
	if a.settings.Email != "" {
		acc.Contact = []string{"mailto:" + a.settings.Email}
	}
	data, err := a.store.Load(ctx, file)
	if err == nil {
		var k kept
		if err := json.Unmarshal(data, &k); err != nil {
			return acme.Account{}, fmt.Errorf("account %s: %w", file, err)
		}
		acc.Location = k.Location
		if acc.PrivateKey, err = certmagic.PEMDecodePrivateKey([]byte(k.Key)); err != nil {
			return acme.Account{}, fmt.Errorf("account %s: %w", file, err)
		}
		return acc, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return acme.Account{}, err
	}
	if acc.PrivateKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return acme.Account{}, err
	}
	pem, err := certmagic.PEMEncodePrivateKey(acc.PrivateKey)
	if err != nil {
		return acme.Account{}, err
	}
	if acc, err = client.NewAccount(ctx, acc); err != nil {
		return acme.Account{}, fmt.Errorf("register an account: %w", err)
	}
	data, err = json.MarshalIndent(kept{Location: acc.Location, Email: a.settings.Email, Key: string(pem)}, "", "\t")
	if err != nil {
		return acme.Account{}, err
	}
	return acc, a.store.Store(ctx, file, append(data, '\n'))
}

func (a *authority) forgetAccount(ctx context.Context, directory string) error {
	return a.store.Delete(ctx, a.accountFile(directory))
}
