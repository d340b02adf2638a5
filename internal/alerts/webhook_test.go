package alerts_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/alerts"
	"github.com/rosterd/rosterd/internal/roster"
)

func hook(t *testing.T, url, secret string) *alerts.Webhook {
	t.Helper()
	at := time.Unix(1_790_000_000, 0)
	w, err := alerts.NewWebhook(alerts.WebhookConfig{URL: url, Secret: secret, Version: "v1", Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// The signature is worked out here anew: HMAC-SHA256 over "id.timestamp.body" (Standard Webhooks, "Signature scheme").
func TestAWebhookIsSignedByStandardWebhooks(t *testing.T) {
	key := []byte("0123456789abcdef0123456789abcdef")
	for name, tc := range map[string]struct {
		secret string
		key    []byte
	}{
		"whsec_ and base64":      {"whsec_" + base64.StdEncoding.EncodeToString(key), key},
		"base64 alone":           {base64.StdEncoding.EncodeToString(key), key},
		"a text that is neither": {"hush! hush", []byte("hush! hush")},
		"none":                   {"", nil},
	} {
		t.Run(name, func(t *testing.T) {
			var header http.Header
			var body []byte
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				header = r.Header
				body, _ = io.ReadAll(r.Body)
				w.WriteHeader(http.StatusNoContent)
			}))
			defer server.Close()
			if err := hook(t, server.URL+"/in?a=b", tc.secret).Send(context.Background(), heldMessage()); err != nil {
				t.Fatal(err)
			}
			want := ""
			if tc.key != nil {
				mac := hmac.New(sha256.New, tc.key)
				mac.Write([]byte("d1.1790000000."))
				mac.Write(body)
				want = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
			}
			if header.Get("webhook-id") != "d1" || header.Get("webhook-timestamp") != "1790000000" || header.Get("webhook-signature") != want {
				t.Errorf("header %v, want the signature %q", header, want)
			}
			var got map[string]any
			if err := json.Unmarshal(body, &got); err != nil {
				t.Fatal(err)
			}
			for key, want := range map[string]any{
				"id": "a1", "type": "alert.opened", "organisation": "acme", "kind": "run_held", "subject": "entra", "severity": "warning",
				"opened_at": "2026-11-24T04:20:00Z", "resolved_at": nil,
			} {
				if v, ok := got[key]; !ok || v != want {
					t.Errorf("%s is %v, want %v", key, v, want)
				}
			}
			if details, ok := got["details"].(map[string]any); !ok || details["run"] != "r1" || header.Get("Content-Type") != "application/json" {
				t.Errorf("details %v, header %v", got["details"], header)
			}
		})
	}
}

func TestWhatAWebhookAnswersIsSaidWithoutItsSecrets(t *testing.T) {
	const hush = "T0PSECRET"
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	defer elsewhere.Close()
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"an error of its own": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, hush, http.StatusInternalServerError) }, "it answered 500 Internal Server Error"},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+"/"+hush, http.StatusTemporaryRedirect)
		}, "it answered 307, and redirects are not followed"},
		"nothing": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(tc.answer)
			defer server.Close()
			err := hook(t, server.URL+"/"+hush, hush+"!").Send(context.Background(), heldMessage())
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), hush) ||
				!strings.Contains(err.Error(), strings.TrimPrefix(server.URL, "http://")) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	if err := hook(t, gone.URL+"/"+hush, "").Send(context.Background(), heldMessage()); err == nil || strings.Contains(err.Error(), hush) {
		t.Errorf("nobody there: %v", err)
	}
	for _, url := range []string{"http://hooks.example.com/x", "ftp://localhost/x", "hooks.example.com", "https://"} {
		if _, err := alerts.NewWebhook(alerts.WebhookConfig{URL: url}); err == nil {
			t.Errorf("%s is taken", url)
		}
	}
	if _, err := alerts.NewWebhook(alerts.WebhookConfig{URL: "https://hooks.example.com", Secret: "whsec_" + hush + "!"}); err == nil || strings.Contains(err.Error(), hush) {
		t.Errorf("a secret that is no base64: %v", err)
	}
}

// Each attempt has the same id, so that a receiver that took one knows the next.
func TestAWebhookThatFailedIsPostedAgainUnderItsID(t *testing.T) {
	each(t, func(f *fixture) {
		ctx := context.Background()
		var ids []string
		status := http.StatusInternalServerError
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ids = append(ids, r.Header.Get("webhook-id"))
			w.WriteHeader(status)
		}))
		defer server.Close()
		a := f.replica(hook(f.T, server.URL, ""))
		f.ran(f.org, f.conn, failed("bad_credentials"))
		f.ok(a.Look(ctx))
		f.ok(a.Deliver(ctx))
		status = http.StatusOK
		f.ahead += time.Minute
		f.ok(a.Deliver(ctx))
		f.ok(a.Deliver(ctx))
		d := f.open(f.org)[0].Deliveries[0]
		if len(ids) != 2 || ids[0] != ids[1] || ids[0] != d.ID || d.SentAt.IsZero() || d.Attempts != 2 || d.What != roster.TellOpened {
			t.Errorf("ids %v, delivery %+v", ids, d)
		}
	})
}
