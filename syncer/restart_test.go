package syncer_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/idpsim"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/syncer"
)

// listing answers every request as a SCIM server with nobody in it, if the token is good.
type listing struct{}

// RoundTrip answers.
func (listing) RoundTrip(req *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	if req.Header.Get("Authorization") == "Bearer good" {
		_, _ = w.WriteString(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,"Resources":[]}`)
	} else {
		w.WriteHeader(http.StatusUnauthorized)
	}
	return w.Result(), nil
}

// credentials gives the tenant's job a token.
func (w *world) credentials(token string) {
	w.t.Helper()
	_, err := idpsim.NewPusher(w.tenant, idpsim.PushConfig{BaseURL: "http://scim.invalid", Token: token, Retries: -1, Client: &http.Client{Transport: listing{}}})
	w.ok(err)
}

// restarts lets runs restart the job, at most once in a time.
func (w *world) restarts(after time.Duration) {
	w.t.Helper()
	src := w.cfg.Sources[w.conn]
	src.RestartJob = after
	w.cfg.Sources = map[string]syncer.Source{w.conn: src}
	w.syncer = w.another("restarting")
}

func TestAJobInQuarantineIsRestartedWhenItsCauseIsGone(t *testing.T) {
	for name, c := range map[string]struct {
		after  time.Duration
		reason idpsim.QuarantineReason
		token  string
		spoil  func(w *world)
		mode   roster.Mode
		want   int
		said   string
	}{
		"its credentials work":           {after: 24 * time.Hour, reason: idpsim.QuarantineException, token: "good", want: 1},
		"too many had failed":            {after: 24 * time.Hour, reason: idpsim.BaseEscrowThreshold, token: "good", want: 1},
		"the policy does not allow it":   {reason: idpsim.QuarantineException, token: "good"},
		"its credentials don't work yet": {after: 24 * time.Hour, reason: idpsim.QuarantineException, token: "expired", said: "its cause is not gone"},
		"too many deletes":               {after: 24 * time.Hour, reason: idpsim.TooManyDeletes, token: "good"},
		"no quarantine":                  {after: 24 * time.Hour, token: "good"},
		"a dry run":                      {after: 24 * time.Hour, reason: idpsim.QuarantineException, token: "good", mode: roster.ModeDry},
		"no permission": {after: 24 * time.Hour, reason: idpsim.QuarantineException, token: "good", said: "Synchronization.ReadWrite.All",
			spoil: func(w *world) { w.tenant.Deny(idpsim.SynchronizationReadWriteAll) }},
		"a run that read too little": {after: 24 * time.Hour, reason: idpsim.QuarantineException, token: "good", spoil: func(w *world) {
			w.tenant.Inject(idpsim.Fault{Path: "/groups/*/members", Status: http.StatusInternalServerError})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onSQLite(t, func(w *world) {
				w.baseline()
				w.credentials(c.token)
				w.restarts(c.after)
				if c.reason != "" {
					w.tenant.SetQuarantine(c.reason, "")
				}
				if c.spoil != nil {
					c.spoil(w)
				}
				mode := c.mode
				if mode == "" {
					mode = roster.ModeFull
				}
				run, _ := w.run(mode)
				if got := len(w.tenant.Restarts()); got != c.want || run.State == roster.RunFailed {
					w.t.Errorf("%d restarts, want %d; the run ended %s", got, c.want, run.State)
				}
				j := w.job()
				if !strings.Contains(j.RestartProblem, c.said) || (c.said == "") != (j.RestartProblem == "") || j.RestartedAt.IsZero() == (c.want == 1) {
					w.t.Errorf("kept is %+v", j)
				}
			})
		})
	}
}

// A quarantine that comes back is not fought: one restart in the set time, whoever runs.
func TestAJobIsRestartedOnceInTheSetTime(t *testing.T) {
	eachWorld(t, 6, 1, func(w *world) {
		w.baseline()
		w.credentials("good")
		w.restarts(24 * time.Hour)
		for range 3 {
			w.tenant.SetQuarantine(idpsim.QuarantineException, "")
			w.run(roster.ModeFull)
		}
		if got := w.tenant.Restarts(); len(got) != 1 || w.job().RestartedAt.IsZero() {
			w.t.Errorf("restarted with %q", got)
		}
		w.restarts(time.Nanosecond) // the time is over
		if w.run(roster.ModeFull); len(w.tenant.Restarts()) != 2 {
			w.t.Errorf("restarted with %q", w.tenant.Restarts())
		}
	})
}
