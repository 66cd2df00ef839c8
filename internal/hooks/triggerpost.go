package hooks

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
)

// post asks a handler over HTTP. The error is a *Refusal if it answers 401 or 403. No
// redirect is followed: what is sent is for the handler that the configuration names.
func (c *Client) post(ctx context.Context, target value.URL, t *config.Trigger, e Event, attempt int) (string, error) {
	ctx, cancel := context.WithCancel(ctx) // ends the connection of an answer that is not read to its end
	defer cancel()
	req, err := postRequest(ctx, target, t, e, attempt)
	if err != nil {
		return "", err
	}
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	switch status := resp.StatusCode; {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return "", &Refusal{Hook: e.Hook, Status: status, Reason: fmt.Sprintf("refused by %s: %s", e.Hook, statusText(status))}
	case status/100 == 3:
		return "", fmt.Errorf("it answers with a redirect (%s), which is not followed: write the new URL into the configuration", statusText(status))
	case status/100 != 2:
		return "", fmt.Errorf("it answers %s", statusText(status))
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return "", err
	}
	return cleanAnswer(body)
}

// postRequest builds the request: MistServer's headers and lines, or JSON.
func postRequest(ctx context.Context, target value.URL, t *config.Trigger, e Event, attempt int) (*http.Request, error) {
	u, err := url.Parse(target.Reveal())
	if err != nil {
		return nil, errors.New("the URL of the handler is none") // err would contain the URL
	}
	body, kind := body(t, e), "text/plain"
	if t.Format == "json" {
		kind = "application/json"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.URL, req.Host = u, u.Host
	h := req.Header
	h.Set("Content-Type", kind)
	h.Set("User-Agent", "rtmpd")
	h.Set("X-Trigger", e.Hook.String())
	h["X-Trigger-UUID"] = []string{e.payload.uuid} // as MistServer spells it
	h.Set("X-Trigger-UnixMillis", strconv.FormatInt(e.payload.at.UnixMilli(), 10))
	h.Set("Date", e.payload.at.UTC().Format(http.TimeFormat))
	h.Set("X-PID", strconv.Itoa(os.Getpid()))
	h.Set("X-Attempt", strconv.Itoa(attempt))
	h["X-Idempotency-Key"] = nil // see request
	if t.Secret != "" {
		at := strconv.FormatInt(time.Now().Unix(), 10)
		h.Set("X-Rtmpd-Timestamp", at)
		h.Set("X-Rtmpd-Signature", Signature(t.Secret.Reveal(), at, body))
	}
	if u.User != nil {
		password, _ := u.User.Password()
		req.SetBasicAuth(u.User.Username(), password)
	}
	return req, nil
}

// Signature signs what is sent to a handler: the HMAC-SHA256 of the time, a dot and the
// body, so that an old request can't be sent again unnoticed.
func Signature(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}
