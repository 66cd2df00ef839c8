package acme

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"

	"github.com/mholt/acmez/v3/acme"
)

// advice returns what to do when the certificate of name can't be fetched.
func (k *keeper) advice(name string, err error) string {
	var problem acme.Problem
	if errors.As(err, &problem) {
		if text := k.problemAdvice(name, problem.Type); text != "" {
			return text
		}
		return "the authority's answer says why"
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		return fmt.Sprintf("rtmpd must be able to write in acme.storage, %s", k.settings.Storage)
	}
	var call *url.Error
	var dial *net.OpError
	if errors.As(err, &call) || errors.As(err, &dial) {
		return fmt.Sprintf("the authority can't be reached: %s must be reachable from here (name resolution, outgoing connections, HTTPS_PROXY)", k.settings.Directory)
	}
	return "it is tried again; rtmpd reload tries at once"
}

func (k *keeper) problemAdvice(name, kind string) string {
	switch kind {
	case acme.ProblemTypeDNS:
		return fmt.Sprintf("%s must lead here: an A or AAAA record with this machine's public address", name)
	case acme.ProblemTypeConnection, acme.ProblemTypeTLS:
		return fmt.Sprintf("the authority must reach %s from the internet: firewall, port forwarding, an AAAA record that leads elsewhere", k.ports(name))
	case acme.ProblemTypeUnauthorized, acme.ProblemTypeIncorrectResponse:
		return fmt.Sprintf("somebody else answers at %s: the name leads to another machine, or a proxy in front keeps the request", k.ports(name))
	case acme.ProblemTypeRateLimited:
		return "the authority has had too many requests for this name: wait, and find out what made the earlier ones fail"
	case acme.ProblemTypeCAA:
		return fmt.Sprintf("a CAA record of %s forbids this authority: change it", name)
	case acme.ProblemTypeRejectedIdentifier, acme.ProblemTypeUnsupportedIdentifier:
		return "this authority gives out no certificates for such a name: take a public one, or set acme.directory_url"
	case acme.ProblemTypeInvalidContact, acme.ProblemTypeUnsupportedContact:
		return "the authority does not take acme.email: write another address, or none"
	case acme.ProblemTypeExternalAccountRequired:
		return "this authority wants an account made elsewhere, which rtmpd can't use: set another acme.directory_url"
	case acme.ProblemTypeUserActionRequired:
		return "the authority wants its new terms agreed to: the URL in its answer says how"
	case acme.ProblemTypeServerInternal:
		return "the authority has trouble of its own: it is tried again"
	}
	return ""
}

// ports returns the ports to which the authority connects.
func (k *keeper) ports(name string) string {
	switch {
	case k.settings.HTTP && k.settings.TLS:
		return fmt.Sprintf("http://%s/ (port 80) or https://%s/ (port 443)", name, name)
	case k.settings.TLS:
		return fmt.Sprintf("https://%s/ (port 443)", name)
	}
	return fmt.Sprintf("http://%s/ (port 80)", name)
}
