package alerts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const (
	webhookTime = 10 * time.Second
	mostAnswer  = 1 << 10
)

// WebhookConfig is where a webhook goes.
type WebhookConfig struct {
	URL string // https, or http on a loopback address
	// Secret signs what is sent: whsec_ and base64, or any other text. Empty: nothing is signed.
	Secret  string
	Version string           // of rosterd
	Now     func() time.Time // nil: time.Now
}

// Webhook posts messages as JSON, signed as the Standard Webhooks specification says.
type Webhook struct {
	url    string
	signer *standardwebhooks.Webhook
	hidden []string
	client *http.Client
	agent  string
	now    func() time.Time
}

// NewWebhook returns a channel that posts to a URL.
func NewWebhook(c WebhookConfig) (*Webhook, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return nil, errors.New("the URL must begin with https://; plain http goes to a loopback address only")
	}
	w := &Webhook{url: c.URL, agent: "rosterd/" + c.Version, now: c.Now, hidden: []string{c.URL, u.RequestURI(), c.Secret}}
	if w.now == nil {
		w.now = time.Now
	}
	if u.RequestURI() == "/" {
		w.hidden = []string{c.Secret}
	}
	if c.Secret != "" {
		if w.signer, err = signer(c.Secret); err != nil {
			return nil, err
		}
	}
	var transport *http.Transport
	if standard, ok := http.DefaultTransport.(*http.Transport); ok {
		transport = standard.Clone()
	} else {
		transport = &http.Transport{Proxy: http.ProxyFromEnvironment}
	}
	w.client = &http.Client{
		Transport: transport, Timeout: webhookTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return w, nil
}

// signer reads a secret as the libraries of Standard Webhooks do
// (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md, "Signature scheme"). One that
// could be no such secret is taken as it is.
func signer(secret string) (*standardwebhooks.Webhook, error) {
	s, err := standardwebhooks.NewWebhook(secret)
	switch {
	case err == nil:
		return s, nil
	case strings.HasPrefix(secret, "whsec_"):
		return nil, errors.New("the secret begins with whsec_, and what follows is not base64")
	}
	return standardwebhooks.NewWebhookRaw([]byte(secret))
}

// Name implements Channel.
func (*Webhook) Name() string { return "webhook" }

// payload is the body of a webhook.
type payload struct {
	ID           string         `json:"id"` // the alert's: the same in all that is told of it
	Type         string         `json:"type"`
	Timestamp    time.Time      `json:"timestamp"`
	Organisation string         `json:"organisation"`
	Kind         string         `json:"kind"`
	SubjectType  string         `json:"subject_type"`
	Subject      string         `json:"subject"`
	Severity     string         `json:"severity"`
	Title        string         `json:"title"`
	Text         string         `json:"text"`
	OpenedAt     time.Time      `json:"opened_at"`
	ResolvedAt   *time.Time     `json:"resolved_at"`
	Details      map[string]any `json:"details"`
}

// Send implements Channel. Its errors hold neither the URL's path, which often is a secret, nor the answer.
func (w *Webhook) Send(ctx context.Context, m Message) error {
	at := w.now()
	p := payload{
		ID: m.Alert, Type: "alert." + string(m.What), Timestamp: at.UTC(), Organisation: m.Organisation, Kind: string(m.Kind),
		SubjectType: m.SubjectType, Subject: m.Subject, Severity: string(m.Severity), Title: m.Title, Text: m.Text, OpenedAt: m.OpenedAt.UTC(),
		Details: m.Details,
	}
	if !m.ResolvedAt.IsZero() {
		t := m.ResolvedAt.UTC()
		p.ResolvedAt = &t
	}
	if p.Details == nil {
		p.Details = map[string]any{}
	}
	body, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode the message: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return errors.New("the URL can't be used")
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", w.agent)
	request.Header.Set(standardwebhooks.HeaderWebhookID, m.ID)
	request.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	if w.signer != nil {
		signature, err := w.signer.Sign(m.ID, at, body)
		if err != nil {
			return fmt.Errorf("sign the message: %w", err)
		}
		request.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	}
	response, err := w.client.Do(request)
	if err != nil {
		return fmt.Errorf("post to %s: %s", request.URL.Host, hide(withoutURL(err), w.hidden...))
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.CopyN(io.Discard, response.Body, mostAnswer) // a short answer's connection can be used again
	switch code := response.StatusCode; {
	case code >= 300 && code < 400:
		return fmt.Errorf("post to %s: it answered %d, and redirects are not followed: give the address that it redirects to", request.URL.Host, code)
	case code < 200 || code > 299:
		return fmt.Errorf("post to %s: it answered %d %s", request.URL.Host, code, http.StatusText(code))
	}
	return nil
}

// withoutURL takes off what net/http puts around an error: the whole URL.
func withoutURL(err error) string {
	var ue *url.Error
	if errors.As(err, &ue) {
		if ue.Timeout() {
			return "no answer in time"
		}
		err = ue.Err
	}
	return err.Error()
}

// hide takes secrets out of a text.
func hide(text string, secrets ...string) string {
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, "[secret]")
		}
	}
	return text
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
