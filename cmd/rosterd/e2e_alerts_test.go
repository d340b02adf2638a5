package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/idpsim"
)

// hooks is a receiver of webhooks.
type hooks struct {
	*httptest.Server
	mu  sync.Mutex
	got []string // "type kind subject"
}

func receiveHooks(t testing.TB) *hooks {
	t.Helper()
	h := &hooks{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Type, Kind, Subject string }
		text, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(text, &body); err != nil || !strings.HasPrefix(r.Header.Get("webhook-signature"), "v1,") {
			t.Errorf("%v: %v %s", err, r.Header, text)
		}
		h.mu.Lock()
		h.got = append(h.got, body.Type+" "+body.Kind+" "+body.Subject)
		h.mu.Unlock()
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hooks) told() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.got, "; ")
}

// A connection whose credentials are refused is told of right after its run, and so is that it works again.
func TestE2EAlertsGoToTheWebhook(t *testing.T) {
	eachMachine(t, func(m *machine) {
		h := receiveHooks(m.t)
		d := m.directory(idpsim.Config{Seed: 31, Members: 10, Groups: 2})
		entry := d.entry("default", "entra")
		section := "alerts: { webhook: { url: '" + h.URL + "/in', secret: '${env:HOOK_SECRET}' } }\n"
		m.env = append(m.env, "HOOK_SECRET=whsec_aHVzaCBodXNo")
		m.file("rosterd.yaml", section+"connections:\n"+strings.Replace(entry, d.AccessToken(), "another-token", 1))
		m.again()
		if got := asked[client.AlertTests](m, exitDone, "alerts test"); !got.OK || h.told() != "alert.test test webhook" {
			m.t.Fatalf("the test: %+v, told %q", got, h.told())
		}
		m.want(exitFailed, "resync --org default --wait")
		m.until("the failure is told", func() bool {
			return strings.HasSuffix(h.told(), "alert.opened run_failing entra")
		})
		open := asked[client.Status](m, exitDone, "status").Alerts
		if len(open) != 1 || open[0].Kind != "run_failing" || open[0].Severity != "critical" {
			m.t.Errorf("status: %+v", open)
		}
		if got := m.want(exitDone, "alerts list").out; !strings.Contains(got, "critical  default: runs fail on entra") {
			m.t.Errorf("the list:\n%s", got)
		}
		m.file("rosterd.yaml", section+"connections:\n"+entry)
		m.again()
		m.want(exitDone, "resync --org default --wait")
		m.until("its end is told", func() bool {
			return strings.HasSuffix(h.told(), "alert.opened run_failing entra; alert.resolved run_failing entra")
		})
		all := asked[[]client.Alert](m, exitDone, "alerts list --all")
		if len(all) != 1 || all[0].State != "resolved" || len(all[0].Deliveries) != 2 || all[0].Deliveries[1].State != "sent" {
			m.t.Errorf("all: %+v", all)
		}
	})
}
